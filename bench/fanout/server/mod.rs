//! The servers that are compared, each a process of its own on a processor of its own.

mod axum;
mod daphne;
mod fleetwire;
mod mosquitto;
mod nats;
mod nchan;
mod node;
mod raw;

use std::cell::Cell;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::client::protocol::{Protocol, WebSocket};
use super::program::{Process, SERVER_CPU, free_address};
use super::usage::Usage;
use fleetwire::{Fleetwire, REAL};
pub use fleetwire::{PATIENT, Users};
use raw::Raw;

/// A server that can be measured.
pub trait Kind {
    fn name(&self) -> &'static str;

    /// What this machine lacks for it.
    fn missing(&self) -> Option<String> {
        None
    }

    /// The most sockets that it is measured with.
    fn most(&self) -> usize {
        usize::MAX
    }

    fn start(&self) -> Result<Running>;
}

/// A server that runs until this is dropped.
pub struct Running {
    pub usage: Usage,
    pub address: SocketAddr,
    pub publish_at: SocketAddr,
    pub protocol: Box<dyn Protocol>,
    /// The part of its processor that it takes while nothing is published, once it was measured.
    pub idle: Cell<Option<f64>>,
    process: Process,
    _directory: Option<TempDir>,
}

impl Drop for Running {
    /// One that has children ends them only when it is asked to.
    fn drop(&mut self) {
        let child = &mut self.process.0;
        if let Ok(id) = i32::try_from(child.id())
            && let Some(id) = Pid::from_raw(id)
        {
            kill_process(id, Signal::TERM).ok();
        }
        for _ in 0..100 {
            // Otherwise the process is killed below.
            if !matches!(child.try_wait(), Ok(None)) {
                return;
            }
            pause(Duration::from_millis(20));
        }
    }
}

impl Running {
    /// Waits until it has nothing to do any more: what was begun before is not counted after.
    pub fn settle(&self) -> Result<()> {
        const LOOK: Duration = Duration::from_millis(50);
        let mut before = self.usage.cpu()?;
        for _ in 0..600 {
            pause(LOOK);
            let now = self.usage.cpu()?;
            if now.saturating_sub(before) < LOOK / 50 {
                return Ok(());
            }
            before = now;
        }
        bail!("the server did not come to rest")
    }
}

/// Nothing else happens in this program.
pub fn pause(span: Duration) {
    std::thread::park_timeout(span);
}

/// Everything that can be compared; `users` are those of fleetwire.
pub fn all(users: &Users) -> Vec<Box<dyn Kind>> {
    vec![
        Box::new(Raw { joins: false }),
        Box::new(Raw { joins: true }),
        Box::new(Fleetwire::new(REAL, users)),
        Box::new(Fleetwire::new(PATIENT, users)),
        Box::new(axum::Axum { is_tuned: false }),
        Box::new(axum::Axum { is_tuned: true }),
        Box::new(nchan::Nchan),
        Box::new(nats::Nats),
        Box::new(mosquitto::Mosquitto),
        Box::new(node::Node),
        Box::new(daphne::Daphne),
    ]
}

/// Runs this program as one of its servers.
pub fn serve(arguments: &[String]) -> Result<()> {
    match arguments {
        [kind] if kind == raw::ALONE => raw::serve(false),
        [kind] if kind == raw::JOINED => raw::serve(true),
        [kind] if kind == axum::USUAL => axum::serve(false),
        [kind] if kind == axum::TUNED => axum::serve(true),
        [kind, directory] if kind == REAL => fleetwire::serve(false, directory.as_ref()),
        [kind, directory] if kind == PATIENT => fleetwire::serve(true, directory.as_ref()),
        other => bail!("no such server: {other:?}"),
    }
}

/// Starts this program as a server, pinned.
fn start_ours(arguments: &[&str], path: &'static str, tokens: Vec<String>) -> Result<Running> {
    let mut command = pinned(&std::env::current_exe()?.to_string_lossy());
    command.arg(super::SERVE).args(arguments);
    speaking(command, path, tokens)
}

/// Starts a server of WebSockets that says where it listens, and where it is published to.
fn speaking(mut command: Command, path: &'static str, tokens: Vec<String>) -> Result<Running> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .context("setpriv and taskset (util-linux) start the server")?;
    let output = child.stdout.take().context("its output is a pipe")?;
    let process = Process(child);
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    let (address, publish_at) = line.trim().split_once(' ').context("it ended at once")?;
    Ok(Running {
        usage: Usage::of(process.0.id()),
        address: address.parse()?,
        publish_at: publish_at.parse()?,
        protocol: Box::new(WebSocket { path, tokens }),
        idle: Cell::new(None),
        process,
        _directory: None,
    })
}

/// Starts a server that is told where to listen, for subscribers and publishers alike, and has a directory.
fn started(
    name: &str,
    protocol: Box<dyn Protocol>,
    command: impl FnOnce(SocketAddr, &Path) -> Result<Command>,
) -> Result<Running> {
    let address: SocketAddr = free_address()?.parse()?;
    let directory = tempfile::tempdir()?;
    let child = command(address, directory.path())?
        .stdout(Stdio::null())
        .spawn()
        .context("setpriv and taskset (util-linux) start the server")?;
    let mut process = Process(child);
    for _ in 0..200 {
        if TcpStream::connect(address).is_ok() {
            return Ok(Running {
                usage: Usage::of(process.0.id()),
                address,
                publish_at: address,
                protocol,
                idle: Cell::new(None),
                process,
                _directory: Some(directory),
            });
        }
        ensure!(process.0.try_wait()?.is_none(), "{name} ended at once");
        pause(Duration::from_millis(50));
    }
    bail!("{name} did not listen within 10 s")
}

/// A program on the servers' processor, which ends when this one does, however that ends.
fn pinned(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    let pinned = ["--pdeathsig", "TERM", "taskset", "-c", SERVER_CPU, program];
    command.args(pinned);
    command
}

/// What to say of a program that is not installed.
fn installed(program: &str) -> Option<String> {
    let found = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin"]
        .iter()
        .any(|directory| Path::new(directory).join(program).exists());
    (!found).then(|| format!("{program} is not installed"))
}
