//! The bytes under a socket: TCP, or the local socket of a proxy on this machine.

use std::io::{self, IoSlice};
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// Bytes of data that the kernel keeps for a socket before we keep them: what it holds cannot be
/// conflated any more.
const UNSENT_BYTES: u32 = 128 * 1024;

/// An accepted connection.
#[derive(Debug)]
pub enum Stream {
    /// From a client, or a proxy somewhere.
    Tcp(TcpStream),
    /// From a proxy on this machine.
    Unix(UnixStream),
}

macro_rules! on_stream {
    ($self:expr, $stream:ident => $result:expr) => {
        match $self {
            Stream::Tcp($stream) => $result,
            Stream::Unix($stream) => $result,
        }
    };
}

impl Stream {
    /// Small messages leave at once, and the kernel holds little of what is not sent yet, so that a slow
    /// reader's newer snapshots can still replace older ones in the outbox.
    ///
    /// # Errors
    /// When the connection has ended already.
    pub fn tune(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => {
                stream.set_nodelay(true)?;
                SockRef::from(stream).set_tcp_notsent_lowat(UNSENT_BYTES)
            }
            // What is written is the peer's: there is nothing in between.
            Self::Unix(_) => Ok(()),
        }
    }

    /// The connection itself, for one who does without tokio; it does not block.
    ///
    /// # Errors
    /// When tokio does not give it back.
    pub fn into_fd(self) -> io::Result<OwnedFd> {
        match self {
            Self::Tcp(stream) => stream.into_std().map(OwnedFd::from),
            Self::Unix(stream) => stream.into_std().map(OwnedFd::from),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        on_stream!(self.get_mut(), stream => Pin::new(stream).poll_read(context, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        on_stream!(self.get_mut(), stream => Pin::new(stream).poll_write(context, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        on_stream!(self.get_mut(), stream => Pin::new(stream).poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_stream!(self.get_mut(), stream => Pin::new(stream).poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_stream!(self.get_mut(), stream => Pin::new(stream).poll_shutdown(context))
    }
}
