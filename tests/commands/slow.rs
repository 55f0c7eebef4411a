//! A watcher who does not read: bounded memory, never the last state lost, and who reads hears all.

use std::collections::HashMap;

use serde_json::Value;

use super::stage::{Router, Stage};
use super::watcher::{check, is_final, text};
use super::witness::Witness;
use crate::support::ssh::{OpenSsh, Options};
use crate::support::{Engine, Raw, command_path};

/// Steps of a command. Each waits until the one before was seen, so that each is pushed.
const STEPS: usize = 20;
/// What each command prints in a step. In the end one message of the first is more than may wait
/// beside another one, and one of the second just fits there.
const COMMANDS: [(&str, usize); 2] = [("first", 20 * 1024), ("second", 12 * 1024)];
/// What the server may take more of memory, in KiB: less than all that is pushed.
const ROOM: u64 = 7 * 1024;

/// A command that prints a long line in each step.
fn printing(witness: &Witness, name: &str, bytes: usize) -> String {
    format!(
        "for step in $(seq {STEPS}); do head -c {bytes} /dev/zero | tr '\\0' x; echo; {}; done",
        witness.wait_for(&format!("{name}-$step"))
    )
}

fn printed(bytes: usize, steps: usize) -> String {
    ("x".repeat(bytes) + "\n").repeat(steps)
}

/// One who does not read of himself.
struct Stuck {
    raw: Raw,
    heard: HashMap<String, Vec<Value>>,
}

impl Stuck {
    async fn open(stage: &Stage, router: &Router) -> Self {
        let path = command_path(&router.id);
        let raw = Raw::upgraded_with_small_buffer(&stage.server, &path, &stage.token);
        Self {
            raw: raw.await,
            heard: HashMap::new(),
        }
    }

    /// Reads on until this command has ended, holds each message against the one before, and
    /// answers with all of the command.
    async fn end(&mut self, id: &str) -> &[Value] {
        const PING: u8 = 0x89;
        while !self.heard(id).last().is_some_and(is_final) {
            let frame = self.raw.frame().await.expect("still open");
            if frame.first == PING {
                continue;
            }
            assert_eq!(frame.first, 0x81);
            let message: Value = serde_json::from_slice(&frame.payload).unwrap();
            let data = &message["data"];
            let heard = self.heard.entry(text(data, "id")).or_default();
            check(heard.last(), data);
            heard.push(data.clone());
        }
        self.heard(id)
    }

    fn heard(&self, id: &str) -> &[Value] {
        self.heard.get(id).map_or(&[], Vec::as_slice)
    }
}

#[tokio::test]
async fn a_watcher_who_stops_costs_bounded_memory_and_ends_with_the_last_state_of_each_command() {
    let device = OpenSsh::start(&Options::default());
    let stage = Stage::set_up_on(Engine::Sqlite, &[("SOCKET__IDLE_S", "600")]).await;
    let router = stage.router("router", &device).await;
    let mut watcher = stage.watch(&router).await;
    // What such commands take anyway is there before the counting begins.
    for (name, bytes) in COMMANDS {
        let name = format!("before-{name}");
        for step in 1..=STEPS {
            stage.witness.open(&format!("{name}-{step}"));
        }
        let line = printing(&stage.witness, &name, bytes);
        let id = stage.ask(&router, &line).await;
        watcher.end(&id).await;
    }
    let mut stuck = Stuck::open(&stage, &router).await;
    stage.server.forget_peak();
    let before = stage.server.memory();

    let mut ended = Vec::new();
    for (name, bytes) in COMMANDS {
        let line = printing(&stage.witness, name, bytes);
        let id = stage.ask(&router, &line).await;
        // Whoever reads hears each step.
        for step in 1..=STEPS {
            watcher.until_output(&id, &printed(bytes, step)).await;
            stage.witness.open(&format!("{name}-{step}"));
        }
        let end = watcher.end(&id).await;
        assert_eq!(end["status"], "success");
        ended.push((id, end));
    }
    let grown = stage.server.memory().peak.saturating_sub(before.resident);
    assert!(grown < ROOM, "grew by {grown} KiB for one slow watcher");

    let mut was_left_out = false;
    for (id, end) in &ended {
        let heard = stuck.end(id).await;
        assert!(heard.last() == Some(end), "another end");
        was_left_out |= heard.len() < watcher.heard(id).len();
    }
    assert!(
        was_left_out,
        "nothing was left out: the watcher was not slow enough to show anything"
    );
    let next = stage.ask(&router, "echo next").await;
    assert_eq!(stuck.end(&next).await.last().unwrap()["output"], "next\n");
}
