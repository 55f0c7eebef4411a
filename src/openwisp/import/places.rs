//! Locations, and which device is at which.

use std::collections::BTreeMap;

use super::database::Database;
use super::geometry::Geometry;
use super::{ReadError, in_part, left_out};
use crate::event::{DeviceId, LocationId, OrganizationId, Point};
use crate::store::{Import, ImportKind, ImportedLocation, ImportedPlace};

const LOCATION: &str = "geo_location";

pub(super) async fn read(database: &mut Database, import: &mut Import) -> Result<(), ReadError> {
    // The geographic application may not be installed.
    if database.has(LOCATION).await? {
        read_locations(database, import).await?;
        read_places(database, import).await?;
    }
    Ok(())
}

async fn read_locations(database: &mut Database, import: &mut Import) -> Result<(), ReadError> {
    let columns = [
        "id",
        "organization_id",
        "name",
        "type",
        "is_mobile",
        "address",
        "geometry",
        "created",
    ];
    let is_sqlite = matches!(database, Database::Sqlite(_));
    for row in database.rows(LOCATION, &columns).await? {
        let (id, name) = (row.uuid("id")?, row.text("name"));
        let geometry = row.optional("geometry").filter(|text| !text.is_empty());
        let geometry = geometry.map(|text| {
            if is_sqlite {
                Geometry::of_hex(text)
            } else {
                Geometry::of_words(text)
            }
        });
        match point(geometry) {
            Ok(geometry) => import.locations.push(ImportedLocation {
                id: LocationId(id),
                organization: OrganizationId(row.uuid("organization_id")?),
                name: name.to_owned(),
                address: row.text("address").to_owned(),
                kind: row.text("type").parse().map_err(|_| row.wrong("type"))?,
                is_mobile: row.flag("is_mobile")?,
                geometry,
                created: row.instant("created")?,
            }),
            Err(reason) => {
                import
                    .left_out
                    .push(left_out(ImportKind::Locations, id, name, reason));
            }
        }
    }
    Ok(())
}

/// The point of a geometry, or why it is none.
fn point(geometry: Option<Geometry>) -> Result<Option<Point>, &'static str> {
    match geometry {
        None => Ok(None),
        Some(Geometry::Point(point)) => Ok(Some(point)),
        Some(Geometry::Shape) => Err("its geometry is not a point"),
        Some(Geometry::OffTheEarth) => Err("its coordinates lie nowhere on Earth"),
        Some(Geometry::Unreadable) => Err("its geometry cannot be read"),
    }
}

async fn read_places(database: &mut Database, import: &mut Import) -> Result<(), ReadError> {
    let names: BTreeMap<DeviceId, String> = import
        .devices
        .iter()
        .map(|device| (device.id, device.name.clone()))
        .collect();
    let columns = [
        "id",
        "content_object_id",
        "location_id",
        "floorplan_id",
        "indoor",
    ];
    for row in database.rows("geo_devicelocation", &columns).await? {
        let device = DeviceId(row.uuid("content_object_id")?);
        let name = names.get(&device).cloned().unwrap_or_default();
        let Some(location) = row.optional_uuid("location_id")? else {
            continue;
        };
        if row.optional("floorplan_id").is_some() || !row.text("indoor").is_empty() {
            let reason = "without its place on a floor plan";
            import
                .remarks
                .push(in_part(ImportKind::DeviceLocations, &name, reason));
        }
        import.places.push(ImportedPlace {
            id: row.uuid("id")?,
            device,
            name,
            location: LocationId(location),
        });
    }
    Ok(())
}
