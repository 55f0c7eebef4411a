//! Who may open which socket, with which credential.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::json;

use super::{Names, on_both_engines, table};
use crate::support::{
    Client, Credential, Engine, FLEET, PASSWORD, Seed, Server, Socket, location_path,
};

on_both_engines! {
    every_kind_of_user_opens_what_the_table_says_and_nothing_else,
    only_a_live_credential_opens_a_socket,
    rights_at_the_handshake_are_those_of_the_last_commit,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[expect(dead_code, reason = "for readers of the table")]
    about: String,
    targets: BTreeMap<String, Target>,
    groups: BTreeMap<String, Vec<String>>,
    users: BTreeMap<String, User>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Target {
    path: String,
    #[serde(default = "forbidden")]
    refused: u16,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct User {
    flags: Vec<String>,
    #[serde(default)]
    then: Vec<String>,
    /// Each of `then` is a command of its own.
    #[serde(default)]
    then_one_by_one: bool,
    connects: BTreeSet<String>,
}

const fn forbidden() -> u16 {
    403
}

/// Organizations with a device, a vehicle and a depot each.
fn seed_resources(seed: &Seed<'_>) -> Names {
    let mut names = Names::default();
    for organization in ["Own", "Other", "Closed"] {
        let id = seed.organization(organization);
        let point = ["--point", "12.5,41.9"];
        let mobile = [&["--mobile"], &point[..]].concat();
        let device = seed.device(&format!("router of {organization}"), &id);
        let bus = seed.location(&format!("bus of {organization}"), &id, &mobile);
        let depot = seed.location(&format!("depot of {organization}"), &id, &point);
        names.set(organization, &id);
        names.set(&format!("{organization}.device"), &device.id);
        names.set(&format!("{organization}.bus"), &bus);
        names.set(&format!("{organization}.depot"), &depot);
    }
    names
}

/// The user with a session and a token, both from before what the table does to it `then`.
async fn seed_user(seed: &Seed<'_>, client: &Client, name: &str, user: &User) -> [Credential; 2] {
    let flags: Vec<_> = user.flags.iter().map(String::as_str).collect();
    seed.user(name, &flags);
    let credentials = [seed.token(name), client.session(name).await];
    let groups_of = if user.then_one_by_one {
        1
    } else {
        user.then.len().max(1)
    };
    for then in user.then.chunks(groups_of) {
        let then = then.iter().map(String::as_str);
        let arguments: Vec<_> = ["user", "set", name].into_iter().chain(then).collect();
        seed.0.cli(&arguments);
    }
    credentials
}

async fn every_kind_of_user_opens_what_the_table_says_and_nothing_else(engine: Engine) {
    let table: Table = table("handshake");
    let mut server = Server::prepare(engine, &[]).await;
    let names = seed_resources(&Seed(&server));
    for (group, permissions) in &table.groups {
        let flags = permissions
            .iter()
            .flat_map(|it| ["--permission", it.as_str()]);
        let arguments: Vec<_> = ["group", "add", group].into_iter().chain(flags).collect();
        server.cli(&arguments);
    }
    server.cli(&["org", "set", "Closed", "--inactive"]);
    server.run().await;
    let client = server.client(&Credential::Nobody);
    let mut wrong = Vec::new();
    for (name, user) in &table.users {
        let unknown: Vec<_> = user
            .connects
            .iter()
            .filter(|it| !table.targets.contains_key(*it))
            .collect();
        assert!(
            unknown.is_empty(),
            "{name} connects to {unknown:?}, which are no targets"
        );
        for credential in seed_user(&Seed(&server), &client, name, user).await {
            for (target, Target { path, refused }) in &table.targets {
                let expected = if user.connects.contains(target) {
                    101
                } else {
                    *refused
                };
                let status = knock(&server, &names.fill(path), &credential).await;
                if status != expected {
                    let by = kind(&credential);
                    wrong.push(format!("{name}, {by}, {target}: {status}, not {expected}"));
                }
            }
        }
    }
    for (target, Target { path, refused }) in &table.targets {
        let status = knock(&server, &names.fill(path), &Credential::Nobody).await;
        if status != *refused {
            wrong.push(format!("nobody, {target}: {status}, not {refused}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn kind(credential: &Credential) -> &'static str {
    match credential {
        Credential::Nobody => "without credential",
        Credential::Cookie(_) => "by session",
        Credential::Token(_) => "by token",
    }
}

/// The status that a handshake is answered with.
async fn knock(server: &Server, path: &str, credential: &Credential) -> u16 {
    match Socket::try_open(server, path, credential).await {
        Ok(socket) => {
            socket.close().await;
            101
        }
        Err(status) => status,
    }
}

async fn only_a_live_credential_opens_a_socket(engine: Engine) {
    let mut server = Server::prepare(engine, &[]).await;
    let seed = Seed(&server);
    let organization = seed.organization("Alpha");
    let bus = seed.location("bus", &organization, &["--mobile", "--point", "1,2"]);
    seed.user("root", &["--superuser", "--staff"]);
    server.run().await;
    let seed = Seed(&server);
    let client = server.client(&Credential::Nobody);

    let revoked = client.session("root").await;
    for session in server.cli(&["session", "list"]).as_array().unwrap() {
        server.cli(&["session", "remove", session["id"].as_str().unwrap()]);
    }
    let logged_out = client.session("root").await;
    let answer = server
        .client(&logged_out)
        .post("/accounts/logout/", &json!({}))
        .await;
    assert!(answer.status < 400, "{} {}", answer.status, answer.text);
    let token = server.cli(&["token", "add", "root"]);
    server.cli(&["token", "remove", token["id"].as_str().unwrap()]);
    let removed = Credential::Token(token["token"].as_str().unwrap().to_owned());
    let live = [seed.token("root"), client.session("root").await];
    let Credential::Token(living_token) = &live[0] else {
        unreachable!()
    };
    let Credential::Cookie(living_cookie) = &live[1] else {
        unreachable!()
    };
    let dead = [
        Credential::Nobody,
        Credential::Token("garbage".into()),
        Credential::Token("0".repeat(40)),
        Credential::Token(living_cookie.clone()),
        Credential::Token(living_token[..39].to_owned()),
        Credential::Token(String::new()),
        removed,
        Credential::Cookie("garbage".into()),
        Credential::Cookie(String::new()),
        Credential::Cookie(living_token.clone()),
        Credential::Cookie("x".repeat(5000)),
        Credential::Cookie(format!("{living_cookie}x")),
        logged_out,
        revoked,
    ];
    for path in [FLEET.to_owned(), location_path(&bus)] {
        for credential in &live {
            assert_eq!(
                knock(&server, &path, credential).await,
                101,
                "{credential:?}"
            );
        }
        for credential in &dead {
            assert_eq!(
                knock(&server, &path, credential).await,
                403,
                "{credential:?}"
            );
        }
    }
}

async fn rights_at_the_handshake_are_those_of_the_last_commit(engine: Engine) {
    let mut server = Server::prepare(engine, &[]).await;
    let seed = Seed(&server);
    let organization = seed.organization("Alpha");
    let bus = seed.location("bus", &organization, &["--mobile", "--point", "1,2"]);
    let credential = seed.user_with_token("viewer", &["--staff", "--manages", &organization]);
    server.run().await;
    let path = location_path(&bus);
    // The command line is another process: what it committed counts at the very next handshake.
    for _ in 0..5 {
        assert_eq!(knock(&server, &path, &credential).await, 403);
        server.cli(&["user", "set", "viewer", "--permission", "geo.view_location"]);
        assert_eq!(knock(&server, &path, &credential).await, 101);
        server.cli(&[
            "user",
            "set",
            "viewer",
            "--remove-permission",
            "geo.view_location",
        ]);
    }
    let session = server.client(&Credential::Nobody).session("viewer").await;
    server.cli(&["user", "set", "viewer", "--permission", "geo.view_location"]);
    assert_eq!(knock(&server, &path, &session).await, 101);
    server.cli_with_input(
        &["user", "set", "viewer", "--password-stdin"],
        "another password\n",
    );
    assert_eq!(
        knock(&server, &path, &session).await,
        403,
        "a session of the old password"
    );
    let client = server.client(&Credential::Nobody);
    let old = client.log_in("viewer", PASSWORD).await;
    assert!(
        old.session_cookie().is_empty(),
        "the old password still logs in"
    );
    let session = client.log_in("viewer", "another password").await.session();
    assert_eq!(knock(&server, &path, &session).await, 101);
}
