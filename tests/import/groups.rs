//! Groups of a name that is taken here.

use serde_json::{Value, json};

use super::{count, done, import, reason};
use crate::support::openwisp::{Database, Kind};
use crate::support::{Engine, Server};

/// What the seed's group `Dispatch` gives, of what is known here.
const DISPATCH: [&str; 5] = [
    "config.add_device",
    "config.change_device",
    "config.delete_device",
    "connection.view_command",
    "geo.view_location",
];

fn add_group(server: &Server, name: &str, permissions: &[&str]) -> Value {
    let mut arguments = vec!["group", "add", name];
    for permission in permissions {
        arguments.extend(["--permission", permission]);
    }
    server.cli(&arguments)
}

fn groups_of(server: &Server, username: &str) -> Value {
    server.cli(&["user", "show", username])["groups"].clone()
}

#[tokio::test]
async fn a_group_of_the_same_name_that_gives_other_rights_is_another() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let database = Database::copy(Kind::SpatiaLite).await;
        let server = Server::prepare(engine, &[]).await;
        let own = add_group(&server, "Dispatch", &["geo.delete_location"]);
        add_group(&server, "Dispatch (openwisp)", &[]);
        let report = import(&server, &database);
        let told = reason(&report, "in_part", "groups", "Dispatch");
        let remarks = report["remarks"].to_string();
        assert!(
            remarks.contains("Dispatch (openwisp 2)"),
            "{told}: {remarks}"
        );
        assert_eq!(
            server.cli(&["group", "show", "Dispatch"]),
            own,
            "{engine:?}"
        );
        let made = server.cli(&["group", "show", "Dispatch (openwisp 2)"]);
        assert_eq!(made["permissions"], json!(DISPATCH));
        assert_eq!(groups_of(&server, "dispatcher"), json!([made["name"]]));
        assert_eq!(done(&import(&server, &database)), []);
        // It is followed under its other name.
        database.alter(
            "dispatch = load_model('openwisp_users', 'Group').objects.get(name='Dispatch')\n\
             dispatch.permissions.remove(dispatch.permissions.get(codename='view_command'))",
        );
        import(&server, &database);
        let made = server.cli(&["group", "show", "Dispatch (openwisp 2)"]);
        assert_eq!(made["permissions"].as_array().unwrap().len(), 4, "{made}");
        assert_eq!(server.cli(&["group", "show", "Dispatch"]), own);
    }
}

#[tokio::test]
async fn a_group_of_the_same_name_and_rights_is_the_same_for_good() {
    let database = Database::copy(Kind::SpatiaLite).await;
    let server = Server::prepare(Engine::Sqlite, &[]).await;
    let own = add_group(&server, "Dispatch", &DISPATCH);
    let report = import(&server, &database);
    assert_eq!(count(&report, "groups", "unchanged"), 3, "{report}");
    assert_eq!(groups_of(&server, "dispatcher"), json!(["Dispatch"]));
    // It is known by what it is, not by its name.
    let (id, name) = (own["id"].as_str().unwrap(), "Dispatchers");
    server.cli(&["group", "set", id, "--name", name]);
    add_group(&server, "Dispatch", &["geo.delete_location"]);
    assert_eq!(done(&import(&server, &database)), []);
    assert_eq!(groups_of(&server, "dispatcher"), json!([name]));
}
