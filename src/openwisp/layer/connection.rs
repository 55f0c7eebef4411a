//! A host of the channel layer, and errors about it that name a setting.

use std::ops::Deref;

use crate::redis_host::{Cause, RedisHost};
pub(super) use crate::redis_host::{PATIENCE, Trouble, in_time};

/// One Redis of the layer.
pub(super) struct Host {
    server: RedisHost,
    setting: &'static str,
}

impl Deref for Host {
    type Target = RedisHost;

    fn deref(&self) -> &RedisHost {
        &self.server
    }
}

impl Host {
    pub(super) fn new(url: &str, several: bool) -> Self {
        Self {
            server: RedisHost::new(url),
            setting: if several {
                "gateway.channel_hosts"
            } else {
                "gateway.channel_redis_url"
            },
        }
    }

    /// What `trouble` means for who runs this, as one line.
    pub(super) fn explain(&self, trouble: &Trouble) -> String {
        let (place, setting) = (self.place(), self.setting);
        match trouble.cause() {
            Cause::Login => format!(
                "Redis at {place} refuses the login to OpenWISP's channel layer: set the password in {setting}, or gateway.redis_pass and gateway.redis_user ({trouble})"
            ),
            Cause::Forbidden => format!(
                "Redis at {place} forbids what the channel layer needs: allow the user of {setting} what OpenWISP's own user may ({trouble})"
            ),
            Cause::Tls => format!(
                "no TLS connection to Redis at {place}: check {setting} and gateway.redis_use_tls, and that this machine trusts its certificate ({trouble})"
            ),
            Cause::Away => format!(
                "OpenWISP's channel layer is away, Redis at {place}: {trouble} (is it running, does {setting} or gateway.redis_host name it, and do both speak TLS or neither?)"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use redis::{ErrorKind, RedisError};

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
