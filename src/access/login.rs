//! Logging in: a user name and a password become a user.

use std::net::IpAddr;
use std::time::Duration;

use super::password::{PasswordError, Passwords, is_foreign};
use super::throttle::{Attempt, Throttle, Wait};
use crate::config::LoginConfig;
use crate::store::{Proved, SetupError, Store, StoreError};

/// Why nobody was logged in.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// No active user of this name has this password.
    #[error("the user name or the password is wrong")]
    Invalid,
    /// This user name or this address has failed too often of late.
    #[error("too many failed log-ins, the next is admitted in {retry_after_s} s")]
    Throttled {
        /// Seconds until the next attempt is admitted.
        retry_after_s: u64,
    },
    /// Of the first superuser: there is, or was, a user already.
    #[error("the first user has been made")]
    SetUpAlready,
    /// It cannot be told now.
    #[error("log-ins are not possible now: {0}")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<StoreError> for LoginError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<PasswordError> for LoginError {
    fn from(error: PasswordError) -> Self {
        Self::Unavailable(error.into())
    }
}

/// Everyone who logs in with a password, over REST or in a browser, comes through here, so that
/// attempts are counted together.
pub struct Logins {
    store: Store,
    passwords: Passwords,
    throttle: Throttle,
}

impl Logins {
    /// Log-ins of the users in `store`, as often as `config` admits.
    #[must_use]
    pub fn new(store: Store, config: &LoginConfig) -> Self {
        Self {
            store,
            passwords: Passwords::default(),
            throttle: Throttle::new(
                config.attempts_per_user,
                config.attempts_per_address,
                Duration::from_secs(config.attempts_window_s),
            ),
        }
    }

    /// The active user whose name and password these are, for a client at `address`.
    ///
    /// # Errors
    /// When they are nobody's (that takes as long whether the name exists or not, unless the hash came
    /// from elsewhere and was not replaced yet), when too many attempts have failed, or when it cannot be
    /// told.
    pub async fn log_in(
        &self,
        username: &str,
        password: String,
        address: IpAddr,
    ) -> Result<Proved, LoginError> {
        let attempt = self.attempt(Some(username), address).await?;
        match self.check(username, password).await {
            Ok(Some(user)) => {
                attempt.succeeded();
                Ok(user)
            }
            Ok(None) => {
                // Without the name: people type passwords into the wrong field.
                tracing::info!(%address, "a log-in failed: wrong user name or password");
                Err(LoginError::Invalid)
            }
            Err(error) => {
                attempt.forget();
                Err(error)
            }
        }
    }

    /// Whether `token` makes the first superuser, for a client at `address`: guesses count as log-ins
    /// that fail do.
    ///
    /// # Errors
    /// When it does not, when there is nothing left to set up (which counts as no guess), when too many
    /// attempts have failed, or when it cannot be told.
    pub async fn prove_setup(&self, token: &str, address: IpAddr) -> Result<(), LoginError> {
        let attempt = self.attempt(None, address).await?;
        match self.store.prove_setup(token).await {
            Ok(()) => {
                attempt.succeeded();
                Ok(())
            }
            Err(SetupError::Over) => {
                attempt.forget();
                Err(LoginError::SetUpAlready)
            }
            Err(SetupError::WrongToken) => {
                tracing::info!(%address, "the first user was not made: wrong token");
                Err(LoginError::Invalid)
            }
            Err(SetupError::Store(error)) => {
                attempt.forget();
                Err(error.into())
            }
        }
    }

    async fn attempt(
        &self,
        username: Option<&str>,
        address: IpAddr,
    ) -> Result<Attempt<'_>, LoginError> {
        let begun = self.throttle.begin(username, address).await;
        begun.map_err(|Wait { seconds }| {
            tracing::debug!(%address, wait_s = seconds, "a log-in was refused: too many have failed");
            LoginError::Throttled {
                retry_after_s: seconds,
            }
        })
    }

    /// What is kept of a new password.
    ///
    /// # Errors
    /// When too many wait for theirs already.
    pub async fn hash(&self, password: String) -> Result<String, LoginError> {
        Ok(self.passwords.hash(password).await?)
    }

    async fn check(&self, username: &str, password: String) -> Result<Option<Proved>, LoginError> {
        let Some(record) = self.store.password_of(username).await? else {
            self.passwords.verify(password, None).await?;
            return Ok(None);
        };
        let (user, hash) = (record.proves, record.password_hash);
        if !self
            .passwords
            .verify(password.clone(), Some(hash.clone()))
            .await?
        {
            return Ok(None);
        }
        if is_foreign(&hash) {
            self.replace_hash(user, &hash, password).await;
        }
        Ok(Some(user))
    }

    /// Keeps the password as a hash of our own from now on. Where that fails, the next log-in tries
    /// again: this one has succeeded.
    async fn replace_hash(&self, user: Proved, old: &str, password: String) {
        let replaced = match self.passwords.hash(password).await {
            Ok(new) => self
                .store
                .replace_password_hash(user, old, &new)
                .await
                .map_err(LoginError::from),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = replaced {
            tracing::warn!(code = "password_not_rehashed", %error, "the hash of a password could not be replaced");
        }
    }
}
