//! The command line as people and scripts use it.

mod router;
mod run;
mod secrets;

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::support::{Credential, Engine, Seed, Server, free_address, point, within};

async fn data() -> Server {
    Server::prepare(Engine::Sqlite, &[]).await
}

#[tokio::test]
async fn who_looks_closes_or_removes_makes_no_database() {
    let server = data().await;
    for arguments in [
        &["nodes", "list"][..],
        &["sockets", "list"],
        &["sockets", "close", "--all"],
        &["audit", "list"],
        &["org", "list"],
        &["user", "list"],
        &["user", "remove", "ada"],
        &["group", "list"],
        &["device", "list"],
        &["location", "list"],
        &["credential", "list"],
        &["connection", "list"],
        &["session", "list"],
        &["token", "list"],
        &["key", "show"],
        &["run", "bus", "--", "uptime"],
    ] {
        let (code, _, said) = server.try_plain_cli(arguments);
        assert_eq!(
            (code, said.lines().count()),
            (1, 1),
            "{arguments:?}: {said}"
        );
        assert!(said.contains("there is no database in"), "{said}");
        assert!(said.contains("--data-dir"), "{said}");
    }
    assert!(!server.database_file().exists());
    // What begins one does.
    server.cli(&["group", "add", "Watchers"]);
    assert_eq!(server.cli(&["nodes", "list"]), json!([]));
}

#[tokio::test]
async fn closing_a_socket_that_nobody_has_is_no_success() {
    let mut server = data().await;
    server.cli(&["migrate"]);
    let (code, _, said) = server.try_plain_cli(&["sockets", "close", "--all"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("no node runs on this database"), "{said}");
    server.run().await;
    let id = uuid::Uuid::new_v4().to_string();
    let (code, _, said) = server.try_plain_cli(&["sockets", "close", &id]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("there is no such socket"), "{said}");
}

#[tokio::test]
async fn a_server_that_cannot_start_says_what_it_is_that_it_cannot_use() {
    let nobody = free_address();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let url = format!("postgres://ada:s3cret@{nobody}/fleet");
    let place =
        format!("cannot open postgres://ada:********@{nobody}/fleet: the database failed: ");
    let slash = "redis://ada:s3/cret@127.0.0.1:6379";
    for (settings, command, clue) in [
        (&[("DATABASE__URL", &*url)][..], "serve", &*place),
        (
            &[("METRICS__LISTEN", &*taken)],
            "serve",
            "with metrics.listen",
        ),
        (
            &[("DATABASE__URL", &*url), ("HINTS__URL", slash)],
            "check",
            "hints.url",
        ),
    ] {
        let server = Server::prepare(Engine::Sqlite, settings).await;
        let address = server.address().to_string();
        let arguments: &[&str] = match command {
            "serve" => &["serve", "--listen", &address],
            _ => &["config", "check"],
        };
        let (code, _, said) = server.try_plain_cli(arguments);
        assert_eq!(code, 1, "{said}");
        let last = said.lines().last().unwrap();
        assert!(last.contains(clue) && !said.contains("s3"), "{said}");
    }
    let server = Server::prepare(Engine::Sqlite, &[]).await;
    std::fs::write(server.database_file(), "no database ".repeat(1000)).unwrap();
    let (_, _, said) = server.try_plain_cli(&["serve", "--listen", "127.0.0.1:0"]);
    let place = server.directory().to_str().unwrap();
    let last = said.lines().last().unwrap();
    assert!(
        last.contains("cannot open") && last.contains(place),
        "{said}"
    );
}

#[tokio::test]
async fn exit_codes_tell_done_from_failed_from_not_understood() {
    let server = data().await;
    for (arguments, expected) in [
        (&["org", "add", "Alpha"][..], 0),
        (&["org", "list"], 0),
        (&["org", "add", "Alpha"], 1),
        (&["org", "show", "Nobody"], 1),
        (&["device", "add", "bus", "--org", "Nobody"], 1),
        (&["location", "add", "depot", "--org", "Alpha"], 1),
        (&["user", "set", "nobody", "--staff"], 1),
        (&["org", "fly"], 2),
        (&["fly"], 2),
        (&["org", "add"], 2),
        (
            &[
                "location", "add", "bus", "--org", "Alpha", "--point", "200,0",
            ],
            2,
        ),
        (
            &[
                "location", "add", "bus", "--org", "Alpha", "--point", "here",
            ],
            2,
        ),
        (
            &[
                "location", "add", "bus", "--org", "Alpha", "--type", "flying",
            ],
            2,
        ),
        (
            &["user", "add", "anna", "--permission", "geo.fly_location"],
            2,
        ),
        (&["serve", "--listen", "nowhere"], 2),
    ] {
        let (code, stdout, stderr) = server.try_cli(arguments, "");
        assert_eq!(code, expected, "{arguments:?}: {stdout} {stderr}");
        if code == 0 {
            let parsed: Result<Value, _> = serde_json::from_str(&stdout);
            assert!(parsed.is_ok(), "{arguments:?}: {stdout}");
        } else {
            assert_eq!(stdout, "", "{arguments:?}");
            assert!(
                !stderr.trim().is_empty(),
                "{arguments:?} failed without a word"
            );
        }
        if code == 1 {
            assert_eq!(stderr.trim().lines().count(), 1, "{arguments:?}: {stderr}");
        }
    }
}

#[tokio::test]
async fn global_options_are_accepted_anywhere_on_the_line() {
    let server = data().await;
    // `try_cli` puts --data-dir and --json last; here --json stands first and in the middle.
    for arguments in [
        &["--json", "org", "add", "A"][..],
        &["org", "--json", "add", "B"],
    ] {
        let (code, stdout, stderr) = server.try_plain_cli(arguments);
        assert_eq!(code, 0, "{stderr}");
        let made: Value = serde_json::from_str(&stdout).unwrap();
        assert!(made["id"].is_string(), "{made}");
    }
}

#[tokio::test]
async fn things_are_named_by_id_or_unique_name() {
    let server = data().await;
    let seed = Seed(&server);
    let alpha = seed.organization("Alpha");
    let beta = seed.organization("Beta");
    let bus = seed.location("Bus 1", "Alpha", &["--mobile", "--point", "-3.7,40.4"]);
    assert_eq!(server.cli(&["location", "show", "Bus 1"])["id"], json!(bus));
    assert_eq!(
        server.cli(&["location", "show", &bus])["geometry"],
        point(-3.7, 40.4)
    );
    assert_eq!(server.cli(&["org", "show", &alpha])["name"], json!("Alpha"));
    seed.location("Bus 1", &beta, &["--mobile"]);
    let (code, _, stderr) = server.try_cli(&["location", "show", "Bus 1"], "");
    assert_eq!(code, 1, "an ambiguous name was taken: {stderr}");
}

#[tokio::test]
async fn the_default_groups_have_the_rights_of_their_namesakes() {
    let server = data().await;
    server.cli(&["migrate"]);
    let all = |group: &str| {
        let shown = server.cli(&["group", "show", group]);
        let mut permissions: Vec<String> =
            serde_json::from_value(shown["permissions"].clone()).unwrap();
        permissions.sort();
        permissions
    };
    let each = |models: &[&str], actions: &[&str]| {
        let one = |model: &str, action: &str| model.replace('.', &format!(".{action}_"));
        let mut named = Vec::new();
        for model in models {
            named.extend(actions.iter().map(|action| one(model, action)));
        }
        named
    };
    let located = ["config.device", "geo.location", "geo.devicelocation"];
    let mut operator = [
        each(&located, &["add", "change", "delete"]),
        each(&["connection.command"], &["add", "view"]),
        each(
            &["connection.deviceconnection"],
            &["add", "change", "delete", "view"],
        ),
        each(&["openwisp_users.organization"], &["view"]),
    ]
    .concat();
    operator.sort();
    assert_eq!(all("Operator"), operator);
    let connections = [
        "connection.command",
        "connection.credentials",
        "connection.deviceconnection",
    ];
    let users = ["openwisp_users.user", "openwisp_users.organizationuser"];
    let mut administrator = [
        each(&located, &["add", "change", "delete"]),
        each(&connections, &["add", "change", "delete", "view"]),
        each(&users, &["add", "change", "delete", "view"]),
        each(&["openwisp_users.group"], &["view"]),
        each(&["openwisp_users.organization"], &["change"]),
    ]
    .concat();
    administrator.sort();
    assert_eq!(all("Administrator"), administrator);
}

#[tokio::test]
async fn a_configuration_that_is_wrong_is_named_with_file_and_line() {
    let server = data().await;
    let file = server.file(
        "wrong.toml",
        "[server]\nlisten = \"127.0.0.1:8000\"\nlissen = 1\n[socket]\nping_s = \"x\"\n",
    );
    for arguments in [&["config", "check"][..], &["serve"], &["org", "list"]] {
        let arguments = [arguments, &["--config", &file]].concat();
        let (code, stdout, stderr) = server.try_cli(&arguments, "");
        assert_eq!((code, stdout.as_str()), (1, ""), "{arguments:?}: {stderr}");
        for clue in [
            &format!("{file}:3"),
            "lissen",
            &format!("{file}:5"),
            "ping_s",
        ] {
            assert!(
                stderr.contains(clue),
                "{arguments:?}: {clue} is not in {stderr}"
            );
        }
    }
    let (_, default, _) = server.try_plain_cli(&["config", "default"]);
    let file = server.file("default.toml", &default);
    server.cli(&["config", "check", "--config", &file]);
}

#[tokio::test]
async fn no_command_prints_the_databases_password() {
    let url = "postgres://fleetwire:very-secret@127.0.0.1:1/nowhere";
    let server = Server::prepare(Engine::Sqlite, &[("DATABASE__URL", url)]).await;
    for arguments in [
        &["config", "env"][..],
        &["config", "check"],
        &["org", "list"],
        &["migrate"],
    ] {
        let (_, stdout, stderr) = server.try_cli(arguments, "");
        assert!(!(stdout + &stderr).contains("very-secret"), "{arguments:?}");
    }
}

#[tokio::test]
async fn watch_prints_each_move_as_a_line_of_json() {
    let mut server = data().await;
    let seed = Seed(&server);
    let organization = seed.organization("Alpha");
    let bus = seed.location("Bus 1", &organization, &["--mobile", "--point", "1,2"]);
    let root = seed.root();
    let Credential::Token(token) = &root else {
        unreachable!()
    };
    server.run().await;
    let client = server.client(&root);
    for feed in [&["watch", "locations"][..], &["watch", "location", &bus]] {
        let base = server.base();
        // A minute back: what moved before it connected is told first.
        client.move_location(&bus, 5.0, 6.0).await;
        let since = (jiff::Timestamp::now() - jiff::SignedDuration::from_secs(60)).to_string();
        let arguments = [feed, &["--url", &base, "--token", token, "--since", &since]].concat();
        let mut child = tokio::process::Command::from(server.command(&arguments))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut next = async || -> Value {
            let line = within("a line", lines.next_line()).await.unwrap().unwrap();
            serde_json::from_str(&line).unwrap()
        };
        assert_eq!(next().await["geometry"], point(5.0, 6.0), "{feed:?}");
        client.move_location(&bus, 7.0, 8.0).await;
        let told = next().await;
        assert_eq!(
            (&told["id"], &told["geometry"]),
            (&json!(bus), &point(7.0, 8.0)),
            "{feed:?}"
        );
    }
}

#[tokio::test]
async fn watch_that_is_refused_says_so_and_fails() {
    let mut server = data().await;
    server.run().await;
    let arguments = [
        "watch",
        "locations",
        "--url",
        &server.base(),
        "--token",
        "wrong",
    ];
    let (code, stdout, stderr) = server.try_cli(&arguments, "");
    assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
    assert!(stderr.contains("403"), "{stderr}");
}

#[tokio::test]
async fn people_and_organizations_are_described() {
    let server = data().await;
    let about = [
        "--description=Trams",
        "--email=metro@example.org",
        "--url=https://metro.example.org",
    ];
    let made = server.cli(&[&["org", "add", "Metro"], &about[..]].concat());
    assert_eq!(
        (&made["description"], &made["email"], &made["url"]),
        (
            &json!("Trams"),
            &json!("metro@example.org"),
            &json!("https://metro.example.org")
        )
    );
    let changed = server.cli(&[
        "org",
        "set",
        "Metro",
        "--description=",
        "--name=Metro Lines",
    ]);
    assert_eq!(
        (&changed["description"], &changed["slug"]),
        (&json!(""), &json!("metro-lines"))
    );
    let names = ["--first-name=Ada", "--last-name=Lovelace"];
    let ada = server.cli(&[&["user", "add", "ada"], &names[..]].concat());
    assert_eq!(
        (&ada["first_name"], &ada["last_name"]),
        (&json!("Ada"), &json!("Lovelace"))
    );
    let changed = server.cli(&["user", "set", "ada", "--last-name=King"]);
    assert_eq!(changed["last_name"], json!("King"));
    let (code, _, stderr) = server.try_cli(&["org", "set", "metro-lines", "--url=metro"], "");
    assert_eq!(
        (code, stderr.trim()),
        (1, "fleetwire: url: Enter a valid URL.")
    );
}
