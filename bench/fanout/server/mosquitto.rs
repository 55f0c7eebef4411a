//! Mosquitto: one topic, MQTT 3.1.1 with `QoS` 0.

use std::process::Stdio;

use anyhow::{Result, bail, ensure};

use super::{Kind, Running, installed, pinned, started};
use crate::client::protocol::{Piece, Protocol};

const PROGRAM: &str = "mosquitto";

const TOPIC: &[u8] = b"\0\x05bench";

/// `mosquitto` with its defaults, but that it lets anybody in and takes as many connections, and queues
/// as many messages, as the others do.
pub struct Mosquitto;

impl Kind for Mosquitto {
    fn name(&self) -> &'static str {
        PROGRAM
    }

    fn missing(&self) -> Option<String> {
        installed(PROGRAM)
    }

    fn start(&self) -> Result<Running> {
        started(self.name(), Box::new(Mqtt), |address, directory| {
            let file = directory.join("mosquitto.conf");
            let settings = format!(
                "listener {} {}\nallow_anonymous true\nmax_connections -1\nset_tcp_nodelay true\n\
                 max_queued_messages 0\nuser root\n",
                address.port(),
                address.ip()
            );
            std::fs::write(&file, settings)?;
            let mut command = pinned(PROGRAM);
            command.arg("-c").arg(&file).stderr(Stdio::null());
            Ok(command)
        })
    }
}

struct Mqtt;

impl Mqtt {
    /// A clean session under a name, without a limit of silence.
    fn connect(name: &str) -> Vec<u8> {
        let mut rest = b"\0\x04MQTT\x04\x02\0\0".to_vec();
        rest.extend_from_slice(&u16::try_from(name.len()).unwrap_or(0).to_be_bytes());
        rest.extend_from_slice(name.as_bytes());
        packet(0x10, &[&rest])
    }
}

impl Protocol for Mqtt {
    fn hello(&self, number: usize) -> Vec<u8> {
        let mut hello = Self::connect(&format!("subscriber-{number}"));
        hello.extend_from_slice(&packet(0x82, &[b"\0\x01", TOPIC, b"\0"]));
        hello
    }

    /// CONNACK and SUBACK.
    fn welcome(&self, bytes: &[u8]) -> Result<Option<usize>> {
        let answer = [0x20, 2, 0, 0, 0x90, 3, 0, 1, 0];
        let Some(bytes) = bytes.get(..answer.len()) else {
            return Ok(None);
        };
        ensure!(bytes == answer, "Mosquitto refuses: {bytes:?}");
        Ok(Some(answer.len()))
    }

    fn next<'a>(&self, bytes: &'a [u8]) -> Result<Option<(Piece<'a>, usize)>> {
        let Some((begin, end)) = body(bytes) else {
            return Ok(None);
        };
        if bytes.len() < end {
            return Ok(None);
        }
        if bytes[0] != 0x30 {
            bail!("Mosquitto sends a packet of type {:#x}", bytes[0]);
        }
        let payload = &bytes[begin + TOPIC.len()..end];
        Ok(Some((Piece::Message(payload), end)))
    }

    fn publisher_hello(&self) -> Vec<u8> {
        Self::connect("publisher")
    }

    fn publish(&self, _location: usize, message: &[u8], bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&packet(0x30, &[TOPIC, message]));
    }
}

/// A packet: its type, its length in groups of seven bits, its parts.
fn packet(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = vec![kind];
    let mut length: usize = parts.iter().map(|it| it.len()).sum();
    while length > 127 {
        bytes.push(0x80 | u8::try_from(length % 128).unwrap_or(0));
        length /= 128;
    }
    bytes.push(u8::try_from(length).unwrap_or(0));
    bytes.extend_from_slice(&parts.concat());
    bytes
}

/// Where the body of the first packet begins and ends, if its length has come.
fn body(bytes: &[u8]) -> Option<(usize, usize)> {
    let (mut at, mut length) = (1, 0);
    loop {
        let byte = *bytes.get(at)?;
        length += usize::from(byte & 127) << (7 * (at - 1));
        at += 1;
        if byte < 128 {
            return Some((at, at + length));
        }
    }
}
