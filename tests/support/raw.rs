//! Bytes on a TCP connection: handshakes and frames as RFC 6455 draws them, right and wrong.

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine as _;
use sha1::{Digest, Sha1};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::{Credential, Server, within};

/// The key of RFC 6455's own example (section 1.3).
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// A TCP connection to the server.
pub struct Raw {
    stream: TcpStream,
    unread: Vec<u8>,
}

/// The head of an HTTP answer.
#[derive(Debug)]
pub struct Head {
    pub status: u16,
    pub text: String,
}

/// A frame as it stood on the wire.
#[derive(Debug, PartialEq)]
pub struct RawFrame {
    /// FIN, RSV1-3 and the opcode.
    pub first: u8,
    /// Whether the mask bit was set; a server's must not be.
    pub masked: bool,
    pub payload: Vec<u8>,
}

/// A client's frame: `first` holds FIN, RSV and opcode; masked, as a client's must be.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut bytes = frame_header(first, payload.len() as u64);
    bytes.extend_from_slice(&MASK);
    bytes.extend(
        payload
            .iter()
            .zip(MASK.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    bytes
}

/// The header of a masked frame up to, and without, the masking key.
fn frame_header(first: u8, length: u64) -> Vec<u8> {
    const MASKED: u8 = 0x80;
    let mut bytes = vec![first];
    if let Ok(short @ ..=125) = u8::try_from(length) {
        bytes.push(MASKED | short);
    } else if let Ok(medium) = u16::try_from(length) {
        bytes.push(MASKED | 0x7e);
        bytes.extend_from_slice(&medium.to_be_bytes());
    } else {
        bytes.push(MASKED | 0x7f);
        bytes.extend_from_slice(&length.to_be_bytes());
    }
    bytes
}

impl Raw {
    pub async fn connect(server: &Server) -> Self {
        Self::connect_to(server.address()).await
    }

    pub async fn connect_to(address: SocketAddr) -> Self {
        let stream = within("a connection", TcpStream::connect(address)).await;
        Self {
            stream: stream.expect("the server listens"),
            unread: Vec::new(),
        }
    }

    /// From an address of this machine's own.
    pub async fn connect_from(source: &str, address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        let source = SocketAddr::new(source.parse().expect("an address"), 0);
        socket.bind(source).expect("an address of this machine");
        let stream = within("a connection", socket.connect(address)).await;
        Self {
            stream: stream.expect("somebody listens"),
            unread: Vec::new(),
        }
    }

    /// The lines of a right handshake, without the empty line that ends it.
    pub fn handshake(server: &Server, path: &str, credential: &Credential) -> Vec<String> {
        Self::handshake_at(server.address(), path, credential)
    }

    /// Like [`Raw::handshake`], for whatever listens at `address`.
    pub fn handshake_at(address: SocketAddr, path: &str, credential: &Credential) -> Vec<String> {
        let mut lines = vec![
            format!("GET {path} HTTP/1.1"),
            format!("Host: {address}"),
            "Upgrade: websocket".to_owned(),
            "Connection: Upgrade".to_owned(),
            "Sec-WebSocket-Version: 13".to_owned(),
            format!("Sec-WebSocket-Key: {KEY}"),
        ];
        lines.extend(
            credential
                .header()
                .map(|(name, value)| format!("{name}: {value}")),
        );
        lines
    }

    /// Sends `lines` as the head of a request and reads the head of the answer.
    pub async fn ask(&mut self, lines: &[String]) -> Head {
        let request = lines.join("\r\n") + "\r\n\r\n";
        self.send(request.as_bytes()).await;
        self.head().await
    }

    /// A connection that was upgraded to a WebSocket.
    pub async fn upgraded(server: &Server, path: &str, credential: &Credential) -> Self {
        let mut raw = Self::connect(server).await;
        let head = raw.ask(&Self::handshake(server, path, credential)).await;
        assert_eq!(head.status, 101, "{}", head.text);
        raw
    }

    /// Like [`Raw::upgraded`], with as small a receive buffer as the kernel gives: of a reader
    /// who stops, little is under way outside the server.
    pub async fn upgraded_with_small_buffer(
        server: &Server,
        path: &str,
        credential: &Credential,
    ) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4096).expect("a smaller buffer");
        let stream = within("a connection", socket.connect(server.address())).await;
        let mut raw = Self {
            stream: stream.expect("the server listens"),
            unread: Vec::new(),
        };
        let head = raw.ask(&Self::handshake(server, path, credential)).await;
        assert_eq!(head.status, 101, "{}", head.text);
        raw
    }

    /// What the server must answer to the key of [`Raw::handshake`] (RFC 6455, section 4.2.2).
    pub fn accept() -> String {
        let digest = Sha1::digest(format!("{KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
        base64::engine::general_purpose::STANDARD.encode(digest)
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        self.try_send(bytes).await.expect("sending");
    }

    /// Like [`Raw::send`], for a server that may close before it has read everything.
    pub async fn try_send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        within("the server reading", self.stream.write_all(bytes)).await
    }

    /// The header of a masked frame whose payload the caller streams; the mask is all zeros, so
    /// the payload goes as it is.
    pub async fn send_header(&mut self, first: u8, length: u64) {
        let mut bytes = frame_header(first, length);
        bytes.extend_from_slice(&[0; 4]);
        self.send(&bytes).await;
    }

    /// The head of the next HTTP answer.
    pub async fn head(&mut self) -> Head {
        let end = loop {
            if let Some(at) = self.unread.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(self.fill().await, "the connection ended before an answer");
        };
        let text = String::from_utf8(self.unread.drain(..end).collect()).expect("text");
        let status = text
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        Head {
            status: status.unwrap_or_else(|| panic!("no status in {text}")),
            text,
        }
    }

    /// The body of an answer whose head said how long it is.
    pub async fn body(&mut self, length: usize) -> Vec<u8> {
        self.take(length).await.expect("the whole body")
    }

    /// The next frame, or `None` at the end of the connection.
    pub async fn frame(&mut self) -> Option<RawFrame> {
        let [first, second] = self.take(2).await?[..] else {
            unreachable!("two bytes")
        };
        let length = match second & 0x7f {
            126 => u64::from(u16::from_be_bytes(self.take(2).await?.try_into().ok()?)),
            127 => u64::from_be_bytes(self.take(8).await?.try_into().ok()?),
            short => u64::from(short),
        };
        let payload = self
            .take(usize::try_from(length).expect("a small frame"))
            .await?;
        Some(RawFrame {
            first,
            masked: second & 0x80 != 0,
            payload,
        })
    }

    /// The code of the next frame, which must be a close frame after which the server ends the
    /// connection.
    pub async fn closed(&mut self) -> u16 {
        let close = self.frame().await.expect("a close frame before the end");
        assert_eq!(close.first, 0x88, "{close:?}");
        let code = u16::from_be_bytes([close.payload[0], close.payload[1]]);
        assert_eq!(self.frame().await, None, "something after the close frame");
        code
    }

    /// Whether the server has ended the connection without another byte.
    pub async fn ended(&mut self) -> bool {
        self.unread.is_empty() && !self.fill().await
    }

    /// Reads to the end of the connection.
    pub async fn drain(&mut self) {
        while self.fill().await {
            self.unread.clear();
        }
    }

    /// Whether the server has ended the connection by now; does not wait for it.
    pub async fn has_ended(&mut self) -> bool {
        let mut byte = [0];
        match tokio::time::timeout(Duration::from_millis(1), self.stream.read(&mut byte)).await {
            Ok(Ok(0) | Err(_)) => true,
            Ok(Ok(_)) => {
                self.unread.push(byte[0]);
                false
            }
            Err(_) => false,
        }
    }

    async fn take(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.unread.len() < count {
            if !self.fill().await {
                return None;
            }
        }
        Some(self.unread.drain(..count).collect())
    }

    /// Reads some more; false at the end of the connection.
    async fn fill(&mut self) -> bool {
        let mut chunk = vec![0; 64 * 1024];
        let read = within("bytes from the server", self.stream.read(&mut chunk)).await;
        let count = read.unwrap_or(0);
        self.unread.extend_from_slice(&chunk[..count]);
        count > 0
    }
}

impl Head {
    /// The value of a header, or "".
    pub fn header(&self, name: &str) -> &str {
        self.text
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(present, _)| present.eq_ignore_ascii_case(name))
            .map_or("", |(_, value)| value.trim())
    }
}
