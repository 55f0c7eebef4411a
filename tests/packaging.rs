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

/// The variables of `gateway.env`, as systemd reads them.
fn variables(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned()))
        .collect()
}

/// Sees that our program knows each of them, and takes its value.
async fn are_understood(variables: &BTreeMap<String, String>) {
    let server = Server::prepare(Engine::Sqlite, &[]).await;
    let mut command = server.command(&["config", "check"]);
    let output = command.envs(variables).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{variables:?}: {said}");
    let shown = server.command(&["config", "env"]).envs(variables).output();
    let shown = String::from_utf8(shown.unwrap().stdout).unwrap();
    for name in variables.keys() {
        let key = name.trim_start_matches("FLEETWIRE_");
        let key = key.rsplit("__").next().unwrap().to_lowercase();
        assert!(shown.to_lowercase().contains(&key), "{name}: {shown}");
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

#[test]
fn systemd_takes_the_unit() {
    let unit = text_of("fleetwire-gateway.service");
    if Command::new("systemd-analyze")
        .arg("--version")
        .output()
        .is_err()
    {
        println!("systemd-analyze is not there: the unit was not checked");
        return;
    }
    let directory = TempDir::with_prefix("fleetwire-unit-").unwrap();
    let file = directory.path().join("fleetwire-gateway.service");
    let here = unit.replace("/usr/local/bin/fleetwire", env!("CARGO_BIN_EXE_fleetwire"));
    std::fs::write(&file, here).unwrap();
    let mut command = Command::new("systemd-analyze");
    let output = command.arg("verify").arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let of_ours: Vec<_> = said.lines().filter(|it| it.contains("fleetwire")).collect();
    assert!(output.status.success() && of_ours.is_empty(), "{said}");
}

#[tokio::test]
async fn the_environment_of_the_unit_is_understood() {
    are_understood(&variables(&text_of("gateway.env"))).await;
}

#[tokio::test]
async fn the_compose_override_builds_what_is_here_with_settings_that_are_understood() {
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
    let compose: Value = serde_json::from_slice(&output.stdout).unwrap();
    let websocket = &compose["services"]["websocket"];
    let dockerfile = websocket["build"]["dockerfile"].as_str().unwrap();
    assert!(Path::new(&in_repository(dockerfile)).exists());
    // What it hands on goes to a service that is there.
    let environment = websocket["environment"].as_object().unwrap();
    assert_eq!(
        environment["FLEETWIRE_GATEWAY__FALLBACK"],
        "http://daphne:8002"
    );
    assert!(compose["services"]["daphne"].is_object(), "{compose}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let environment = environment.iter();
    are_understood(
        &environment
            .map(|(name, value)| (name.clone(), text(value)))
            .collect(),
    )
    .await;
}
