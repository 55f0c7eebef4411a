//! Simulated routers: real SSH servers on this machine that answer as a small `OpenWrt` does.
//!
//! ```text
//!  mod.rs        a router: its port, its power, the links that are open
//!  link.rs       one SSH connection: login and channels
//!  channel.rs    one command of a connection: its line, input, output and signals
//!  shell.rs      a command line, cut into words and commands
//!  commands.rs   what each command answers
//!  network.rs    interfaces and ping
//!  log.rs        the system log
//!  machine.rs    what is particular to one router
//! ```
//!
//! Nothing that a client sends reaches a shell, a file or a process: each answer is made up here.

mod channel;
mod commands;
mod link;
mod log;
mod machine;
mod network;
mod shell;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use russh::keys::{Algorithm, PrivateKey};
use russh::server::Config;
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinSet;
use tokio::time::sleep;

use machine::Machine;

/// From the command `reboot` to the cut of all links.
const GOING_DOWN: Duration = Duration::from_millis(200);

/// How long a rebooting router refuses connections.
const DOWN: Duration = Duration::from_secs(3);

/// Between two tries of what the system refused, such as an accept without a free descriptor.
const RETRY: Duration = Duration::from_millis(250);

/// Clients that may wait for an accept.
const BACKLOG: u32 = 64;

/// A router that can be logged in to, until it is dropped.
pub(super) struct Router {
    address: SocketAddr,
    /// The one task of an idle router; dropped, it takes the links with it.
    _power: JoinSet<()>,
}

impl Router {
    /// Powers a router on, with a host key of its own, at a free port of 127.0.0.1. To be called
    /// inside a runtime.
    pub(super) fn start(name: &str, username: &str, password: &str) -> io::Result<Self> {
        let port = Port::reserve()?;
        let listener = port.listen()?;
        let config = Arc::new(config()?);
        let machine = Arc::new(Machine::new(name, username, password));
        let address = port.address;
        let mut power = JoinSet::new();
        power.spawn(stay_on(port, listener, config, machine));
        Ok(Self {
            address,
            _power: power,
        })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// A port that stays this router's while it does not listen.
struct Port {
    address: SocketAddr,
    /// Bound, but never listening: whoever connects in a reboot is refused, and nobody else gets
    /// the port.
    _placeholder: TcpSocket,
}

impl Port {
    fn reserve() -> io::Result<Self> {
        let placeholder = shared_socket((Ipv4Addr::LOCALHOST, 0).into())?;
        Ok(Self {
            address: placeholder.local_addr()?,
            _placeholder: placeholder,
        })
    }

    fn listen(&self) -> io::Result<TcpListener> {
        shared_socket(self.address)?.listen(BACKLOG)
    }
}

/// A socket at an address that another one of this process may have as well.
fn shared_socket(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}

fn config() -> io::Result<Config> {
    let key = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).map_err(io::Error::other)?;
    Ok(Config {
        keys: vec![key],
        auth_rejection_time: Duration::from_millis(500),
        auth_rejection_time_initial: Some(Duration::ZERO),
        // Who listens to a quiet command says nothing for long: it is asked whether it still does.
        keepalive_interval: Some(Duration::from_secs(30)),
        nodelay: true,
        ..Config::default()
    })
}

/// Serves, and serves again after each reboot.
async fn stay_on(
    port: Port,
    mut listener: TcpListener,
    config: Arc<Config>,
    machine: Arc<Machine>,
) {
    loop {
        serve_until_reboot(listener, &config, &machine).await;
        sleep(DOWN).await;
        listener = loop {
            match port.listen() {
                Ok(listener) => break listener,
                Err(_) => sleep(RETRY).await,
            }
        };
        machine.boot();
    }
}

/// Serves whoever connects; ends when a command asks for a reboot, with all links cut.
async fn serve_until_reboot(listener: TcpListener, config: &Arc<Config>, machine: &Arc<Machine>) {
    let mut links = JoinSet::new();
    // Made once: a reboot that is asked for between two turns of the loop is not missed.
    let mut reboot = pin!(machine.reboot_asked());
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    links.spawn(link::serve(stream, Arc::clone(config), Arc::clone(machine)));
                }
                Err(_) => sleep(RETRY).await,
            },
            Some(_) = links.join_next() => {}
            () = &mut reboot => break,
        }
    }
    sleep(GOING_DOWN).await;
    // Before the links: who is cut off and comes at once is refused.
    drop(listener);
}

#[cfg(test)]
mod tests;
