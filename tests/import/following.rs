//! A repeated import: what has changed in OpenWISP comes, what was changed here stays.

use serde_json::{Value, json};

use super::{WAYS, count, device, done, import, reason, try_import};
use crate::support::openwisp::{Database, Kind, id};
use crate::support::{Credential, Engine, Server, Socket, feature, location_path, point};

/// Changes of every kind, made by OpenWISP's own models.
const CHANGES: &str = r#"
from django.contrib.gis.geos import Point
User = load_model("openwisp_users", "User")
Group = load_model("openwisp_users", "Group")
Organization = load_model("openwisp_users", "Organization")
OrganizationUser = load_model("openwisp_users", "OrganizationUser")
Device = load_model("config", "Device")
Location = load_model("geo", "Location")
DeviceLocation = load_model("geo", "DeviceLocation")
Credentials = load_model("connection", "Credentials")
DeviceConnection = load_model("connection", "DeviceConnection")
Organization.objects.filter(name="Harbor").update(name="Old Harbor")
visitor = User.objects.get(username="visitor")
visitor.email = "visitor@example.net"
visitor.save()
OrganizationUser.objects.filter(user=visitor).delete()
Group.objects.get(name="Dispatch").permissions.remove(
    *Group.objects.get(name="Dispatch").permissions.filter(codename="view_command")
)
bus = Device.objects.get(name="bus-2")
bus.notes = "Línea 2"
bus.save()
Device.objects.get(name="bus-11").delete(check_deactivated=False)
credentials = Credentials.objects.get(name="routers")
credentials.params = {**credentials.params, "password": "another-password"}
credentials.save()
DeviceConnection.objects.get(device__name="bus-2").delete()
depot = Location.objects.get(name="fixed-metro-transit")
depot.geometry = Point(1, 2, srid=4326)
depot.save()
DeviceLocation.objects.get(content_object__name="bus-2").delete()
"#;

#[tokio::test]
async fn only_what_has_changed_there_comes() {
    for (kind, engine) in WAYS {
        let database = Database::copy(kind).await;
        let server = Server::prepare(engine, &[]).await;
        import(&server, &database);
        database.alter(CHANGES);
        let would = try_import(&server, &database);
        let report = import(&server, &database);
        let expected = [
            ("organizations", "changed"),
            ("groups", "changed"),
            ("users", "changed"),
            ("memberships", "removed"),
            ("devices", "changed"),
            ("credentials", "changed"),
            ("connections", "removed"),
            ("locations", "changed"),
            ("device locations", "removed"),
        ]
        .map(|(kind, what)| (kind.to_owned(), what, 1));
        assert_eq!(done(&report), expected, "{kind:?} {engine:?}: {report}");
        assert_eq!(done(&would), expected, "the trial told it");
        assert_eq!(server.cli(&["org", "show", "harbor"])["name"], "Old Harbor");
        let visitor = server.cli(&["user", "show", "visitor"]);
        assert_eq!(
            (&visitor["email"], &visitor["manages"]),
            (&json!("visitor@example.net"), &json!([]))
        );
        assert_eq!(server.cli(&["device", "show", "bus-2"])["notes"], "Línea 2");
        let depot = server.cli(&["location", "show", "fixed-metro-transit"]);
        assert_eq!(depot["geometry"], point(1.0, 2.0));
        // A device is more than its row: it is kept, and told of.
        reason(&report, "gone", "devices", "bus-11");
        server.cli(&["device", "show", "bus-11"]);
        assert_eq!(done(&import(&server, &database)), []);
    }
}

#[tokio::test]
async fn what_was_changed_here_stays_and_what_was_removed_comes_back() {
    let database = Database::copy(Kind::SpatiaLite).await;
    let mut server = Server::prepare(Engine::Sqlite, &[]).await;
    import(&server, &database);
    server.run().await;
    let nobody = server.client(&Credential::Nobody);
    let report = feature(5.0, 6.0);
    nobody
        .put(&device("bus-1").coordinates_path(), &report)
        .await
        .expect(200);
    server.cli(&["device", "set", "bus-3", "--name", "Bus 3"]);
    server.cli(&["user", "set", "visitor", "--permission", "geo.add_location"]);
    server.cli(&["location", "remove", "garage"]);
    database.alter(
        "load_model('config', 'Device').objects.filter(name='bus-3').update(notes='new')\n\
         load_model('geo', 'Location').objects.filter(name='mobile-metro-transit').update(address='here')",
    );
    let report = import(&server, &database);
    assert_eq!(count(&report, "users", "changed"), 0, "{report}");
    assert_eq!(count(&report, "locations", "new"), 1, "{report}");
    let bus = server.cli(&["device", "show", "Bus 3"]);
    assert_eq!(
        (&bus["id"], &bus["notes"]),
        (&json!(device("bus-3").id), &json!("new"))
    );
    let moved = server.cli(&["location", "show", "mobile-metro-transit"]);
    assert_eq!(
        (&moved["geometry"], &moved["address"]),
        (&point(5.0, 6.0), &json!("here"))
    );
    server.cli(&["location", "show", "garage"]);
}

#[tokio::test]
async fn a_name_may_go_from_one_to_another_in_whatever_order() {
    let database = Database::copy(Kind::SpatiaLite).await;
    let server = Server::prepare(Engine::Sqlite, &[]).await;
    import(&server, &database);
    database.alter(
        "Device = load_model('config', 'Device')\n\
         for name, new in [('bus-5', 'bus-55'), ('bus-4', 'bus-5'), ('bus-6', 'bus-66'), \
                           ('bus-7', 'bus-6')]:\n    \
             Device.objects.filter(name=name).update(name=new)",
    );
    let report = import(&server, &database);
    assert_eq!(
        done(&report),
        [("devices".to_owned(), "changed", 4)],
        "{report}"
    );
    for (was, is) in [
        ("bus-5", "bus-55"),
        ("bus-4", "bus-5"),
        ("bus-6", "bus-66"),
        ("bus-7", "bus-6"),
    ] {
        assert_eq!(
            server.cli(&["device", "show", is])["id"],
            json!(device(was).id)
        );
    }
}

#[tokio::test]
async fn a_device_goes_to_another_organization_with_its_place() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let database = Database::copy(Kind::SpatiaLite).await;
        let server = Server::prepare(engine, &[]).await;
        import(&server, &database);
        database.alter(
            "harbor = load_model('openwisp_users', 'Organization').objects.get(name='Harbor')\n\
             load_model('connection', 'DeviceConnection').objects.get(device__name='bus-1').delete()\n\
             load_model('config', 'Device').objects.filter(name='bus-1').update(organization=harbor)\n\
             load_model('geo', 'Location').objects.filter(name='mobile-metro-transit').update(\n    \
                 organization=harbor)",
        );
        let report = import(&server, &database);
        assert_eq!(count(&report, "devices", "changed"), 1, "{report}");
        let harbor = json!(id("organization Harbor"));
        assert_eq!(
            server.cli(&["device", "show", "bus-1"])["organization"],
            harbor
        );
        let location = server.cli(&["location", "show", "mobile-metro-transit"]);
        assert_eq!(location["organization"], harbor, "{engine:?}");
        assert_eq!(count(&report, "device locations", "new"), 1, "{report}");
        assert_eq!(done(&import(&server, &database)), []);
    }
}

#[tokio::test]
async fn a_password_is_brought_again_only_when_it_has_changed_there() {
    let database = Database::copy(Kind::SpatiaLite).await;
    let mut server = Server::prepare(Engine::Sqlite, &[]).await;
    import(&server, &database);
    server.run().await;
    let nobody = server.client(&Credential::Nobody);
    let log_in = async |password: &str| nobody.log_in("operator", password).await.status;
    assert_eq!(log_in("wrong").await, 400);
    // The first log-in replaces the hash, which is no change of the password.
    assert_eq!(log_in("tester-operator").await, 200);
    assert_eq!(done(&import(&server, &database)), []);
    assert_eq!(log_in("tester-operator").await, 200);
    server.cli_with_input(
        &["user", "set", "operator", "--password-stdin"],
        "chosen here\n",
    );
    assert_eq!(done(&import(&server, &database)), []);
    assert_eq!(log_in("chosen here").await, 200);
    database.alter(
        "user = load_model('openwisp_users', 'User').objects.get(username='operator')\n\
         user.set_password('chosen there'); user.save()",
    );
    assert_eq!(
        done(&import(&server, &database)),
        [("users".to_owned(), "changed", 1)]
    );
    assert_eq!(log_in("chosen there").await, 200);
    assert_eq!(log_in("chosen here").await, 400);
}

#[tokio::test]
async fn a_password_that_openwisp_has_only_hashed_anew_is_no_new_one() {
    let database = Database::copy(Kind::SpatiaLite).await;
    let mut server = Server::prepare(Engine::Sqlite, &[]).await;
    import(&server, &database);
    server.run().await;
    let arguments = ["user", "set", "operator", "--password-stdin"];
    server.cli_with_input(&arguments, "chosen here\n");
    // As Django does it at a log-in, once its next release takes more rounds.
    database.alter(
        "from django.contrib.auth.hashers import PBKDF2PasswordHasher, check_password\n\
         hasher = PBKDF2PasswordHasher()\n\
         hasher.iterations -= 1\n\
         user = load_model('openwisp_users', 'User').objects.get(username='operator')\n\
         user.password = hasher.encode('tester-operator', hasher.salt())\n\
         user.save(update_fields=['password'])",
    );
    assert_eq!(done(&import(&server, &database)), []);
    let nobody = server.client(&Credential::Nobody);
    let answer = nobody.log_in("operator", "chosen here").await;
    assert_eq!(answer.status, 200);
    // It is known now: nothing is seen as changed when the day is another.
    database.alter(
        "from datetime import date\n\
         load_model('openwisp_users', 'User').objects.filter(username='operator').update(\n    \
             password_updated=date(2020, 1, 1))",
    );
    assert_eq!(done(&import(&server, &database)), []);
    let answer = nobody.log_in("operator", "chosen here").await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_server_beside_it_pushes_and_closes_as_after_every_change() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let database = Database::copy(Kind::PostGis).await;
        let mut server = Server::prepare(engine, &[]).await;
        import(&server, &database);
        server.run().await;
        let nobody = server.client(&Credential::Nobody);
        let session = nobody
            .log_in("dispatcher", "tester-dispatcher")
            .await
            .session();
        let depot = location_path(&id("location fixed-metro-transit"));
        let crane = location_path(&id("location fixed-harbor"));
        let mut socket = Socket::open(&server, &depot, &session).await;
        let mut lost = Socket::open(&server, &crane, &session).await;
        database.alter(
            "from django.contrib.gis.geos import Point\n\
             Location = load_model('geo', 'Location')\n\
             depot = Location.objects.get(name='fixed-metro-transit')\n\
             depot.geometry = Point(7, 8, srid=4326); depot.save()\n\
             load_model('openwisp_users', 'OrganizationUser').objects.get(\n\
                 user__username='dispatcher', organization__name='Harbor').delete()",
        );
        import(&server, &database);
        let message: Value = socket.next().await;
        assert_eq!(message["geometry"], point(7.0, 8.0), "{engine:?}");
        assert_eq!(lost.closed().await, Some(1008), "{engine:?}");
    }
}
