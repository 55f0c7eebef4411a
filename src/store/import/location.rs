//! Locations that are imported.

use serde_json::{Value, json};

use super::super::location::{LocationChange, NewLocation, check_geometry};
use super::super::transaction::{Write, on_write};
use super::super::{FieldErrors, StoreError};
use super::ImportKind;
use super::merge::{Fields, Merge, fields};
use super::run::{Head, Imported, Run};
use crate::event::{LocationId, LocationType, OrganizationId, Point, Timestamp};

/// A location there.
#[derive(Clone, Debug)]
pub struct ImportedLocation {
    /// Identifier.
    pub id: LocationId,
    /// Whose.
    pub organization: OrganizationId,
    /// Its name.
    pub name: String,
    /// Street address, or empty.
    pub address: String,
    /// Outdoor or indoor.
    pub kind: LocationType,
    /// Whether it moves.
    pub is_mobile: bool,
    /// Where it is; only a mobile location can be without.
    pub geometry: Option<Point>,
    /// When it was made.
    pub created: Timestamp,
}

impl ImportedLocation {
    fn check(&self) -> Result<(), FieldErrors> {
        let named = LocationChange {
            name: Some(self.name.clone()),
            address: Some(self.address.clone()),
            ..LocationChange::default()
        };
        named.check()?;
        let mut errors = FieldErrors::default();
        check_geometry(&mut errors, self.is_mobile, self.geometry);
        errors.into_result()
    }
}

impl Imported for ImportedLocation {
    const KIND: ImportKind = ImportKind::Locations;

    fn head(&self) -> Head<'_> {
        Head {
            id: self.id.0,
            name: &self.name,
            made: Some(("location", self.created)),
            needs: vec![(ImportKind::Organizations, self.organization.0)],
        }
    }

    fn there(&self) -> Fields {
        fields(json!({
            "organization": self.organization,
            "name": self.name,
            "address": self.address,
            "type": self.kind,
            "is_mobile": self.is_mobile,
            "geometry": self.geometry,
        }))
    }

    async fn here(&self, run: &mut Run) -> Result<Option<Fields>, StoreError> {
        let found = run.write.location_row(self.id).await?;
        Ok(found.map(|row| {
            fields(json!({
                "organization": row.organization_id,
                "name": row.name,
                "address": row.address,
                "type": row.r#type,
                "is_mobile": row.is_mobile,
                "geometry": row.geometry(),
            }))
        }))
    }

    async fn make(&self, run: &mut Run) -> Result<(), StoreError> {
        self.check()?;
        let new = NewLocation {
            organization: Some(self.organization),
            name: self.name.clone(),
            address: self.address.clone(),
            kind: self.kind,
            is_mobile: self.is_mobile,
            geometry: self.geometry,
            device: None,
        };
        run.write.existing_organization(new.organization).await?;
        let row = run.write.insert_location(self.id, &new).await?;
        run.write.moved_if_located(&row);
        run.note("add", self).await
    }

    async fn alter(&self, run: &mut Run, merge: &Merge<'_>) -> Result<(), StoreError> {
        let is_elsewhere = merge.take::<Value>("geometry").is_some();
        let change = LocationChange {
            organization: merge.take("organization"),
            name: merge.take("name"),
            address: merge.take("address"),
            kind: merge.take("type"),
            is_mobile: merge.take("is_mobile"),
            geometry: is_elsewhere.then_some(self.geometry),
        };
        change.check()?;
        let moves = change.organization.is_some();
        if moves {
            run.write.clear_location(self.id).await?;
        }
        run.write.alter_location(self.id, &change).await?;
        if moves {
            run.made_anew(Self::KIND, self.id.0);
        }
        run.note("change", self).await
    }
}

impl Write {
    /// Takes the devices from a location that goes to another organization; those that are at it there
    /// are brought behind it.
    async fn clear_location(&mut self, location: LocationId) -> Result<(), StoreError> {
        on_write!(self, connection => {
            sqlx::query("DELETE FROM device_location WHERE location_id = $1")
                .bind(location)
                .execute(connection)
                .await
                .map(|_| ())?;
        });
        Ok(())
    }
}
