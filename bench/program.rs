//! The program that is measured, as an operator uses it: `fleetwire` with a data directory of its
//! own, on a processor of its own.

use std::process::{Child, Command};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;

use super::http::{Connection, request};

/// The processor of the servers; the client runs on the other one (see the Makefile).
pub const SERVER_CPU: &str = "0";

/// A child that ends with its owner.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing to do about it here.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Starts `fleetwire serve`, over SQLite unless `environment` says otherwise.
pub fn serve(directory: &TempDir, address: &str, environment: &[(&str, &str)]) -> Result<Process> {
    let process = Command::new("taskset")
        .args([
            "-c",
            SERVER_CPU,
            env!("CARGO_BIN_EXE_fleetwire"),
            "serve",
            "--listen",
            address,
        ])
        .arg("--data-dir")
        .arg(directory.path())
        .env("FLEETWIRE_LOG__LEVEL", "warn")
        // One address, device, user or organization may do what many would: that is what is measured.
        .env("FLEETWIRE_LIMITS__CONNECTIONS_PER_ADDRESS", "0")
        .env("FLEETWIRE_LIMITS__HANDSHAKES_PER_SECOND_PER_ADDRESS", "0")
        .env("FLEETWIRE_LIMITS__REPORTS_PER_SECOND", "0")
        .env("FLEETWIRE_LIMITS__SOCKETS_PER_USER", "0")
        .env("FLEETWIRE_LIMITS__COMMANDS_PER_ORGANIZATION", "0")
        .envs(environment.iter().copied())
        .spawn()
        .context("taskset (util-linux) starts the server")?;
    Ok(Process(process))
}

/// Runs another of its commands, and returns what it says.
pub fn cli(directory: &TempDir, environment: &[(&str, &str)], arguments: &[&str]) -> Result<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_fleetwire"))
        .args(arguments)
        .args(["--json", "--data-dir"])
        .arg(directory.path())
        .envs(environment.iter().copied())
        .output()?;
    if !output.status.success() {
        bail!(
            "fleetwire {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Makes a superuser: its token.
pub fn add_superuser(directory: &TempDir, environment: &[(&str, &str)]) -> Result<String> {
    let root = ["user", "add", "root", "--superuser", "--staff"];
    cli(directory, environment, &root)?;
    text(
        &cli(directory, environment, &["token", "add", "root"])?,
        "token",
    )
}

/// Makes something over REST: the answer.
pub async fn create(
    connection: &mut Connection,
    token: &str,
    path: &str,
    body: &Value,
) -> Result<Value> {
    let create = request("POST", path, Some(token), &body.to_string());
    let (status, answer) = connection.exchange(&create).await?;
    ensure!(
        status == 201,
        "{path} was answered with {status}: {}",
        String::from_utf8_lossy(answer)
    );
    Ok(serde_json::from_slice(answer)?)
}

/// A field of an answer that is a text.
pub fn text(value: &Value, field: &str) -> Result<String> {
    Ok(value[field]
        .as_str()
        .with_context(|| format!("no {field} in {value}"))?
        .to_owned())
}

/// An address that nobody listens at.
pub fn free_address() -> Result<String> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?
        .local_addr()?
        .to_string())
}

/// Waits until a server accepts.
pub async fn connect(address: &str) -> Result<Connection> {
    for _ in 0..200 {
        if let Ok(connection) = Connection::open(address).await {
            return Ok(connection);
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    bail!("{address} did not listen within 10 s")
}
