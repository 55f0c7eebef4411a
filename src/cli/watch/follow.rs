//! Following a feed for good: over connections that break, without missing a last state.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};
use tokio_tungstenite::tungstenite::{Error as WebSocketError, Message, protocol::CloseFrame};

use super::backoff::Backoff;
use super::clock::ServerClock;
use super::feed::{ConnectError, Feed, Socket};
use crate::event::Timestamp;

/// The pulse of our own pings: a server that is there answers them.
const PING: Duration = Duration::from_secs(20);

/// Silence after which a connection is lost, whatever TCP believes.
const SILENCE: Duration = Duration::from_mins(1);

/// What a connection that catches up (`?since=`) has to last before all of that must have come. A
/// state that comes twice does no harm; one that is missed does.
const SETTLED: Duration = Duration::from_mins(1);

/// Seconds taken off the instant up to which everything was heard: for what was on its way. The
/// server takes 10 more off.
const MARGIN_S: i64 = 5;

/// What becomes of the connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum News<'a> {
    /// It is there, with the feed at this URL.
    Connected(&'a str),
    /// It is not, for this reason; the next attempt is after this time.
    Lost(&'a str, Duration),
}

impl fmt::Display for News<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected(url) => write!(f, "connected to {url}"),
            Self::Lost(reason, wait) => {
                write!(f, "{reason}; trying again in {:.1} s", wait.as_secs_f64())
            }
        }
    }
}

/// Why following ended: it never does by itself.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FollowError {
    /// The first attempt led nowhere, or one was refused.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// What came cannot be written.
    #[error("cannot write what came: {0}")]
    Output(#[from] io::Error),
}

/// One connection that has ended.
struct Ended {
    reason: String,
    last_heard: Instant,
}

/// Whether the server is there, as far as is known: where it was once, it is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    Unknown,
    WasThere,
}

/// Writes each message of `feed` to `output`, a line each. `since` is asked of the first
/// connection, what was missed in between of the later ones. `tell` hears how the connection fares.
pub(crate) async fn follow<W: AsyncWrite + Unpin>(
    feed: &Feed,
    mut server: Server,
    mut since: Option<Timestamp>,
    output: &mut W,
    tell: impl Fn(News<'_>),
) -> Result<Infallible, FollowError> {
    let mut backoff = Backoff::new();
    loop {
        let reason = match feed.connect(since).await {
            Ok((socket, clock)) => {
                tell(News::Connected(feed.url()));
                server = Server::WasThere;
                let ended = pump(socket, output).await?;
                if ended.last_heard - clock.answered() > PING {
                    // It was a working connection, not a door that opens and falls shut.
                    backoff = Backoff::new();
                }
                since = Some(resume(since, clock, ended.last_heard));
                format!("the connection was lost ({})", ended.reason)
            }
            Err(error @ ConnectError::Unavailable(_)) => error.to_string(),
            Err(error @ ConnectError::Unreachable { .. }) if server == Server::WasThere => {
                error.to_string()
            }
            Err(error) => return Err(error.into()),
        };
        let wait = backoff.step();
        tell(News::Lost(&reason, wait));
        tokio::time::sleep(wait).await;
    }
}

/// What to ask of the next connection, after one that was opened with `since`.
fn resume(since: Option<Timestamp>, clock: ServerClock, last_heard: Instant) -> Timestamp {
    match since {
        Some(since) if last_heard < clock.answered() + SETTLED => since,
        _ => clock.at(last_heard, MARGIN_S),
    }
}

/// Writes what comes until the connection ends. While the output is not taken nothing is read: the
/// server's outbox then keeps the last states.
async fn pump<W: AsyncWrite + Unpin>(mut socket: Socket, output: &mut W) -> io::Result<Ended> {
    let mut last_heard = Instant::now();
    let mut silent_from = last_heard;
    let mut pings = interval(PING);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let reason = loop {
        let patience = silent_from + SILENCE;
        let came = tokio::select! {
            came = timeout_at(patience, socket.next()) => came,
            _ = pings.tick() => match timeout_at(patience, socket.send(ping())).await {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => Ok(Some(Err(error))),
                Err(elapsed) => Err(elapsed),
            },
        };
        let Ok(Some(Ok(message))) = came else {
            break came.map_or_else(|_| "silence".to_owned(), lost);
        };
        last_heard = Instant::now();
        match message {
            Message::Text(text) => write_line(output, &text).await?,
            Message::Close(frame) => break closed(frame),
            _ => {}
        }
        // Writing may have taken long: that was our silence and not the server's.
        silent_from = Instant::now();
    };
    Ok(Ended { reason, last_heard })
}

fn ping() -> Message {
    Message::Ping(bytes::Bytes::new())
}

fn lost(came: Option<Result<Message, WebSocketError>>) -> String {
    match came {
        Some(Err(error)) => error.to_string(),
        _ => "closed".to_owned(),
    }
}

fn closed(frame: Option<CloseFrame>) -> String {
    match frame {
        Some(frame) if frame.reason.is_empty() => format!("closed: {}", u16::from(frame.code)),
        Some(frame) => format!("closed: {} {}", u16::from(frame.code), frame.reason),
        None => "closed".to_owned(),
    }
}

async fn write_line<W: AsyncWrite + Unpin>(output: &mut W, message: &str) -> io::Result<()> {
    // Line ends between the tokens of JSON are blanks, and within its strings they are escaped.
    let line = message.replace(['\n', '\r'], " ") + "\n";
    output.write_all(line.as_bytes()).await?;
    output.flush().await
}

#[cfg(test)]
#[path = "follow_tests.rs"]
mod tests;
