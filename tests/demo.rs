//! `fleetwire demo`: what a newcomer sees first.

use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::support::within;

/// A running demo.
struct Demo {
    child: Child,
    said: Lines<BufReader<ChildStdout>>,
    /// Everything temporary of it, which must be gone when it has ended.
    temporary: TempDir,
}

fn lines_of(child: &mut Child) -> Lines<BufReader<ChildStdout>> {
    BufReader::new(child.stdout.take().expect("a pipe")).lines()
}

impl Demo {
    fn start(arguments: &[&str]) -> Self {
        Self::start_after("true", arguments)
    }

    /// In a shell that has done this before.
    fn start_after(first: &str, arguments: &[&str]) -> Self {
        let temporary = TempDir::with_prefix("fleetwire-test-").unwrap();
        let mut child = Command::new("sh")
            .args(["-c", &format!("{first}; exec \"$0\" demo \"$@\"")])
            .arg(env!("CARGO_BIN_EXE_fleetwire"))
            .args(arguments)
            .current_dir(temporary.path())
            .env("TMPDIR", temporary.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let said = lines_of(&mut child);
        Self {
            child,
            said,
            temporary,
        }
    }

    async fn line(&mut self) -> String {
        let line = within("a line of the demo", self.said.next_line()).await;
        line.unwrap().expect("the demo goes on")
    }

    /// The commands to try, as they are printed: each behind a line with its number.
    async fn commands(&mut self) -> [String; 5] {
        let mut commands = Vec::new();
        while commands.len() < 5 {
            let number = format!("{}. ", commands.len() + 1);
            if self.line().await.starts_with(&number) {
                commands.push(self.line().await);
            }
        }
        commands.try_into().expect("five of them")
    }

    async fn terminate(mut self) -> (ExitStatus, TempDir) {
        let id = i32::try_from(self.child.id().expect("it runs")).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), Signal::TERM).unwrap();
        let status = within("the demo exits", self.child.wait()).await.unwrap();
        (status, self.temporary)
    }
}

/// A command that is typed into a shell, and what it prints.
fn typed(command: &str) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut child = Command::new("sh")
        .args(["-c", &format!("exec {command}")])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let lines = lines_of(&mut child);
    (child, lines)
}

/// The first line that a command prints, as JSON.
async fn first_line_of(command: &str) -> Value {
    let (_child, mut lines) = typed(command);
    let line = within(command, lines.next_line()).await.unwrap();
    let line = line.unwrap_or_else(|| panic!("{command} printed nothing"));
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{command}: {error} in {line}"))
}

#[tokio::test]
async fn a_terminal_ends_as_the_routers_command_does() {
    let mut demo = Demo::start(&["--vehicles", "1"]);
    let [_, _, run, ..] = demo.commands().await;
    let run = run.strip_suffix("logread -f").unwrap();
    let spawn = |line: &str| {
        Command::new("sh")
            .args(["-c", &format!("exec {run}{line}")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    };
    let text = |bytes| String::from_utf8(bytes).unwrap();
    for (line, code, printed) in [
        ("true", 0, ""),
        ("exit 3", 3, ""),
        ("nothing", 127, "-ash: nothing: not found\n"),
    ] {
        let output = within(line, spawn(line).wait_with_output()).await.unwrap();
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        assert_eq!(output.status.code(), Some(code), "{line}: {stderr}");
        assert_eq!((&*stdout, &*stderr), (printed, ""), "{line}");
    }
    let mut endless = spawn("logread -f");
    let mut log = lines_of(&mut endless);
    within("a line of the log", log.next_line()).await.unwrap();
    let id = i32::try_from(endless.id().unwrap()).unwrap();
    kill_process(Pid::from_raw(id).unwrap(), Signal::INT).unwrap();
    let drained = async { while log.next_line().await.unwrap().is_some() {} };
    within("the end of the log", drained).await;
    let output = within("the end of it", endless.wait_with_output())
        .await
        .unwrap();
    let stderr = text(output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("cancelled by metro-operator"), "{stderr}");
    demo.terminate().await;
}

#[tokio::test]
async fn more_vehicles_than_files_that_a_shell_may_open() {
    let mut demo = Demo::start_after("ulimit -Sn 64", &["--vehicles", "70"]);
    assert!(demo.line().await.starts_with("http://127.0.0.1:"));
    demo.terminate().await;
}

#[tokio::test]
async fn a_newcomer_sees_the_address_first_and_the_commands_work_as_printed() {
    let mut demo = Demo::start(&["--vehicles", "3"]);
    let base = demo.line().await;
    assert!(base.starts_with("http://127.0.0.1:"), "{base}");
    let page = reqwest::get(&base).await.unwrap();
    assert_eq!(page.status(), 200);
    let [fleet, one, run, watch, report] = demo.commands().await;
    for command in [&fleet, &one] {
        // A vehicle drives by itself.
        let told = first_line_of(command).await;
        assert_eq!(told["is_mobile"], true, "{command}: {told}");
        assert_eq!(told["geometry"]["type"], "Point", "{command}: {told}");
    }
    assert_eq!(first_line_of(&report).await["type"], "Feature");
    let (_watching, mut told) = typed(&watch);
    let (mut running, mut log) = typed(&run);
    // More than a router prints at once: it goes on while it runs.
    for _ in 0..30 {
        let line = within("a line of the log", log.next_line()).await.unwrap();
        assert!(line.is_some_and(|line| !line.is_empty()));
    }
    let snapshot = within("what watches is told", told.next_line())
        .await
        .unwrap();
    let snapshot: Value = serde_json::from_str(&snapshot.expect("a line")).unwrap();
    assert_eq!(snapshot["data"]["input"]["command"], "logread -f");
    running.kill().await.unwrap();
    let (status, temporary) = demo.terminate().await;
    assert_eq!(status.code(), Some(0));
    let left: Vec<_> = std::fs::read_dir(temporary.path()).unwrap().collect();
    assert!(left.is_empty(), "the demo left something: {left:?}");
}
