//! A command that runs on a device.

use std::time::Duration;

use bytes::Bytes;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig, client};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use super::link::{Link, printable};

/// How long after the exit status a channel may be silent before it is taken as closed: a process
/// that the command left behind may hold it open for ever.
const AFTERMATH: Duration = Duration::from_secs(1);

/// How long an order may take to be written.
const ORDER: Duration = Duration::from_secs(1);

/// Where a command wrote to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output; with a terminal, all output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// What a running command does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// It prints. What both streams print comes in the order in which the device sent it.
    Output {
        /// Where to.
        stream: Stream,
        /// At least one.
        bytes: Bytes,
    },
    /// It has ended by itself, with this exit status.
    Exited(u32),
    /// It was ended by a signal, named without `SIG`.
    Signalled(String),
    /// The device would not run it.
    Refused,
    /// The link to it ended first, and nobody knows how it went on: why.
    Lost(String),
}

/// A command that was begun. Dropped, its connection is cut, and the device decides what becomes of
/// the command.
pub struct Execute {
    /// Until the goodbye.
    link: Option<Link>,
    /// Until the end.
    messages: Option<ChannelReadHalf>,
    orders: ChannelWriteHalf<client::Msg>,
    /// The task that writes the standard input.
    input: JoinSet<()>,
    /// How it ended, once that is known.
    end: Option<Happening>,
    /// When a channel with an end is given up, unless it says more before.
    quiet_by: Option<Instant>,
}

impl Execute {
    pub(super) fn new(
        link: Link,
        messages: ChannelReadHalf,
        orders: ChannelWriteHalf<client::Msg>,
        input: JoinSet<()>,
    ) -> Self {
        Self {
            link: Some(link),
            messages: Some(messages),
            orders,
            input,
            end: None,
            quiet_by: None,
        }
    }

    /// The next thing that happens; after the last one, the last one again. A call that is given up
    /// loses nothing. While none is under way the device may send some 100 KiB, and must then wait.
    pub async fn next(&mut self) -> Happening {
        loop {
            let Some(message) = self.message().await else {
                return self.finish();
            };
            self.quiet_by = None;
            match message {
                ChannelMsg::Data { data } if !data.is_empty() => {
                    return Happening::Output {
                        stream: Stream::Stdout,
                        bytes: data,
                    };
                }
                ChannelMsg::ExtendedData { data, .. } if !data.is_empty() => {
                    return Happening::Output {
                        stream: Stream::Stderr,
                        bytes: data,
                    };
                }
                ChannelMsg::ExitStatus { exit_status } => {
                    self.end.get_or_insert(Happening::Exited(exit_status));
                }
                ChannelMsg::ExitSignal { signal_name, .. } => {
                    let name = name_of(&signal_name);
                    self.end.get_or_insert(Happening::Signalled(name));
                }
                // The answer to the request to run it; nothing else is asked for.
                ChannelMsg::Failure => {
                    self.end.get_or_insert(Happening::Refused);
                    return self.finish();
                }
                ChannelMsg::Close => return self.finish(),
                _ => {}
            }
        }
    }

    /// Sends the signal TERM, for a command that should end. Not every device passes it on: whoever
    /// calls this goes on with [`next`](Self::next) for a while, and then [kills](Self::kill).
    pub async fn terminate(&mut self) {
        if self.messages.is_some() {
            let _ = timeout(ORDER, self.orders.signal(Sig::TERM)).await;
        }
    }

    /// Sends the signal KILL, closes and disconnects, within some seconds. Without a terminal a
    /// device may let the command run on.
    pub async fn kill(&mut self) {
        self.input.abort_all();
        // The connection's task may wait for room in here.
        self.messages = None;
        let Some(link) = self.link.take() else {
            return;
        };
        self.end
            .get_or_insert(Happening::Lost("the command was killed".to_owned()));
        let _ = timeout(ORDER, async {
            let _ = self.orders.signal(Sig::KILL).await;
            let _ = self.orders.close().await;
        })
        .await;
        link.leave().await;
    }

    /// The next message, until the channel is over.
    async fn message(&mut self) -> Option<ChannelMsg> {
        let messages = self.messages.as_mut()?;
        if self.end.is_none() {
            return messages.wait().await;
        }
        // Kept when this call is given up: somebody who looks in every 250 ms must not wait for ever.
        let by = *self
            .quiet_by
            .get_or_insert_with(|| Instant::now() + AFTERMATH);
        // The message comes first: one that waits is taken even when the time is over.
        timeout_at(by, messages.wait()).await.unwrap_or_default()
    }

    fn finish(&mut self) -> Happening {
        self.input.abort_all();
        self.messages = None;
        let link = self.link.take();
        let end = self.end.get_or_insert_with(|| {
            Happening::Lost(match &link {
                Some(link) if link.handle.is_closed() => link.told.end(),
                _ => "the device closed the session without an exit status".to_owned(),
            })
        });
        let end = end.clone();
        if let Some(link) = link {
            // Nobody has to wait for the goodbye.
            tokio::spawn(link.leave());
        }
        end
    }
}

fn name_of(signal: &Sig) -> String {
    match signal {
        Sig::Custom(name) => printable(name),
        known => format!("{known:?}"),
    }
}
