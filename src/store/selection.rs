//! The devices that a batch is for.

use std::collections::BTreeSet;

use sqlx::AssertSqlSafe;

use super::db::{self, IdList, on_pool};
use super::{FieldErrors, Scope, Store, StoreError};
use crate::event::{DeviceId, LocationId, OrganizationId};

/// As long as a device's name: what is longer finds none.
const SEARCH: usize = 64;

/// Which devices are wanted: those that all of it fits.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// These.
    pub devices: Option<BTreeSet<DeviceId>>,
    /// This organization's.
    pub organization: Option<OrganizationId>,
    /// Those at this location.
    pub location: Option<LocationId>,
    /// Those with this in their name, MAC address or management IP, in small letters or capitals.
    pub search: Option<String>,
}

#[derive(sqlx::FromRow)]
struct Candidate {
    id: DeviceId,
    name: String,
    mac_address: Option<String>,
    management_ip: Option<String>,
    organization_id: OrganizationId,
    location_id: Option<LocationId>,
}

impl Selection {
    /// Whether it selects by nothing, which finds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.devices.is_none()
            && self.organization.is_none()
            && self.location.is_none()
            && self.search.is_none()
    }

    /// Whether it can be right, whatever devices there are.
    ///
    /// # Errors
    /// What is wrong with which field.
    pub fn check(&self) -> Result<(), FieldErrors> {
        let mut errors = FieldErrors::default();
        if self.devices.as_ref().is_some_and(BTreeSet::is_empty) {
            errors.add("devices", "This list may not be empty.");
        }
        if let Some(search) = &self.search {
            errors.check_name("search", search, SEARCH);
        }
        if self.is_empty() {
            let reason = "Select devices by devices, organization, location or search.";
            errors.add("non_field_errors", reason);
        }
        errors.into_result()
    }

    fn fits(&self, candidate: &Candidate) -> bool {
        let wanted = |text: &str| match &self.search {
            Some(search) => text.to_lowercase().contains(&search.to_lowercase()),
            None => true,
        };
        let texts = [
            Some(&candidate.name),
            candidate.mac_address.as_ref(),
            candidate.management_ip.as_ref(),
        ];
        self.organization
            .is_none_or(|wanted| wanted == candidate.organization_id)
            && self
                .location
                .is_none_or(|wanted| Some(wanted) == candidate.location_id)
            && texts.into_iter().flatten().any(|text| wanted(text))
    }
}

impl Store {
    /// The devices of active organizations in `scope` that are wanted, at most `most`.
    ///
    /// # Errors
    /// When something that it names is not there, or when there are none or too many.
    pub(super) async fn selected(
        &self,
        selection: &Selection,
        scope: &Scope,
        most: usize,
    ) -> Result<Vec<DeviceId>, StoreError> {
        selection.check()?;
        let mut errors = FieldErrors::default();
        if let Some(id) = selection.organization
            && (!scope.contains(id) || is_missing(self.organization(id).await)?)
        {
            errors.add("organization", no_such(id));
        }
        if let Some(id) = selection.location
            && is_missing(self.location(id, scope).await)?
        {
            errors.add("location", no_such(id));
        }
        let candidates = self.candidates(selection, scope).await?;
        if let Some(wanted) = &selection.devices {
            let found: BTreeSet<DeviceId> = candidates.iter().map(|it| it.id).collect();
            for missing in wanted.difference(&found) {
                errors.add("devices", no_such(missing));
            }
        }
        errors.into_result()?;
        let fitting = candidates.iter().filter(|it| selection.fits(it));
        let selected: Vec<DeviceId> = fitting.map(|it| it.id).collect();
        let reason = match selected.len() {
            0 => "No devices are selected.".to_owned(),
            count if count > most => {
                format!("{count} devices are selected, and a batch has at most {most}.")
            }
            _ => return Ok(selected),
        };
        Err(FieldErrors::one("non_field_errors", reason).into())
    }

    /// What is looked through: all devices that are named, so that it can be told which of them are
    /// not there, or else those of the organization and at the location.
    async fn candidates(
        &self,
        selection: &Selection,
        scope: &Scope,
    ) -> Result<Vec<Candidate>, StoreError> {
        let (named, organization, location) = if selection.devices.is_some() {
            let among = db::among(self.db(), "$2");
            (format!("device.id {among}"), None, None)
        } else {
            let all = "$2 IS NOT NULL".to_owned();
            (all, selection.organization, selection.location)
        };
        let in_scope = scope.condition(self.db(), "device.organization_id");
        let sql = format!(
            "SELECT device.id, device.name, mac_address, management_ip, organization_id, location_id
             FROM device JOIN organization ON organization.id = device.organization_id
             LEFT JOIN device_location ON device_location.device_id = device.id
             WHERE {in_scope} AND {named} AND organization.is_active
                 AND ($3 IS NULL OR organization_id = $3) AND ($4 IS NULL OR location_id = $4)"
        );
        let devices = selection.devices.iter().flatten().map(|id| id.0).collect();
        Ok(on_pool!(self, pool => {
            sqlx::query_as(AssertSqlSafe(sql))
                .bind(IdList(scope.ids()))
                .bind(IdList(devices))
                .bind(organization)
                .bind(location)
                .fetch_all(pool)
                .await?
        }))
    }
}

fn is_missing<T>(found: Result<T, StoreError>) -> Result<bool, StoreError> {
    match found {
        Ok(_) => Ok(false),
        Err(StoreError::NotFound(_)) => Ok(true),
        Err(error) => Err(error),
    }
}

fn no_such(id: impl std::fmt::Display) -> String {
    format!("Invalid pk \"{id}\" - object does not exist.")
}
