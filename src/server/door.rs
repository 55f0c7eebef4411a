//! The door: how many connections may be open that are no sockets, and whose each of them is.
//!
//! A connection costs a file and some memory before it has asked for anything. What becomes a socket leaves
//! its place here, and has one among those (`limits.sockets`).

use std::collections::HashMap;
use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use socket2::Socket;
use tokio::time::timeout;

use super::proxied::{self, Unproxied};
use crate::access::network;
use crate::config::{LimitsConfig, ServerConfig};
use crate::socket::Stream;
use crate::telemetry::{Limit, Metrics, Throttled};

/// Refusals logged each second; the rest is counted.
const REFUSALS_LOGGED: u32 = 5;

/// Seconds after which one who was turned away may try again: some of them sooner than others.
const RETRY_S: RangeInclusive<u32> = 1..=10;

/// Of what a client has sent that is turned away, as much is read at most.
const UNREAD_BYTES: usize = 4096;

/// Why a connection is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// This node has all that it may.
    #[error("this node has as many connections as it may (limits.connections)")]
    Node,
    /// The address has all that one may.
    #[error(
        "this address has as many connections here as one may (limits.connections_per_address)"
    )]
    Address,
}

/// Who lets connections in.
pub struct Door {
    /// 0 for any number.
    most: usize,
    most_of_each: u32,
    /// How long a client may take to send a head, and how large it may be.
    pub head_timeout: Duration,
    /// In bytes.
    pub head_limit: usize,
    trusted_proxies: Vec<IpNet>,
    /// Whether these say in front of a connection whose it is.
    has_headers: bool,
    /// Where it is counted.
    pub metrics: Arc<Metrics>,
    refusals: Throttled,
    // A std lock around counters, never held across an await.
    inside: Mutex<Inside>,
}

#[derive(Default)]
struct Inside {
    all: usize,
    /// By address, where one has a limit.
    of: HashMap<IpAddr, u32>,
}

/// A connection's place inside; dropping it gives it up.
pub struct Place {
    door: Arc<Door>,
    /// Whose it is, where that counts.
    of: Option<IpAddr>,
}

impl Door {
    /// As the operator has set it.
    #[must_use]
    pub fn new(server: &ServerConfig, limits: &LimitsConfig, metrics: Arc<Metrics>) -> Self {
        Self {
            most: usize::try_from(limits.connections).unwrap_or(usize::MAX),
            most_of_each: limits.connections_per_address,
            head_timeout: Duration::from_secs(server.header_timeout_s),
            head_limit: server.head_limit_bytes,
            trusted_proxies: server.trusted_proxies.clone(),
            has_headers: server.proxy_protocol,
            metrics,
            refusals: Throttled::new(REFUSALS_LOGGED),
            inside: Mutex::default(),
        }
    }

    /// Lets one more in.
    ///
    /// # Errors
    /// When there are as many as may be.
    pub fn enter(self: &Arc<Self>) -> Result<Place, Full> {
        let mut inside = self.inside();
        if self.most > 0 && inside.all >= self.most {
            return Err(Full::Node);
        }
        inside.all += 1;
        self.metrics.connections_open.inc();
        Ok(Place {
            door: Arc::clone(self),
            of: None,
        })
    }

    /// The client behind the connection from `peer`: where trusted proxies say so, they have the first word on
    /// it.
    ///
    /// # Errors
    /// When one does not, in time.
    pub async fn client(
        &self,
        stream: &mut Stream,
        peer: SocketAddr,
    ) -> Result<SocketAddr, Unproxied> {
        if !self.has_headers || !self.is_trusted(peer.ip()) {
            return Ok(peer);
        }
        let said = timeout(self.head_timeout, proxied::client(stream)).await;
        Ok(said.map_err(|_| Unproxied::Late)??.unwrap_or(peer))
    }

    fn is_trusted(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted_proxies.iter().any(|it| it.contains(&address))
    }

    /// Tells one that is not let in, as far as that can be done without waiting, and hangs up.
    pub fn turn_away(&self, stream: Stream, client: SocketAddr, full: Full) {
        self.metrics.limit_hit(full.limit());
        if let Some(held_back) = self.refusals.pass() {
            let client = client.ip().to_canonical();
            tracing::warn!(code = "connection_refused", %client, held_back, "a connection was refused: {full}");
        }
        if let Err(error) = hang_up(stream, &full.answer()) {
            tracing::debug!(%error, "a connection ended before it was refused");
        }
    }

    /// Notes that a proxy did not say whose a connection is. Nothing is answered: it did not speak HTTP.
    pub fn not_understood(&self, proxy: SocketAddr, error: &Unproxied) {
        match error {
            // As of a balancer that only looks whether somebody listens.
            Unproxied::Io(error) => {
                tracing::debug!(%proxy, %error, "a proxy's connection ended before its header");
                return;
            }
            Unproxied::Late => self.metrics.limit_hit(Limit::HeaderTimeout),
            Unproxied::Missing | Unproxied::Damaged(_) => {}
        }
        if let Some(held_back) = self.refusals.pass() {
            tracing::warn!(
                code = "client_unknown",
                %proxy,
                held_back,
                "a connection of a trusted proxy was cut off: {error} (server.proxy_protocol)"
            );
        }
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        // Numbers are whole whatever panicked.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Counts it as one of `client`'s, unless that is a proxy, behind which are many.
    ///
    /// # Errors
    /// When it is one too many.
    pub fn is_of(&mut self, client: IpAddr) -> Result<(), Full> {
        let most = self.door.most_of_each;
        if most == 0 || self.door.is_trusted(client) {
            return Ok(());
        }
        let address = network(client);
        let mut inside = self.door.inside();
        let count = inside.of.entry(address).or_insert(0);
        if *count >= most {
            return Err(Full::Address);
        }
        *count += 1;
        self.of = Some(address);
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.door.metrics.connections_open.dec();
        let mut inside = self.door.inside();
        inside.all -= 1;
        let Some(address) = self.of else {
            return;
        };
        if let Some(count) = inside.of.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                inside.of.remove(&address);
            }
        }
    }
}

impl Full {
    fn limit(self) -> Limit {
        match self {
            Self::Node => Limit::Connections,
            Self::Address => Limit::ConnectionsPerAddress,
        }
    }

    fn answer(self) -> String {
        let (status, detail) = match self {
            Self::Node => ("503 Service Unavailable", "Try again later."),
            Self::Address => (
                "429 Too Many Requests",
                "Too many connections come from this address. Try again later.",
            ),
        };
        let body = format!("{{\"detail\": \"{detail}\"}}");
        format!(
            "HTTP/1.1 {status}\r\nConnection: close\r\nRetry-After: {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            rand::random_range(RETRY_S),
            body.len()
        )
    }
}

fn hang_up(stream: Stream, answer: &str) -> io::Result<()> {
    let mut socket = Socket::from(stream.into_fd()?);
    // What has come already is read: else the kernel would throw our answer away with it.
    let _ = socket.read(&mut [0; UNREAD_BYTES]);
    socket.write_all(answer.as_bytes())?;
    socket.shutdown(Shutdown::Write)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door(connections: u32, connections_per_address: u32) -> Arc<Door> {
        let server = ServerConfig {
            trusted_proxies: vec!["10.0.0.1/32".parse().unwrap()],
            ..ServerConfig::default()
        };
        let limits = LimitsConfig {
            connections,
            connections_per_address,
            ..LimitsConfig::default()
        };
        Arc::new(Door::new(&server, &limits, Arc::default()))
    }

    fn of(place: &mut Place, address: &str) -> Result<(), Full> {
        place.is_of(address.parse().unwrap())
    }

    #[test]
    fn there_are_never_more_than_may_be_and_whoever_leaves_makes_room() {
        let door = door(2, 0);
        let (first, second) = (door.enter().unwrap(), door.enter().unwrap());
        assert_eq!(door.enter().err(), Some(Full::Node));
        drop(first);
        let third = door.enter().unwrap();
        assert_eq!(door.metrics.connections_open.get(), 2);
        drop((second, third));
        assert_eq!(door.metrics.connections_open.get(), 0);
    }

    #[test]
    fn an_address_has_its_own_limit_and_a_proxy_has_none() {
        let door = door(0, 1);
        let mut places: Vec<Place> = (0..5).map(|_| door.enter().unwrap()).collect();
        of(&mut places[0], "2001:db8::1").unwrap();
        assert_eq!(
            of(&mut places[1], "2001:db8::2"),
            Err(Full::Address),
            "one /64"
        );
        of(&mut places[2], "2001:db8:0:1::1").unwrap();
        of(&mut places[3], "10.0.0.1").unwrap();
        of(&mut places[4], "::ffff:10.0.0.1").unwrap();
        places.remove(0);
        of(&mut places[0], "2001:db8::2").unwrap();
        places.clear();
        assert!(door.inside().of.is_empty());
    }

    #[test]
    fn zero_is_no_limit_and_takes_no_memory() {
        let door = door(0, 0);
        let mut places: Vec<Place> = (0..100).map(|_| door.enter().unwrap()).collect();
        assert!(places.iter_mut().all(|it| of(it, "10.0.0.2").is_ok()));
        assert!(door.inside().of.is_empty());
    }
}
