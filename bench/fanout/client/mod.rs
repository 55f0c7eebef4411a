//! The load client: one thread with one epoll, many subscribers and one publisher. It checks every
//! message, each subscriber's order and content, while it counts and takes the time.

mod journal;
mod latency;
mod open;
pub mod protocol;
mod slow;

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

pub use self::journal::Journal;
use self::protocol::{Piece, Protocol};
use super::server::Running;

/// Taken out of the kernel at a time.
const EVENTS: usize = 1024;

/// Read of a socket at a time.
const CHUNK: usize = 256 * 1024;

/// What the publisher's events carry.
const PUBLISHER: u64 = u64::MAX;

/// Bytes of the publisher that a server may leave unread before the client waits for it.
const UNSENT: usize = 1024 * 1024;

/// A subscriber.
struct Socket {
    stream: TcpStream,
    /// The beginning of a piece that is not whole yet.
    rest: Vec<u8>,
    /// The message that it expects, counted from the first of the journal; of a slow one, how many of the
    /// journal it has got.
    next: usize,
    state: State,
    /// A slow one's last message of each location.
    seen: Vec<Option<usize>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Its hello is not answered yet.
    Greeting,
    Open,
    /// Read seldom and little: may miss messages, but nothing it gets is wrong or old.
    Slow,
    Closed,
}

/// Subscribers of one server, and who publishes to them.
pub struct Client<'a> {
    protocol: &'a dyn Protocol,
    epoll: OwnedFd,
    events: Vec<Event>,
    buffer: Vec<u8>,
    publisher: TcpStream,
    /// What is on its way to the server.
    publications: Vec<u8>,
    sockets: Vec<Socket>,
    greeting: usize,
    /// Subscriber `n` is user `n % users`.
    pub users: usize,
    /// Message `n` is of location `n % locations`.
    pub locations: usize,
    pub journal: Journal,
}

/// As many as the fleet has.
pub const LOCATIONS: usize = 2000;

impl<'a> Client<'a> {
    /// A client without subscribers.
    pub fn connect(server: &'a Running) -> Result<Self> {
        let mut publisher = TcpStream::connect(server.publish_at)?;
        publisher.set_nodelay(true)?;
        publisher.write_all(&server.protocol.publisher_hello())?;
        publisher.set_nonblocking(true)?;
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let data = EventData::new_u64(PUBLISHER);
        epoll::add(&epoll, &publisher, data, EventFlags::IN)?;
        Ok(Self {
            protocol: server.protocol.as_ref(),
            epoll,
            events: Vec::with_capacity(EVENTS),
            buffer: vec![0; CHUNK],
            publisher,
            publications: Vec::new(),
            sockets: Vec::new(),
            greeting: 0,
            users: usize::MAX,
            locations: LOCATIONS,
            journal: Journal::new(0),
        })
    }

    /// Subscribers that are read as soon as something comes.
    pub fn readers(&self) -> usize {
        let states = self.sockets.iter().map(|it| it.state);
        states.filter(|it| *it == State::Open).count()
    }

    /// Forgets what was measured. What is still under way is not counted any more.
    pub fn begin(&mut self) {
        self.journal = Journal::new(self.journal.next());
        for socket in &mut self.sockets {
            socket.next = 0;
        }
    }

    /// Publishes `count` messages at once.
    pub fn publish(&mut self, count: usize, frame: usize, readers: usize) -> Result<()> {
        for _ in 0..count {
            let (number, content) = self.journal.publish(frame, readers);
            let location = number % self.locations;
            self.protocol
                .publish(location, content, &mut self.publications);
        }
        self.flush()
    }

    /// Whether the server leaves unread what is published.
    pub fn is_stuffed(&self) -> bool {
        self.publications.len() > UNSENT
    }

    fn flush(&mut self) -> Result<()> {
        while !self.publications.is_empty() {
            match self.publisher.write(&self.publications) {
                Ok(written) => drop(self.publications.drain(..written)),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error).context("the publisher's connection"),
            }
        }
        Ok(())
    }

    /// Takes what comes, for up to `patience` where nothing does.
    pub fn pump(&mut self, patience: Duration) -> Result<()> {
        self.flush()?;
        let timeout = Timespec {
            tv_sec: i64::try_from(patience.as_secs())?,
            tv_nsec: patience.subsec_nanos().into(),
        };
        self.events.clear();
        match epoll::wait(
            &self.epoll,
            spare_capacity(&mut self.events),
            Some(&timeout),
        ) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for index in 0..self.events.len() {
            let data = self.events[index].data.u64();
            if data == PUBLISHER {
                self.hear_publisher()?;
            } else {
                self.receive(usize::try_from(data)?)?;
            }
        }
        Ok(())
    }

    /// Takes what comes for that long: heartbeats are answered.
    pub fn wait(&mut self, span: Duration) -> Result<()> {
        let begin = Instant::now();
        while let Some(left) = span.checked_sub(begin.elapsed()) {
            self.pump(left)?;
        }
        Ok(())
    }

    fn hear_publisher(&mut self) -> Result<()> {
        let (length, _) = recv(&self.publisher, &mut self.buffer[..], RecvFlags::DONTWAIT)?;
        if length == 0 {
            bail!("the server has closed the publisher's connection");
        }
        let answer = self.protocol.publisher_answer(&self.buffer[..length]);
        self.publications.extend_from_slice(&answer);
        self.flush()
    }

    fn receive(&mut self, number: usize) -> Result<()> {
        let socket = &mut self.sockets[number];
        let length = match recv(&socket.stream, &mut self.buffer[..], RecvFlags::DONTWAIT) {
            Ok((length, _)) => length,
            Err(Errno::AGAIN) => return Ok(()),
            Err(error) => return Err(error).with_context(|| format!("subscriber {number}")),
        };
        if length == 0 {
            bail!("the server has closed the connection of subscriber {number}");
        }
        let now = Instant::now();
        let whole;
        let mut bytes = &self.buffer[..length];
        if !socket.rest.is_empty() {
            socket.rest.extend_from_slice(bytes);
            whole = std::mem::take(&mut socket.rest);
            bytes = &whole;
        }
        if socket.state == State::Greeting {
            let Some(length) = self.protocol.welcome(bytes)? else {
                socket.rest = bytes.to_vec();
                return Ok(());
            };
            bytes = &bytes[length..];
            socket.state = State::Open;
            self.greeting -= 1;
        }
        while let Some((piece, length)) = self.protocol.next(bytes)? {
            match piece {
                Piece::Message(payload) => {
                    let arrived = self.journal.arrived(socket.next, payload, now);
                    socket.next = arrived.with_context(|| format!("subscriber {number}"))?;
                }
                Piece::Answer(answer) => socket.stream.write_all(&answer)?,
                Piece::Nothing => {}
                Piece::Close => bail!("the server closes subscriber {number}"),
            }
            bytes = &bytes[length..];
        }
        if !bytes.is_empty() {
            socket.rest = bytes.to_vec();
        }
        Ok(())
    }
}
