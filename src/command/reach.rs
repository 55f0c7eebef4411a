//! Reaching a device: each login at each address, in order, until one lets us in.

use std::time::Duration;

use tokio::time::Instant;

use super::answer::in_time;
use super::runner::Runner;
use super::ssh::{self, Session, SshError, Timeouts};
use crate::event::{Address, ConnectionId};
use crate::store::{Job, Login};

/// How long all attempts of one command may take.
const REACH: Duration = Duration::from_mins(1);

/// The attempts of one command.
struct Attempts<'a> {
    runner: &'a Runner,
    timeouts: Timeouts,
    deadline: Instant,
    /// Where nobody answered, or another device than before: another login changes nothing about that.
    dead: Vec<Address>,
}

/// Logs in to the device of `job`.
///
/// # Errors
/// The reason of each attempt, on one line.
pub(super) async fn reach(runner: &Runner, job: &Job) -> Result<(ConnectionId, Session), String> {
    if job.addresses.is_empty() {
        return Err("the device has no address: give it one".to_owned());
    }
    let mut attempts = Attempts {
        runner,
        timeouts: Timeouts {
            connect: Duration::from_secs(runner.config.connect_timeout_s),
            authentication: Duration::from_secs(runner.config.authentication_timeout_s),
        },
        deadline: Instant::now() + REACH,
        dead: Vec::new(),
    };
    let mut reasons = Vec::new();
    for login in &job.logins {
        match attempts.log_in(login, &job.addresses).await {
            Ok(session) => return Ok((login.connection, session)),
            Err(mut more) => {
                note(runner, login.connection, None, Some(&more.join("; "))).await;
                reasons.append(&mut more);
            }
        }
    }
    if job.logins.is_empty() {
        reasons.push("the device does not have these credentials any more".to_owned());
    }
    reasons.dedup();
    Err(reasons.join("; "))
}

impl Attempts<'_> {
    async fn log_in(
        &mut self,
        login: &Login,
        addresses: &[String],
    ) -> Result<Session, Vec<String>> {
        let secret = login.secret.clone().map_err(|reason| {
            vec![format!(
                "the secret of its credentials cannot be decrypted: {reason}"
            )]
        })?;
        let ssh_login = ssh::Login {
            username: login.username.clone(),
            secret,
            old_algorithms: login.old_algorithms,
        };
        let remembered = login.host_key.as_deref();
        let mut reasons = Vec::new();
        for text in addresses {
            if Instant::now() > self.deadline {
                reasons.push(format!("no more was tried after {} s", REACH.as_secs()));
                break;
            }
            let address = match Address::parse(text, login.port) {
                Ok(address) => address,
                Err(error) => {
                    reasons.push(error.to_string());
                    continue;
                }
            };
            if self.dead.contains(&address) {
                reasons.push(format!("{address}: not tried again"));
                continue;
            }
            match ssh::connect(&address, &ssh_login, remembered, self.timeouts).await {
                Ok(session) => {
                    // One of its own stays as it is, also if it was forgotten meanwhile.
                    let new_key = (!login.is_own_key).then(|| session.host_key());
                    note(self.runner, login.connection, new_key, None).await;
                    return Ok(session);
                }
                Err(error) => {
                    reasons.push(reason(&error));
                    if is_dead(&error) {
                        self.dead.push(address);
                    }
                    if !error.next_address_may_help() {
                        break;
                    }
                }
            }
        }
        Err(reasons)
    }
}

/// Whether nobody is to be let in to there, whoever asks: nobody answers, or somebody who may only
/// pretend to be the device, and is to see no other password.
fn is_dead(error: &SshError) -> bool {
    matches!(
        error,
        SshError::Unreachable { .. } | SshError::Timeout { .. } | SshError::HostKeyChanged { .. }
    )
}

/// The error, and for a changed host key what an operator who trusts it does.
fn reason(error: &SshError) -> String {
    match error {
        SshError::HostKeyChanged { .. } => {
            format!("{error} (fleetwire connection set --forget-host-key)")
        }
        _ => error.to_string(),
    }
}

/// Notes how an attempt went; that it could not be noted changes nothing for the command.
async fn note(
    runner: &Runner,
    connection: ConnectionId,
    host_key: Option<&str>,
    failure_reason: Option<&str>,
) {
    let store = &runner.store;
    let noted = store.note_attempt(connection, host_key, failure_reason);
    if let Err(error) = in_time(noted).await {
        tracing::warn!(code = "attempt_not_noted", %error, %connection, "an attempt to log in could not be noted");
    }
}
