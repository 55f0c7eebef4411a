//! One queue of commands, and several nodes that run them.

use rustix::process::Signal;
use serde_json::json;

use super::gate::Gate;
use crate::commands::stage::{Stage, outcome, password};
use crate::commands::watcher::{Watcher, is_final};
use crate::support::Engine;
use crate::support::ssh::{OpenSsh, Options};

#[tokio::test]
async fn a_command_that_runs_at_one_node_is_cancelled_at_another() {
    let device = OpenSsh::start(&Options::default());
    let stage = Stage::set_up_on(Engine::Postgres, &[]).await;
    let router = stage.router("router", &device).await;
    let line = format!("echo begun; {}", stage.witness.wait_for("never"));
    let id = stage.ask(&router, &line).await;
    stage.saved(&router, &id, "begun\n").await;
    // This one did not claim it.
    let mut other = stage.server.beside();
    other.run().await;
    let mut watcher = Watcher::open(&other, &router.id, &stage.token).await;
    let path = format!("{}cancel/", router.command(&id));
    let asked = other.client(&stage.token).post(&path, &json!({})).await;
    asked.expect(202);
    let end = watcher.end(&id).await;
    assert_eq!(end["status"], "failed");
    let last = end["output"].as_str().unwrap().lines().last();
    assert_eq!(
        last,
        Some("cancelled by root: the device may still be running it")
    );
}

/// A node with no turn to give leaves commands to those that have one: each waits until the other has begun.
#[tokio::test]
async fn each_node_runs_as_many_commands_as_it_may() {
    let device = OpenSsh::start(&Options::default());
    let settings = [("COMMANDS__PARALLEL", "1")];
    let stage = Stage::set_up_on(Engine::Postgres, &settings).await;
    let mut second = stage.server.beside();
    second.run().await;
    let credential = stage.credential("all", password()).await;
    let address = device.address().to_string();
    let mut asked = Vec::new();
    for number in 0..2 {
        let name = format!("router-{number}");
        let router = stage.router_with(&name, &[&address], &credential).await;
        let begun = stage.witness.path(&format!("begun-{number}"));
        let other = stage.witness.wait_for(&format!("begun-{}", 1 - number));
        let done = stage.witness.path(&format!("done-{number}"));
        let go = stage.witness.wait_for("go");
        let line = format!(": >{begun}; {other}; {go}; : >{done}");
        let id = stage.ask(&router, &line).await;
        stage.witness.exists(&format!("begun-{number}")).await;
        asked.push((router, id));
    }
    // There are two turns in all: the third begins when one of them is free.
    let router = stage.router_with("third", &[&address], &credential).await;
    let done = ["done-0", "done-1"].map(|name| format!("[ -e {} ]", stage.witness.path(name)));
    let third = stage.ask(&router, &done.join(" || ")).await;
    stage.witness.open("go");
    asked.push((router, third));
    for (router, id) in &asked {
        assert_eq!(stage.ended(router, id).await["status"], "success");
    }
}

/// What a node has claimed and not handed over goes back when it is told to end, and runs elsewhere; what
/// it has handed over ends there.
#[tokio::test]
async fn a_node_that_drains_hands_over_what_has_not_begun() {
    let device = OpenSsh::start(&Options::default());
    let settings = [("SERVER__DRAIN_S", "60")];
    let mut stage = Stage::set_up_on(Engine::Postgres, &settings).await;
    let mut gate = Gate::before(device.address()).await;
    let credential = stage.credential("all", password()).await;
    let near = stage
        .router_with("near", &[&device.address().to_string()], &credential)
        .await;
    let far = stage
        .router_with("far", &[&gate.address()], &credential)
        .await;
    let line = format!("echo begun; {}; echo done", stage.witness.wait_for("go"));
    let running = stage.ask(&near, &line).await;
    stage.saved(&near, &running, "begun\n").await;
    let write = format!("echo ran >>{}", stage.witness.path("far"));
    let claimed = stage.ask(&far, &write).await;
    gate.has_taken(1).await;
    let mut second = stage.server.beside();
    second.run().await;
    let client = second.client(&stage.token);
    let mut watcher = Watcher::open(&second, &far.id, &stage.token).await;
    stage.server.signal(Signal::TERM);
    // The other node is on its way to the device, while the first one still waits for what it runs.
    gate.has_taken(2).await;
    gate.open();
    assert_eq!(watcher.end(&claimed).await["status"], "success");
    let seen = client.get(&near.command(&running)).await.expect(200);
    assert!(!is_final(&seen), "{seen}");
    stage.witness.open("go");
    assert_eq!(stage.server.exit().await.code(), Some(0));
    let ended = client.get(&near.command(&running)).await.expect(200);
    assert_eq!(outcome(&ended), ("success", &json!(0), "begun\ndone\n"));
    assert_eq!(stage.witness.read("far"), "ran\n");
}

/// A node that stood still does not hand over what others have ended meanwhile.
#[tokio::test]
async fn a_node_that_was_held_up_runs_nothing_that_is_not_its_own_any_more() {
    let device = OpenSsh::start(&Options::default());
    let settings = [("COMMANDS__CONNECT_TIMEOUT_S", "600")];
    let stage = Stage::set_up_on(Engine::Postgres, &settings).await;
    let mut gate = Gate::before(device.address()).await;
    let router = stage.router_at("far", &[&gate.address()]).await;
    let write = format!("echo ran >>{}", stage.witness.path("held-up"));
    let id = stage.ask(&router, &write).await;
    gate.has_taken(1).await;
    let mut second = stage.server.beside();
    second.run().await;
    let mut watcher = Watcher::open(&second, &router.id, &stage.token).await;
    stage.server.signal(Signal::STOP);
    let output = "the server that was about to run this command was stopped: it was not run";
    assert_eq!(watcher.end(&id).await["output"], output);
    stage.server.signal(Signal::CONT);
    gate.open();
    // The device is free, at either node: and when it has done this, it would have done that.
    let next = format!("echo ran >>{}", stage.witness.path("next"));
    let body = crate::commands::stage::custom(&next);
    let client = second.client(&stage.token);
    let asked = client.post(&router.commands(), &body).await.expect(201);
    let next = asked["id"].as_str().unwrap().to_owned();
    assert_eq!(watcher.end(&next).await["status"], "success");
    assert_eq!(stage.witness.read("next"), "ran\n");
    assert_eq!(stage.witness.read("held-up"), "");
    let seen = client.get(&router.command(&id)).await.expect(200);
    assert_eq!(outcome(&seen), ("failed", &json!(null), output));
}
