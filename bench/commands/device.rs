//! What the commands run on: an SSH server that prints at one rate, and nothing else.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use russh::keys::{Algorithm, PrivateKey};
use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Session, run_stream};
use russh::{Channel, ChannelId, ChannelMsg, Error};
use tokio::net::TcpListener;
use tokio::time::interval;

pub const USERNAME: &str = "root";
pub const PASSWORD: &str = "bench-of-commands";

/// Between two prints.
const PAUSE: Duration = Duration::from_millis(100);

/// One line, as a log has them.
const LINE: &[u8] = b"daemon.info bench[1843]: a line of the length that log lines have\n";

const LINES_A_PRINT: usize = 72;

const PRINTS_A_SECOND: u32 = 10;

/// What a command prints: little enough for 20 seconds to stay below a MiB.
pub const BYTES_A_SECOND: u64 = (LINE.len() * LINES_A_PRINT * PRINTS_A_SECOND as usize) as u64;

/// The command line that prints for so long.
pub fn command(seconds: u32) -> String {
    format!("print {seconds}")
}

/// Serves any number of connections for as long as the program runs.
pub async fn start() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let config = Arc::new(Config {
        keys: vec![PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519)?],
        nodelay: true,
        ..Config::default()
    });
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let config = Arc::clone(&config);
            tokio::spawn(async move {
                if let Ok(session) = run_stream(config, stream, Device).await {
                    // What goes wrong is seen in the command's output.
                    let _ = session.await;
                }
            });
        }
    });
    Ok(address)
}

struct Device;

impl Handler for Device {
    type Error = Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Error> {
        Ok(if (user, password) == (USERNAME, PASSWORD) {
            Auth::Accept
        } else {
            Auth::reject()
        })
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Error> {
        reply.accept().await;
        tokio::spawn(serve(channel));
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        _: &[u8],
        session: &mut Session,
    ) -> Result<(), Error> {
        session.channel_success(channel)
    }
}

/// Waits for the command line and prints for so long as it says.
async fn serve(mut channel: Channel<Msg>) -> Result<(), Error> {
    let seconds = loop {
        match channel.wait().await {
            Some(ChannelMsg::Exec { command, .. }) => break seconds(&command),
            Some(_) => {}
            None => return Ok(()),
        }
    };
    let (mut incoming, outgoing) = channel.split();
    // What the client sends is read, or it would stand in the way of its connection.
    tokio::spawn(async move { while incoming.wait().await.is_some() {} });
    let status = u32::from(seconds.is_none());
    let mut pause = interval(PAUSE);
    for _ in 0..seconds.unwrap_or(0) * PRINTS_A_SECOND {
        pause.tick().await;
        outgoing.data_bytes(LINE.repeat(LINES_A_PRINT)).await?;
    }
    outgoing.exit_status(status).await?;
    outgoing.eof().await?;
    outgoing.close().await
}

fn seconds(command: &[u8]) -> Option<u32> {
    let command = std::str::from_utf8(command).ok()?;
    command.strip_prefix("print ")?.parse().ok()
}
