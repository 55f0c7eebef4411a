//! A Redis (or Valkey) server, and connections to it with bounded waits.

use std::time::Duration;

use redis::aio::{MultiplexedConnection, PubSub};
use redis::io::tcp::TcpSettings;
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisError, ServerErrorKind};

/// How long an answer may take. A server that takes longer is left and connected to again.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// One server.
pub struct RedisHost {
    /// With its password: there is no `Debug`.
    url: String,
}

/// Why a connection ended, or never was.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The server, or the way to it.
    #[error(transparent)]
    Redis(#[from] RedisError),
    /// Nothing came back in time.
    #[error("it does not answer")]
    Silent,
    /// It was closed.
    #[error("the connection was closed")]
    Closed,
    /// More came than could be read.
    #[error("it sends more than this server can read")]
    Flood,
}

/// What an operator does about a [`Trouble`] depends on this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It wants another password, or one at all.
    Login,
    /// The user may not do what is needed.
    Forbidden,
    /// The two do not agree about TLS.
    Tls,
    /// It cannot be reached, or anything else.
    Away,
}

impl Trouble {
    /// What it is due to.
    #[must_use]
    pub fn cause(&self) -> Cause {
        let Self::Redis(error) = self else {
            return Cause::Away;
        };
        if matches!(error.code(), Some("NOAUTH" | "WRONGPASS"))
            || error.kind() == ErrorKind::AuthenticationFailed
        {
            return Cause::Login;
        }
        if error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm) {
            return Cause::Forbidden;
        }
        let text = error.to_string().to_ascii_lowercase();
        let is_tls = ["certificate", "tls", "handshake", "corrupt message"]
            .iter()
            .any(|word| text.contains(word));
        if is_tls { Cause::Tls } else { Cause::Away }
    }
}

impl RedisHost {
    /// The server of a URL that [`Client::open`] takes. Nothing is connected yet.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
        }
    }

    fn client(&self) -> Result<Client, RedisError> {
        let client = Client::open(self.url.as_str())?;
        let information = client.get_connection_info().clone();
        let tcp = TcpSettings::default().set_nodelay(true);
        // What we have given up must not reach Redis later: a BZPOPMIN would take a message nobody reads.
        #[cfg(target_os = "linux")]
        let tcp = tcp.set_user_timeout(PATIENCE);
        Client::open(information.set_tcp_settings(tcp))
    }

    /// A connection for commands that are answered at once.
    ///
    /// # Errors
    /// When there is none to be had.
    pub async fn commands(&self) -> Result<MultiplexedConnection, Trouble> {
        self.connect(AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE)))
            .await
    }

    /// A connection for commands that wait, up to `at_once`: who sends them bounds them.
    ///
    /// # Errors
    /// When there is none to be had.
    pub async fn waiting(&self, at_once: usize) -> Result<MultiplexedConnection, Trouble> {
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_pipeline_buffer_size(at_once);
        self.connect(config).await
    }

    async fn connect(
        &self,
        config: AsyncConnectionConfig,
    ) -> Result<MultiplexedConnection, Trouble> {
        let client = self.client()?;
        let config = config.set_connection_timeout(Some(PATIENCE));
        in_time(client.get_multiplexed_async_connection_with_config(&config)).await
    }

    /// A connection for subscriptions.
    ///
    /// # Errors
    /// When there is none to be had.
    pub async fn subscriptions(&self) -> Result<PubSub, Trouble> {
        let client = self.client()?;
        in_time(client.get_async_pubsub()).await
    }

    /// Where it is, without its password.
    #[must_use]
    pub fn place(&self) -> String {
        match Client::open(self.url.as_str()) {
            Ok(client) => client.get_connection_info().addr().to_string(),
            Err(_) => "no address".into(),
        }
    }
}

/// Bounds what has no bound of its own.
///
/// # Errors
/// When it fails, or takes longer than [`PATIENCE`].
pub async fn in_time<T>(asked: impl Future<Output = Result<T, RedisError>>) -> Result<T, Trouble> {
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Trouble::Silent),
    }
}
