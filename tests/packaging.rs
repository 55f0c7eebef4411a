//! What `packaging/` offers: taken by the programs that it is for, and in words that ours knows.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::clients::in_repository;
use crate::support::{Engine, Nginx, Server, openwisp};

fn text_of(name: &str) -> String {
    std::fs::read_to_string(in_repository(&format!("packaging/openwisp/{name}"))).unwrap()
}

const UNITS: [&str; 2] = [
    "systemd/fleetwire.service",
    "openwisp/fleetwire-gateway.service",
];

fn unit(name: &str) -> String {
    std::fs::read_to_string(in_repository(&format!("packaging/{name}"))).unwrap()
}

/// The variables of `gateway.env`, as systemd reads them.
fn variables(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned()))
        .collect()
}

/// What `fleetwire gateway` understands in an environment of these `variables`, by the names of its own.
async fn understood(variables: &BTreeMap<String, String>) -> BTreeMap<String, Value> {
    let server = Server::prepare(Engine::Sqlite, &[]).await;
    let mut command = server.command(&["config", "env", "--gateway", "--json"]);
    let output = command.envs(variables).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{variables:?}: {said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Sees that the gateway takes each of them, with its value; of a secret only that there is one. What stands
/// for nothing is nothing.
async fn are_understood(variables: &BTreeMap<String, String>) {
    let understood = understood(variables).await;
    for (name, value) in variables {
        let own = format!("FLEETWIRE_GATEWAY__{name}");
        let shown = understood.get(name).or(understood.get(&own));
        let shown = match shown.unwrap_or_else(|| panic!("{name} is not known")) {
            Value::String(text) => text.clone(),
            Value::Array(items) => {
                let items = items.iter().map(|item| item.as_str().unwrap());
                items.collect::<Vec<_>>().join(",")
            }
            other => other.to_string(),
        };
        let is_secret = ["DB_PASS", "REDIS_PASS", "DJANGO_SECRET_KEY"].contains(&name.as_str());
        let expected = if is_secret && !value.is_empty() {
            "********"
        } else {
            value
        };
        assert_eq!(shown, expected, "{name}");
    }
}

#[test]
fn nginx_takes_the_snippets() {
    let directory = TempDir::with_prefix("fleetwire-nginx-").unwrap();
    for name in ["docker-openwisp.conf", "ansible-openwisp2.conf"] {
        // Names that only Docker's network knows.
        let snippet = text_of(&format!("nginx/{name}")).replace("websocket:8002", "127.0.0.1:8002");
        let said = Nginx::check(directory.path(), &snippet);
        assert_eq!(said, Ok(()), "{name}");
    }
}

/// `systemd-analyze VERB`, of a unit with our program in its place; `None` where it is not installed.
fn analyze(arguments: &[&str], name: &str) -> Option<(bool, String)> {
    let directory = TempDir::with_prefix("fleetwire-unit-").unwrap();
    let file = directory.path().join(Path::new(name).file_name().unwrap());
    let here = unit(name).replace("/usr/local/bin/fleetwire", env!("CARGO_BIN_EXE_fleetwire"));
    std::fs::write(&file, here).unwrap();
    let mut command = Command::new("systemd-analyze");
    let Ok(output) = command.args(arguments).arg(&file).output() else {
        println!("systemd-analyze is not there: {name} was not checked");
        return None;
    };
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    Some((output.status.success(), said))
}

#[test]
fn systemd_takes_the_units() {
    for name in UNITS {
        let Some((is_good, said)) = analyze(&["verify"], name) else {
            return;
        };
        let of_ours: Vec<_> = said.lines().filter(|it| it.contains("fleetwire")).collect();
        assert!(is_good && of_ours.is_empty(), "{name}: {said}");
    }
}

/// systemd's own scale ends with 10; what is below 2.5 it calls OK.
#[test]
fn the_units_take_away_what_the_server_does_not_need() {
    for name in UNITS {
        let arguments = ["security", "--offline=yes", "--threshold=20"];
        let Some((is_good, said)) = analyze(&arguments, name) else {
            return;
        };
        assert!(is_good, "{name}: {said}");
    }
}

#[test]
fn the_units_wait_until_the_server_says_that_it_is_ready() {
    for name in UNITS {
        let unit = unit(name);
        for line in [
            "Type=notify",
            "NotifyAccess=main",
            "WatchdogSec=30",
            "Restart=always",
        ] {
            assert!(unit.lines().any(|it| it == line), "{name} lacks {line}");
        }
    }
}

/// The settings of the server's unit, those included that are comments, on a database of a test's own.
fn settings_of_the_unit(url: &str) -> String {
    let text = unit("systemd/fleetwire.toml");
    let (mut settings, mut is_comment) = (String::new(), true);
    for line in text.lines() {
        is_comment &= line.starts_with('#');
        let line = match line.strip_prefix("# ") {
            // What is no setting ends like a sentence.
            Some(line) if !is_comment && !line.ends_with(['.', ':']) => line,
            _ => line,
        };
        settings = settings + line + "\n";
    }
    let key = format!("key = \"{}\"", "ab".repeat(32));
    let example = "postgres://fleetwire@db.example.org/fleetwire";
    assert!(settings.contains(example) && settings.contains("key = \"\""));
    settings.replace(example, url).replace("key = \"\"", &key)
}

/// What the documentation says: settings in the data directory, and the command line without any
/// environment. With the settings in the environment of the service, nothing is made elsewhere.
#[tokio::test]
async fn the_command_line_works_on_the_database_that_the_servers_unit_serves() {
    let postgres = Server::prepare(Engine::Postgres, &[]).await;
    let url = postgres.database_url().unwrap();
    let mut service = Server::prepare(Engine::Sqlite, &[]).await;
    let settings = settings_of_the_unit(url);
    let file = service.file("fleetwire.toml", &settings);
    service.run().await;
    service.cli(&["org", "add", "Alpha"]);
    service.cli(&["user", "add", "root", "--superuser"]);
    assert_eq!(service.cli(&["user", "list"])[0]["username"], "root");
    assert_eq!(service.cli(&["nodes", "list"])[0]["is_alive"], true);
    std::fs::remove_file(file).unwrap();
    for arguments in [
        &["user", "list"][..],
        &["user", "add", "ada"],
        &["org", "add", "Beta"],
        &["nodes", "list"],
        &["sockets", "close", "--all"],
        &["migrate"],
    ] {
        let (code, _, said) = service.try_plain_cli(arguments);
        assert_eq!(code, 1, "{arguments:?}: {said}");
        assert!(said.contains("there is no database in"), "{said}");
    }
    assert!(!service.database_file().exists());
}

/// What the image needs beyond the sources is let in, and it is run by nobody in particular.
#[test]
fn the_image_holds_the_console_and_is_run_by_nobody_in_particular() {
    let dockerfile = unit("docker/Dockerfile");
    let (_, image) = dockerfile.rsplit_once("\nFROM ").unwrap();
    assert!(image.starts_with("scratch\n"), "{image}");
    let user = image.lines().find_map(|line| line.strip_prefix("USER "));
    assert!(
        user.is_some_and(|it| !it.starts_with('0') && !it.contains("root")),
        "{image}"
    );
    let ignored = unit("docker/Dockerfile.dockerignore");
    // build.rs makes the program hold the console.
    for let_in in ["build.rs", "console", "src", "migrations", "Cargo.lock"] {
        assert!(
            ignored.lines().any(|line| line == format!("!{let_in}")),
            "{let_in}"
        );
    }
}

#[tokio::test]
async fn the_environment_of_the_unit_is_understood() {
    let text = text_of("gateway.env");
    are_understood(&variables(&text)).await;
    // And what may be said instead.
    let instead = text.lines().map(|line| line.trim_start_matches("# "));
    let instead = instead.filter(|line| {
        let name = line.split('=').next().unwrap_or_default();
        name.contains('_')
            && name
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
    });
    let instead = variables(&instead.collect::<Vec<_>>().join("\n"));
    let engine = "django.contrib.gis.db.backends.postgis";
    assert_eq!(instead["DB_ENGINE"], engine);
    are_understood(&instead).await;
}

/// docker-openwisp's own `.env`, as far as the gateway reads it: there is nothing more.
const DOT_ENV: [(&str, &str); 4] = [
    ("DASHBOARD_DOMAIN", "dashboard.openwisp.org"),
    ("DB_USER", "admin"),
    ("DB_PASS", "admin"),
    ("DJANGO_SECRET_KEY", "default_secret_key"),
];

/// The environment of the override's service `websocket`, as Compose makes it: `.env` itself, and above it
/// what the override says, with `${NAME:-DEFAULT}` read from `.env`.
fn composed(compose: &Value, dot_env: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let mut environment: BTreeMap<_, _> = dot_env.iter().map(owned).collect();
    let given = environment.clone();
    let said = compose["services"]["websocket"]["environment"].as_object();
    for (name, value) in said.unwrap() {
        let mut text = String::new();
        let mut rest = value.as_str().unwrap();
        while let Some((before, inner)) = rest.split_once("${") {
            let (inner, after) = inner.split_once('}').unwrap();
            let (name, default) = inner.split_once(":-").unwrap();
            let found = given.get(name).filter(|value| !value.is_empty());
            text = text + before + found.map_or(default, String::as_str);
            rest = after;
        }
        environment.insert(name.clone(), text + rest);
    }
    environment
}

/// The override, as YAML has it.
fn compose_override() -> Value {
    let file = in_repository("packaging/openwisp/docker-compose.override.yml");
    let mut python = openwisp::python();
    python.args([
        "-c",
        "import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin)))",
    ]);
    let output = python
        .stdin(std::fs::File::open(file).unwrap())
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_compose_override_builds_what_is_here() {
    let compose = compose_override();
    let dockerfile = compose["services"]["websocket"]["build"]["dockerfile"].as_str();
    assert!(Path::new(&in_repository(dockerfile.unwrap())).exists());
    // What it hands on goes to a service that is there.
    assert!(compose["services"]["daphne"].is_object(), "{compose}");
}

#[tokio::test]
async fn the_compose_override_needs_no_more_than_docker_openwisps_own_env() {
    let compose = compose_override();
    let environment = composed(&compose, &DOT_ENV);
    are_understood(&environment).await;
    let server = Server::prepare(Engine::Sqlite, &[]).await;
    let mut command = server.command(&["gateway", "--check"]);
    let output = command.envs(&environment).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    // All is said that has to be; none of those hosts is there.
    assert!(!said.contains("is missing"), "{said}");
    assert!(said.contains("the database does not answer"), "{said}");

    let more = [
        ("DB_HOST", "another"),
        ("WEBSOCKET_APP_PORT", "8004"),
        ("REDIS_PORT", ""),
    ];
    let environment = composed(&compose, &[&DOT_ENV[..], &more].concat());
    let understood = understood(&environment).await;
    for (name, value) in [
        ("DB_HOST", Value::from("another")),
        ("DB_ENGINE", "django.contrib.gis.db.backends.postgis".into()),
        ("REDIS_PORT", 6379.into()),
        ("WEBSOCKET_APP_PORT", 8004.into()),
        ("FALLBACK", "http://daphne:8004".into()),
    ] {
        assert_eq!(understood[&format!("FLEETWIRE_GATEWAY__{name}")], value);
    }
}
