//! A program beside the tests: ended when dropped, its log shown when the test has failed.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio::net::TcpStream;

use super::eventually;

/// A program that a test starts, ends and starts again.
pub struct Process {
    name: String,
    command: Command,
    log: PathBuf,
    child: Option<Child>,
}

/// A server of Debian's, which keeps it where only root's `PATH` leads.
pub fn system_program(name: &str) -> Command {
    let program = Path::new("/usr/sbin").join(name);
    Command::new(if program.exists() {
        &program
    } else {
        Path::new(name)
    })
}

impl Process {
    /// One that runs and takes connections at `address`; its log is in `directory`.
    pub async fn serving(
        name: &str,
        command: Command,
        directory: &Path,
        address: SocketAddr,
    ) -> Self {
        let mut process = Self::new(name, command, &directory.join(format!("{name}.log")));
        process.start();
        process
            .ready(async || TcpStream::connect(address).await.ok())
            .await;
        process
    }

    /// Nothing runs yet. What it prints goes to the file `log`.
    pub fn new(name: &str, mut command: Command, log: &Path) -> Self {
        let file = File::options().create(true).append(true).open(log);
        let file = file.expect("the log can be written");
        let second = file.try_clone().expect("a second handle of the log");
        command.stdin(Stdio::null()).stdout(second).stderr(file);
        Self {
            name: name.to_owned(),
            command,
            log: log.to_owned(),
            child: None,
        }
    }

    pub fn start(&mut self) {
        assert!(self.child.is_none(), "{} runs already", self.name);
        let child = self.command.spawn();
        self.child = Some(child.unwrap_or_else(|error| panic!("{}: {error}", self.name)));
    }

    /// Waits until `probe` finds it ready; fails when it ends before.
    pub async fn ready<T>(&mut self, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
        let what = format!("{} is ready", self.name);
        eventually(&what, async || {
            if let Some(status) = self.exited() {
                panic!("{} ended with {status} before it was ready", self.name);
            }
            probe().await
        })
        .await
    }

    /// Sends a signal without waiting for what comes of it.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap_or_else(|error| panic!("{}: {error}", self.name));
    }

    /// Waits until it has ended.
    pub async fn exit(&mut self) -> ExitStatus {
        let what = format!("{} exits", self.name);
        let status = eventually(&what, async || self.exited()).await;
        self.child = None;
        status
    }

    /// `kill -9`: no chance to write, close or say anything.
    pub async fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.exit().await;
    }

    /// SIGTERM, and the end.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.exit().await
    }

    pub fn pid(&self) -> Pid {
        let child = self.child.as_ref();
        Pid::from_child(child.unwrap_or_else(|| panic!("{} does not run", self.name)))
    }

    /// Everything that it has printed so far.
    pub fn log(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn exited(&mut self) -> Option<ExitStatus> {
        let child = self.child.as_mut().expect("a process");
        child.try_wait().expect("the process can be asked")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            const TAIL: usize = 20_000;
            let log = self.log();
            let from = log.char_indices().rev().nth(TAIL).map_or(0, |(at, _)| at);
            eprintln!("--- log of {} ---\n{}", self.name, &log[from..]);
        }
    }
}
