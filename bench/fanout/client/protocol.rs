//! How a subscriber and a publisher speak with a server: just enough of it to count and to check.

use anyhow::{Result, bail, ensure};

/// A piece of what a server sends to a subscriber.
pub enum Piece<'a> {
    Message(&'a [u8]),
    /// To be answered with this.
    Answer(Vec<u8>),
    Nothing,
    /// The server ends the connection.
    Close,
}

/// What a client says and hears.
pub trait Protocol {
    /// What subscriber `number` sends once it is connected.
    fn hello(&self, number: usize) -> Vec<u8>;

    /// How long the answer to the hello is, when it is whole. Messages may follow.
    fn welcome(&self, bytes: &[u8]) -> Result<Option<usize>>;

    /// The first piece of what came, and its length, if it is whole.
    fn next<'a>(&self, bytes: &'a [u8]) -> Result<Option<(Piece<'a>, usize)>>;

    /// What the publisher sends once it is connected.
    fn publisher_hello(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Appends what publishes `message`, which is of `location`.
    fn publish(&self, location: usize, message: &[u8], bytes: &mut Vec<u8>) {
        control(location, message, bytes);
    }

    /// What the publisher answers to what it hears.
    fn publisher_answer(&self, _heard: &[u8]) -> Vec<u8> {
        Vec::new()
    }
}

/// What publishes in the servers that are part of this benchmark: the length, the location, the message.
fn control(location: usize, message: &[u8], bytes: &mut Vec<u8>) {
    for count in [message.len(), location] {
        bytes.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes());
    }
    bytes.extend_from_slice(message);
}

/// Reads [`control`]: the location, the message, and the length of all, if it is whole.
pub fn controlled(bytes: &[u8]) -> Option<(usize, &[u8], usize)> {
    let word = |at: usize| {
        let word = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(u32::from_be_bytes(word) as usize)
    };
    let (length, location) = (word(0)?, word(4)?);
    let message = bytes.get(8..8 + length)?;
    Some((location, message, 8 + length))
}

/// A WebSocket at a path, with a token or without.
pub struct WebSocket {
    pub path: &'static str,
    pub tokens: Vec<String>,
}

impl Protocol for WebSocket {
    fn hello(&self, number: usize) -> Vec<u8> {
        let token = self.tokens.get(number % self.tokens.len().max(1));
        let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
        format!(
            "GET {} HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {SAMPLE_KEY}\r\n{}\r\n",
            self.path,
            authorization.unwrap_or_default()
        )
        .into_bytes()
    }

    fn welcome(&self, bytes: &[u8]) -> Result<Option<usize>> {
        let Some(end) = bytes.windows(4).position(|it| it == b"\r\n\r\n") else {
            return Ok(None);
        };
        let text = String::from_utf8_lossy(&bytes[..end]);
        ensure!(text.starts_with("HTTP/1.1 101 "), "refused: {text}");
        ensure!(text.contains(SAMPLE_ACCEPT), "a wrong accept: {text}");
        Ok(Some(end + 4))
    }

    fn next<'a>(&self, bytes: &'a [u8]) -> Result<Option<(Piece<'a>, usize)>> {
        let Some((begin, end)) = frame(bytes) else {
            return Ok(None);
        };
        let payload = &bytes[begin..end];
        let piece = match bytes[0] {
            // FIN with text, binary, close, ping, pong.
            0x81 | 0x82 => Piece::Message(payload),
            0x88 => Piece::Close,
            0x89 => Piece::Answer(pong(payload)),
            0x8a => Piece::Nothing,
            other => bail!("a frame that begins with {other:#x}"),
        };
        Ok(Some((piece, end)))
    }
}

/// The key of RFC 6455, section 1.3, and what it is answered with.
pub const SAMPLE_KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub const SAMPLE_ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Where the payload of the first frame begins and ends, if it is whole: unmasked, as servers send it.
fn frame(bytes: &[u8]) -> Option<(usize, usize)> {
    let (begin, length) = match *bytes.get(1)? {
        126 => (
            4,
            usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?])),
        ),
        short => (2, usize::from(short)),
    };
    (bytes.len() >= begin + length).then_some((begin, begin + length))
}

/// Masked, as clients must; with zeroes, which change nothing.
fn pong(payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap_or(0);
    let mut frame = vec![0x8a, 0x80 | length, 0, 0, 0, 0];
    frame.extend_from_slice(&payload[..usize::from(length)]);
    frame
}
