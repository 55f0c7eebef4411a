//! Connections to a host of the channel layer: with bounded waits, and errors that name a setting.

use std::time::Duration;

use redis::aio::{MultiplexedConnection, PubSub};
use redis::io::tcp::TcpSettings;
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisError, ServerErrorKind};

/// How long an answer may take. A host that takes longer is left and connected to again.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

/// One Redis of the layer.
pub(super) struct Host {
    url: String,
    setting: &'static str,
}

/// Why a connection ended, or never was.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error(transparent)]
    Redis(#[from] RedisError),
    #[error("it does not answer")]
    Silent,
    #[error("the connection was closed")]
    Closed,
}

impl Host {
    pub(super) fn new(url: &str, several: bool) -> Self {
        Self {
            url: url.to_owned(),
            setting: if several {
                "gateway.channel_hosts"
            } else {
                "gateway.channel_redis_url"
            },
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
    pub(super) async fn commands(&self) -> Result<MultiplexedConnection, Trouble> {
        self.connect(AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE)))
            .await
    }

    /// A connection for commands that wait, up to `at_once`: who sends them bounds them.
    pub(super) async fn waiting(&self, at_once: usize) -> Result<MultiplexedConnection, Trouble> {
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
    pub(super) async fn subscriptions(&self) -> Result<PubSub, Trouble> {
        let client = self.client()?;
        in_time(client.get_async_pubsub()).await
    }

    /// Where it is, without its password.
    pub(super) fn place(&self) -> String {
        match Client::open(self.url.as_str()) {
            Ok(client) => client.get_connection_info().addr().to_string(),
            Err(_) => "no address".into(),
        }
    }

    /// What `trouble` means for who runs this, as one line.
    pub(super) fn explain(&self, trouble: &Trouble) -> String {
        let (place, setting) = (self.place(), self.setting);
        let Trouble::Redis(error) = trouble else {
            return format!(
                "OpenWISP's channel layer is away, Redis at {place}: {trouble} (is it running, does {setting} or gateway.redis_host name it, and do both speak TLS or neither?)"
            );
        };
        let login = matches!(error.code(), Some("NOAUTH" | "WRONGPASS"))
            || error.kind() == ErrorKind::AuthenticationFailed;
        let text = error.to_string();
        if login {
            return format!(
                "Redis at {place} refuses the login to OpenWISP's channel layer: set the password in {setting}, or gateway.redis_pass and gateway.redis_user ({text})"
            );
        }
        if error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm) {
            return format!(
                "Redis at {place} forbids what the channel layer needs: allow the user of {setting} what OpenWISP's own user may ({text})"
            );
        }
        let lower = text.to_ascii_lowercase();
        if ["certificate", "tls", "handshake", "corrupt message"]
            .iter()
            .any(|word| lower.contains(word))
        {
            return format!(
                "no TLS connection to Redis at {place}: check {setting} and gateway.redis_use_tls, and that this machine trusts its certificate ({text})"
            );
        }
        format!(
            "OpenWISP's channel layer is away, Redis at {place}: {text} (is it running, does {setting} or gateway.redis_host name it, and do both speak TLS or neither?)"
        )
    }
}

/// Bounds what has no bound of its own.
pub(super) async fn in_time<T>(
    asked: impl Future<Output = Result<T, RedisError>>,
) -> Result<T, Trouble> {
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Trouble::Silent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explanation_names_the_setting_and_no_password() {
        let host = Host::new("redis://:s3cret@redis.example.org:6380/1", false);
        let refused = RedisError::from((ErrorKind::AuthenticationFailed, "no"));
        for trouble in [Trouble::Silent, Trouble::Closed, refused.into()] {
            let line = host.explain(&trouble);
            assert!(line.contains("redis.example.org:6380"), "{line}");
            assert!(line.contains("gateway.channel_redis_url"), "{line}");
            assert!(!line.contains("s3cret"), "{line}");
        }
    }
}
