//! `fleetwire run` and `fleetwire watch commands` at a terminal, with a server beside them.

use std::io::{BufRead, BufReader, Lines, Read};
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::stage::{Router, Stage};
use crate::support::eventually;
use crate::support::ssh::{OpenSsh, Options, Server};

/// A process of the command line, whose output is read as it comes.
struct Terminal {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Terminal {
    fn open(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        Self {
            child,
            lines: BufReader::new(stdout).lines(),
        }
    }

    /// The next line of its output, "" at the end.
    fn line(&mut self) -> String {
        self.lines.next().map_or(String::new(), Result::unwrap)
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Its exit code and what it said on standard error, after the end of its output.
    async fn end(mut self) -> (Option<i32>, String) {
        assert_eq!(self.line(), "");
        let status = eventually("the process ends", async || self.child.try_wait().unwrap()).await;
        let mut told = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        stderr.read_to_string(&mut told).unwrap();
        (status.code(), told)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The two ways to run a command: through the database here, and through the server with a token.
const WAYS: [bool; 2] = [false, true];

fn run(stage: &Stage, remotely: bool, line: &str) -> Terminal {
    let base = stage.server.base();
    let mut arguments = vec!["run", "router"];
    if remotely {
        arguments.extend(["--url", &base]);
    }
    arguments.extend(["--", line]);
    let mut command = stage.server.command(&arguments);
    if remotely {
        command.env("FLEETWIRE_TOKEN", token(stage));
    }
    Terminal::open(command)
}

fn token(stage: &Stage) -> &str {
    match &stage.token {
        crate::support::Credential::Token(token) => token,
        other => panic!("no token: {other:?}"),
    }
}

async fn stage() -> (Stage, Server, Router) {
    let device = OpenSsh::start(&Options::default());
    let stage = Stage::set_up().await;
    let router = stage.router("router", &device).await;
    (stage, device, router)
}

/// A line is printed before the next one is there, and the exit code is the command's own.
#[tokio::test]
async fn run_prints_what_the_device_prints_and_ends_as_it_does() {
    let (stage, _device, _) = stage().await;
    for remotely in WAYS {
        let gate = format!("go-{remotely}");
        let line = format!(
            "echo one; {}; echo two; exit 3",
            stage.witness.wait_for(&gate)
        );
        let mut terminal = run(&stage, remotely, &line);
        assert_eq!(terminal.line(), "one");
        stage.witness.open(&gate);
        assert_eq!(terminal.line(), "two");
        assert_eq!(terminal.end().await.0, Some(3));
        let mut terminal = run(&stage, remotely, "echo done");
        assert_eq!(terminal.line(), "done");
        assert_eq!(terminal.end().await, (Some(0), String::new()));
    }
}

#[tokio::test]
async fn ctrl_c_ends_the_command_on_the_device() {
    let (stage, _device, _) = stage().await;
    for remotely in WAYS {
        let witness = format!("ended-{remotely}");
        let line = format!(
            "trap 'echo ended >{}; exit 0' TERM; echo begun; {}",
            stage.witness.path(&witness),
            stage.witness.wait_for("never")
        );
        let mut terminal = run(&stage, remotely, &line);
        assert_eq!(terminal.line(), "begun");
        terminal.signal(Signal::INT);
        stage.witness.written(&witness).await;
        // What its shell says of it may come first.
        while !terminal.line().is_empty() {}
        let (code, told) = terminal.end().await;
        assert_eq!(code, Some(1), "{told}");
        assert!(told.contains("cancelled by"), "{told}");
    }
}

#[tokio::test]
async fn watch_prints_each_update_as_a_line_of_json() {
    let (stage, _device, router) = stage().await;
    let base = stage.server.base();
    let arguments = ["watch", "commands", &router.id, "--url", &base];
    // Told first, it shows that from there on nothing is missed.
    stage.run(&router, "echo earlier").await;
    let since = (jiff::Timestamp::now() - jiff::SignedDuration::from_mins(1)).to_string();
    let mut command = stage.server.command(&arguments);
    command.args(["--since", &since]);
    command.env("FLEETWIRE_TOKEN", token(&stage));
    let mut terminal = Terminal::open(command);
    let mut next = || serde_json::from_str::<Value>(&terminal.line()).unwrap()["data"].clone();
    assert_eq!(next()["output"], "earlier\n");
    let id = stage.ask(&router, "echo hello").await;
    let end = loop {
        let data = next();
        assert_eq!(data["id"], id);
        if data["status"] != "in-progress" {
            break data;
        }
    };
    assert_eq!(end["output"], "hello\n");
}
