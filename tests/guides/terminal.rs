//! What a reader has open: terminals with a shell, and a browser.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};

use super::block::end_of_expected;
use crate::support::{eventually, within};

/// What the test's own words begin with: nothing that a program prints.
const END: char = '\u{1e}';

/// A program that is typed into and prints. It ends, with all that it started, when it is dropped.
pub struct Terminal {
    child: Child,
    group: Pid,
    input: Option<ChildStdin>,
    printed: Arc<Mutex<String>>,
    /// The lines that were seen already.
    seen: usize,
}

impl Terminal {
    /// Starts a program; what it prints and what it complains of come together, as on a screen.
    pub fn open(command: &mut Command) -> Self {
        let mut child = command
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let group = Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
        let printed = Arc::new(Mutex::new(String::new()));
        let mut stdout = child.stdout.take().unwrap();
        let screen = Arc::clone(&printed);
        tokio::spawn(async move {
            let mut bytes = Vec::new();
            let mut chunk = [0; 4096];
            while let Ok(length @ 1..) = stdout.read(&mut chunk).await {
                bytes.extend_from_slice(&chunk[..length]);
                *screen.lock().unwrap() = String::from_utf8_lossy(&bytes).into_owned();
            }
        });
        Self {
            input: child.stdin.take(),
            child,
            group,
            printed,
            seen: 0,
        }
    }

    /// All that it has printed.
    pub fn printed(&self) -> String {
        self.printed.lock().unwrap().clone()
    }

    /// What a reader sees of it.
    fn shown(&self) -> String {
        let printed = self.printed();
        let lines = printed.split_inclusive('\n');
        lines.filter(|line| !line.starts_with(END)).collect()
    }

    pub async fn type_in(&mut self, text: &str) {
        let input = self.input.as_mut().unwrap();
        let typed = input.write_all(text.as_bytes()).await;
        typed.unwrap_or_else(|error| panic!("{error}: {}", self.printed()));
    }

    /// Waits until lines as `expected` come, next after those that were waited for before.
    pub async fn shows(&mut self, expected: &str) {
        let from = self.seen;
        let came = async || end_of_expected(expected, &self.shown(), from);
        self.seen = eventually(expected, came).await;
    }

    /// What is printed until `end` is, without that.
    async fn printed_until(&mut self, from: usize, end: &str) -> Option<String> {
        eventually(end, async || {
            let printed = self.printed();
            let found = printed[from..].find(end);
            let ended = self.child.try_wait().unwrap().is_some();
            match found {
                Some(at) => Some(Some(printed[from..from + at].to_owned())),
                None => ended.then_some(None),
            }
        })
        .await
    }

    /// Ctrl-C, and the end of all that ran.
    pub async fn interrupt(mut self) {
        // It may have ended already.
        let _ = kill_process_group(self.group, Signal::INT);
        let ended = within("the end after Ctrl-C", self.child.wait()).await;
        ended.unwrap();
        // The shell does not wait for what it started.
        eventually("the end of what the shell started", async || {
            test_kill_process_group(self.group).is_err().then_some(())
        })
        .await;
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = kill_process_group(self.group, Signal::KILL);
        if std::thread::panicking() {
            eprintln!("--- a terminal ---\n{}", self.printed());
        }
    }
}

/// A folder to follow a guide in, and how programs start there.
pub struct Desk {
    folder: PathBuf,
    /// Of the test: what is on the reader's `PATH`, and the blocks.
    aside: PathBuf,
    environment: Vec<(String, String)>,
}

impl Desk {
    pub fn new(folder: &Path, aside: &Path, environment: Vec<(String, String)>) -> Self {
        Self {
            folder: folder.to_owned(),
            aside: aside.to_owned(),
            environment,
        }
    }

    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(&self.folder)
            .env_clear()
            .envs(self.environment.iter().cloned());
        command
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.join(name), text).unwrap();
    }

    /// A terminal in which this runs, and nothing else ever will.
    pub fn run(&self, text: &str) -> Terminal {
        let mut shell = self.command("sh");
        shell.args(["-c", &format!("exec 2>&1 </dev/null\n{text}")]);
        Terminal::open(&mut shell)
    }
}

/// The terminal that a guide begins in: its shell stays, and runs one block after the other.
pub struct Shell {
    terminal: Terminal,
    blocks: usize,
    aside: PathBuf,
}

impl Shell {
    pub async fn open(desk: &Desk) -> Self {
        let mut terminal = Terminal::open(&mut desk.command("sh"));
        terminal.type_in("exec 2>&1\n").await;
        Self {
            terminal,
            blocks: 0,
            aside: desk.aside.clone(),
        }
    }

    /// Runs a block to its end, and answers with what it printed. All of its commands must succeed;
    /// where it `fails`, the last must not.
    pub async fn run(&mut self, text: &str, fails: bool) -> String {
        self.blocks += 1;
        let file = self.aside.join(format!("block-{}", self.blocks));
        std::fs::write(&file, text).unwrap();
        let from = self.terminal.printed().len();
        let strict = if fails { "+e" } else { "-e" };
        let line = format!(
            "set {strict}; . '{}' </dev/null; printf '\\036%s\\036' $?; set +e\n",
            file.display()
        );
        self.terminal.type_in(&line).await;
        let end = END.to_string();
        let Some(output) = self.terminal.printed_until(from, &end).await else {
            let printed = &self.terminal.printed()[from..];
            panic!("a command failed\n--- of ---\n{text}--- it printed ---\n{printed}")
        };
        let from = from + output.len() + end.len();
        let code = self.terminal.printed_until(from, &end).await.unwrap();
        let is_right = (code != "0") == fails;
        assert!(
            is_right,
            "exit code {code} of\n{text}--- it printed ---\n{output}"
        );
        output
    }
}

/// A browser on the front page of a server. What its pages log to the console is what it prints.
pub struct Browser {
    pub terminal: Terminal,
    pasted: usize,
}

impl Browser {
    pub fn open(desk: &Desk, url: &str) -> Self {
        let script = crate::clients::in_repository("tests/clients/node/browser.js");
        crate::clients::in_repository("tests/clients/node/node_modules/playwright-core");
        let mut node = Command::new("node");
        node.arg(&script).arg(url);
        // What a browser writes down goes away with the test.
        for place in ["TMPDIR", "HOME"] {
            node.env(place, &desk.aside);
        }
        let terminal = Terminal::open(&mut node);
        Self {
            terminal,
            pasted: 0,
        }
    }

    /// Pastes code into the console of the developer tools, and waits until it has run.
    pub async fn paste(&mut self, code: &str) {
        self.pasted += 1;
        let line = json!({ "number": self.pasted, "code": code });
        self.terminal.type_in(&format!("{line}\n")).await;
        let prefix = format!("{END}{} ", self.pasted);
        let outcome = eventually("the browser has run the code", async || {
            let printed = self.terminal.printed();
            let mut lines = printed.split_inclusive('\n');
            lines.find_map(|line| {
                line.strip_prefix(&prefix)?
                    .strip_suffix('\n')
                    .map(str::to_owned)
            })
        })
        .await;
        let outcome: Value = serde_json::from_str(&outcome).unwrap();
        assert_eq!(outcome, Value::Null, "{code}\n{}", self.terminal.printed());
    }

    /// Ends it in order.
    pub async fn close(mut self) {
        self.terminal.input = None;
        let ended = within("the browser closes", self.terminal.child.wait()).await;
        assert!(ended.unwrap().success(), "{}", self.terminal.printed());
    }
}
