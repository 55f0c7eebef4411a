//! Many open sockets, and what arrives on them: each message is looked at.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use futures_util::{StreamExt, stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Handshakes under way at a time.
const AT_A_TIME: usize = 50;

/// Messages a socket gets before they are looked at, at most.
const MOST: usize = 100;

/// Sockets that are open until this is dropped.
pub struct Sockets {
    _readers: JoinSet<Result<()>>,
    delays: mpsc::Receiver<f64>,
    /// How long the handshakes took together.
    pub opening: Duration,
}

impl Sockets {
    /// Opens `count` of them on the fleet of a superuser.
    pub async fn open(address: &str, cookie: &str, count: usize) -> Result<Self> {
        let begin = Instant::now();
        let opened: Vec<Result<(TcpStream, Vec<u8>)>> = stream::iter(0..count)
            .map(|_| shake_hands(address, cookie))
            .buffer_unordered(AT_A_TIME)
            .collect()
            .await;
        let opening = begin.elapsed();
        let (sender, delays) = mpsc::channel(count * MOST);
        let mut readers = JoinSet::new();
        for socket in opened {
            let (stream, early) = socket?;
            readers.spawn(read(stream, early, sender.clone()));
        }
        Ok(Self {
            _readers: readers,
            delays,
            opening,
        })
    }

    /// Waits until `count` messages have arrived, or none has for `patience`: how many seconds each was
    /// under way.
    pub async fn delays(&mut self, count: usize, patience: Duration) -> Vec<f64> {
        let mut delays = Vec::with_capacity(count);
        while delays.len() < count {
            match tokio::time::timeout(patience, self.delays.recv()).await {
                Ok(Some(delay)) => delays.push(delay),
                _ => break,
            }
        }
        delays
    }
}

async fn shake_hands(address: &str, cookie: &str) -> Result<(TcpStream, Vec<u8>)> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!(
        "GET /ws/loci/location/ HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\n\
         Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nCookie: sessionid={cookie}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    let end = loop {
        ensure!(
            stream.read_buf(&mut answer).await? > 0,
            "a handshake was not answered"
        );
        if let Some(at) = answer.windows(4).position(|it| it == b"\r\n\r\n") {
            break at + 4;
        }
    };
    ensure!(
        answer.starts_with(b"HTTP/1.1 101 "),
        "refused: {}",
        String::from_utf8_lossy(&answer)
    );
    Ok((stream, answer.split_off(end)))
}

/// Reads frames: unmasked, whole, of less than 64 KiB, as both servers send them.
async fn read(mut stream: TcpStream, mut bytes: Vec<u8>, delays: mpsc::Sender<f64>) -> Result<()> {
    loop {
        let mut at = 0;
        while let Some((payload, next)) = frame(&bytes[at..]) {
            if bytes[at] == 0x81 {
                // Nobody waits any more where the benchmark has ended.
                delays.try_send(delay(&bytes[at..][payload..next])?).ok();
            }
            at += next;
        }
        bytes.drain(..at);
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
    }
}

/// Where the payload of the first frame begins and ends, if it is whole.
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

/// Seconds since Django sent it.
fn delay(message: &[u8]) -> Result<f64> {
    let text = std::str::from_utf8(message)?;
    let sent = text
        .split("\"sent\":")
        .nth(1)
        .context("no instant in a message")?;
    let sent: f64 = sent.trim_start().trim_end_matches('}').parse()?;
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64() - sent)
}
