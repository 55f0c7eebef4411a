//! Where the server listens: an address with a port, or a socket of this machine's file system.

use std::fs::{self, Permissions};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tokio::net::{TcpListener, UnixListener, UnixStream};

use super::ServeError;
use crate::socket::Stream;

/// Who may connect to a socket in the file system: as with a port of this machine, everybody on it. The
/// proxy in front runs as a user of its own.
const ANYBODY: u32 = 0o666;

/// Something that accepts connections.
#[derive(Debug)]
pub enum Listener {
    /// A port.
    Tcp(TcpListener),
    /// A socket in the file system, removed when this is dropped.
    Unix(UnixListener, PathBuf),
}

impl Listener {
    /// Listens at `HOST:PORT`; port 0 takes a free one.
    ///
    /// # Errors
    /// When the address is taken, or not ours.
    pub async fn tcp(address: &str) -> Result<Self, ServeError> {
        let bound = TcpListener::bind(address).await;
        bound.map(Self::Tcp).map_err(|source| ServeError::Listen {
            address: address.to_owned(),
            source,
        })
    }

    /// Listens at `path`. What a server left behind that was killed is no obstacle, one that runs is.
    ///
    /// # Errors
    /// When somebody listens there, or the path cannot be used.
    pub async fn unix(path: &Path) -> Result<Self, ServeError> {
        let listen = async {
            if is_left_behind(path).await {
                fs::remove_file(path)?;
            }
            let listener = UnixListener::bind(path)?;
            fs::set_permissions(path, Permissions::from_mode(ANYBODY))?;
            Ok(listener)
        };
        match listen.await {
            Ok(listener) => Ok(Self::Unix(listener, path.to_owned())),
            Err(source) => Err(ServeError::Listen {
                address: format!("unix:{}", path.display()),
                source,
            }),
        }
    }

    /// The next connection, and where it comes from; from a socket of the file system that is this
    /// machine.
    ///
    /// # Errors
    /// When there are too many open files.
    pub async fn accept(&self) -> io::Result<(Stream, SocketAddr)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((Stream::Tcp(stream), peer))
            }
            Self::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                let here = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
                Ok((Stream::Unix(stream), here))
            }
        }
    }

    /// Says in the log where it listens.
    pub fn announce(&self) {
        match self {
            Self::Tcp(listener) => {
                if let Ok(address) = listener.local_addr() {
                    tracing::info!(%address, "listening on {}", self.place());
                }
            }
            Self::Unix(..) => tracing::info!("listening on {}", self.place()),
        }
    }

    /// Where it listens, in words for a person.
    #[must_use]
    pub fn place(&self) -> String {
        match self {
            Self::Tcp(listener) => match listener.local_addr() {
                Ok(address) => format!("http://{address}"),
                Err(_) => "an unknown port".to_owned(),
            },
            Self::Unix(_, path) => format!("unix:{}", path.display()),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix(_, path) = self {
            // Where it stays, the next start removes it.
            fs::remove_file(path).ok();
        }
    }
}

/// Whether there is a socket at `path` that nobody listens on.
async fn is_left_behind(path: &Path) -> bool {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|it| it.file_type().is_socket());
    is_socket
        && UnixStream::connect(path)
            .await
            .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_that_was_left_behind_is_taken_over_and_a_living_one_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("gateway.sock");
        // Dropped as by a kill: the file stays.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let listener = Listener::unix(&path).await.unwrap();
        assert!(Listener::unix(&path).await.is_err());
        let (client, accepted) = tokio::join!(UnixStream::connect(&path), listener.accept());
        assert!(client.is_ok() && accepted.is_ok());
        drop(listener);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_file_is_never_taken_for_a_socket() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("precious");
        fs::write(&path, "data").unwrap();
        let error = Listener::unix(&path).await.unwrap_err();
        assert!(error.to_string().contains("precious"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "data");
    }
}
