//! What belongs to whom.

use std::collections::{BTreeSet, HashMap};

use uuid::Uuid;

use super::dialect::{id, ids};
use super::{Tables, TablesError};
use crate::access::Resource;
use crate::event::{DeviceId, LocationId, OrganizationId};

impl Tables {
    /// The organizations that these belong to now; what does not exist, or belongs to none, is absent.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn owners(
        &self,
        resources: &[Resource],
    ) -> Result<HashMap<Resource, OrganizationId>, TablesError> {
        let (mut devices, mut locations) = (Vec::new(), Vec::new());
        for resource in resources {
            match resource {
                Resource::Device(id) => devices.push(id.0),
                Resource::Location(id) => locations.push(id.0),
            }
        }
        let mut owners = HashMap::new();
        for (id, owner) in self.owners_in("config_device", &devices).await? {
            owners.insert(Resource::Device(DeviceId(id)), owner);
        }
        for (id, owner) in self.owners_in("geo_location", &locations).await? {
            owners.insert(Resource::Location(LocationId(id)), owner);
        }
        Ok(owners)
    }

    async fn owners_in(
        &self,
        table: &'static str,
        wanted: &[Uuid],
    ) -> Result<Vec<(Uuid, OrganizationId)>, TablesError> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT CAST(id AS TEXT), CAST(organization_id AS TEXT) FROM {table}
             WHERE organization_id IS NOT NULL AND id {}",
            self.dialect().among_ids("$1"),
        );
        let rows: Vec<(String, String)> = self.rows(sql, [ids(wanted.iter().copied())]).await?;
        rows.iter()
            .map(|(own, owner)| {
                let owner = OrganizationId(id(table, "organization_id", owner)?);
                Ok((id(table, "id", own)?, owner))
            })
            .collect()
    }

    /// The locations of these organizations, `None` for all there are, each with its organization.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn locations_of(
        &self,
        organizations: Option<&BTreeSet<OrganizationId>>,
    ) -> Result<Vec<(LocationId, Option<OrganizationId>)>, TablesError> {
        const TABLE: &str = "geo_location";
        let asked = organizations.into_iter().flatten().map(|it| it.0);
        let condition = match organizations {
            // The parameter is there in any case.
            None => "$1 IS NOT NULL".to_owned(),
            Some(_) => format!("organization_id {}", self.dialect().among_ids("$1")),
        };
        let sql = format!(
            "SELECT CAST(id AS TEXT), CAST(organization_id AS TEXT) FROM {TABLE} WHERE {condition}"
        );
        let rows: Vec<(String, Option<String>)> = self.rows(sql, [ids(asked)]).await?;
        rows.iter()
            .map(|(own, owner)| {
                let owner = owner.as_deref();
                let owner = owner.map(|owner| id(TABLE, "organization_id", owner));
                Ok((
                    LocationId(id(TABLE, "id", own)?),
                    owner.transpose()?.map(OrganizationId),
                ))
            })
            .collect()
    }
}
