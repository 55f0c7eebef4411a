//! Rows as they are now, and which of them changed.

use serde_json::json;
use uuid::Uuid;

use super::{House, NOW, over_both};
use crate::event::{
    CommandId, ConnectionId, Cursor, DeviceId, LocationId, OrganizationId, Timestamp,
};
use crate::openwisp::tables::{LocationRow, LocationScope, Tables};

impl House {
    pub async fn device(&self, id: Uuid, organization: Uuid) {
        self.alter(format!(
            "INSERT INTO config_device (id, name, mac_address, key, model, os, notes, created, modified,
                 organization_id, system, _is_deactivated)
             VALUES ('{0}', '{0}', '00:00:00:00:00:01', '{0}', '', '', '', {NOW}, {NOW}, '{1}', '', false)",
            id.simple(),
            organization.simple()
        ))
        .await;
    }

    /// A location without geometry.
    pub async fn location(&self, id: Uuid, organization: Uuid, modified: &str) {
        self.alter(format!(
            "INSERT INTO geo_location (id, created, modified, name, type, is_mobile, address,
                 organization_id, is_estimated)
             VALUES ('{}', {NOW}, '{modified}', 'Linea «3»', 'outdoor', true, 'Via dè Città 1', '{}',
                 false)",
            id.simple(),
            organization.simple()
        ))
        .await;
    }

    /// A command of a device.
    pub async fn command(&self, id: Uuid, device: Uuid, status: &str, modified: &str) {
        self.alter(format!(
            "INSERT INTO connection_command (id, created, modified, status, type, output, device_id, input)
             VALUES ('{}', {NOW}, '{modified}', '{status}', 'custom', 'hello', '{}',
                 '{{\"command\": \"echo è\"}}')",
            id.simple(),
            device.simple()
        ))
        .await;
    }

    /// Gives a location its place: as SpatiaLite writes it, and in words that PostGIS reads.
    async fn place(&self, location: Uuid, blob: &str, words: &str) {
        let geometry = match self.file() {
            Some(_) => format!("X'{blob}'"),
            None => format!("ST_GeomFromText('{words}', 4326)"),
        };
        self.alter(format!(
            "UPDATE geo_location SET geometry = {geometry} WHERE id = '{}'",
            location.simple()
        ))
        .await;
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Locations of these numbers, and all of these organizations.
fn either(numbers: &[u128], organizations: &[Uuid]) -> LocationScope {
    let locations = numbers.iter().map(|it| LocationId(numbered(*it)));
    let organizations = organizations.iter().copied().map(OrganizationId);
    LocationScope::Either {
        locations: locations.collect(),
        organizations: organizations.collect(),
    }
}

fn numbered(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// All pages, of `most` rows each.
async fn locations(
    tables: &Tables,
    scope: &LocationScope,
    since: &str,
    most: u32,
) -> Vec<LocationId> {
    let mut cursor = Some(Cursor::begin(at(since)));
    let mut found = Vec::new();
    while let Some(from) = cursor {
        let (rows, next) = tables.locations_since(scope, from, most).await.unwrap();
        assert!(rows.len() <= most as usize);
        found.extend(rows.iter().map(|it| it.id));
        cursor = next;
    }
    found
}

async fn commands(tables: &Tables, device: Uuid, since: &str, most: u32) -> Vec<CommandId> {
    let mut cursor = Some(Cursor::begin(at(since)));
    let mut found = Vec::new();
    while let Some(from) = cursor {
        let (rows, next) = tables
            .commands_since(DeviceId(device), from, most)
            .await
            .unwrap();
        found.extend(rows.iter().map(|it| it.id));
        cursor = next;
    }
    found
}

over_both! {
    async fn a_location_is_told_whole(house: House) {
        let organization = house.organization("metro", true).await;
        let (id, empty) = (Uuid::new_v4(), Uuid::new_v4());
        house.location(id, organization, "2026-11-25 12:00:00.000001").await;
        house.location(empty, organization, "2026-11-25 12:00:00").await;
        house.place(
            id,
            "0001E610000050FEEE1D350629405DA3E5400FF3444050FEEE1D350629405DA3E5400FF344407C0100000050FEEE1D350629405DA3E5400FF34440FE",
            "POINT(12.512124 41.898903)",
        ).await;
        let rows = house.tables.locations(&[LocationId(id), LocationId(Uuid::new_v4())]).await.unwrap();
        assert_eq!(rows, [LocationRow {
            id: LocationId(id),
            organization: Some(OrganizationId(organization)),
            name: "Linea «3»".into(),
            address: "Via dè Città 1".into(),
            kind: "outdoor".into(),
            is_mobile: true,
            geometry: Some(json!({"type": "Point", "coordinates": [12.512_124, 41.898_903]})),
            modified: at("2026-11-25T12:00:00.000001Z"),
        }]);
        let rows = house.tables.locations(&[LocationId(empty)]).await.unwrap();
        assert_eq!((&rows[0].geometry, rows[0].modified), (&None, at("2026-11-25T12:00:00Z")));
    }

    async fn any_shape_is_told(house: House) {
        let organization = house.organization("metro", true).await;
        let id = Uuid::new_v4();
        house.location(id, organization, "2026-11-25 12:00:00").await;
        for (blob, words, geometry) in [
            (
                "0001E6100000000000000000284000000000008044400000000000002A4000000000004045407C0200000002000000000000000000284000000000008044400000000000002A400000000000404540FE",
                "LINESTRING(12 41, 13 42.5)",
                json!({"type": "LineString", "coordinates": [[12.0, 41.0], [13.0, 42.5]]}),
            ),
            (
                "0001E6100000000000000000F03F0000000000000040000000000000084000000000000010407C07000000020000006901000000000000000000F03F0000000000000040690200000002000000000000000000F03F000000000000004000000000000008400000000000001040FE",
                "GEOMETRYCOLLECTION(POINT(1 2),LINESTRING(1 2,3 4))",
                json!({"type": "GeometryCollection", "geometries": [
                    {"type": "Point", "coordinates": [1.0, 2.0]},
                    {"type": "LineString", "coordinates": [[1.0, 2.0], [3.0, 4.0]]},
                ]}),
            ),
        ] {
            house.place(id, blob, words).await;
            let rows = house.tables.locations(&[LocationId(id)]).await.unwrap();
            assert_eq!(rows[0].geometry, Some(geometry));
        }
        house.place(id, "00", "POINT EMPTY").await;
        assert_eq!(house.tables.locations(&[LocationId(id)]).await.unwrap()[0].geometry, None);
    }

    async fn changes_of_locations_come_page_by_page_in_their_order(house: House) {
        let (own, other) = (house.organization("own", true).await, house.organization("other", true).await);
        for (number, organization, modified) in [
            (1, own, "2126-01-01 11:59:59.999999"),
            (2, own, "2026-01-01 12:00:00"),
            (5, own, "2026-01-01 12:00:00.000001"),
            (4, own, "2026-01-01 12:00:00.5"),
            (3, own, "2026-01-01 12:00:00.500000"),
            (6, own, "2026-01-01 11:59:59.999999"),
            (7, other, "2026-01-01 12:00:01"),
        ] {
            // Django writes all six digits or none.
            let modified = if modified.ends_with(".5") { format!("{modified}00000") } else { modified.to_owned() };
            house.location(numbered(number), organization, &modified).await;
        }
        // What the seed made comes later.
        house.alter("DELETE FROM geo_devicelocation; DELETE FROM geo_floorplan;
             DELETE FROM geo_location WHERE modified > '2026-02-01' AND modified < '2100-01-01'").await;
        let ids = |numbers: &[u128]| numbers.iter().map(|it| LocationId(numbered(*it))).collect::<Vec<_>>();
        let of_own = either(&[], &[own]);
        let noon = "2026-01-01T12:00:00Z";
        for most in [1, 2, 3, 10] {
            assert_eq!(locations(&house.tables, &of_own, noon, most).await, ids(&[2, 5, 3, 4]));
            assert_eq!(locations(&house.tables, &LocationScope::All, noon, most).await, ids(&[2, 5, 3, 4, 7]));
        }
        let after = "2026-01-01T12:00:00.000001Z";
        assert_eq!(locations(&house.tables, &of_own, after, 10).await, ids(&[5, 3, 4]));
        let one = either(&[7], &[]);
        assert_eq!(locations(&house.tables, &one, noon, 10).await, ids(&[7]));
        assert_eq!(locations(&house.tables, &one, "2026-01-01T12:00:01.000001Z", 10).await, ids(&[]));
        let both = either(&[7, 2], &[own]);
        assert_eq!(locations(&house.tables, &both, noon, 10).await, ids(&[2, 5, 3, 4, 7]));
        let none = either(&[], &[]);
        assert_eq!(locations(&house.tables, &none, noon, 10).await, ids(&[]));
    }

    async fn a_command_that_was_only_made_is_no_change(house: House) {
        let organization = house.organization("metro", true).await;
        let (device, other) = (Uuid::new_v4(), Uuid::new_v4());
        house.device(device, organization).await;
        house.command(numbered(1), device, "in-progress", "2026-11-25 12:00:00").await;
        house.command(numbered(2), device, "success", "2026-11-25 12:00:00").await;
        house.command(numbered(3), device, "in-progress", "2026-11-25 12:00:01").await;
        house.command(numbered(4), device, "failed", "2026-11-25 12:00:02").await;
        house.command(numbered(5), device, "failed", "2026-11-25 11:00:00").await;
        let ids = |numbers: &[u128]| numbers.iter().map(|it| CommandId(numbered(*it))).collect::<Vec<_>>();
        for most in [1, 2, 10] {
            let found = commands(&house.tables, device, "2026-11-25T12:00:00Z", most).await;
            assert_eq!(found, ids(&[2, 3, 4]));
        }
        assert!(commands(&house.tables, other, "2026-11-25T12:00:00Z", 10).await.is_empty());
        let cursor = Cursor::begin(at("2026-11-25T12:00:01Z"));
        let devices = [DeviceId(device), DeviceId(other)];
        let (rows, next) = house.tables.commands_of_since(&devices, cursor, 10).await.unwrap();
        assert_eq!(rows.iter().map(|it| it.id).collect::<Vec<_>>(), ids(&[3, 4]));
        assert_eq!(next, None);
        assert_eq!(rows[1].device, DeviceId(device));
        assert_eq!(rows[1].connection, None::<ConnectionId>);
        assert_eq!(rows[1].input, Some(json!({"command": "echo è"})));
        assert_eq!((&*rows[1].kind, &*rows[1].output, &*rows[1].status), ("custom", "hello", "failed"));
        assert_eq!(rows[1].created, at("2026-11-25T12:00:00Z"));
        assert_eq!(rows[1].modified, at("2026-11-25T12:00:02Z"));
    }

    async fn a_replay_of_commands_ends_with_the_newest_hundred(house: House) {
        let organization = house.organization("metro", true).await;
        let device = Uuid::new_v4();
        house.device(device, organization).await;
        for number in 0..110_u32 {
            let modified = format!("2026-11-25 13:{:02}:{:02}", number / 60, number % 60);
            house.command(numbered(number.into()), device, "success", &modified).await;
        }
        for most in [7, 50, 100, 200] {
            let found = commands(&house.tables, device, "2026-11-25T12:00:00Z", most).await;
            let expected: Vec<_> = (10..110_u32).map(|it| CommandId(numbered(it.into()))).collect();
            assert_eq!(found, expected, "{most}");
        }
    }
}
