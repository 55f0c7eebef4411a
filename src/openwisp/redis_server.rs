//! A Redis server that is asked now and then: one connection for all who ask, made when one is needed and
//! anew after an error.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ErrorKind, FromRedisValue, Pipeline, RedisError};
use tokio::sync::Mutex;
use tokio::time::timeout;

/// An answer that takes longer is none. Less than those who renew leases wait for theirs, so that they are
/// told what is wrong.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Keys in one MGET: the server does nothing else while it answers one.
const KEYS_AT_ONCE: usize = 1000;

/// Keys that one SCAN looks at.
const SCANNED_AT_ONCE: usize = 1000;

/// Why a Redis server gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum RedisServerError {
    /// Nothing came back.
    #[error("Redis does not answer")]
    Late,
    /// It wants another password, or one at all.
    #[error(
        "Redis refuses the password: see gateway.redis_user and gateway.redis_pass (REDIS_USER, REDIS_PASS), \
         or the URL that stands in their place, gateway.redis_cache_url (REDIS_CACHE_URL) or \
         gateway.channel_redis_url (CHANNEL_REDIS_URL)"
    )]
    Password,
    /// Anything else.
    #[error("Redis failed: {0}")]
    Failed(#[source] RedisError),
}

impl From<RedisError> for RedisServerError {
    fn from(error: RedisError) -> Self {
        // Without a password it is not the password's command that fails, but the next one.
        let is_password = error.kind() == ErrorKind::AuthenticationFailed
            || matches!(error.code(), Some("NOAUTH" | "WRONGPASS"))
            || error
                .detail()
                .is_some_and(|told| told.contains("Authentication required"));
        if is_password {
            Self::Password
        } else if error.is_timeout() {
            Self::Late
        } else {
            Self::Failed(error)
        }
    }
}

/// The server.
pub(super) struct RedisServer {
    /// With its password: there is no `Debug`.
    url: String,
    /// Held while a connection is made, so that all who wait get that one; never while an answer is
    /// awaited.
    connection: Mutex<Option<Numbered>>,
}

/// A connection, and how many there were before it.
#[derive(Clone)]
struct Numbered {
    number: u64,
    connection: MultiplexedConnection,
}

impl RedisServer {
    /// The server of a URL that [`redis::Client::open`] takes. Nothing is connected yet.
    pub fn new(url: String) -> Self {
        Self {
            url,
            connection: Mutex::new(None),
        }
    }

    /// The values of these keys, in their order.
    pub async fn values(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, RedisServerError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut questions = redis::pipe();
        for some in keys.chunks(KEYS_AT_ONCE) {
            questions.cmd("MGET").arg(some);
        }
        let answers: Vec<Vec<Option<Vec<u8>>>> = self.ask(&questions).await?;
        Ok(answers.into_iter().flatten().collect())
    }

    /// Whether it answers.
    pub async fn ping(&self) -> Result<(), RedisServerError> {
        self.ask(redis::pipe().cmd("PING").ignore()).await
    }

    /// Some keys of a pattern: at least `most` if there are so many among those that `rounds` looks find.
    pub async fn some_keys(
        &self,
        pattern: &str,
        most: usize,
        rounds: usize,
    ) -> Result<Vec<Vec<u8>>, RedisServerError> {
        let (mut found, mut cursor) = (Vec::new(), 0_u64);
        for _ in 0..rounds {
            let mut question = redis::pipe();
            question.cmd("SCAN").arg(cursor).arg("MATCH").arg(pattern);
            question.arg("COUNT").arg(SCANNED_AT_ONCE);
            let answers: Vec<(u64, Vec<Vec<u8>>)> = self.ask(&question).await?;
            let Some((next, keys)) = answers.into_iter().next() else {
                break;
            };
            found.extend(keys);
            cursor = next;
            if cursor == 0 || found.len() >= most {
                break;
            }
        }
        Ok(found)
    }

    /// The answers to some questions.
    pub async fn ask<T: FromRedisValue>(
        &self,
        questions: &Pipeline,
    ) -> Result<T, RedisServerError> {
        if let Ok(answer) = timeout(PATIENCE, self.ask_patiently(questions)).await {
            return Ok(answer?);
        }
        // Whoever asks next has another connection; whoever makes one now has it anyway.
        if let Ok(mut held) = self.connection.try_lock() {
            held.take();
        }
        Err(RedisServerError::Late)
    }

    async fn ask_patiently<T: FromRedisValue>(
        &self,
        questions: &Pipeline,
    ) -> Result<T, RedisError> {
        let mut used = self.connected(None).await?;
        match questions.query_async(&mut used.connection).await {
            // The server was perhaps restarted since: that is not yet an error.
            Err(error) if error.is_connection_dropped() => {
                let mut anew = self.connected(Some(used.number)).await?;
                questions.query_async(&mut anew.connection).await
            }
            answer => answer,
        }
    }

    /// The connection, unless it is the one with the number `broken`: then another.
    async fn connected(&self, broken: Option<u64>) -> Result<Numbered, RedisError> {
        let mut held = self.connection.lock().await;
        let number = match &*held {
            Some(there) if Some(there.number) != broken => return Ok(there.clone()),
            there => there.as_ref().map_or(0, |it| it.number + 1),
        };
        *held = None;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let connection = redis::Client::open(self.url.as_str())?
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        let made = Numbered { number, connection };
        *held = Some(made.clone());
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_or_wrong_password_is_told_from_other_errors() {
        let told = |answer: &str| {
            let value = redis::parse_redis_value(answer.as_bytes()).unwrap();
            RedisServerError::from(value.extract_error().unwrap_err())
        };
        let missing = told("-NOAUTH Authentication required.\r\n");
        assert!(matches!(missing, RedisServerError::Password), "{missing}");
        let wrong = told("-WRONGPASS invalid username-password pair or user is disabled.\r\n");
        assert!(matches!(wrong, RedisServerError::Password), "{wrong}");
        let other = told("-LOADING Redis is loading the dataset in memory\r\n");
        assert!(matches!(other, RedisServerError::Failed(_)), "{other}");
        assert!(missing.to_string().contains("gateway.redis_pass"));
    }
}
