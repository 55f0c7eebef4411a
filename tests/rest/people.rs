//! Users, groups, organizations and who belongs to what: what a manager may, and what it does to
//! others at once.

use serde_json::{Value, json};

use super::{GROUPS, ME, ORGANIZATIONS, Stage, TOKEN, USERS, keys, one, text};
use crate::conformance::{Names, on_both_engines};
use crate::support::{Credential, Engine, FLEET, PASSWORD, Socket, location_path};

on_both_engines! {
    what_takes_a_right_away_closes_the_sockets_that_it_opened,
    a_new_password_ends_what_the_old_one_opened,
    of_two_superusers_who_unmake_each_other_at_once_one_stays,
    a_manager_administers_the_people_of_the_own_organization,
}

/// Who has a socket open (flags of `user add`, the socket's path), and what is sent (method, path, body)
/// that ends it; in all of it `{names}` stand for ids and paths.
const TAKEN: [(&str, &str, &str, &str, &str, &str); 11] = [
    (
        "place",
        BY_RIGHT,
        "{bus}",
        "PATCH",
        "{user}",
        r#"{"organization_users": []}"#,
    ),
    (
        "manager",
        BY_RIGHT,
        "{bus}",
        "PATCH",
        "{user}",
        r#"{"organization_users": {"organization": "{own}", "is_admin": false}}"#,
    ),
    (
        "permission",
        BY_RIGHT,
        FLEET,
        "PATCH",
        "{user}",
        r#"{"user_permissions": []}"#,
    ),
    (
        "active",
        BY_RIGHT,
        FLEET,
        "PATCH",
        "{user}",
        r#"{"is_active": false}"#,
    ),
    (
        "staff",
        BY_RIGHT,
        FLEET,
        "PATCH",
        "{user}",
        r#"{"is_staff": false}"#,
    ),
    (
        "end",
        BY_RIGHT,
        FLEET,
        "PATCH",
        "{user}",
        r#"{"expiration_date": "2020-01-01"}"#,
    ),
    ("user", BY_RIGHT, FLEET, "DELETE", "{user}", ""),
    (
        "left",
        BY_GROUP,
        FLEET,
        "PATCH",
        "{user}",
        r#"{"groups": []}"#,
    ),
    (
        "less",
        BY_GROUP,
        FLEET,
        "PATCH",
        "{viewers}",
        r#"{"permissions": []}"#,
    ),
    (
        "tenant",
        BY_RIGHT,
        "{bus}",
        "PATCH",
        "{organization}",
        r#"{"is_active": false}"#,
    ),
    ("gone", BY_RIGHT, "{bus}", "DELETE", "{organization}", ""),
];
const BY_RIGHT: &str = "--staff --permission geo.view_location --manages {own}";
const BY_GROUP: &str = "--staff --group Viewers --manages {own}";

async fn what_takes_a_right_away_closes_the_sockets_that_it_opened(engine: Engine) {
    let stage = Stage::set_up_on(engine, &[]).await;
    let seed = stage.seed();
    let viewers = [
        "group",
        "add",
        "Viewers",
        "--permission",
        "geo.view_location",
    ];
    let viewers = text(&stage.server.cli(&viewers)["id"]);
    for (name, flags, socket, method, path, body) in TAKEN {
        let own = seed.organization(name);
        let bus = seed.location("bus", &own, &["--mobile", "--point", "1,2"]);
        let mut names = Names::default();
        names.set("own", &own);
        names.set("organization", &one(ORGANIZATIONS, &own));
        names.set("bus", &location_path(&bus));
        names.set("viewers", &one(GROUPS, &viewers));
        let flags = names.fill(flags);
        let user = seed.user(name, &flags.split(' ').collect::<Vec<_>>());
        names.set("user", &one(USERS, &user));
        let token = seed.token(name);
        let mut open = Socket::open(&stage.server, &names.fill(socket), &token).await;
        let body = (!body.is_empty()).then(|| names.fill(body));
        let (method, path) = (method.parse().unwrap(), names.fill(path));
        let answer = stage.root.send(method, &path, body).await;
        assert!(
            answer.is_success(),
            "{name}: {} {}",
            answer.status,
            answer.text
        );
        assert_eq!(open.closed().await, Some(1008), "{name}");
    }
}

async fn a_new_password_ends_what_the_old_one_opened(engine: Engine) {
    let stage = Stage::set_up_on(engine, &[]).await;
    let seed = stage.seed();
    let flags = BY_RIGHT.replace("{own}", &stage.own);
    let id = seed.user("ada", &flags.split(' ').collect::<Vec<_>>());
    let session = stage.nobody.session("ada").await;
    let login = json!({"username": "ada", "password": PASSWORD});
    let by_login = text(&stage.nobody.post(TOKEN, &login).await.expect(200)["token"]);
    let by_login = stage.server.client(&Credential::Token(by_login));
    let made_otherwise = stage.server.client(&seed.token("ada"));
    let mut socket = Socket::open(&stage.server, FLEET, &session).await;
    let browser = stage.server.client(&session);
    browser.get(ME).await.expect(200);
    let path = format!("{}password/", one(USERS, &id));
    let body = json!({
        "current_password": PASSWORD, "new_password": "quite another", "confirm_password": "quite another",
    });
    let told = browser.put(&path, &body).await.expect(200);
    assert_eq!(keys(&told), ["status", "message"]);
    assert_eq!(socket.closed().await, Some(1008));
    browser.get(ME).await.expect(401);
    by_login.get(ME).await.expect(401);
    made_otherwise.get(ME).await.expect(200);
    stage.nobody.post(TOKEN, &login).await.expect(400);
    let login = json!({"username": "ada", "password": "quite another"});
    stage.nobody.post(TOKEN, &login).await.expect(200);
}

async fn of_two_superusers_who_unmake_each_other_at_once_one_stays(engine: Engine) {
    let stage = Stage::set_up_on(engine, &[]).await;
    let names = ["ada", "grace"];
    let made = names.map(|name| {
        let id = stage.seed().user(name, &["--superuser"]);
        (
            one(USERS, &id),
            stage.server.client(&stage.seed().token(name)),
        )
    });
    let [(ada, by_ada), (grace, by_grace)] = &made;
    stage.server.cli(&["user", "remove", "root"]);
    for change in [json!({"is_superuser": false}), json!({"is_active": false})] {
        for _ in 0..5 {
            let (one, other) =
                tokio::join!(by_ada.patch(grace, &change), by_grace.patch(ada, &change));
            let succeeded = [&one, &other].map(|answer| answer.status == 200);
            assert_ne!(succeeded[0], succeeded[1], "{} {}", one.text, other.text);
            let users = stage.server.cli(&["user", "list"]);
            let counts = |it: &&Value| it["is_superuser"] == true && it["is_active"] == true;
            assert_eq!(users.as_array().unwrap().iter().filter(counts).count(), 1);
            for name in names {
                stage
                    .server
                    .cli(&["user", "set", name, "--superuser", "--active"]);
            }
        }
    }
}

async fn a_manager_administers_the_people_of_the_own_organization(engine: Engine) {
    let stage = Stage::set_up_on(engine, &[]).await;
    let flags = [
        "--staff",
        "--group",
        "Administrator",
        "--permission",
        "openwisp_users.add_group",
        "--manages",
        &stage.own,
    ];
    let manager = stage.client_of("manager", &flags);
    let group = json!({"name": "Viewers", "permissions": ["geo.view_location"]});
    let group = text(&manager.post(GROUPS, &group).await.expect(201)["id"]);
    let body = json!({
        "username": "ada", "email": "ada@example.org", "password": "correct horse",
        "is_staff": true, "groups": [group], "user_permissions": ["geo.change_location"],
        "organization_users": [{"organization": stage.own, "is_admin": true}],
    });
    let ada = manager.post(USERS, &body).await.expect(201);
    let path = one(USERS, &text(&ada["id"]));
    let login = json!({"username": "ada", "password": "correct horse"});
    let token = text(&stage.nobody.post(TOKEN, &login).await.expect(200)["token"]);
    let as_ada = stage.server.client(&Credential::Token(token.clone()));
    let me = as_ada.get(ME).await.expect(200);
    assert_eq!(
        me["permissions"],
        json!(["geo.change_location", "geo.view_location"])
    );
    assert_eq!(me["organizations"][0]["is_manager"], json!(true));
    let mut socket = Socket::open(&stage.server, FLEET, &Credential::Token(token)).await;
    assert_eq!(manager.get(&path).await.expect(200), ada);
    assert_eq!(
        manager.put(&path, &ada).await.expect(200),
        ada,
        "sent back as it was read"
    );
    socket.ping().await;
    let change = json!({"user_permissions": [], "groups": [], "first_name": "Ada"});
    let changed = manager.patch(&path, &change).await.expect(200);
    assert_eq!(changed["first_name"], json!("Ada"));
    assert_eq!(socket.closed().await, Some(1008));
    let new = "another horse";
    let password = json!({"current_password": null, "new_password": new, "confirm_password": new});
    manager
        .put(&format!("{path}password/"), &password)
        .await
        .expect(200);
    as_ada.get(ME).await.expect(401);
    // Who belongs elsewhere as well is placed here, and nothing else.
    let shared = stage.seed().user(
        "shared",
        &["--member", &stage.own, "--manages", &stage.other],
    );
    let shared = one(USERS, &shared);
    let up = json!({"organization_users": {"organization": stage.own, "is_admin": true}});
    let placed = manager.patch(&shared, &up).await.expect(200);
    assert_eq!(
        placed["organization_users"],
        json!([{"is_admin": true, "organization": stage.own}])
    );
    let out = json!({"organization_users": []});
    manager.patch(&shared, &out).await.expect(200);
    manager.get(&shared).await.expect(404);
    let left = stage.root.get(&shared).await.expect(200);
    assert_eq!(
        left["organization_users"],
        json!([{"is_admin": true, "organization": stage.other}])
    );
    manager.delete(&path).await.expect(204);
    let about = json!({"description": "Trams", "url": "https://own.example.org"});
    let organization = one(ORGANIZATIONS, &stage.own);
    let told = manager.patch(&organization, &about).await.expect(200);
    assert_eq!(told["description"], json!("Trams"));
    let log = stage.server.cli(&["audit", "list", "--actor", "manager"]);
    let done: Vec<_> = log
        .as_array()
        .unwrap()
        .iter()
        .map(|it| text(&it["model"]))
        .collect();
    assert!(
        done.contains(&"Organization".into()) && done.contains(&"Group".into()),
        "{done:?}"
    );
    assert_eq!(
        done.iter().filter(|model| *model == "User").count(),
        7,
        "{done:?}"
    );
}
