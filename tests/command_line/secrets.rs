//! Credentials, connections, the key and the audit log: what goes in, and what never comes out.

use serde_json::{Value, json};

use super::data;
use crate::support::{Engine, Seed, Server};

const PASSWORD: &str = "sehr-geheim-4711";

/// An organization, a device of it and a credential.
async fn stage() -> Server {
    let server = data().await;
    let seed = Seed(&server);
    seed.organization("Alpha");
    seed.device("router", "Alpha");
    add(&server, "routers", "Alpha");
    server
}

fn add(server: &Server, name: &str, organization: &str) -> Value {
    let arguments = [
        "credential",
        "add",
        name,
        "--org",
        organization,
        "--username",
        "root",
        "--password-stdin",
    ];
    server.cli_with_input(&arguments, &format!("{PASSWORD}\n"))
}

/// What the failed command said, on one line.
fn refusal(server: &Server, arguments: &[&str], input: &str) -> String {
    let (code, stdout, stderr) = server.try_cli(arguments, input);
    assert_eq!((code, stdout.as_str()), (1, ""), "{arguments:?}: {stderr}");
    assert_eq!(stderr.trim().lines().count(), 1, "{arguments:?}: {stderr}");
    stderr
}

#[tokio::test]
async fn a_credentials_secret_never_comes_out() {
    let server = stage().await;
    let shown = server.cli(&["credential", "show", "routers"]);
    for (field, value) in [
        ("name", json!("routers")),
        ("username", json!("root")),
        ("port", json!(22)),
        ("kind", json!("password")),
        ("old_algorithms", json!(false)),
    ] {
        assert_eq!(shown[field], value, "{shown}");
    }
    let changed = server.cli(&[
        "credential",
        "set",
        "routers",
        "--port",
        "2222",
        "--old-algorithms",
    ]);
    assert_eq!(changed["port"], 2222);
    assert_eq!(changed["old_algorithms"], true);
    assert_eq!(changed["kind"], "password");
    let mut told = shown.to_string() + &changed.to_string();
    for arguments in [&["credential", "list"][..], &["audit", "list"]] {
        told += &server.cli(arguments).to_string();
        told += &server.try_plain_cli(arguments).1;
    }
    assert!(!told.contains(PASSWORD), "{told}");
    server.cli(&["credential", "remove", "routers"]);
    assert_eq!(server.cli(&["credential", "list"]), json!([]));
}

#[tokio::test]
async fn a_private_key_is_checked_before_it_is_kept() {
    let server = stage().await;
    let file = server.file("key", "");
    std::fs::remove_file(&file).unwrap();
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "open sesame", "-f", &file])
        .status();
    assert!(made.unwrap().success());
    let set = ["credential", "set", "routers", "--private-key"];
    let with_passphrase = [&set[..], &[&file, "--passphrase-stdin"]].concat();
    for (arguments, input, clue) in [
        ([&set[..], &[&file]].concat(), "", "--passphrase-stdin"),
        (with_passphrase.clone(), "wrong\n", "does not open"),
        (
            [&set[..], &[&format!("{file}.pub")]].concat(),
            "",
            "public key",
        ),
        (
            [&set[..], &[&server.file("text", "hello")]].concat(),
            "",
            "no private key",
        ),
        ([&set[..], &["/nowhere/key"]].concat(), "", "/nowhere/key"),
    ] {
        let told = refusal(&server, &arguments, input);
        assert!(told.contains(clue), "{told}");
    }
    let changed = server.cli_with_input(&with_passphrase, "open sesame\n");
    assert_eq!(changed["kind"], "private_key");
}

#[tokio::test]
async fn a_connection_is_named_by_its_id_or_by_a_device_that_has_no_other() {
    let server = stage().await;
    let seed = Seed(&server);
    seed.organization("Beta");
    // The device's own organization decides which one is meant.
    add(&server, "routers", "Beta");
    add(&server, "spare", "Alpha");
    add(&server, "foreign", "Beta");
    let made = server.cli(&["connection", "add", "router", "routers", "--disabled"]);
    assert_eq!(made["is_enabled"], false);
    let told = refusal(&server, &["connection", "add", "router", "foreign"], "");
    assert!(told.contains("another organization"), "{told}");
    let shown = server.cli(&["connection", "show", "router"]);
    assert_eq!(shown, made);
    let changed = server.cli(&[
        "connection",
        "set",
        "router",
        "--enable",
        "--credential",
        "spare",
        "--forget-host-key",
    ]);
    assert_eq!(changed["is_enabled"], true);
    assert_eq!(changed["host_key"], Value::Null);
    server.cli(&["connection", "add", "router", "routers"]);
    let told = refusal(&server, &["connection", "show", "router"], "");
    assert!(told.contains("2 connections"), "{told}");
    let id = made["id"].as_str().unwrap();
    server.cli(&["connection", "remove", id]);
    let list = server.cli(&["connection", "list", "--device", "router"]);
    assert_eq!(list.as_array().unwrap().len(), 1, "{list}");
    let told = refusal(&server, &["connection", "show", "nothing"], "");
    assert!(told.contains("connection list"), "{told}");
}

#[tokio::test]
async fn the_key_is_rotated_where_it_lies_or_from_a_file() {
    let server = stage().await;
    let fingerprint = || server.cli(&["key", "show"])["fingerprint"].clone();
    let first = fingerprint();
    server.cli(&["key", "rotate"]);
    let second = fingerprint();
    assert_ne!(first, second);
    let key = "0f".repeat(32);
    let file = server.file("new.key", &format!("{key}\n"));
    server.cli(&["key", "rotate", "--new-key-file", &file]);
    let third = fingerprint();
    assert_ne!(second, third);
    let told = refusal(&server, &["key", "rotate", "--new-key-file", &file], "");
    assert!(told.contains("in use"), "{told}");
    let file = server.file("no.key", "0f0f");
    let told = refusal(&server, &["key", "rotate", "--new-key-file", &file], "");
    assert!(told.contains("64 hexadecimal digits"), "{told}");
    let configured = |key: &str, arguments: &[&str]| {
        let mut command = server.command(arguments);
        let output = command.env("FLEETWIRE_SECRETS__KEY", key).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let told = text(output.stdout) + &text(output.stderr);
        assert!(!told.contains(key), "{told}");
        told
    };
    let told = configured(&key, &["key", "show"]);
    assert!(told.contains(third.as_str().unwrap()), "{told}");
    let told = configured(&key, &["key", "rotate"]);
    assert!(told.contains("--new-key-file"), "{told}");
    for arguments in [&["key", "show"][..], &["serve"]] {
        let told = configured(&"f0".repeat(32), arguments);
        assert!(told.contains("is not the one"), "{told}");
    }
}

#[tokio::test]
async fn on_postgresql_nothing_is_served_without_the_key() {
    let server = Server::prepare(Engine::Postgres, &[("SECRETS__KEY", "")]).await;
    let told = refusal(&server, &["serve"], "");
    assert!(told.contains("secrets.key is not set"), "{told}");
}

#[tokio::test]
async fn the_audit_log_names_who_did_what() {
    let server = data().await;
    let mut command = server.command(&["org", "add", "Alpha"]);
    let output = command.env("SUDO_USER", "ada").output().unwrap();
    assert!(output.status.success());
    let mut command = server.command(&["org", "add", "Beta"]);
    command
        .env_remove("SUDO_USER")
        .env("USER", "bert")
        .output()
        .unwrap();
    let names = |arguments: &[&str]| {
        let list = server.cli(&[&["audit", "list"], arguments].concat());
        let entries = list.as_array().unwrap().clone();
        entries
            .iter()
            .map(|entry| format!("{} {}", entry["actor"], entry["name"]).replace('"', ""))
            .collect::<Vec<_>>()
    };
    let (ada, bert) = ("ada (command line) Alpha", "bert (command line) Beta");
    assert_eq!(names(&[]), [bert, ada]);
    assert_eq!(names(&["--limit", "1"]), [bert]);
    assert_eq!(names(&["--actor", "ada (command line)"]), [ada]);
    assert!(names(&["--since", "2100-01-01"]).is_empty());
}
