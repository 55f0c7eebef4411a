//! The connection below a session: a task of russh that reads and writes, and the knife to end it.

use std::net::Shutdown;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use russh::Channel;
use russh::client::{ChannelOpenHandle, DisconnectReason, Handle, Handler, Msg, Session};
use russh::keys::{PublicKey, PublicKeyOrCertificate};
use tokio::time::timeout;

/// How long a device may take to see us leave.
const GOODBYE: Duration = Duration::from_secs(1);

/// Ends a connection when dropped, whatever its task waits for: a handle that is dropped does not,
/// as long as the other side neither answers nor closes.
pub(super) struct Knife(socket2::Socket);

impl Knife {
    /// For a connection.
    ///
    /// # Errors
    /// When the process has no file descriptor left.
    pub(super) fn new(stream: &tokio::net::TcpStream) -> std::io::Result<Self> {
        socket2::SockRef::from(stream).try_clone().map(Self)
    }
}

impl Drop for Knife {
    fn drop(&mut self) {
        // It fails where the other side has ended it already.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// What the task of a connection has told: written there, read by those who wait for it.
#[derive(Clone, Default)]
pub(super) struct Told(Arc<Mutex<Telling>>);

#[derive(Default)]
struct Telling {
    host_key: Option<PublicKey>,
    is_other_key: bool,
    end: Option<String>,
}

impl Told {
    fn with<T>(&self, read: impl FnOnce(&mut Telling) -> T) -> T {
        read(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The key that the device showed, and proved to have.
    pub(super) fn host_key(&self) -> Option<PublicKey> {
        self.with(|telling| telling.host_key.clone())
    }

    /// Whether that was not the remembered one.
    pub(super) fn is_other_key(&self) -> bool {
        self.with(|telling| telling.is_other_key)
    }

    /// How the connection ended.
    pub(super) fn end(&self) -> String {
        self.with(|telling| telling.end.clone())
            .unwrap_or_else(|| "the device closed the connection".to_owned())
    }
}

/// Our side of russh's task.
pub(super) struct Listener {
    pub(super) told: Told,
    /// In OpenSSH's one-line form.
    pub(super) remembered: Option<String>,
}

impl Handler for Listener {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        shown: &PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        let key = shown.public_key();
        let is_other = match &self.remembered {
            Some(remembered) => !is_same_key(remembered, &one_line(&key)),
            None => false,
        };
        self.told.with(|telling| {
            telling.host_key = Some(key);
            telling.is_other_key = is_other;
        });
        Ok(!is_other)
    }

    // What a device would open to us is refused: whoever drops the reply has done so.

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        _: Channel<Msg>,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn server_channel_open_session(
        &mut self,
        _: Channel<Msg>,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn server_channel_open_x11(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn disconnected(
        &mut self,
        reason: DisconnectReason<Self::Error>,
    ) -> Result<(), Self::Error> {
        let end = match reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                format!("the device ended it: {}", printable(&info.message))
            }
            DisconnectReason::Error(error) => describe(&error),
        };
        self.told.with(|telling| telling.end = Some(end));
        Ok(())
    }
}

/// A connection that is up. Dropped, it is cut at once.
pub(super) struct Link {
    pub(super) handle: Handle<Listener>,
    pub(super) told: Told,
    pub(super) knife: Knife,
}

impl Link {
    /// Says goodbye, for at most a second, and cuts.
    pub(super) async fn leave(self) {
        let Self { handle, knife, .. } = self;
        let goodbye = async {
            let _ = handle
                .disconnect(russh::Disconnect::ByApplication, "", "")
                .await;
            let _ = handle.await;
        };
        let _ = timeout(GOODBYE, goodbye).await;
        drop(knife);
    }
}

/// OpenSSH's one-line form of a key, without a comment.
pub(super) fn one_line(key: &PublicKey) -> String {
    let mut key = key.clone();
    key.set_comment("");
    // It only fails for kinds of keys that russh would not have agreed on.
    key.to_openssh().unwrap_or_default().trim_end().to_owned()
}

fn is_same_key(remembered: &str, shown: &str) -> bool {
    // A remembered line may end in a comment.
    let mut words = remembered.split_whitespace();
    let remembered = [words.next(), words.next()];
    let mut words = shown.split_whitespace();
    remembered == [words.next(), words.next()] && remembered[1].is_some()
}

/// An error of russh, for somebody who does not know russh.
pub(super) fn describe(error: &russh::Error) -> String {
    use russh::Error;
    match error {
        Error::Disconnect | Error::HUP | Error::RecvError | Error::SendError => {
            "the device closed the connection".to_owned()
        }
        Error::IO(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            "the device closed the connection".to_owned()
        }
        Error::IO(error) => error.to_string(),
        Error::KeepaliveTimeout => "the device no longer answers".to_owned(),
        Error::NoAuthMethod => "the device offers no further authentication".to_owned(),
        Error::Version | Error::Utf8(_) => "what answers there is no SSH server".to_owned(),
        Error::NoCommonAlgo { kind, theirs, .. } => format!(
            "no {} algorithm in common; the device has {}",
            match kind {
                russh::AlgorithmKind::Kex => "key exchange",
                russh::AlgorithmKind::Key => "host key",
                russh::AlgorithmKind::Cipher => "cipher",
                russh::AlgorithmKind::Compression => "compression",
                russh::AlgorithmKind::Mac => "MAC",
            },
            printable(&theirs.join(", "))
        ),
        other => format!("SSH: {other}"),
    }
}

/// A text of the device as part of our one line.
pub(super) fn printable(text: &str) -> String {
    const LONGEST: usize = 300;
    text.chars()
        .take(LONGEST)
        .map(|it| if it.is_control() { ' ' } else { it })
        .collect::<String>()
        .trim()
        .to_owned()
}
