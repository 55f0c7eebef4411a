//! The servers that are compared, each a process of its own on a processor of its own.

mod fleetwire;
mod raw;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::client::protocol::{Protocol, WebSocket};
use super::program::{Process, SERVER_CPU};
use super::usage::Usage;
pub use fleetwire::{Fleetwire, Users};
pub use raw::Raw;

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
    _process: Process,
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
        Box::new(Fleetwire::new(users)),
    ]
}

/// Runs this program as one of its servers.
pub fn serve(arguments: &[String]) -> Result<()> {
    match arguments {
        [kind] if kind == raw::ALONE => raw::serve(false),
        [kind] if kind == raw::JOINED => raw::serve(true),
        [kind, directory] if kind == fleetwire::REAL => fleetwire::serve(directory.as_ref()),
        other => bail!("no such server: {other:?}"),
    }
}

/// Starts this program as a server, pinned. It says where it listens, and where it is published to.
fn start_ours(arguments: &[&str], path: &'static str, tokens: Vec<String>) -> Result<Running> {
    let mut child = pinned(&std::env::current_exe()?.to_string_lossy())
        .arg(super::SERVE)
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .context("taskset (util-linux) starts the server")?;
    let output = child.stdout.take().context("its output is a pipe")?;
    let process = Process(child);
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    let (address, publish_at) = line.trim().split_once(' ').context("no address")?;
    Ok(Running {
        usage: Usage::of(process.0.id()),
        address: address.parse()?,
        publish_at: publish_at.parse()?,
        protocol: Box::new(WebSocket { path, tokens }),
        _process: process,
    })
}

/// A program on the servers' processor.
fn pinned(program: &str) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", SERVER_CPU, program]);
    command
}
