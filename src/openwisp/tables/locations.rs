//! Locations as they are now, and which of them changed.

use std::collections::BTreeSet;

use serde_json::Value;
use sqlx::FromRow;

use super::dialect::{Dialect, id, ids, instant};
use super::{Tables, TablesError, until};
use crate::event::{Cursor, LocationId, OrganizationId, Timestamp};
use crate::openwisp::geometry::Shape;

const TABLE: &str = "geo_location";

/// A location.
#[derive(Clone, Debug, PartialEq)]
pub struct LocationRow {
    /// Which.
    pub id: LocationId,
    /// Whose it is.
    pub organization: Option<OrganizationId>,
    /// What people call it.
    pub name: String,
    /// Where people say that it is.
    pub address: String,
    /// `outdoor` or `indoor`.
    pub kind: String,
    /// Whether it is a vehicle's.
    pub is_mobile: bool,
    /// `GeoJSON` of any type; `None` where there is none, an empty one, or one that cannot be read.
    pub geometry: Option<Value>,
    /// When it was last saved.
    pub modified: Timestamp,
}

/// Which locations are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocationScope {
    /// These, and all of these organizations.
    Either {
        /// Of any organization.
        locations: BTreeSet<LocationId>,
        /// All of each.
        organizations: BTreeSet<OrganizationId>,
    },
    /// All there are.
    All,
}

#[derive(FromRow)]
struct Row {
    id: String,
    organization_id: Option<String>,
    name: String,
    address: String,
    kind: String,
    is_mobile: bool,
    geometry: Option<Vec<u8>>,
    modified: String,
}

impl Tables {
    /// These locations, as they are now; those that are gone are absent.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn locations(&self, wanted: &[LocationId]) -> Result<Vec<LocationRow>, TablesError> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let dialect = self.dialect();
        let sql = format!("{} WHERE id {}", select(dialect), dialect.among_ids("$1"));
        let rows: Vec<Row> = self.rows(sql, [ids(wanted.iter().map(|it| it.0))]).await?;
        rows.into_iter().map(|row| row.read(dialect)).collect()
    }

    /// A page of at most `most` locations that were saved from `cursor` on, as they are now, oldest change
    /// first, and the cursor of the next page, `None` after the last. What is saved after `cursor.until`
    /// is left out; a first page sets it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn locations_since(
        &self,
        scope: &LocationScope,
        cursor: Cursor,
        most: u32,
    ) -> Result<(Vec<LocationRow>, Option<Cursor>), TablesError> {
        let dialect = self.dialect();
        let until = until(cursor);
        let (condition, locations, organizations) = scope.condition(dialect);
        let sql = format!(
            "{} WHERE (modified, id) > ({}, {}) AND modified <= {} AND ({condition})
             ORDER BY geo_location.modified, geo_location.id LIMIT {most}",
            select(dialect),
            dialect.instant("$1"),
            dialect.id("$2"),
            dialect.instant("$3"),
        );
        let parameters = [
            dialect.instant_parameter(cursor.changed),
            dialect.id_parameter(cursor.id),
            dialect.instant_parameter(until),
            locations,
            organizations,
        ];
        let rows: Vec<Row> = self.rows(sql, parameters).await?;
        let is_full = rows.len() == most as usize;
        let rows = rows.into_iter().map(|row| row.read(dialect));
        let rows: Vec<LocationRow> = rows.collect::<Result<_, _>>()?;
        let next = rows.last().filter(|_| is_full).map(|row| Cursor {
            changed: row.modified,
            id: row.id.0,
            until: Some(until),
        });
        Ok((rows, next))
    }
}

impl LocationScope {
    /// A condition over two lists of ids, `$4` of locations and `$5` of organizations, and the lists.
    fn condition(&self, dialect: Dialect) -> (String, String, String) {
        match self {
            Self::Either {
                locations,
                organizations,
            } => {
                let among = format!(
                    "id {} OR organization_id {}",
                    dialect.among_ids("$4"),
                    dialect.among_ids("$5")
                );
                let locations = ids(locations.iter().map(|it| it.0));
                let organizations = ids(organizations.iter().map(|it| it.0));
                (among, locations, organizations)
            }
            // The parameters are there in any case.
            Self::All => ("$4 IS NOT NULL OR $5 IS NOT NULL".into(), ids([]), ids([])),
        }
    }
}

fn select(dialect: Dialect) -> String {
    format!(
        "SELECT CAST(id AS TEXT) AS id, CAST(organization_id AS TEXT) AS organization_id,
             CAST(name AS TEXT) AS name, CAST(address AS TEXT) AS address, CAST(type AS TEXT) AS kind,
             is_mobile, {} AS geometry, {} AS modified FROM {TABLE}",
        dialect.geometry("geometry"),
        dialect.instant_text("modified"),
    )
}

impl Row {
    fn read(self, dialect: Dialect) -> Result<LocationRow, TablesError> {
        let location = LocationId(id(TABLE, "id", &self.id)?);
        let organization = self.organization_id.as_deref();
        let organization = organization.map(|it| id(TABLE, "organization_id", it));
        let geometry = self.geometry.as_deref().and_then(|bytes| {
            let shape = match dialect {
                Dialect::Sqlite => Shape::of_blob(bytes),
                Dialect::Postgres => Shape::of_wkb(bytes),
            };
            if shape.is_none() {
                tracing::warn!(code = "geometry_unreadable", %location, "the geometry of a location cannot be read");
            }
            shape?.geojson()
        });
        Ok(LocationRow {
            id: location,
            organization: organization.transpose()?.map(OrganizationId),
            name: self.name,
            address: self.address,
            kind: self.kind,
            is_mobile: self.is_mobile,
            geometry,
            modified: instant(TABLE, "modified", &self.modified)?,
        })
    }
}
