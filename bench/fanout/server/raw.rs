//! The yardstick: a bare epoll loop that accepts, answers 101 to whatever is asked, and sends bytes that
//! were encoded once, by one `send()` a socket. It checks nothing.

use std::net::TcpListener;

use anyhow::Result;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, Ipv4Addr, RecvFlags, SendFlags, SocketAddrV4, SocketFlags, SocketType,
    accept_with, bind, listen, recv, send, socket_with, sockopt,
};
use slab::Slab;

use super::super::client::protocol::{SAMPLE_ACCEPT, controlled};
use super::{Kind, Running, start_ours};

/// The arguments that start it.
pub const ALONE: &str = "raw";
pub const JOINED: &str = "raw-joined";

/// What may wait for a socket whose kernel buffer is full; what does not fit is dropped.
const WAITING: usize = 256 * 1024;

/// What the events of the three kinds of descriptors carry; sockets have their place.
const LISTENER: u64 = u64::MAX;
const PUBLISHERS: u64 = u64::MAX - 1;
const PUBLISHER: u64 = u64::MAX - 2;

/// A bare loop; when it joins, what was published together is one `send()`.
pub struct Raw {
    pub joins: bool,
}

impl Kind for Raw {
    fn name(&self) -> &'static str {
        if self.joins { JOINED } else { ALONE }
    }

    fn start(&self) -> Result<Running> {
        start_ours(&[self.name()], "/", Vec::new())
    }
}

/// An accepted connection.
struct Socket {
    stream: OwnedFd,
    is_open: bool,
    /// What the kernel did not take: empty, and without memory, for readers that keep up.
    waiting: Vec<u8>,
}

struct Loop {
    epoll: OwnedFd,
    joins: bool,
    sockets: Slab<Socket>,
    publisher: Option<OwnedFd>,
    heard: Vec<u8>,
}

/// Serves it.
pub fn serve(joins: bool) -> Result<()> {
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    let (sockets, publishers) = (listener()?, listener()?);
    println!("{} {}", address(&sockets)?, address(&publishers)?);
    let watch = |listener: &OwnedFd, data| {
        epoll::add(&epoll, listener, EventData::new_u64(data), EventFlags::IN)
    };
    watch(&sockets, LISTENER)?;
    watch(&publishers, PUBLISHERS)?;
    let mut served = Loop {
        epoll,
        joins,
        sockets: Slab::new(),
        publisher: None,
        heard: Vec::new(),
    };
    let mut events: Vec<Event> = Vec::with_capacity(512);
    loop {
        events.clear();
        epoll::wait(&served.epoll, spare_capacity(&mut events), None)?;
        for event in &events {
            match event.data.u64() {
                LISTENER => served.accept(&sockets)?,
                PUBLISHERS => served.accept_publisher(&publishers)?,
                PUBLISHER => served.hear(),
                place => served.serve(usize::try_from(place)?, event.flags)?,
            }
        }
    }
}

fn listener() -> Result<OwnedFd> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let listener = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    bind(&listener, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
    listen(&listener, 4096)?;
    Ok(listener)
}

fn address(listener: &OwnedFd) -> Result<std::net::SocketAddr> {
    Ok(TcpListener::from(listener.try_clone()?).local_addr()?)
}

impl Loop {
    fn accept(&mut self, listener: &OwnedFd) -> Result<()> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        loop {
            let stream = match accept_with(listener, flags) {
                Ok(stream) => stream,
                Err(Errno::AGAIN) => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            sockopt::set_tcp_nodelay(&stream, true)?;
            let place = self.sockets.vacant_entry();
            let data = EventData::new_u64(place.key() as u64);
            let flags = EventFlags::IN | EventFlags::OUT | EventFlags::ET;
            epoll::add(&self.epoll, &stream, data, flags)?;
            place.insert(Socket {
                stream,
                is_open: false,
                waiting: Vec::new(),
            });
        }
    }

    fn accept_publisher(&mut self, listener: &OwnedFd) -> Result<()> {
        let stream = accept_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC)?;
        let data = EventData::new_u64(PUBLISHER);
        epoll::add(&self.epoll, &stream, data, EventFlags::IN)?;
        self.publisher = Some(stream);
        Ok(())
    }

    /// Answers a handshake, sends what waits, ends what has ended.
    fn serve(&mut self, place: usize, flags: EventFlags) -> Result<()> {
        let Some(socket) = self.sockets.get_mut(place) else {
            return Ok(());
        };
        if flags.contains(EventFlags::OUT) && !socket.waiting.is_empty() {
            let waiting = std::mem::take(&mut socket.waiting);
            push(socket, &waiting);
        }
        if !flags.intersects(EventFlags::IN | EventFlags::ERR | EventFlags::HUP) {
            return Ok(());
        }
        let mut bytes = [0; 4096];
        match recv(&socket.stream, &mut bytes[..], RecvFlags::empty()) {
            Err(Errno::AGAIN) => {}
            Ok((0, _)) | Err(_) => drop(self.sockets.remove(place)),
            // A handshake is one segment here.
            Ok(_) if !socket.is_open => {
                socket.is_open = true;
                let answer = format!(
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                     Connection: Upgrade\r\nSec-WebSocket-Accept: {SAMPLE_ACCEPT}\r\n\r\n"
                );
                send(&socket.stream, answer.as_bytes(), SendFlags::NOSIGNAL)?;
            }
            Ok(_) => {}
        }
        Ok(())
    }

    /// Reads what is published and sends it.
    fn hear(&mut self) {
        let Some(publisher) = &self.publisher else {
            return;
        };
        self.heard.reserve(64 * 1024);
        match recv(
            publisher.as_fd(),
            spare_capacity(&mut self.heard),
            RecvFlags::empty(),
        ) {
            Ok((_, 0)) | Err(_) => {
                self.publisher = None;
                self.heard.clear();
                return;
            }
            Ok(_) => {}
        }
        let (mut at, mut frames) = (0, Vec::new());
        while let Some((_, message, length)) = controlled(&self.heard[at..]) {
            append_frame(&mut frames, message);
            at += length;
            if !self.joins {
                self.send(&frames);
                frames.clear();
            }
        }
        self.heard.drain(..at);
        if !frames.is_empty() {
            self.send(&frames);
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        for (_, socket) in &mut self.sockets {
            if socket.is_open {
                push(socket, bytes);
            }
        }
    }
}

fn push(socket: &mut Socket, bytes: &[u8]) {
    if !socket.waiting.is_empty() {
        if socket.waiting.len() + bytes.len() <= WAITING {
            socket.waiting.extend_from_slice(bytes);
        }
        return;
    }
    match send(&socket.stream, bytes, SendFlags::NOSIGNAL) {
        Ok(sent) if sent == bytes.len() => {}
        Ok(sent) => socket.waiting.extend_from_slice(&bytes[sent..]),
        Err(Errno::AGAIN) => socket.waiting.extend_from_slice(bytes),
        // Its end is told by an event.
        Err(_) => {}
    }
}

/// Text frames of 126 to 65,535 bytes.
fn append_frame(frames: &mut Vec<u8>, message: &[u8]) {
    frames.extend_from_slice(&[0x81, 126]);
    frames.extend_from_slice(
        &u16::try_from(message.len())
            .unwrap_or(u16::MAX)
            .to_be_bytes(),
    );
    frames.extend_from_slice(message);
}
