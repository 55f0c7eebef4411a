//! The one loop of an open socket.
//!
//! It writes what the outbox holds, throws away what the client sends, answers control frames and
//! keeps the heartbeat. One task a socket runs it; nothing outside this file knows that.

use std::cell::RefCell;
use std::io::{self, ErrorKind, IoSlice};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use super::reader::{Control, FrameReader};
use super::replay::Replay;
use super::stream::Stream;
use super::writer::Writer;
use crate::config::SocketConfig;
use crate::hub::{CloseReason, Subscriber};
use crate::telemetry::Metrics;

/// How much is taken from the outbox at a time: what is taken cannot be conflated any more.
const BATCH_BYTES: usize = 64 * 1024;

/// Frames joined into one system call.
const JOINED: usize = 64;

/// How long a closing client has to answer our close frame, or to end after its own.
const CLOSING: Duration = Duration::from_secs(5);

/// In how small steps the inbound rate is kept.
const INBOUND_STEP: Duration = Duration::from_millis(10);

const READ_BYTES: usize = 16 * 1024;

thread_local! {
    /// Where inbound bytes are read before they are thrown away: one a thread, none a socket.
    static INBOUND: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into_boxed_slice());
}

/// How an open socket behaves.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Between two of our pings.
    pub ping: Duration,
    /// Without inbound bytes and without progress in writing events, the client is taken for gone.
    pub idle: Duration,
    /// Inbound bytes read in each [`INBOUND_STEP`].
    inbound_step_bytes: usize,
}

impl Pace {
    /// The pace that `config` asks for.
    #[must_use]
    pub fn new(config: &SocketConfig) -> Self {
        Self {
            ping: Duration::from_secs(config.ping_s),
            idle: Duration::from_secs(config.idle_s),
            inbound_step_bytes: (config.inbound_bytes_per_second / 100).max(1024),
        }
    }
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// We closed it.
    Closed(CloseReason),
    /// The client sent a close frame.
    ByClient,
    /// The TCP connection broke or was ended without a close frame.
    Lost,
    /// Neither inbound bytes nor progress for too long.
    Idle,
}

impl Ended {
    /// The value of the `reason` label of metrics and logs.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Closed(reason) => reason.label(),
            Self::ByClient => "client",
            Self::Lost => "lost",
            Self::Idle => "idle",
        }
    }
}

/// An open socket.
pub struct Connection {
    stream: Stream,
    subscriber: Arc<Subscriber>,
    replay: Replay,
    pace: Pace,
    metrics: Arc<Metrics>,
    reader: FrameReader,
    writer: Writer,
    next_ping: Instant,
    /// Last inbound bytes or progress in writing events.
    last_life: Instant,
    /// Inbound bytes that may still be read in the present step, which ends at `inbound_until`.
    inbound_left: usize,
    inbound_until: Instant,
}

impl Connection {
    /// The connection behind a `stream` on which the handshake is complete.
    #[must_use]
    pub fn new(
        stream: Stream,
        subscriber: Arc<Subscriber>,
        replay: Replay,
        pace: Pace,
        metrics: Arc<Metrics>,
    ) -> Self {
        let now = Instant::now();
        Self {
            stream,
            subscriber,
            replay,
            pace,
            metrics,
            reader: FrameReader::default(),
            writer: Writer::default(),
            next_ping: now + pace.ping,
            last_life: now,
            inbound_left: pace.inbound_step_bytes,
            inbound_until: now,
        }
    }

    /// Serves the socket until it ends. `early` are bytes that came right behind the handshake.
    pub async fn run(mut self, early: &[u8]) -> Ended {
        let mut ended = self.take_in(early);
        loop {
            ended = ended.or_else(|| self.closing());
            if ended.is_none() {
                ended = self.write_out().await;
            }
            if let Some(ended) = ended {
                self.finish(ended).await;
                return ended;
            }
            ended = self.wait().await;
        }
    }

    fn closing(&self) -> Option<Ended> {
        self.subscriber.outbox().closing().map(Ended::Closed)
    }

    /// Waits for the next thing to do, and does it if it is inbound or a matter of time.
    async fn wait(&mut self) -> Option<Ended> {
        let now = Instant::now();
        let throttled = self.inbound_left == 0 && now < self.inbound_until;
        let dead = self.last_life + self.pace.idle;
        let mut due = self.next_ping.min(dead);
        if throttled {
            due = due.min(self.inbound_until);
        }
        tokio::select! {
            readable = self.stream.readable(), if !throttled => match readable {
                Ok(()) => self.read_in(),
                Err(_) => Some(Ended::Lost),
            },
            () = self.subscriber.outbox().ready() => None,
            writable = self.stream.writable(), if !self.writer.is_empty() => {
                writable.err().map(|_| Ended::Lost)
            }
            () = sleep_until(due) => self.keep_time(),
        }
    }

    /// Pings when it is time, and gives up on a client without a sign of life.
    fn keep_time(&mut self) -> Option<Ended> {
        let now = Instant::now();
        if now >= self.last_life + self.pace.idle {
            // After a stall of ours the signs of life are there, only unread.
            if let ended @ Some(_) = self.read_in() {
                return ended;
            }
            if now >= self.last_life + self.pace.idle {
                return Some(Ended::Idle);
            }
        }
        if now >= self.next_ping {
            self.next_ping = now + self.pace.ping;
            self.writer.push_ping();
        }
        None
    }

    /// Reads what has come, within the inbound rate.
    fn read_in(&mut self) -> Option<Ended> {
        let now = Instant::now();
        if now >= self.inbound_until {
            self.inbound_until = now + INBOUND_STEP;
            self.inbound_left = self.pace.inbound_step_bytes;
        }
        INBOUND.with_borrow_mut(|buffer| {
            while self.inbound_left > 0 {
                let most = self.inbound_left.min(buffer.len());
                match self.stream.try_read(&mut buffer[..most]) {
                    Ok(0) => return Some(Ended::Lost),
                    Ok(read) => {
                        self.inbound_left -= read;
                        self.last_life = now;
                        let ended = self.take_in(&buffer[..read]);
                        if ended.is_some() {
                            return ended;
                        }
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                    Err(_) => return Some(Ended::Lost),
                }
            }
            None
        })
    }

    /// Throws data away and answers control frames.
    fn take_in(&mut self, mut bytes: &[u8]) -> Option<Ended> {
        self.metrics.socket_bytes_ignored.inc_by(bytes.len() as u64);
        loop {
            match self.reader.read(&mut bytes) {
                Ok(None) => return None,
                Ok(Some(Control::Ping(payload))) => self.writer.push_pong(&payload),
                Ok(Some(Control::Pong)) => {}
                Ok(Some(Control::Close(code))) => {
                    self.writer.push_close_echo(code);
                    return Some(Ended::ByClient);
                }
                Err(error) => {
                    tracing::debug!(%error, "a client broke the framing");
                    return Some(Ended::Closed(CloseReason::ProtocolError));
                }
            }
        }
    }

    /// Writes until nothing waits or the kernel's buffer is full.
    async fn write_out(&mut self) -> Option<Ended> {
        self.replay.settle(&self.subscriber);
        loop {
            if let ended @ Some(_) = self.closing() {
                return ended;
            }
            if self.writer.is_empty() {
                let waiting = self.subscriber.outbox().take(BATCH_BYTES);
                self.writer.push_events(waiting);
                // Read after what waited was taken, so it is never older; and in turn with it, so
                // that a long replay does not fill the outbox.
                if let ended @ Some(_) = self.replay_page().await {
                    return ended;
                }
            }
            if self.writer.is_empty() {
                if self.replay.is_due() {
                    continue;
                }
                return None;
            }
            match self.write_some() {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                Err(_) => return Some(Ended::Lost),
            }
        }
    }

    /// Adds the next page of the replay, if there is one, unless the socket is to be closed first.
    async fn replay_page(&mut self) -> Option<Ended> {
        if !self.replay.is_due() {
            return None;
        }
        let page = tokio::select! {
            page = self.replay.next_page(&self.subscriber) => page,
            reason = self.subscriber.outbox().closed() => return Some(Ended::Closed(reason)),
        };
        match page {
            Ok(frames) => {
                self.writer.push_events(frames);
                None
            }
            Err(error) => {
                tracing::warn!(%error, "a replay was broken off");
                Some(Ended::Closed(CloseReason::Unavailable))
            }
        }
    }

    /// One system call's worth.
    fn write_some(&mut self) -> io::Result<()> {
        let mut slices = [IoSlice::new(&[]); JOINED];
        let filled = self.writer.slices(&mut slices);
        let written = self.stream.try_write_vectored(&slices[..filled])?;
        let progress = self.writer.advance(written);
        self.metrics.socket_bytes_written.inc_by(written as u64);
        self.metrics.frames_written.inc_by(progress.frames);
        if progress.events_moved {
            self.last_life = Instant::now();
        }
        Ok(())
    }

    /// Says good-bye, within a bounded time.
    async fn finish(&mut self, ended: Ended) {
        match ended {
            Ended::Closed(reason) => self.writer.push_close(reason),
            Ended::ByClient => {}
            Ended::Lost | Ended::Idle => return,
        }
        // Whoever does not take part in the closing in time is cut off.
        timeout(CLOSING, self.part(ended)).await.ok();
    }

    /// Writes what is left, then reads (and throws away) until the client ends too: a socket that
    /// is dropped with unread bytes is reset, which could take our close frame with it.
    async fn part(&mut self, ended: Ended) -> io::Result<()> {
        while !self.writer.is_empty() {
            self.stream.writable().await?;
            match self.write_some() {
                Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
                _ => {}
            }
        }
        let still_framed = ended != Ended::Closed(CloseReason::ProtocolError);
        if ended == Ended::ByClient || !still_framed {
            self.stream.shutdown().await?;
        }
        loop {
            self.stream.readable().await?;
            let done = INBOUND.with_borrow_mut(|buffer| match self.stream.try_read(buffer) {
                Ok(0) => Ok(true),
                Ok(read) if still_framed && ended != Ended::ByClient => {
                    Ok(self.client_closes(&buffer[..read]))
                }
                Ok(_) => Ok(false),
                Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
                Err(error) => Err(error),
            })?;
            if done {
                return Ok(());
            }
        }
    }

    /// Whether the client's answer to our close frame is in `bytes`.
    fn client_closes(&mut self, mut bytes: &[u8]) -> bool {
        loop {
            match self.reader.read(&mut bytes) {
                Ok(Some(Control::Close(_))) | Err(_) => return true,
                Ok(Some(_)) => {}
                Ok(None) => return false,
            }
        }
    }
}
