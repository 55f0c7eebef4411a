//! `fleetwire gateway` beside an OpenWISP of the test's own.

use std::net::SocketAddr;
use std::process::{Command, ExitStatus};

use rustix::process::Signal;
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::openwisp::OpenWisp;
use super::process::Process;
use super::{Client, eventually, free_address};

/// The real program in a process of its own, in the environment that an operator gives it. Killed when
/// dropped; its log is printed when the test has failed.
pub struct Gateway {
    process: Process,
    address: SocketAddr,
    environment: Vec<(String, String)>,
    directory: TempDir,
}

impl Gateway {
    /// One that listens; `settings` are `("SECTION__KEY", "value")`, beyond what `openwisp` means.
    pub async fn start(openwisp: &OpenWisp, settings: &[(&str, &str)]) -> Self {
        let mut gateway = Self::prepare(openwisp, settings);
        gateway.run().await;
        gateway
    }

    /// Everything but the process.
    pub fn prepare(openwisp: &OpenWisp, settings: &[(&str, &str)]) -> Self {
        let directory = TempDir::with_prefix("fleetwire-gateway-").expect("a directory");
        let mut environment = openwisp.gateway_environment();
        environment.extend(
            settings
                .iter()
                .map(|(key, value)| (format!("FLEETWIRE_{key}"), (*value).to_owned())),
        );
        let address = free_address();
        let mut command = program(&directory, &environment);
        command.args(["--listen", &address.to_string()]);
        let log = directory.path().join("gateway.log");
        Self {
            process: Process::new("fleetwire gateway", command, &log),
            address,
            environment,
            directory,
        }
    }

    /// Starts the process, and returns when its port accepts: by contract it is ready then, as far as
    /// Redis and the database are.
    pub async fn run(&mut self) {
        let address = self.address;
        self.process.start();
        self.process
            .ready(async || TcpStream::connect(address).await.ok())
            .await;
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Speaks HTTP to it, as nobody.
    pub fn client(&self) -> Client {
        Client::of(self.address)
    }

    /// `fleetwire gateway --check`: whether all is well, and what it prints.
    pub fn check(&self) -> (ExitStatus, String) {
        let mut command = program(&self.directory, &self.environment);
        let output = command.arg("--check").output().expect("the program runs");
        let both = [output.stdout, output.stderr].concat();
        (output.status, String::from_utf8_lossy(&both).into_owned())
    }

    /// `kill -9`
    pub async fn kill(&mut self) {
        self.process.kill().await;
    }

    /// SIGTERM; returns when the drain has begun: nobody new is let in.
    pub async fn begin_to_end(&self) {
        self.process.signal(Signal::TERM);
        let address = self.address;
        eventually("the gateway lets nobody in", async || {
            TcpStream::connect(address).await.err()
        })
        .await;
    }

    /// Waits until the process has ended.
    pub async fn exit(&mut self) -> ExitStatus {
        self.process.exit().await
    }

    /// SIGTERM, and the end of the process.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.process.terminate().await
    }
}

fn program(directory: &TempDir, environment: &[(String, String)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fleetwire"));
    command
        .arg("gateway")
        .current_dir(directory.path())
        .envs(environment.iter().cloned());
    command
}
