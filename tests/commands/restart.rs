//! The server ends while commands run: none is run twice, and none is left open.

use std::net::TcpListener;

use rustix::process::Signal;
use serde_json::json;

use super::stage::{Stage, outcome};
use super::watcher::Watcher;
use crate::conformance::on_both_engines;
use crate::support::ssh::{OpenSsh, Options};
use crate::support::{Engine, Seed, eventually};

on_both_engines! {
    after_kill_nine_a_running_command_has_failed_with_what_it_printed,
    what_ends_within_the_drain_has_ended_well,
}

const STOPPED: &str =
    "the server that ran this command was stopped: it may have completed on the device";

/// The contract gives a restarted server 5 s; ours ends its own commands before it listens, so that
/// the first answer shows it already.
async fn after_kill_nine_a_running_command_has_failed_with_what_it_printed(engine: Engine) {
    let device = OpenSsh::start(&Options::default());
    let mut stage = Stage::set_up_on(engine, &[]).await;
    let router = stage.router("router", &device).await;
    let connected = jiff::Timestamp::now();
    let write = |name| format!("echo ran >>{}", stage.witness.path(name));
    let line = format!(
        "{}; echo begun; {}",
        write("first"),
        stage.witness.wait_for("go")
    );
    let first = stage.ask(&router, &line).await;
    let second = stage.ask(&router, &write("second")).await;
    stage.saved(&router, &first, "begun\n").await;
    stage.server.kill().await;
    stage.server.run().await;
    let ended = stage.seen(&router, &first).await;
    let output = format!("begun\n{STOPPED}");
    assert_eq!(outcome(&ended), ("failed", &json!(null), &*output));
    // Who comes back is told of it, and of what was only waiting and has its turn now.
    let query = format!("?since={connected}");
    let (server, token) = (&stage.server, &stage.token);
    let mut watcher = Watcher::open_since(server, &router.id, token, &query).await;
    assert_eq!(watcher.end(&first).await["output"], output);
    stage.ended(&router, &second).await;
    assert_eq!(watcher.end(&second).await["status"], "success");
    stage.witness.open("go");
    assert_eq!(stage.run(&router, "true").await["status"], "success");
    for name in ["first", "second"] {
        assert_eq!(stage.witness.read(name), "ran\n");
    }
    // An end is an end.
    assert_eq!(stage.seen(&router, &first).await, ended);
}

/// What was not handed over yet is not either: nobody waits for it any more.
#[tokio::test]
async fn after_kill_nine_a_command_on_its_way_was_not_run() {
    let stalled = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut stage = Stage::set_up().await;
    let address = stalled.local_addr().unwrap().to_string();
    let router = stage.router_at("router", &[&address]).await;
    let id = stage.ask(&router, "echo hello").await;
    // It is on its way.
    stalled.accept().unwrap();
    stage.server.kill().await;
    stage.server.run().await;
    let ended = stage.seen(&router, &id).await;
    let output = "the server that was about to run this command was stopped: it was not run";
    assert_eq!(outcome(&ended), ("failed", &json!(null), output));
}

/// Another node ends what a dead one ran, when nobody has heard of that for as long as a lease is.
#[tokio::test]
async fn what_a_dead_node_ran_is_ended_by_another() {
    let device = OpenSsh::start(&Options::default());
    let mut stage = Stage::set_up_on(Engine::Postgres, &[]).await;
    let router = stage.router("router", &device).await;
    let line = format!(
        "echo ran >>{}; echo begun; {}",
        stage.witness.path("ran"),
        stage.witness.wait_for("go")
    );
    let id = stage.ask(&router, &line).await;
    stage.saved(&router, &id, "begun\n").await;
    let mut second = stage.server.beside();
    second.run().await;
    let other = second.client(&stage.token);
    let mut watcher = Watcher::open(&second, &router.id, &stage.token).await;
    stage.server.kill().await;
    let output = format!("begun\n{STOPPED}");
    assert_eq!(watcher.end(&id).await["output"], output);
    let seen = other.get(&router.command(&id)).await.expect(200);
    assert_eq!(outcome(&seen), ("failed", &json!(null), &*output));
    assert_eq!(stage.witness.read("ran"), "ran\n");
}

async fn what_ends_within_the_drain_has_ended_well(engine: Engine) {
    let device = OpenSsh::start(&Options::default());
    let settings = [("SERVER__DRAIN_S", "60")];
    let mut stage = Stage::set_up_on(engine, &settings).await;
    let router = stage.router("router", &device).await;
    let line = format!("echo begun; {}; echo done", stage.witness.wait_for("go"));
    let running = stage.ask(&router, &line).await;
    let write = format!("echo ran >>{}", stage.witness.path("queued"));
    let queued = stage.ask(&router, &write).await;
    stage.saved(&router, &running, "begun\n").await;
    stage.server.signal(Signal::TERM);
    eventually("the drain has begun", async || {
        let refused = std::net::TcpStream::connect(stage.server.address()).is_err();
        refused.then_some(())
    })
    .await;
    stage.witness.open("go");
    assert_eq!(stage.server.exit().await.code(), Some(0));
    // What was waiting has not begun.
    assert_eq!(stage.witness.read("queued"), "");
    stage.server.run().await;
    let ended = stage.seen(&router, &running).await;
    assert_eq!(outcome(&ended), ("success", &json!(0), "begun\ndone\n"));
    assert_eq!(stage.ended(&router, &queued).await["status"], "success");
    assert_eq!(stage.witness.read("queued"), "ran\n");
}

/// A node that is stopped in order says so itself: the others need not wait for its lease.
#[tokio::test]
async fn what_does_not_end_within_the_drain_has_failed() {
    let device = OpenSsh::start(&Options::default());
    let settings = [("SERVER__DRAIN_S", "0")];
    let mut stage = Stage::set_up_on(Engine::Postgres, &settings).await;
    let router = stage.router("router", &device).await;
    let line = format!("echo begun; {}", stage.witness.wait_for("never"));
    let id = stage.ask(&router, &line).await;
    stage.saved(&router, &id, "begun\n").await;
    assert_eq!(stage.server.terminate().await.code(), Some(0));
    let mut second = stage.server.beside();
    second.run().await;
    let other = second.client(&Seed(&second).token("root"));
    let seen = other.get(&router.command(&id)).await.expect(200);
    let output = format!("begun\n{STOPPED}");
    assert_eq!(outcome(&seen), ("failed", &json!(null), &*output));
}
