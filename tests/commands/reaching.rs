//! The way to a device: its addresses and logins in order, and what an operator reads when there is
//! none.

use std::net::TcpListener;

use serde_json::json;

use super::stage::{Stage, closed_address, outcome, password};
use super::watcher::text;
use crate::support::Engine;
use crate::support::ssh::{Account, OpenSsh, Options, Server, both};

const WRONG: &str = "wr0ng-passw0rd";

/// Short for a test that waits for it, long for an SSH server that has one to answer it.
const PASSED_OVER: (&str, &str) = ("COMMANDS__CONNECT_TIMEOUT_S", "3");

/// An address where connections are taken, and nothing is ever said.
struct Silent(TcpListener);

impl Silent {
    fn listen() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    fn address(&self) -> String {
        self.0.local_addr().unwrap().to_string()
    }

    /// How many have come since it was asked last.
    fn connections(&self) -> usize {
        self.0.set_nonblocking(true).unwrap();
        self.0.incoming().map_while(Result::ok).count()
    }
}

#[tokio::test]
async fn an_unreachable_device_fails_the_command_and_names_the_address() {
    let stage = Stage::set_up().await;
    let address = closed_address().to_string();
    let router = stage.router_at("router", &[&address]).await;
    let mut watcher = stage.watch(&router).await;
    let id = stage.ask(&router, "echo hello").await;
    let end = watcher.end(&id).await;
    let output = text(&end, "output");
    assert_eq!(end["status"], "failed");
    assert!(
        output.contains(&address) && output.contains("refused"),
        "{output}"
    );
    assert_eq!(stage.seen(&router, &id).await["exit_code"], json!(null));
    let connection = stage.root.get(&router.connection()).await.expect(200);
    assert_eq!(connection["is_working"], json!(false));
    assert_eq!(connection["failure_reason"], json!(output));
    let nowhere = stage.router_at("nowhere", &[]).await;
    let output = "the device has no address: give it one";
    let ended = stage.run(&nowhere, "echo hello").await;
    assert_eq!(outcome(&ended), ("failed", &json!(null), output));
}

/// The command runs once, at the first address that answers.
#[tokio::test]
async fn the_addresses_are_tried_in_order() {
    let device = OpenSsh::start(&Options::default());
    let stage = Stage::set_up().await;
    let port = device.address().port();
    let dead = closed_address().to_string();
    let alive = ["127.0.0.2", "127.0.0.3"].map(|host| format!("{host}:{port}"));
    let router = stage
        .router_at("router", &[&dead, &alive[0], &alive[1]])
        .await;
    let line = format!(
        "echo $SSH_CONNECTION | cut -d ' ' -f 3 | tee -a {}",
        stage.witness.path("ran")
    );
    let ended = stage.run(&router, &line).await;
    assert_eq!(outcome(&ended), ("success", &json!(0), "127.0.0.2\n"));
    assert_eq!(ended["connection"], json!(router.connection));
    assert_eq!(stage.witness.read("ran"), "127.0.0.2\n");
    let connection = stage.root.get(&router.connection()).await.expect(200);
    assert_eq!(connection["is_working"], json!(true));
    assert_eq!(connection["failure_reason"], "");
}

/// One that takes the connection and then says nothing is as dead as a closed port.
#[tokio::test]
async fn an_address_that_says_nothing_gives_way_to_the_next() {
    let silent = Silent::listen();
    let device = OpenSsh::start(&Options::default());
    let stage = Stage::set_up_on(Engine::Sqlite, &[PASSED_OVER]).await;
    let alive = device.address().to_string();
    let router = stage
        .router_at("router", &[&silent.address(), &alive])
        .await;
    let line = format!("echo ran | tee -a {}", stage.witness.path("ran"));
    let ended = stage.run(&router, &line).await;
    assert_eq!(outcome(&ended), ("success", &json!(0), "ran\n"));
    assert_eq!(stage.witness.read("ran"), "ran\n");
    assert_eq!(silent.connections(), 1);
}

/// Each login costs the time-out of such an address otherwise, and another one changes nothing there.
#[tokio::test]
async fn an_address_that_says_nothing_is_not_tried_with_another_login() {
    let silent = Silent::listen();
    let device = OpenSsh::start(&Options::default());
    let stage = Stage::set_up_on(Engine::Sqlite, &[PASSED_OVER]).await;
    let params = json!({"username": Account::of_the_tests().user, "password": WRONG});
    let wrong = stage.credential("wrong", params.clone()).await;
    let (dead, alive) = (silent.address(), device.address().to_string());
    let router = stage.router_with("router", &[&dead, &alive], &wrong).await;
    let wrong = stage.credential("wrong again", params).await;
    stage.connect(&router.id, &wrong).await;
    let ended = stage.run(&router, "echo hello").await;
    assert_eq!(ended["status"], "failed");
    let output = text(&ended, "output");
    let reasons: Vec<_> = output.split("; ").collect();
    let [first, second, third, fourth] = reasons[..] else {
        panic!("{output}");
    };
    assert!(first.starts_with(&format!("{dead}: no SSH key exchange within")));
    assert!(second.starts_with(&alive), "{output}");
    assert_eq!(third, format!("{dead}: not tried again"));
    assert!(fourth.starts_with(&alive), "{output}");
    assert_eq!(silent.connections(), 1);
}

#[tokio::test]
async fn a_wrong_password_fails_the_command_and_is_told_to_nobody() {
    for device in both() {
        let settings = [("LOG__LEVEL", "debug")];
        let stage = Stage::set_up_on(Engine::Sqlite, &settings).await;
        let params = json!({"username": Account::of_the_tests().user, "password": WRONG});
        let credential = stage.credential("wrong", params).await;
        let address = device.address().to_string();
        let router = stage.router_with("router", &[&address], &credential).await;
        let mut watcher = stage.watch(&router).await;
        let id = stage.ask(&router, "echo hello").await;
        let end = watcher.end(&id).await;
        let output = text(&end, "output");
        assert_eq!(end["status"], "failed");
        assert!(
            output.contains(&address) && output.contains("password"),
            "{output}"
        );
        let connection = stage.root.get(&router.connection()).await;
        for text in [end.to_string(), connection.text, stage.server.log()] {
            assert!(!text.contains(WRONG), "{text}");
        }
        assert!(stage.server.files_with(WRONG).is_empty());
        // Another login of the same device may be let in.
        let right = stage.credential("right", password()).await;
        let second = stage.connect(&router.id, &right).await;
        let ended = stage.run(&router, "echo hello").await;
        assert_eq!(outcome(&ended), ("success", &json!(0), "hello\n"));
        assert_eq!(ended["connection"], json!(second));
    }
}

/// What answers with another key may be somebody else, who must not get the password, let alone the
/// command.
#[tokio::test]
async fn a_changed_host_key_fails_the_command_until_an_operator_forgets_it() {
    for ((before, after), keeps_a_log) in both().into_iter().zip(both()).zip([true, false]) {
        let stage = Stage::set_up().await;
        let router = stage.router("router", &before).await;
        assert_eq!(stage.run(&router, "true").await["status"], "success");
        let host_key = async || {
            let connection = stage.root.get(&router.connection()).await.expect(200);
            connection["host_key"].clone()
        };
        assert_eq!(host_key().await, json!(before.host_keys()[0]));
        // A login that was never used is held to the same key: it must not be what lets somebody in.
        let spare = stage.credential("spare", password()).await;
        stage.connect(&router.id, &spare).await;
        let moved = json!({"addresses": [after.address().to_string()]});
        stage.root.patch(&router.path(), &moved).await.expect(200);
        let write = format!("echo ran >>{}", stage.witness.path("ran"));
        let ended = stage.run(&router, &write).await;
        let output = text(&ended, "output");
        assert_eq!(ended["status"], "failed");
        for word in ["the host key changed", "--forget-host-key"] {
            assert!(output.contains(word), "{output}");
        }
        assert_eq!(host_key().await, json!(before.host_keys()[0]));
        // It got to know neither the command nor the password.
        let was_told = |device: &Server| device.log().contains("password for");
        if keeps_a_log {
            assert!(was_told(&before) && !was_told(&after), "{}", after.log());
        }
        let forget = ["connection", "set", &router.connection, "--forget-host-key"];
        stage.server.cli(&forget);
        assert_eq!(stage.run(&router, &write).await["status"], "success");
        assert_eq!(host_key().await, json!(after.host_keys()[0]));
        assert_eq!(stage.witness.read("ran"), "ran\n");
    }
}

/// Devices that accept a connection and then say nothing cost nobody else his turn, though there are
/// more of them than commands may run at the same time.
#[tokio::test]
async fn devices_that_are_dead_do_not_delay_another() {
    let silent = Silent::listen();
    let device = OpenSsh::start(&Options::default());
    let settings = [
        ("COMMANDS__PARALLEL", "2"),
        ("COMMANDS__CONNECT_TIMEOUT_S", "45"),
    ];
    let stage = Stage::set_up_on(Engine::Sqlite, &settings).await;
    let address = silent.address();
    let credential = stage.credential("all", password()).await;
    let mut waiting = Vec::new();
    for number in 0..4 {
        let name = format!("dead-{number}");
        let router = stage.router_with(&name, &[&address], &credential).await;
        let id = stage.ask(&router, "echo hello").await;
        waiting.push((router, id));
    }
    let router = stage.router("alive", &device).await;
    for _ in 0..3 {
        assert_eq!(stage.run(&router, "true").await["status"], "success");
    }
    for (router, id) in &waiting {
        assert_eq!(stage.seen(router, id).await["status"], "in-progress");
        stage.cancel(router, id).await;
        let ended = stage.ended(router, id).await;
        let output = "cancelled by root before it was sent to the device";
        assert_eq!(outcome(&ended), ("failed", &json!(null), output));
    }
}
