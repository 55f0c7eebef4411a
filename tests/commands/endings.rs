//! How a command can end, and what is told and kept of each end.

use serde_json::{Value, json};

use super::stage::{Stage, outcome};
use super::watcher::text;
use crate::conformance::on_both_engines;
use crate::support::Engine;
use crate::support::ssh::{Account, OpenSsh, Options, both};

on_both_engines! {
    a_command_ends_as_it_did_on_the_device,
    a_running_command_that_is_cancelled_keeps_what_it_printed,
    a_queued_command_that_is_cancelled_never_runs,
}

async fn a_command_ends_as_it_did_on_the_device(engine: Engine) {
    let stage = Stage::set_up_on(engine, &[]).await;
    let home = format!("{}\n", Account::of_the_tests().home.display());
    for (number, device) in both().iter().enumerate() {
        let router = stage.router(&format!("router-{number}"), device).await;
        for (line, status, exit_code, output) in [
            ("pwd", "success", json!(0), &*home),
            ("true", "success", json!(0), ""),
            // The line itself may hold a secret: it is not repeated.
            ("exit 3", "failed", json!(3), "exit code: 3"),
            ("echo no; exit 3", "failed", json!(3), "no\nexit code: 3"),
            (
                "printf no; exit 255",
                "failed",
                json!(255),
                "no\nexit code: 255",
            ),
            (
                "echo yes; kill -KILL $$",
                "failed",
                json!(null),
                "yes\nended by signal KILL",
            ),
            ("cat", "success", json!(0), ""),
        ] {
            let mut watcher = stage.watch(&router).await;
            let id = stage.ask(&router, line).await;
            let end = watcher.end(&id).await;
            let ended = stage.seen(&router, &id).await;
            assert_eq!(outcome(&ended), (status, &exit_code, output), "{line}");
            for key in ["status", "output", "modified"] {
                assert_eq!(end[key], ended[key], "{line}: {key}");
            }
        }
    }
}

/// A command that printed `begun` and was then cut off with `line` as the last one. In between its
/// shell may have had something to say.
fn assert_cut_off(command: &Value, line: &str) {
    let (status, exit_code, output) = outcome(command);
    assert_eq!((status, exit_code), ("failed", &json!(null)));
    assert!(output.starts_with("begun\n"), "{output}");
    assert_eq!(output.lines().last(), Some(line));
}

/// The device's processes are asked to end, not only left alone.
#[tokio::test]
async fn a_command_that_takes_too_long_is_ended_and_keeps_what_it_printed() {
    for device in both() {
        let settings = [("COMMANDS__TIMEOUT_S", "1")];
        let stage = Stage::set_up_on(Engine::Sqlite, &settings).await;
        let router = stage.router("router", &device).await;
        let ended = stage.run(&router, &endless(&stage, "trap")).await;
        assert_cut_off(
            &ended,
            "timed out after 1 s: the device may still be running it",
        );
        stage.witness.written("trap").await;
        // The device is free for the next one.
        assert_eq!(stage.run(&router, "true").await["status"], "success");
    }
}

/// A command that prints `begun`, and ends only when it is asked to, which it writes down.
fn endless(stage: &Stage, trap: &str) -> String {
    format!(
        "trap 'echo ended >{}; exit 0' TERM; echo begun; {}",
        stage.witness.path(trap),
        stage.witness.wait_for("never")
    )
}

async fn a_running_command_that_is_cancelled_keeps_what_it_printed(engine: Engine) {
    let stage = Stage::set_up_on(engine, &[]).await;
    for (number, device) in both().iter().enumerate() {
        let router = stage.router(&format!("router-{number}"), device).await;
        let mut watcher = stage.watch(&router).await;
        let trap = format!("trap-{number}");
        let id = stage.ask(&router, &endless(&stage, &trap)).await;
        watcher.until_output(&id, "begun\n").await;
        let asked = stage.cancel(&router, &id).await;
        assert_eq!(
            (&asked["id"], &asked["status"]),
            (&json!(id), &json!("in-progress"))
        );
        let end = watcher.end(&id).await;
        let ended = stage.seen(&router, &id).await;
        assert_cut_off(
            &ended,
            "cancelled by root: the device may still be running it",
        );
        assert_eq!(end["output"], ended["output"]);
        stage.witness.written(&trap).await;
        // An end is an end.
        let again = format!("{}cancel/", router.command(&id));
        stage.root.post(&again, &json!({})).await.expect(409);
        assert_eq!(stage.seen(&router, &id).await, ended);
        assert_eq!(stage.run(&router, "true").await["status"], "success");
    }
}

async fn a_queued_command_that_is_cancelled_never_runs(engine: Engine) {
    let device = OpenSsh::start(&Options::default());
    let stage = Stage::set_up_on(engine, &[]).await;
    let router = stage.router("router", &device).await;
    let mut watcher = stage.watch(&router).await;
    let first = stage.ask(&router, &stage.witness.wait_for("go")).await;
    let write = |name| format!("echo ran >>{}", stage.witness.path(name));
    let queued = stage.ask(&router, &write("queued")).await;
    let last = stage.ask(&router, &write("last")).await;
    let answer = stage.cancel(&router, &queued).await;
    let output = "cancelled by root before it began";
    assert_eq!(outcome(&answer), ("failed", &json!(null), output));
    assert_eq!(watcher.end(&queued).await["output"], output);
    stage.witness.open("go");
    assert_eq!(watcher.end(&first).await["status"], "success");
    assert_eq!(watcher.end(&last).await["status"], "success");
    assert_eq!(stage.witness.read("last"), "ran\n");
    assert_eq!(stage.witness.read("queued"), "");
    // The end was the only thing to be told of it.
    assert_eq!(watcher.heard(&queued).len(), 1);
    watcher.hears_nothing_more().await;
}

/// No old reboot fires when a device comes back.
#[tokio::test]
async fn a_command_that_waits_too_long_expires() {
    let device = OpenSsh::start(&Options::default());
    let settings = [("COMMANDS__QUEUE_S", "1")];
    let stage = Stage::set_up_on(Engine::Sqlite, &settings).await;
    let router = stage.router("router", &device).await;
    let first = stage.ask(&router, &stage.witness.wait_for("go")).await;
    let write = format!("echo ran >>{}", stage.witness.path("late"));
    let late = stage.ask(&router, &write).await;
    let output = "expired: its turn did not come in time, and it was not run";
    let ended = stage.ended(&router, &late).await;
    assert_eq!(outcome(&ended), ("failed", &json!(null), output));
    stage.witness.open("go");
    // What runs has its own time.
    assert_eq!(stage.ended(&router, &first).await["status"], "success");
    assert_eq!(stage.witness.read("late"), "");
}

#[tokio::test]
async fn a_reboot_that_cuts_the_link_is_a_success() {
    for device in both() {
        let stage = Stage::set_up().await;
        let router = stage.router("router", &device).await;
        let mut watcher = stage.watch(&router).await;
        let reboot = json!({"type": "reboot", "input": null});
        let id = stage.ask_for(&router, &reboot).await;
        let end = watcher.end(&id).await;
        assert_eq!(
            (&end["type"], &end["input"]),
            (&json!("Reboot"), &json!(null))
        );
        let ended = stage.seen(&router, &id).await;
        assert_eq!(outcome(&ended), ("success", &json!(null), ""));
        assert_eq!(device.witness("reboot").as_deref(), Some(""));
        // It is back.
        assert_eq!(stage.run(&router, "echo up").await["output"], "up\n");
    }
}

/// Whatever else it was that cut the link, nobody knows how far the device got.
#[tokio::test]
async fn a_command_whose_link_is_lost_may_have_completed() {
    let device = OpenSsh::start(&Options::default());
    let stage = Stage::set_up().await;
    let router = stage.router("router", &device).await;
    let mut watcher = stage.watch(&router).await;
    let line = format!(
        "echo ran >>{}; echo begun; {}",
        stage.witness.path("ran"),
        stage.witness.wait_for("never")
    );
    let id = stage.ask(&router, &line).await;
    watcher.until_output(&id, "begun\n").await;
    device.cut();
    let output = text(&watcher.end(&id).await, "output");
    assert!(output.starts_with("begun\nthe link was lost"), "{output}");
    assert!(
        output.ends_with("it may have completed on the device"),
        "{output}"
    );
    let ended = stage.seen(&router, &id).await;
    assert_eq!(outcome(&ended), ("failed", &json!(null), &*output));
    // It can be reached again, and was not run again.
    assert_eq!(stage.run(&router, "true").await["status"], "success");
    assert_eq!(stage.witness.read("ran"), "ran\n");
}
