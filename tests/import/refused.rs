//! What is here already, and cannot become all that it is there.

use serde_json::json;

use super::{count, done, import, reason};
use crate::support::openwisp::{Database, Kind};
use crate::support::{Engine, Server};

/// Takes rights away, together with changes that cannot be taken.
const CHANGES: &str = r#"
User = load_model("openwisp_users", "User")
User.objects.filter(username="dispatcher").update(
    email="taken-1@example.org", is_active=False, is_staff=False, expiration_date="2020-01-01"
)
dispatcher = User.objects.get(username="dispatcher")
dispatcher.groups.clear()
root = User.objects.get(username="root")
root.email, root.is_superuser = "taken-2@example.org", False
root.save()
member = User.objects.get(username="member")
member.email = "taken-3@example.org"
member.save()
member.user_permissions.clear()
OrganizationUser = load_model("openwisp_users", "OrganizationUser")
OrganizationUser.objects.filter(user=dispatcher, organization__name="Harbor").update(is_admin=False)
Organization = load_model("openwisp_users", "Organization")
Organization.objects.filter(name="Harbor").update(name="Taken", is_active=False)
load_model("config", "Device").objects.filter(name="bus-2").update(name="taken", key="k" * 32)
"#;

#[tokio::test]
async fn what_is_taken_away_there_goes_here_whatever_stands_in_the_way_of_the_rest() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let database = Database::copy(Kind::SpatiaLite).await;
        let server = Server::prepare(engine, &[]).await;
        import(&server, &database);
        for name in ["taken-1", "taken-2", "taken-3"] {
            let email = format!("{name}@example.org");
            server.cli(&["user", "add", name, "--email", &email]);
        }
        server.cli(&["org", "add", "Taken"]);
        server.cli(&["device", "add", "taken", "--org", "metro-transit"]);
        database.alter(CHANGES);
        let report = import(&server, &database);
        for (kind, name, clue) in [
            ("users", "dispatcher", "email: user with this email"),
            ("users", "root", "email: user with this email"),
            ("users", "member", "email: user with this email"),
            ("organizations", "Taken", "name: "),
            ("devices", "taken", "name: "),
        ] {
            let told = reason(&report, "in_part", kind, name);
            assert!(told.contains(clue), "{kind} {name}: {told}");
        }
        assert_eq!(count(&report, "users", "changed"), 3, "{report}");
        assert_eq!(count(&report, "memberships", "left_out"), 0, "{report}");
        let dispatcher = server.cli(&["user", "show", "dispatcher"]);
        for (field, expected) in [
            ("email", json!("dispatcher@example.org")),
            ("is_active", json!(false)),
            ("is_staff", json!(false)),
            ("groups", json!([])),
        ] {
            assert_eq!(dispatcher[field], expected, "{field}: {dispatcher}");
        }
        let expires = dispatcher["expires"].as_str().unwrap();
        assert!(expires.starts_with("2020-01-02"), "{expires}");
        assert_eq!(dispatcher["manages"].as_array().unwrap().len(), 1);
        let root = server.cli(&["user", "show", "root"]);
        assert_eq!(root["is_superuser"], json!(false));
        let member = server.cli(&["user", "show", "member"]);
        assert_eq!(member["permissions"], json!([]), "{member}");
        let harbor = server.cli(&["org", "show", "harbor"]);
        assert_eq!(
            (&harbor["name"], &harbor["is_active"]),
            (&json!("Harbor"), &json!(false))
        );
        let bus = server.cli(&["device", "show", "bus-2"]);
        assert_eq!(bus["key"], json!("k".repeat(32)));
        // The rest is tried again, and comes when it can; what came already is not done once more.
        assert_eq!(done(&import(&server, &database)), []);
        server.cli(&["device", "remove", "taken"]);
        let report = import(&server, &database);
        assert_eq!(
            done(&report),
            [("devices".to_owned(), "changed", 1)],
            "{report}"
        );
        server.cli(&["device", "show", "taken"]);
    }
}
