//! NATS: one subject, the text protocol of <https://docs.nats.io/reference/reference-protocols/nats-protocol>.

use std::process::Stdio;

use anyhow::{Context, Result, bail};

use super::{Kind, Running, installed, pinned, started};
use crate::client::protocol::{Piece, Protocol};

const PROGRAM: &str = "nats-server";

/// No acknowledgements, no own messages back.
const CONNECT: &str = "CONNECT {\"verbose\":false,\"pedantic\":false,\"echo\":false,\"lang\":\"bench\",\"version\":\"0\"}\r\n";

/// `nats-server` with its defaults, but for the number of connections.
pub struct Nats;

impl Kind for Nats {
    fn name(&self) -> &'static str {
        "nats"
    }

    fn missing(&self) -> Option<String> {
        installed(PROGRAM)
    }

    fn start(&self) -> Result<Running> {
        started(self.name(), Box::new(Text), |address, directory| {
            let file = directory.join("nats.conf");
            std::fs::write(
                &file,
                format!("listen: \"{address}\"\nmax_connections: 20000\n"),
            )?;
            let mut command = pinned(PROGRAM);
            command.arg("-c").arg(&file).stderr(Stdio::null());
            Ok(command)
        })
    }
}

struct Text;

impl Protocol for Text {
    fn hello(&self, _number: usize) -> Vec<u8> {
        format!("{CONNECT}SUB bench 1\r\nPING\r\n").into_bytes()
    }

    fn welcome(&self, bytes: &[u8]) -> Result<Option<usize>> {
        let pong = b"PONG\r\n";
        let at = bytes.windows(pong.len()).position(|it| it == pong);
        Ok(at.map(|at| at + pong.len()))
    }

    fn next<'a>(&self, bytes: &'a [u8]) -> Result<Option<(Piece<'a>, usize)>> {
        let Some(end) = bytes.windows(2).position(|it| it == b"\r\n") else {
            return Ok(None);
        };
        let line = std::str::from_utf8(&bytes[..end])?;
        if line == "PING" {
            return Ok(Some((Piece::Answer(b"PONG\r\n".to_vec()), end + 2)));
        }
        // MSG subject sid length
        let Some(message) = line.strip_prefix("MSG ") else {
            if line == "PONG" || line.starts_with("INFO ") {
                return Ok(Some((Piece::Nothing, end + 2)));
            }
            bail!("NATS says {line:?}");
        };
        let length = message.rsplit(' ').next().context("no length")?;
        let (begin, length) = (end + 2, length.parse::<usize>()?);
        let Some(payload) = bytes.get(begin..begin + length) else {
            return Ok(None);
        };
        let whole = begin + length + 2;
        Ok((bytes.len() >= whole).then_some((Piece::Message(payload), whole)))
    }

    fn publisher_hello(&self) -> Vec<u8> {
        CONNECT.as_bytes().to_vec()
    }

    fn publish(&self, _location: usize, message: &[u8], bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(format!("PUB bench {}\r\n", message.len()).as_bytes());
        bytes.extend_from_slice(message);
        bytes.extend_from_slice(b"\r\n");
    }

    fn publisher_answer(&self, heard: &[u8]) -> Vec<u8> {
        let pings = heard.windows(6).filter(|it| it == b"PING\r\n");
        b"PONG\r\n".repeat(pings.count())
    }
}
