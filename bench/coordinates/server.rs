//! The two servers that are compared, each a process of its own on a processor of its own.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::Path;
use axum::routing::put;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::program::{self, Process, SERVER_CPU, add_superuser, cli, connect, free_address, text};

/// The argument that makes this program the server that stores nothing.
pub const NOTHING: &str = "serve-nothing";

/// Where to PUT coordinates.
pub struct Target {
    pub address: String,
    /// A path with a device's id and key for each connection.
    pub paths: Vec<String>,
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
        let organization = cli(&directory, &[], &["org", "add", "Bench"])?;
        let token = add_superuser(&directory, &[])?;
        let address = free_address()?;
        let process = program::serve(&directory, &address, &[])?;
        let mut connection = connect(&address).await?;
        let mut paths = Vec::new();
        for number in 0..devices {
            let body =
                json!({ "name": format!("bus-{number}"), "organization": organization["id"] });
            let path = "/api/v1/controller/device/";
            let device = program::create(&mut connection, &token, path, &body).await?;
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
