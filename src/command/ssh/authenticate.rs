//! How a device is shown who we are.

use std::sync::Arc;
use std::time::Duration;

use russh::client::{AuthResult, KeyboardInteractiveAuthResponse as Answer, Prompt};
use russh::keys::{Algorithm, HashAlg, PrivateKey, PrivateKeyWithHashAlg};
use russh::{MethodKind, MethodSet};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::error::SshError;
use super::key::{KeyError, read_private_key};
use super::link::{Link, describe};
use super::login::{Login, LoginSecret};
use crate::event::Address;

/// Rounds of questions that a keyboard-interactive server may ask.
const ROUNDS: usize = 5;

/// A device tells the signatures it takes right behind its keys (RFC 8308, section 2.4): once it has
/// answered anything else, there is nothing left to wait for.
const SIGNATURES: Duration = Duration::from_millis(20);

/// Private keys with a passphrase that are opened at the same time: one keeps a core busy, and takes
/// memory. None is kept with one any more, but some may have been.
static OPENINGS: Semaphore = Semaphore::const_new(2);

/// What the opening of a private key may take, beside what [`read_private_key`] refuses at once.
const OPENING: Duration = Duration::from_secs(10);

/// A [`LoginSecret`] that is ready for use.
pub(super) enum Proof {
    Password(String),
    Key(Arc<PrivateKey>),
}

impl Proof {
    /// Reads the private key, if it is one.
    pub(super) async fn read(login: &Login) -> Result<Self, SshError> {
        let key = match login.secret.clone() {
            LoginSecret::Password(password) => return Ok(Self::Password(password)),
            LoginSecret::PrivateKey {
                pem,
                passphrase: None,
            } => read_private_key(&pem, None)?,
            LoginSecret::PrivateKey { pem, passphrase } => {
                let read = move || read_private_key(&pem, passphrase.as_deref());
                open(read, OPENING).await?
            }
        };
        Ok(Self::Key(Arc::new(key)))
    }
}

/// Opens a private key beside the async threads, once it is its turn.
async fn open<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, KeyError> + Send + 'static,
    within: Duration,
) -> Result<T, KeyError> {
    // Never closed.
    let turn = OPENINGS.acquire().await;
    // A thread cannot be ended: the turn is over when it is, not when nobody waits any more.
    let opening = spawn_blocking(move || {
        let _turn = turn;
        read()
    });
    match timeout(within, opening).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => Err(KeyError::Damaged(error.to_string())),
        Err(_) => Err(KeyError::TooCostly),
    }
}

/// Authenticates, or says why not.
pub(super) async fn authenticate(
    link: &mut Link,
    address: &Address,
    login: &Login,
    proof: Proof,
) -> Result<(), SshError> {
    let mut authentication = Authentication {
        link,
        address,
        login,
    };
    // The answer tells what the device takes, and comes after the signatures it knows.
    let none = authentication
        .link
        .handle
        .authenticate_none(&login.username)
        .await;
    let offered = match authentication.outcome(none)? {
        AuthResult::Success => return Ok(()),
        AuthResult::Failure {
            remaining_methods, ..
        } => remaining_methods,
    };
    match proof {
        Proof::Password(password) => authentication.by_password(&offered, password).await,
        Proof::Key(key) => authentication.by_key(&offered, key).await,
    }
}

struct Authentication<'a> {
    link: &'a mut Link,
    address: &'a Address,
    login: &'a Login,
}

impl Authentication<'_> {
    async fn by_password(&mut self, offered: &MethodSet, password: String) -> Result<(), SshError> {
        if offered.contains(&MethodKind::Password) {
            let user = &self.login.username;
            let answer = self.link.handle.authenticate_password(user, password).await;
            let outcome = self.outcome(answer)?;
            return self.settle(&outcome, "the password");
        }
        if offered.contains(&MethodKind::KeyboardInteractive) {
            return self.by_questions(&password).await;
        }
        Err(self.not_offered("a password", offered))
    }

    /// Answers the questions of a server that takes a password only this way (RFC 4256).
    async fn by_questions(&mut self, password: &str) -> Result<(), SshError> {
        let user = self.login.username.clone();
        let begin = self
            .link
            .handle
            .authenticate_keyboard_interactive_start(user, None);
        let mut answer = begin.await.map_err(|error| self.lost(&error))?;
        for _ in 0..ROUNDS {
            let prompts = match answer {
                Answer::Success => return Ok(()),
                Answer::Failure { .. } => break,
                Answer::InfoRequest { prompts, .. } => prompts,
            };
            // What is not shown while it is typed is the password.
            let reply = |prompt: &Prompt| {
                if prompt.echo {
                    String::new()
                } else {
                    password.to_owned()
                }
            };
            let replies = prompts.iter().map(reply).collect();
            let respond = self
                .link
                .handle
                .authenticate_keyboard_interactive_respond(replies);
            answer = respond.await.map_err(|error| self.lost(&error))?;
        }
        Err(self.refused("the password"))
    }

    async fn by_key(&mut self, offered: &MethodSet, key: Arc<PrivateKey>) -> Result<(), SshError> {
        if !offered.contains(&MethodKind::PublicKey) {
            return Err(self.not_offered("a public key", offered));
        }
        let hash = match key.algorithm() {
            Algorithm::Rsa { .. } => self.rsa_hash().await?,
            _ => None,
        };
        let key = PrivateKeyWithHashAlg::new(key, hash);
        let user = &self.login.username;
        let answer = self.link.handle.authenticate_publickey(user, key).await;
        let outcome = self.outcome(answer)?;
        self.settle(&outcome, "the public key")
    }

    /// The hash for a signature with an RSA key; `None` is SHA-1.
    async fn rsa_hash(&self) -> Result<Option<HashAlg>, SshError> {
        let told = timeout(SIGNATURES, self.link.handle.best_supported_rsa_hash()).await;
        match told {
            Ok(Ok(Some(Some(hash)))) => Ok(Some(hash)),
            // Those who tell nothing are older than the telling, and most of them older than SHA-2.
            _ if self.login.old_algorithms => Ok(None),
            Ok(Ok(Some(None))) => Err(SshError::AuthenticationRefused {
                address: self.address.clone(),
                reason: "the device takes RSA keys only with SHA-1 signatures, which the \
                         credential does not allow"
                    .to_owned(),
            }),
            _ => Ok(Some(HashAlg::Sha256)),
        }
    }

    /// russh answers a lost link as a refusal that leaves nothing to try.
    fn outcome(&self, answer: Result<AuthResult, russh::Error>) -> Result<AuthResult, SshError> {
        match answer {
            Ok(AuthResult::Failure {
                remaining_methods, ..
            }) if remaining_methods.is_empty() && self.link.handle.is_closed() => {
                Err(SshError::Lost {
                    address: self.address.clone(),
                    reason: self.link.told.end(),
                })
            }
            Ok(outcome) => Ok(outcome),
            Err(error) => Err(self.lost(&error)),
        }
    }

    fn settle(&self, outcome: &AuthResult, what: &str) -> Result<(), SshError> {
        match outcome {
            AuthResult::Success => Ok(()),
            AuthResult::Failure {
                partial_success: true,
                remaining_methods,
            } => Err(SshError::AuthenticationRefused {
                address: self.address.clone(),
                reason: format!(
                    "{what} was taken, but the device also wants {}",
                    list(remaining_methods)
                ),
            }),
            AuthResult::Failure { .. } => Err(self.refused(what)),
        }
    }

    fn refused(&self, what: &str) -> SshError {
        SshError::AuthenticationRefused {
            address: self.address.clone(),
            reason: format!(
                "authentication failed: {what} for {:?} was refused",
                self.login.username
            ),
        }
    }

    fn not_offered(&self, what: &str, offered: &MethodSet) -> SshError {
        SshError::AuthenticationRefused {
            address: self.address.clone(),
            reason: format!(
                "authentication failed: the device does not take {what}, only {}",
                list(offered)
            ),
        }
    }

    fn lost(&self, error: &russh::Error) -> SshError {
        SshError::Lost {
            address: self.address.clone(),
            reason: describe(error),
        }
    }
}

fn list(methods: &MethodSet) -> String {
    let names: Vec<String> = methods.iter().map(String::from).collect();
    if names.is_empty() {
        "what we do not know".to_owned()
    } else {
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_key_that_takes_too_long_is_given_up_and_keeps_its_turn() {
        let (end, wait) = mpsc::sync_channel::<()>(0);
        let slow = move || {
            let _ = wait.recv();
            Ok(())
        };
        let given_up = open(slow, Duration::from_millis(10)).await;
        assert_eq!(given_up, Err(KeyError::TooCostly));
        // Nobody waits for it, and it still counts.
        assert!(OPENINGS.available_permits() < 2);
        drop(end);
        let quick = open(|| Ok(()), Duration::from_secs(10)).await;
        assert_eq!(quick, Ok(()));
    }
}
