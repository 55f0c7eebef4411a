//! A device that has let us in.

use std::fmt;
use std::time::Duration;

use russh::{ChannelMsg, Pty, client};
use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use super::error::{Phase, SshError};
use super::execute::Execute;
use super::link::{Link, describe};
use crate::command::types::Execution;
use crate::event::Address;

/// How long a device may take to open a session or a terminal.
const ANSWER: Duration = Duration::from_secs(10);

/// What a terminal is told to be: too simple for colours and cursors, and wide enough that a line
/// of output stays one.
const TERMINAL: (&str, u32, u32) = ("dumb", 200, 50);

/// The character that ends the input of a terminal.
const END_OF_INPUT: u8 = 0x04;

/// An authenticated connection, for one command. Dropped, it is cut.
pub struct Session {
    link: Link,
    address: Address,
    host_key: String,
}

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Session")
            .field("address", &self.address)
            .field("host_key", &self.host_key)
            .finish_non_exhaustive()
    }
}

type Channel = russh::Channel<client::Msg>;

impl Session {
    pub(super) fn new(link: Link, address: Address, host_key: String) -> Self {
        Self {
            link,
            address,
            host_key,
        }
    }

    /// The device's host key, in OpenSSH's one-line form: `ssh-ed25519 AAAA...`.
    #[must_use]
    pub fn host_key(&self) -> &str {
        &self.host_key
    }

    /// Whether the device has gone meanwhile.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.link.handle.is_closed()
    }

    /// Asks the device to run a command. From the moment that it was asked, whatever goes wrong is
    /// told by [`Execute::next`], also that the device refuses.
    ///
    /// # Errors
    /// When the device was not asked.
    pub async fn exec(self, execution: &Execution) -> Result<Execute, SshError> {
        let mut channel = self.open().await?;
        if execution.tty {
            let by = Instant::now() + ANSWER;
            self.request_terminal(&mut channel, by).await?;
        }
        channel
            .exec(true, execution.line.as_bytes())
            .await
            .map_err(|error| self.lost(&error))?;
        let (messages, orders) = channel.split();
        let mut input = JoinSet::new();
        let mut writer = Box::pin(orders.make_writer());
        let stdin = input_of(execution);
        input.spawn(async move {
            // A command that does not read its input closes it, and that is its own affair.
            let _ = writer.write_all(&stdin).await;
            let _ = writer.shutdown().await;
        });
        Ok(Execute::new(self.link, messages, orders, input))
    }

    async fn open(&self) -> Result<Channel, SshError> {
        match timeout(ANSWER, self.link.handle.channel_open_session()).await {
            Ok(Ok(channel)) => Ok(channel),
            Ok(Err(russh::Error::ChannelOpenFailure(_))) => {
                Err(self.refused("the device refuses to open a session"))
            }
            Ok(Err(error)) => Err(self.lost(&error)),
            Err(_) => Err(self.late()),
        }
    }

    async fn request_terminal(&self, channel: &mut Channel, by: Instant) -> Result<(), SshError> {
        let (name, columns, rows) = TERMINAL;
        // What is written to its input must not come back as output: it may be a password.
        let modes = [(Pty::ECHO, 0)];
        channel
            .request_pty(true, name, columns, rows, 0, 0, &modes)
            .await
            .map_err(|error| self.lost(&error))?;
        match wait_for_reply(channel, by).await {
            Some(true) => Ok(()),
            Some(false) => Err(self.refused("the device refuses to open a terminal")),
            None if self.link.handle.is_closed() => Err(SshError::Lost {
                address: self.address.clone(),
                reason: self.link.told.end(),
            }),
            None => Err(self.late()),
        }
    }

    fn refused(&self, reason: &str) -> SshError {
        SshError::Refused {
            address: self.address.clone(),
            reason: reason.to_owned(),
        }
    }

    fn lost(&self, error: &russh::Error) -> SshError {
        SshError::Lost {
            address: self.address.clone(),
            reason: if self.link.handle.is_closed() {
                self.link.told.end()
            } else {
                describe(error)
            },
        }
    }

    fn late(&self) -> SshError {
        SshError::Timeout {
            address: self.address.clone(),
            phase: Phase::Open,
            after: ANSWER,
        }
    }
}

/// Whether the request was granted; `None` when that was not told in time.
async fn wait_for_reply(channel: &mut Channel, by: Instant) -> Option<bool> {
    loop {
        match timeout_at(by, channel.wait()).await {
            Ok(Some(ChannelMsg::Success)) => return Some(true),
            Ok(Some(ChannelMsg::Failure)) => return Some(false),
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => return None,
        }
    }
}

/// The bytes for the command's standard input, before it ends.
fn input_of(execution: &Execution) -> Vec<u8> {
    let mut bytes = execution.stdin.clone();
    if execution.tty {
        // The input of a terminal does not end when the channel's does. Within a line the first of
        // these only sends what was typed.
        let at_line_start = bytes.last().is_none_or(|last| *last == b'\n');
        bytes.resize(
            bytes.len() + if at_line_start { 1 } else { 2 },
            END_OF_INPUT,
        );
    }
    bytes
}
