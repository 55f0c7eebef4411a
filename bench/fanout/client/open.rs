//! Opening subscribers, thousands of them.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::event::epoll::{self, EventData, EventFlags};
use socket2::{Domain, SockAddr, Type};

use super::{Client, Socket, State};

/// Handshakes under way at a time: less than the shortest queue of connections to be accepted.
const AT_A_TIME: usize = 40;

/// Subscribers of one source address: fewer than it has ports.
const AN_ADDRESS: usize = 8000;

/// The first of them.
const FIRST_PORT: usize = 20_000;

/// A handshake that takes longer fails.
const PATIENCE: Duration = Duration::from_secs(20);

impl Client<'_> {
    /// Opens `count` more subscribers: when this returns the server has taken all.
    pub fn open(&mut self, server: SocketAddr, count: usize) -> Result<()> {
        self.open_with(server, count, None)
    }

    /// The same, whose kernel takes only so many bytes ahead of the reader.
    pub fn open_with(
        &mut self,
        server: SocketAddr,
        count: usize,
        ahead: Option<usize>,
    ) -> Result<()> {
        let first = self.sockets.len();
        for number in first..first + count {
            self.add(server, number, ahead)
                .with_context(|| format!("subscriber {number} cannot connect"))?;
            self.greet(AT_A_TIME - 1)?;
        }
        self.greet(0)
    }

    /// Waits until at most `most` handshakes are under way.
    fn greet(&mut self, most: usize) -> Result<()> {
        let begin = Instant::now();
        while self.greeting > most {
            ensure!(
                begin.elapsed() < PATIENCE,
                "a handshake was not answered in {PATIENCE:?}"
            );
            self.pump(Duration::from_secs(1))?;
        }
        Ok(())
    }

    fn add(&mut self, server: SocketAddr, number: usize, ahead: Option<usize>) -> Result<()> {
        let socket = socket2::Socket::new(Domain::IPV4, Type::STREAM, None)?;
        if let Some(bytes) = ahead {
            // Before the connection is made: a window that was opened is not closed again.
            socket.set_recv_buffer_size(bytes)?;
        }
        socket.set_reuse_address(true)?;
        let host = u8::try_from(1 + number / AN_ADDRESS)?;
        let port = u16::try_from(FIRST_PORT + number % AN_ADDRESS)?;
        let source = SocketAddr::from((Ipv4Addr::new(127, 0, 1, host), port));
        socket.bind(&SockAddr::from(source))?;
        socket.set_tcp_nodelay(true)?;
        // A closed one leaves nothing behind, so that thousands can be opened again at once.
        socket.set_linger(Some(Duration::ZERO))?;
        socket.connect(&SockAddr::from(server))?;
        let mut stream = std::net::TcpStream::from(socket);
        stream.write_all(&self.protocol.hello(number % self.users))?;
        let data = EventData::new_u64(number as u64);
        epoll::add(&self.epoll, &stream, data, EventFlags::IN)?;
        self.sockets.push(Socket {
            stream,
            rest: Vec::new(),
            next: 0,
            state: State::Greeting,
            seen: Vec::new(),
        });
        self.greeting += 1;
        Ok(())
    }
}
