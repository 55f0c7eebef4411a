//! Arriving from OpenWISP: `fleetwire import openwisp` on databases that a real one made, and what its
//! users, devices and scripts find afterwards.

mod following;
mod groups;
mod refused;
mod relations;
mod rights;
mod script;
mod secrets;

use serde_json::{Value, json};

use crate::support::openwisp::{Database, Kind, id};
use crate::support::{Device, Engine, Server, feature, point};

/// Every database that OpenWISP may have, into every one that we may have.
const WAYS: [(Kind, Engine); 4] = [
    (Kind::SpatiaLite, Engine::Sqlite),
    (Kind::SpatiaLite, Engine::Postgres),
    (Kind::PostGis, Engine::Sqlite),
    (Kind::PostGis, Engine::Postgres),
];

/// What the seed has, by kind: what can be taken, and what cannot.
const SEED: [(&str, u64, u64); 9] = [
    ("organizations", 4, 0),
    // Two of them are here already.
    ("groups", 3, 0),
    ("users", 13, 0),
    ("memberships", 11, 0),
    ("devices", 14, 1),
    ("credentials", 4, 2),
    ("connections", 4, 1),
    ("locations", 8, 1),
    ("device locations", 2, 0),
];

/// Tells what would be imported.
fn try_import(server: &Server, database: &Database) -> Value {
    server.cli(&["import", "openwisp", "--database", database.url()])
}

fn import(server: &Server, database: &Database) -> Value {
    server.cli(&[
        "import",
        "openwisp",
        "--database",
        database.url(),
        "--apply",
    ])
}

/// One count of one kind.
fn count(report: &Value, kind: &str, what: &str) -> u64 {
    let counts = report["counts"].as_array().unwrap();
    let found = counts.iter().find(|count| count["kind"] == kind);
    found.unwrap()[what].as_u64().unwrap()
}

/// The kinds of which something was done here, with what.
fn done(report: &Value) -> Vec<(String, &'static str, u64)> {
    let mut done = Vec::new();
    for counts in report["counts"].as_array().unwrap() {
        for what in ["new", "changed", "removed"] {
            let number = counts[what].as_u64().unwrap();
            if number > 0 {
                done.push((counts["kind"].as_str().unwrap().to_owned(), what, number));
            }
        }
    }
    done
}

/// Why one thing is taken in part or left out, or that it is gone.
fn reason<'a>(report: &'a Value, matter: &str, kind: &str, name: &str) -> &'a str {
    let mut remarks = report["remarks"].as_array().unwrap().iter();
    let found =
        remarks.find(|it| it["kind"] == kind && it["name"] == name && it["matter"] == matter);
    let found = found.unwrap_or_else(|| panic!("{kind} {name} {matter} is not told: {report}"));
    found["reason"].as_str().unwrap()
}

/// The device that the seed calls so, with the key that it has there.
fn device(name: &str) -> Device {
    Device {
        id: id(&format!("device {name}")),
        key: format!("key-of-{name}-0123456789"),
    }
}

#[tokio::test]
async fn all_of_it_arrives_on_every_way() {
    for (kind, engine) in WAYS {
        let database = Database::copy(kind).await;
        let server = Server::prepare(engine, &[]).await;
        for report in [try_import(&server, &database), import(&server, &database)] {
            for (name, taken, left_out) in SEED {
                let new = count(&report, name, "new") + count(&report, name, "unchanged");
                assert_eq!(new, taken, "{kind:?} {engine:?} {name}: {report}");
                assert_eq!(
                    count(&report, name, "left_out"),
                    left_out,
                    "{name}: {report}"
                );
            }
            assert_eq!(count(&report, "groups", "unchanged"), 2, "{report}");
        }
        let again = import(&server, &database);
        assert_eq!(done(&again), [], "{kind:?} {engine:?}");
        arrived(&server);
    }
}

/// Some of each kind, field by field.
fn arrived(server: &Server) {
    let bus = server.cli(&["device", "show", "bus-1"]);
    let metro = id("organization Metro Transit");
    for (field, expected) in [
        ("id", json!(device("bus-1").id)),
        ("organization", json!(metro)),
        ("mac_address", json!("00:11:22:33:44:01")),
        ("key", json!("key-of-bus-1-0123456789")),
        ("last_ip", json!("10.0.0.1")),
        ("management_ip", json!("127.0.0.1")),
        ("notes", json!("Línea 1")),
        ("is_active", json!(true)),
    ] {
        assert_eq!(bus[field], expected, "{field}");
    }
    assert_eq!(
        server.cli(&["device", "show", "bus-12"])["is_active"],
        json!(false)
    );
    let closed = server.cli(&["org", "show", "closed-lines"]);
    assert_eq!(closed["name"], "Closed Lines");
    assert_eq!(closed["is_active"], json!(false));
    let dispatcher = server.cli(&["user", "show", "dispatcher"]);
    assert_eq!(dispatcher["id"], json!(id("user dispatcher")));
    assert_eq!(dispatcher["email"], "dispatcher@example.org");
    assert_eq!(dispatcher["manages"].as_array().unwrap().len(), 2);
    assert!(dispatcher["expires"].is_string(), "{dispatcher}");
    let group = server.cli(&["group", "show", "Dispatch"]);
    assert_eq!(group["permissions"].as_array().unwrap().len(), 5, "{group}");
    let mobile = server.cli(&["location", "show", "mobile-metro-transit"]);
    assert_eq!(mobile["geometry"], point(12.512_124, 41.898_903));
    assert_eq!(mobile["address"], "Via dè Città 1, Roma");
    assert_eq!(
        server.cli(&["location", "show", "garage"])["type"],
        "indoor"
    );
    assert_eq!(
        server.cli(&["location", "show", "nowhere"])["geometry"],
        Value::Null
    );
    let credential = server.cli(&["credential", "show", "routers"]);
    assert_eq!(
        (&credential["username"], &credential["port"]),
        (&json!("root"), &json!(2222))
    );
    assert_eq!(
        server.cli(&["credential", "show", "cranes"])["kind"],
        "private_key"
    );
    // Shared by all organizations there: one here for each that uses it.
    let credentials = server.cli(&["credential", "list"]);
    let shared = credentials
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it["name"] == "shared");
    assert_eq!(shared.count(), 2);
    assert_eq!(
        server
            .cli(&["connection", "list"])
            .as_array()
            .unwrap()
            .len(),
        4
    );
}

#[tokio::test]
async fn a_trial_writes_nothing() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let database = Database::copy(Kind::SpatiaLite).await;
        let server = Server::prepare(engine, &[]).await;
        let report = try_import(&server, &database);
        assert_eq!(report["applied"], json!(false));
        for noun in [
            "org",
            "user",
            "device",
            "credential",
            "connection",
            "location",
        ] {
            assert_eq!(server.cli(&[noun, "list"]), json!([]), "{noun}");
        }
        assert_eq!(server.cli(&["group", "list"]).as_array().unwrap().len(), 2);
        assert_eq!(server.cli(&["audit", "list"]), json!([]));
    }
}

#[tokio::test]
async fn what_cannot_be_taken_is_named_with_the_reason() {
    let database = Database::copy(Kind::PostGis).await;
    let server = Server::prepare(Engine::Sqlite, &[]).await;
    // Somebody has the name of a user there already.
    let other = server.cli(&["user", "add", "member"]);
    let report = import(&server, &database);
    for (kind, name, matter, clue) in [
        ("users", "member", "left_out", "already exists"),
        ("memberships", "member", "left_out", "users"),
        ("devices", "weak", "left_out", "key: A key has 16 to 64"),
        ("credentials", "snmp", "left_out", "only SSH"),
        ("connections", "bus-3", "left_out", "credentials"),
        ("credentials", "unused", "left_out", "no device uses it"),
        ("locations", "square", "left_out", "not a point"),
        ("users", "passwordless", "in_part", "no password"),
        ("users", "old-hash", "in_part", "pbkdf2_sha1"),
        ("groups", "Dispatch", "in_part", "only OpenWISP has (1)"),
    ] {
        let told = reason(&report, matter, kind, name);
        assert!(told.contains(clue), "{kind} {name}: {told}");
    }
    assert_eq!(server.cli(&["user", "show", "member"])["id"], other["id"]);
}

#[tokio::test]
async fn what_is_no_openwisp_is_refused_in_one_line() {
    let server = Server::prepare(Engine::Sqlite, &[]).await;
    let own = server.file("other.db", "");
    let no_database = server.file(
        "notes.txt",
        "what is no database is no OpenWISP's, either\n",
    );
    for (url, clue) in [
        ("mysql://u:s3cret@h/openwisp", "MySQL"),
        ("oracle://u:s3cret@h/openwisp", "postgres://"),
        ("/no/such/file.db", "no file"),
        ("postgres:/u:s3cret@h/openwisp", "postgres://"),
        (&own, "no table"),
        (&no_database, "cannot read"),
        ("postgres://u:s3cret@127.0.0.1:1/openwisp", "cannot read"),
    ] {
        let (code, stdout, stderr) = server.try_cli(&["import", "openwisp", "--database", url], "");
        assert_eq!((code, stdout.as_str()), (1, ""), "{url}: {stderr}");
        assert_eq!(stderr.trim().lines().count(), 1, "{stderr}");
        assert!(
            stderr.contains(clue) && !stderr.contains("s3cret"),
            "{stderr}"
        );
    }
}

#[tokio::test]
async fn devices_go_on_reporting_with_the_keys_that_they_have() {
    let database = Database::copy(Kind::SpatiaLite).await;
    let mut server = Server::prepare(Engine::Sqlite, &[]).await;
    import(&server, &database);
    server.run().await;
    let client = server.client(&crate::support::Credential::Nobody);
    for (name, expected) in [("bus-1", 200), ("crane-1", 200), ("tram-1", 403)] {
        let path = device(name).coordinates_path();
        client.put(&path, &feature(1.0, 2.0)).await.expect(expected);
    }
    // It is where it was there, not at a new location.
    let moved = server.cli(&["location", "show", "mobile-metro-transit"]);
    assert_eq!(moved["geometry"], point(1.0, 2.0));
    let wrong = Device {
        key: "x".repeat(32),
        ..device("bus-1")
    };
    client
        .put(&wrong.coordinates_path(), &feature(1.0, 2.0))
        .await
        .expect(401);
}
