//! Why a command did not begin.

use std::fmt;
use std::time::Duration;

use super::key::KeyError;
use crate::event::Address;

/// What took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The DNS, for the IP addresses of a name.
    Resolve,
    /// The TCP connection.
    Connect,
    /// SSH's first lines and the key exchange.
    KeyExchange,
    /// The opening of a session, after the authentication.
    Open,
}

impl fmt::Display for Phase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Resolve => "its name was not resolved",
            Self::Connect => "no connection",
            Self::KeyExchange => "no SSH key exchange",
            Self::Open => "no session was opened",
        })
    }
}

/// Why a command did not begin. Shown, it is the one line that an operator reads as the command's
/// output: it names the address, and no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SshError {
    /// No TCP connection came about, or the name is unknown.
    #[error("{address}: {reason}")]
    Unreachable {
        /// Where.
        address: Address,
        /// What the system says.
        reason: String,
    },
    /// Nothing happened in time.
    #[error("{address}: {phase} within {} s", after.as_secs_f32())]
    Timeout {
        /// Where.
        address: Address,
        /// What was waited for.
        phase: Phase,
        /// How long.
        after: Duration,
    },
    /// What answers speaks no SSH, or none that we speak.
    #[error("{address}: {reason}")]
    Negotiation {
        /// Where.
        address: Address,
        /// What went wrong.
        reason: String,
    },
    /// It is another device than before, or somebody pretends to be it.
    #[error(
        "{address}: the host key changed: {shown_fingerprint} was shown, {remembered_fingerprint} \
         is remembered. If the device was replaced or reset, forget the remembered key"
    )]
    HostKeyChanged {
        /// Where.
        address: Address,
        /// Of the key that was remembered.
        remembered_fingerprint: String,
        /// Of the key that was shown.
        shown_fingerprint: String,
        /// The key that was shown, in OpenSSH's one-line form.
        shown: String,
    },
    /// The device does not take the name or what proves it.
    #[error("{address}: {reason}")]
    AuthenticationRefused {
        /// Where.
        address: Address,
        /// What was not taken.
        reason: String,
    },
    /// The device neither took nor refused them in time.
    #[error("{address}: no answer to the authentication within {} s", after.as_secs_f32())]
    AuthenticationTimeout {
        /// Where.
        address: Address,
        /// How long.
        after: Duration,
    },
    /// The credential's private key cannot be used.
    #[error("the credential's private key cannot be used: {0}")]
    BadKey(#[from] KeyError),
    /// The device let us in, and will not run the command.
    #[error("{address}: {reason}")]
    Refused {
        /// Where.
        address: Address,
        /// What it would not do.
        reason: String,
    },
    /// The link was lost before the command was asked for.
    #[error("{address}: the link was lost: {reason}")]
    Lost {
        /// Where.
        address: Address,
        /// How.
        reason: String,
    },
}

impl SshError {
    /// Whether another address of the same device may do better. Every error means that the command
    /// did not begin.
    #[must_use]
    pub fn next_address_may_help(&self) -> bool {
        // A stale address may lead to another device, which then shows another host key or refuses
        // the authentication.
        !matches!(self, Self::BadKey(_) | Self::Refused { .. })
    }
}
