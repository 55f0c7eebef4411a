//! From an address to a session.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use russh::client;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout, timeout_at};

use super::algorithms::preferred;
use super::authenticate::{Proof, authenticate};
use super::error::{Phase, SshError};
use super::link::{Knife, Link, Listener, Told, describe, one_line};
use super::login::{Login, Timeouts};
use super::session::Session;
use crate::event::Address;

/// How much a device may send before we have taken it: what a session costs us in memory, beside
/// [`MESSAGES`] packets.
const WINDOW: u32 = 256 * 1024;

/// Packets (of 32 KiB, as a rule) that wait to be taken. Then no more is read from the network.
const MESSAGES: usize = 8;

/// After so long without a word the device is asked whether it still is there ...
const KEEPALIVE: Duration = Duration::from_secs(5);

/// ... and after so many unanswered questions the link is given up: 20 s in all.
const UNANSWERED: usize = 3;

/// Connects to one address, checks the host key and authenticates. Of a name with several IP
/// addresses, each is tried until one takes the connection.
///
/// `remembered` is the host key of before, in OpenSSH's one-line form; without one, any key is
/// taken, and [`Session::host_key`] tells it.
///
/// # Errors
/// When there is no session after all. Nothing has run on the device then.
pub async fn connect(
    address: &Address,
    login: &Login,
    remembered: Option<&str>,
    timeouts: Timeouts,
) -> Result<Session, SshError> {
    let proof = Proof::read(login).await?;
    let begun = Attempt {
        address,
        by: Instant::now() + timeouts.connect,
        after: timeouts.connect,
    };
    let stream = begun.tcp().await?;
    let mut link = begun.key_exchange(stream, login, remembered).await?;
    let host_key = link.told.host_key().as_ref().map(one_line);
    let authentication = authenticate(&mut link, address, login, proof);
    match timeout(timeouts.authentication, authentication).await {
        Ok(outcome) => outcome?,
        Err(_) => {
            return Err(SshError::AuthenticationTimeout {
                address: address.clone(),
                after: timeouts.authentication,
            });
        }
    }
    Ok(Session::new(
        link,
        address.clone(),
        host_key.unwrap_or_default(),
    ))
}

/// Names that are looked up at the same time. Each takes a thread for as long as the system's
/// resolver pleases, and others need threads as well.
static RESOLVING: Semaphore = Semaphore::const_new(32);

/// One try at an address, until its time is over.
struct Attempt<'a> {
    address: &'a Address,
    by: Instant,
    after: Duration,
}

impl Attempt<'_> {
    fn late(&self, phase: Phase) -> SshError {
        SshError::Timeout {
            address: self.address.clone(),
            phase,
            after: self.after,
        }
    }

    fn unreachable(&self, error: &std::io::Error) -> SshError {
        SshError::Unreachable {
            address: self.address.clone(),
            reason: match error.kind() {
                std::io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
                _ => error.to_string(),
            },
        }
    }

    async fn resolve(&self) -> Result<Vec<SocketAddr>, SshError> {
        let Address { host, port } = self.address;
        let name = (host.clone(), *port);
        let looking = async {
            // Never closed. The turn is over when the thread is, not when nobody waits any more.
            let turn = RESOLVING.acquire().await;
            let looked = spawn_blocking(move || {
                let _turn = turn;
                (name.0.as_str(), name.1).to_socket_addrs()
            });
            looked.await.unwrap_or_else(|error| Err(error.into()))
        };
        let found = timeout_at(self.by, looking)
            .await
            .map_err(|_| self.late(Phase::Resolve))?;
        let mut unlike = Vec::new();
        for ip in found.map_err(|error| self.unreachable(&error))? {
            if !unlike.contains(&ip) {
                unlike.push(ip);
            }
        }
        Ok(unlike)
    }

    /// Tries each IP address with its share of the time that is left.
    async fn tcp(&self) -> Result<TcpStream, SshError> {
        let ips = self.resolve().await?;
        let mut last = SshError::Unreachable {
            address: self.address.clone(),
            reason: "the name has no IP address".to_owned(),
        };
        for (at, ip) in ips.iter().enumerate() {
            let left = self.by.saturating_duration_since(Instant::now());
            let still = u32::try_from(ips.len() - at).unwrap_or(u32::MAX);
            match timeout(left / still, TcpStream::connect(ip)).await {
                Ok(Ok(stream)) => {
                    // A signal or a password must not wait for an acknowledgement. Without it, all
                    // works later.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Ok(Err(error)) => last = self.unreachable(&error),
                Err(_) => last = self.late(Phase::Connect),
            }
        }
        Err(last)
    }

    async fn key_exchange(
        &self,
        stream: TcpStream,
        login: &Login,
        remembered: Option<&str>,
    ) -> Result<Link, SshError> {
        let knife = Knife::new(&stream).map_err(|error| self.unreachable(&error))?;
        let told = Told::default();
        let listener = Listener {
            told: told.clone(),
            remembered: remembered.map(str::to_owned),
        };
        let config = Arc::new(configuration(login, remembered));
        let exchange = client::connect_stream(config, stream, listener);
        match timeout_at(self.by, exchange).await {
            Ok(Ok(handle)) => Ok(Link {
                handle,
                told,
                knife,
            }),
            Ok(Err(_)) if told.is_other_key() => Err(self.other_key(&told, remembered)),
            Ok(Err(error)) => Err(SshError::Negotiation {
                address: self.address.clone(),
                reason: describe(&error),
            }),
            Err(_) => Err(self.late(Phase::KeyExchange)),
        }
    }

    fn other_key(&self, told: &Told, remembered: Option<&str>) -> SshError {
        let shown = told.host_key();
        let shown = shown.as_ref();
        let remembered = remembered.unwrap_or_default();
        SshError::HostKeyChanged {
            address: self.address.clone(),
            remembered_fingerprint: russh::keys::PublicKey::from_openssh(remembered).map_or_else(
                |_| "something unreadable".to_owned(),
                |key| fingerprint(&key),
            ),
            shown_fingerprint: shown.map(fingerprint).unwrap_or_default(),
            shown: shown.map(one_line).unwrap_or_default(),
        }
    }
}

fn fingerprint(key: &russh::keys::PublicKey) -> String {
    key.fingerprint(russh::keys::HashAlg::Sha256).to_string()
}

fn configuration(login: &Login, remembered: Option<&str>) -> client::Config {
    let kind = remembered.and_then(|key| key.split_whitespace().next());
    client::Config {
        window_size: WINDOW,
        channel_buffer_size: MESSAGES,
        keepalive_interval: Some(KEEPALIVE),
        keepalive_max: UNANSWERED,
        preferred: preferred(login.old_algorithms, kind),
        ..client::Config::default()
    }
}
