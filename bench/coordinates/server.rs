//! The two servers that are compared, each a process of its own on a processor of its own.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use axum::Router;
use axum::extract::Path;
use axum::routing::put;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::http::{Connection, request};

/// The argument that makes this program the server that stores nothing.
pub const NOTHING: &str = "serve-nothing";

/// The processor of the servers; the client runs on the other one (see the Makefile).
const SERVER_CPU: &str = "0";

/// Where to PUT coordinates.
pub struct Target {
    pub address: String,
    /// A path with a device's id and key for each connection.
    pub paths: Vec<String>,
}

/// A child that ends with its owner.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing to do about it here.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// `fleetwire serve` over SQLite, as an operator starts it.
pub struct Fleetwire {
    _process: Process,
    _directory: TempDir,
    target: Target,
    /// A superuser's token.
    pub token: String,
}

impl Fleetwire {
    pub async fn start(devices: usize) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let organization = cli(&directory, &["org", "add", "Bench"])?;
        cli(
            &directory,
            &["user", "add", "root", "--superuser", "--staff"],
        )?;
        let token = text(&cli(&directory, &["token", "add", "root"])?, "token")?;
        let address = free_address()?;
        let process = Command::new("taskset")
            .args([
                "-c",
                SERVER_CPU,
                env!("CARGO_BIN_EXE_fleetwire"),
                "serve",
                "--listen",
                &address,
            ])
            .arg("--data-dir")
            .arg(directory.path())
            .env("FLEETWIRE_LOG__LEVEL", "warn")
            .spawn()
            .context("taskset (util-linux) starts the server")?;
        let process = Process(process);
        let mut connection = connect(&address).await?;
        let mut paths = Vec::new();
        for number in 0..devices {
            let body =
                json!({ "name": format!("bus-{number}"), "organization": organization["id"] });
            let path = "/api/v1/controller/device/";
            let create = request("POST", path, Some(&token), &body.to_string());
            let (status, body) = connection.exchange(&create).await?;
            ensure!(status == 201, "a device was answered with {status}");
            let device: Value = serde_json::from_slice(body)?;
            let (id, key) = (text(&device, "id")?, text(&device, "key")?);
            paths.push(format!("{path}{id}/coordinates/?key={key}"));
        }
        Ok(Self {
            _process: process,
            _directory: directory,
            target: Target { address, paths },
            token,
        })
    }

    pub fn target(&self) -> &Target {
        &self.target
    }
}

/// The same HTTP library answering the same PUT without storing anything.
pub struct Nothing {
    _process: Process,
    target: Target,
}

impl Nothing {
    pub async fn start(devices: usize) -> Result<Self> {
        let mut child = Command::new("taskset")
            .args(["-c", SERVER_CPU])
            .arg(std::env::current_exe()?)
            .arg(NOTHING)
            .stdout(Stdio::piped())
            .spawn()
            .context("taskset (util-linux) starts the server")?;
        let output = child
            .stdout
            .take()
            .context("the server's output is a pipe")?;
        let process = Process(child);
        let mut address = String::new();
        BufReader::new(output).read_line(&mut address)?;
        let address = address.trim().to_owned();
        connect(&address).await?;
        let id = "93b9b41c-26b1-4807-91f7-699786c9a2d9";
        let path = format!("/api/v1/controller/device/{id}/coordinates/?key=0123456789abcdef");
        Ok(Self {
            _process: process,
            target: Target {
                address,
                paths: vec![path; devices],
            },
        })
    }

    pub fn target(&self) -> &Target {
        &self.target
    }
}

/// Serves [`Nothing`]: reads the body as JSON and answers with what it said.
pub fn serve_nothing() -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let answer = async |Path(_): Path<String>, axum::Json(body): axum::Json<Value>| {
            axum::Json(json!({
                "type": "Feature",
                "geometry": body["geometry"],
                "properties": { "name": "bus" },
            }))
        };
        let route = "/api/v1/controller/device/{id}/coordinates/";
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        axum::serve(listener, Router::new().route(route, put(answer))).await?;
        Ok(())
    })
}

fn cli(directory: &TempDir, arguments: &[&str]) -> Result<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_fleetwire"))
        .args(arguments)
        .args(["--json", "--data-dir"])
        .arg(directory.path())
        .output()?;
    if !output.status.success() {
        bail!(
            "fleetwire {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn text(value: &Value, field: &str) -> Result<String> {
    Ok(value[field]
        .as_str()
        .with_context(|| format!("no {field} in {value}"))?
        .to_owned())
}

fn free_address() -> Result<String> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?
        .local_addr()?
        .to_string())
}

/// Waits until a server accepts.
async fn connect(address: &str) -> Result<Connection> {
    for _ in 0..200 {
        if let Ok(connection) = Connection::open(address).await {
            return Ok(connection);
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    bail!("{address} did not listen within 10 s")
}
