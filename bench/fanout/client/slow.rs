//! Subscribers that read seldom and little.

use std::io::{ErrorKind, Read};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::event::epoll;

use super::{Client, Piece, State};

/// What the kernel of a slow one takes ahead.
const AHEAD: usize = 4096;

/// Read of a slow socket at a time.
const SIP: usize = 2048;

/// A slow socket that is read at last and gets nothing for that long has got everything.
const SILENCE: Duration = Duration::from_millis(500);

/// What became of the slow ones.
#[derive(Clone, Copy, Default)]
pub struct Outcome {
    pub closed: usize,
    /// Messages that a slow one had not read when the last was published, on average.
    pub behind: usize,
    /// Messages that a slow one never got, on average: newer ones took their place, or they were dropped.
    pub skipped: usize,
    /// Those that have got the last message of every location.
    pub up_to_date: usize,
}

impl Client<'_> {
    /// Opens `count` slow ones; they are the first to be opened.
    pub fn open_slow(&mut self, server: SocketAddr, count: usize) -> Result<()> {
        self.open_with(server, count, Some(AHEAD))?;
        for socket in self.sockets.iter_mut().take(count) {
            epoll::delete(&self.epoll, &socket.stream)?;
            socket.stream.set_nonblocking(true)?;
            socket.state = State::Slow;
            socket.seen = vec![None; self.locations];
        }
        Ok(())
    }

    /// Reads a little of one of them, in turn.
    pub fn sip(&mut self, turn: usize) -> Result<()> {
        let slow = self.sockets.iter().take_while(|it| it.state != State::Open);
        let count = slow.count();
        if count > 0 {
            self.drink(turn % count, SIP)?;
        }
        Ok(())
    }

    /// Reads all that waits for them, and says what they have got.
    pub fn catch_up(&mut self) -> Result<Outcome> {
        let slow = self.sockets.iter().take_while(|it| it.state != State::Open);
        let count = slow.count();
        let behind = self.unread(count);
        let mut news = Instant::now();
        while news.elapsed() < SILENCE {
            for number in 0..count {
                if self.drink(number, super::CHUNK)? > 0 {
                    news = Instant::now();
                }
            }
            self.pump(Duration::ZERO)?;
        }
        let mut outcome = Outcome {
            behind,
            skipped: self.unread(count),
            ..Outcome::default()
        };
        for socket in &self.sockets[..count] {
            outcome.closed += usize::from(socket.state == State::Closed);
            outcome.up_to_date += usize::from(self.has_last_states(&socket.seen));
        }
        Ok(outcome)
    }

    /// Messages that one of the first `count`, which are slow, has not got, on average.
    fn unread(&self, count: usize) -> usize {
        let published = self.journal.len();
        let slow = self.sockets[..count].iter();
        let unread: usize = slow.map(|it| published.saturating_sub(it.next)).sum();
        unread / count.max(1)
    }

    fn has_last_states(&self, seen: &[Option<usize>]) -> bool {
        let next = self.journal.next();
        let newest = next.saturating_sub(self.locations.min(self.journal.len()))..next;
        let mut newest = newest.map(|number| (number % self.locations, Some(number)));
        newest.all(|(location, number)| seen[location] == number)
    }

    fn drink(&mut self, number: usize, most: usize) -> Result<usize> {
        let socket = &mut self.sockets[number];
        if socket.state == State::Closed {
            return Ok(0);
        }
        let length = match socket.stream.read(&mut self.buffer[..most]) {
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
            Err(_) => 0,
        };
        if length == 0 {
            socket.state = State::Closed;
            return Ok(0);
        }
        socket.rest.extend_from_slice(&self.buffer[..length]);
        let whole = std::mem::take(&mut socket.rest);
        let mut bytes = &whole[..];
        while let Some((piece, length)) = self.protocol.next(bytes)? {
            match piece {
                Piece::Message(payload) => {
                    let message = self.journal.check(payload);
                    let message = message.with_context(|| format!("slow subscriber {number}"))?;
                    // A slow one counts what it has got.
                    socket.next += usize::from(self.journal.has(message));
                    let before = socket.seen[message % self.locations].replace(message);
                    ensure!(
                        before < Some(message),
                        "slow subscriber {number}: message {message} came after a newer one"
                    );
                }
                Piece::Close => socket.state = State::Closed,
                Piece::Answer(_) | Piece::Nothing => {}
            }
            bytes = &bytes[length..];
        }
        socket.rest = bytes.to_vec();
        Ok(length)
    }
}
