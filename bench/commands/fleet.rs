//! The devices, their commands and who watches them.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::StreamExt;
use futures_util::future::try_join_all;
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::device;
use super::program::{self, Process, add_superuser, cli, connect, create, free_address, text};
use super::usage::Usage;

/// How much longer than its printing a command may take.
const PATIENCE: Duration = Duration::from_secs(30);

const API: &str = "/api/v1/controller";

/// `fleetwire serve`, with devices that are watched.
pub struct Fleet {
    process: Process,
    directory: TempDir,
    address: String,
    token: String,
    watched: Vec<Watched>,
}

/// A device and its socket.
struct Watched {
    id: String,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

/// What came over the sockets.
#[derive(Clone, Copy, Default)]
pub struct Seen {
    pub messages: u64,
    /// Bytes of all messages.
    pub pushed: u64,
    /// Bytes that the commands had printed in the end.
    pub output: u64,
}

/// A message, as far as it matters here.
#[derive(Deserialize)]
struct Message {
    data: CommandState,
}

#[derive(Deserialize)]
struct CommandState {
    id: String,
    status: String,
    output: String,
}

impl Fleet {
    /// Starts the server, and has each device watched over a socket of its own.
    pub async fn start(devices: usize) -> Result<Self> {
        let ssh = device::start().await?;
        let directory = tempfile::tempdir()?;
        let organization = cli(&directory, &[], &["org", "add", "Bench"])?;
        let token = add_superuser(&directory, &[])?;
        let address = free_address()?;
        let mut fleet = Self {
            process: program::serve(&directory, &address, &[])?,
            directory,
            address,
            token,
            watched: Vec::new(),
        };
        let mut connection = connect(&fleet.address).await?;
        let mut make = async |path: &str, body: Value| {
            create(&mut connection, &fleet.token, path, &body).await
        };
        let credential = json!({
            "name": "bench",
            "organization": organization["id"],
            "connector": "openwisp_controller.connection.connectors.ssh.Ssh",
            "params": {
                "username": device::USERNAME,
                "password": device::PASSWORD,
                "port": ssh.port(),
            },
        });
        let credential = make(&format!("{API}/credential/"), credential).await;
        let credential = credential?["id"].clone();
        let mut ids = Vec::new();
        for number in 0..devices {
            let body = json!({
                "name": format!("router-{number}"),
                "organization": organization["id"],
                "management_ip": ssh.ip(),
            });
            let id = text(&make(&format!("{API}/device/"), body).await?, "id")?;
            let body = json!({ "credentials": credential });
            make(&format!("{API}/device/{id}/connection/"), body).await?;
            ids.push(id);
        }
        fleet.watched = try_join_all(ids.into_iter().map(|id| fleet.watch(id))).await?;
        Ok(fleet)
    }

    async fn watch(&self, id: String) -> Result<Watched> {
        let url = format!("ws://{}/ws/controller/device/{id}/command", self.address);
        let mut handshake = url.into_client_request()?;
        let bearer = HeaderValue::try_from(format!("Bearer {}", self.token))?;
        handshake.headers_mut().insert("Authorization", bearer);
        let (socket, _) = tokio_tungstenite::connect_async(handshake).await?;
        Ok(Watched { id, socket })
    }

    /// Has each device print for so long, all at once, and watches until the last has ended.
    pub async fn run(&mut self, seconds: u32) -> Result<Seen> {
        let (address, token) = (&self.address, &self.token);
        let runs = self.watched.iter_mut().map(async |watched| {
            let body = json!({
                "type": "custom",
                "input": { "command": device::command(seconds) },
            });
            let path = format!("{API}/device/{}/command/", watched.id);
            let mut connection = connect(address).await?;
            let command = create(&mut connection, token, &path, &body).await?;
            let longest = Duration::from_secs(seconds.into()) + PATIENCE;
            timeout(longest, watched.until_end(&text(&command, "id")?, seconds))
                .await
                .context("a command did not end")?
        });
        let seen = try_join_all(runs).await?;
        Ok(seen.into_iter().fold(Seen::default(), Seen::and))
    }

    /// What the server has used so far.
    pub async fn usage(&self) -> Result<Usage> {
        // taskset becomes what it starts: the number is the server's.
        let process = self.process.0.id();
        Usage::read(process, &self.directory.path().join("fleetwire.db")).await
    }
}

impl Watched {
    /// Reads messages until one says that the command has ended, and as it should.
    async fn until_end(&mut self, command: &str, seconds: u32) -> Result<Seen> {
        let mut seen = Seen::default();
        loop {
            let message = self.socket.next().await.context("a socket was closed")??;
            if !message.is_text() {
                continue;
            }
            let message = message.to_text()?;
            seen.messages += 1;
            seen.pushed += message.len() as u64;
            let Message { data } = serde_json::from_str(message)?;
            ensure!(data.id == command, "a message of another command");
            if data.status == "in-progress" {
                continue;
            }
            seen.output = data.output.len() as u64;
            let right = device::BYTES_A_SECOND * u64::from(seconds);
            ensure!(
                data.status == "success" && seen.output == right,
                "{} with {} of {right} bytes: {}",
                data.status,
                seen.output,
                data.output.lines().next_back().unwrap_or_default(),
            );
            return Ok(seen);
        }
    }
}

impl Seen {
    fn and(self, other: Self) -> Self {
        Self {
            messages: self.messages + other.messages,
            pushed: self.pushed + other.pushed,
            output: self.output + other.output,
        }
    }
}
