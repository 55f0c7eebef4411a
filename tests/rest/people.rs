//! Users, groups, organizations and who belongs to what: what a manager may, and what it does to
//! others at once.

use serde_json::{Value, json};

use super::{GROUPS, ME, ORGANIZATIONS, Stage, TOKEN, USERS, keys, one, text};
use crate::conformance::on_both_engines;
use crate::support::{Credential, Engine, FLEET, PASSWORD, Socket, location_path};

on_both_engines! {
    what_takes_a_right_away_closes_the_sockets_that_it_opened,
    a_new_password_ends_what_the_old_one_opened,
    of_two_superusers_who_unmake_each_other_at_once_one_stays,
    a_manager_administers_the_people_of_the_own_organization,
}

const VIEWER: [&str; 3] = ["--staff", "--permission", "geo.view_location"];

async fn what_takes_a_right_away_closes_the_sockets_that_it_opened(engine: Engine) {
    let stage = Stage::set_up_on(engine, &[]).await;
    let seed = stage.seed();
    let flags = ["--mobile", "--point", "1,2"];
    let bus = location_path(&seed.location("bus", &stage.own, &flags));
    let other_bus = location_path(&seed.location("bus", &stage.other, &flags));
    let viewers = [
        "group",
        "add",
        "Viewers",
        "--permission",
        "geo.view_location",
    ];
    let viewers = one(GROUPS, &text(&stage.server.cli(&viewers)["id"]));
    let own = one(ORGANIZATIONS, &stage.own);
    let other = one(ORGANIZATIONS, &stage.other);
    let nothing = Value::Null;
    let manages = |organization: &str| {
        let mut flags = VIEWER.to_vec();
        flags.extend(["--manages", organization]);
        flags.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let by_group = ["--staff", "--group", "Viewers", "--manages", &stage.own];
    let by_group: Vec<String> = by_group.map(str::to_owned).into();
    let places = json!({"organization_users": []});
    let member = json!({"organization_users": {"organization": stage.own, "is_admin": false}});
    let permissions = json!({"user_permissions": []});
    for (name, flags, socket, method, path, body) in [
        ("place", manages(&stage.own), &*bus, "PATCH", "", &places),
        ("manager", manages(&stage.own), &bus, "PATCH", "", &member),
        (
            "permission",
            manages(&stage.own),
            FLEET,
            "PATCH",
            "",
            &permissions,
        ),
        (
            "active",
            manages(&stage.own),
            FLEET,
            "PATCH",
            "",
            &json!({"is_active": false}),
        ),
        (
            "staff",
            manages(&stage.own),
            FLEET,
            "PATCH",
            "",
            &json!({"is_staff": false}),
        ),
        (
            "end",
            manages(&stage.own),
            FLEET,
            "PATCH",
            "",
            &json!({"expiration_date": "2020-01-01"}),
        ),
        ("user", manages(&stage.own), FLEET, "DELETE", "", &nothing),
        (
            "left",
            by_group.clone(),
            FLEET,
            "PATCH",
            "",
            &json!({"groups": []}),
        ),
        (
            "less",
            by_group.clone(),
            FLEET,
            "PATCH",
            &*viewers,
            &json!({"permissions": []}),
        ),
        (
            "tenant",
            manages(&stage.own),
            &bus,
            "PATCH",
            &own,
            &json!({"is_active": false}),
        ),
        (
            "gone",
            manages(&stage.other),
            &other_bus,
            "DELETE",
            &other,
            &nothing,
        ),
    ] {
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let id = seed.user(name, &flags);
        let mut open = Socket::open(&stage.server, socket, &seed.token(name)).await;
        let path = if path.is_empty() {
            one(USERS, &id)
        } else {
            path.to_owned()
        };
        let method = method.parse().unwrap();
        let body = (!body.is_null()).then(|| body.to_string());
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
    let flags = [&VIEWER[..], &["--manages", &stage.own]].concat();
    let id = seed.user("ada", &flags);
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
    let password = json!({"current_password": null, "new_password": "another horse", "confirm_password": "another horse"});
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
