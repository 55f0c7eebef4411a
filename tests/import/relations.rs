//! Memberships, connections and places of devices, when they change there or are removed here.

use serde_json::{Value, json};

use super::{count, device, done, import};

use crate::support::openwisp::{Database, Kind, id};
use crate::support::{Credential, Database as Rows, Engine, Server, feature, point};

fn done_of(report: &Value, kind: &str) -> Vec<(&'static str, u64)> {
    let of_kind = done(report).into_iter().filter(|(it, ..)| it == kind);
    of_kind.map(|(_, what, number)| (what, number)).collect()
}

fn manages(server: &Server, username: &str) -> Value {
    server.cli(&["user", "show", username])["manages"].clone()
}

#[tokio::test]
async fn who_goes_to_another_organization_there_leaves_the_first_here() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let database = Database::copy(Kind::SpatiaLite).await;
        let server = Server::prepare(engine, &[]).await;
        import(&server, &database);
        // One takes the place of another that is gone, too.
        database.alter(
            "OrganizationUser = load_model('openwisp_users', 'OrganizationUser')\n\
             harbor = load_model('openwisp_users', 'Organization').objects.get(name='Harbor')\n\
             OrganizationUser.objects.filter(user__username='visitor').update(organization=harbor)\n\
             of = OrganizationUser.objects.filter(user__username='dispatcher')\n\
             of.filter(organization=harbor).delete()\n\
             of.update(organization=harbor)",
        );
        let report = import(&server, &database);
        assert_eq!(
            done_of(&report, "memberships"),
            [("new", 1), ("removed", 2)],
            "{engine:?}: {report}"
        );
        let harbor = json!([id("organization Harbor")]);
        assert_eq!(manages(&server, "visitor"), harbor);
        assert_eq!(manages(&server, "dispatcher"), harbor);
        let log = server.cli(&["audit", "list"]);
        let removed =
            log.as_array().unwrap().iter().filter(|entry| {
                entry["action"] == "delete" && entry["model"] == "OrganizationUser"
            });
        assert_eq!(removed.count(), 2, "{log}");
        assert_eq!(done(&import(&server, &database)), []);
    }
}

#[tokio::test]
async fn what_was_made_again_there_stays_here() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let database = Database::copy(Kind::SpatiaLite).await;
        let mut server = Server::prepare(engine, &[]).await;
        import(&server, &database);
        let connection = server.cli(&["connection", "show", "bus-1"]);
        let mut rows = Rows::of(&server).await;
        rows.execute("UPDATE connection SET host_key = 'ssh-ed25519 AAAA'")
            .await;
        database.alter(
            "import uuid\n\
             again = [load_model('openwisp_users', 'OrganizationUser').objects.get(user__username='visitor'),\n\
                      load_model('connection', 'DeviceConnection').objects.get(device__name='bus-1'),\n\
                      load_model('geo', 'DeviceLocation').objects.get(content_object__name='bus-1')]\n\
             for row in again:\n    \
                 row.delete()\n    \
                 row.pk = uuid.uuid4()\n    \
                 type(row).objects.bulk_create([row])",
        );
        let report = import(&server, &database);
        assert_eq!(done(&report), [], "{engine:?}: {report}");
        assert_eq!(
            manages(&server, "visitor"),
            json!([id("organization Metro Transit")])
        );
        let again = server.cli(&["connection", "show", "bus-1"]);
        assert_ne!(again["id"], connection["id"], "ids are those there");
        assert_eq!(again["host_key"], "ssh-ed25519 AAAA");
        server.run().await;
        let nobody = server.client(&Credential::Nobody);
        let path = device("bus-1").coordinates_path();
        nobody.put(&path, &feature(5.0, 6.0)).await.expect(200);
        let moved = server.cli(&["location", "show", "mobile-metro-transit"]);
        assert_eq!(moved["geometry"], point(5.0, 6.0), "{engine:?}");
    }
}

#[tokio::test]
async fn a_relation_that_was_removed_here_stays_removed() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let database = Database::copy(Kind::SpatiaLite).await;
        let server = Server::prepare(engine, &[]).await;
        import(&server, &database);
        let metro = "metro-transit";
        server.cli(&["user", "set", "visitor", "--remove-manages", metro]);
        server.cli(&["connection", "remove", "bus-1"]);
        let mut rows = Rows::of(&server).await;
        rows.execute("DELETE FROM device_location").await;
        let report = import(&server, &database);
        assert_eq!(done(&report), [], "{engine:?}: {report}");
        for (kind, number) in [
            ("memberships", 11),
            ("connections", 4),
            ("device locations", 2),
        ] {
            assert_eq!(count(&report, kind, "unchanged"), number, "{report}");
        }
        assert_eq!(manages(&server, "visitor"), json!([]));
        // A thing that was removed comes back, and with it what belonged to it.
        server.cli(&["user", "remove", "operator"]);
        server.cli(&["device", "remove", "bus-2"]);
        let report = import(&server, &database);
        let expected = [
            "users",
            "memberships",
            "devices",
            "connections",
            "device locations",
        ];
        let expected = expected.map(|kind| (kind.to_owned(), "new", 1));
        assert_eq!(done(&report), expected, "{engine:?}: {report}");
        // What is changed there comes, wherever it is missing.
        database.alter(
            "load_model('openwisp_users', 'OrganizationUser').objects.filter(\n    \
                 user__username='visitor').update(is_admin=False)",
        );
        let report = import(&server, &database);
        assert_eq!(done_of(&report, "memberships"), [("new", 1)], "{report}");
    }
}
