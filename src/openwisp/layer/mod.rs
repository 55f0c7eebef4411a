//! OpenWISP's channel layer, in which Django's processes send each other messages through Redis
//! (`channels_redis`): this process takes part as one member of each group, whatever the number of its
//! sockets.
//!
//! [`ChannelLayer`] is told which groups are wanted and hands over what is sent to them. Below it a
//! thread of its own speaks with Redis, so that it takes messages out however busy the others are: senders
//! let at most `capacity` of them wait (100) and silently throw away the rest. [`link`] is the life of one
//! host's connections, [`core`] and [`pubsub`] are the two kinds of layer. What a message is wrapped in
//! is taken off in [`envelope`]; what it means is for others to know.
//!
//! No message is asked for twice, and none is acknowledged. Where one may have been lost (Redis was
//! away, was flushed, found our queue full), it is said instead, as a [`Received::Gap`].

mod connection;
mod core;
pub mod envelope;
mod fernet;
mod handover;
mod link;
mod marks;
mod membership;
mod msgpack;
mod placement;
mod pubsub;
#[cfg(test)]
pub(super) mod testing;
mod thread;

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use self::connection::{PATIENCE, Trouble};
use self::envelope::{Opened, Opener};
use self::handover::{Handover, Parcel, Raw};
use self::link::Link;
use self::marks::Marks;
use self::membership::Membership;
use self::placement::Names;
use super::settings::{LayerKind, LayerSettings};
use crate::event::Timestamp;
use crate::telemetry::{Metrics, Throttled};

/// Lines a second about messages that cannot be read.
const UNREADABLE_LOGGED: u32 = 1;

/// This process's part in OpenWISP's channel layer.
pub struct ChannelLayer {
    shared: Arc<Shared>,
    opener: Opener,
    unreadable: Throttled,
}

/// What comes out of the channel layer.
#[derive(Clone, Debug, PartialEq)]
pub enum Received {
    /// A message to one of our groups.
    Message {
        /// The group it was sent to.
        group: Arc<str>,
        /// All of it, its keys in the sender's order.
        message: serde_json::Value,
    },
    /// Messages may have been lost. It comes when the groups are joined again, and behind all messages
    /// that were sent before: who now reads the tables knows all, and misses nothing that comes.
    Gap {
        /// What was sent before then has been received: by our own clock, as far as it agrees with the senders'.
        since: Timestamp,
        /// Why: `connection`, `flushed`, `capacity`, `stalled` or `overflow`.
        cause: &'static str,
    },
}

/// The channel layer does not do in time what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayerError {
    /// The groups are not joined.
    #[error(
        "OpenWISP's channel layer could not be joined within 3 s: does Redis run, and does gateway.channel_redis_url name it?"
    )]
    NotJoined,
    /// What was sent has perhaps not been received yet.
    #[error(
        "OpenWISP's channel layer did not answer within 3 s: does Redis run, and does gateway.channel_redis_url name it?"
    )]
    NotSettled,
}

/// What this side and the thread that speaks with Redis have in common.
struct Shared {
    settings: LayerSettings,
    names: Arc<Names>,
    membership: Membership,
    handover: Handover,
    marks: Marks,
    /// Set when it is over: nothing is joined any more.
    stopped: watch::Sender<bool>,
    /// Whether the thread is there.
    running: watch::Sender<bool>,
    /// When the first thread began.
    began: OnceLock<Timestamp>,
    metrics: Arc<Metrics>,
}

impl ChannelLayer {
    /// Nothing happens before it [runs](Self::run).
    #[must_use]
    pub fn new(settings: LayerSettings, metrics: Arc<Metrics>) -> Self {
        let names = Names::new(settings.kind, &settings.prefix, settings.hosts.len());
        let names = Arc::new(names);
        Self {
            opener: Opener::new(&settings),
            unreadable: Throttled::new(UNREADABLE_LOGGED),
            shared: Arc::new(Shared {
                membership: Membership::new(Arc::clone(&names), Arc::clone(&metrics)),
                handover: Handover::default(),
                marks: Marks::new(names.hosts()),
                stopped: watch::Sender::new(false),
                running: watch::Sender::new(false),
                began: OnceLock::new(),
                settings,
                names,
                metrics,
            }),
        }
    }

    /// The groups to be a member of from now on: others are left. Returns at once; the work is done by
    /// [`run`](Self::run).
    pub fn want(&self, groups: &HashSet<String>) {
        if !*self.shared.stopped.borrow() {
            self.shared.membership.want(groups);
        }
    }

    /// As [`want`](Self::want), beside those that are wanted already.
    pub fn want_too(&self, groups: &[String]) {
        if !*self.shared.stopped.borrow() {
            self.shared.membership.want_too(groups);
        }
    }

    /// Whether all of `groups` are joined: what is sent to them now is received.
    #[must_use]
    pub fn are_joined<'a>(&self, groups: impl IntoIterator<Item = &'a String>) -> bool {
        self.shared.membership.are_joined(groups)
    }

    /// Returns once all of `groups`, which must be wanted, are joined: what is sent to them from now on is
    /// received.
    ///
    /// # Errors
    /// When that takes more than three seconds.
    pub async fn joined(&self, groups: &[String]) -> Result<(), LayerError> {
        let membership = &self.shared.membership;
        let mut joins = membership.joins();
        let all = joins.wait_for(|()| membership.are_joined(groups));
        match timeout(PATIENCE, all).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(LayerError::NotJoined),
        }
    }

    /// Returns once all that was sent to our groups before the call, and not lost, has been handed over. From
    /// a host that is not connected nothing more comes.
    ///
    /// # Errors
    /// When that takes more than three seconds.
    pub async fn settled(&self) -> Result<(), LayerError> {
        let names = &self.shared.names;
        let hosts: Vec<usize> = match self.shared.settings.kind {
            LayerKind::Core => vec![names.queue_host()],
            LayerKind::PubSub => (0..names.hosts()).collect(),
        };
        let settled = self.shared.marks.settle(&hosts);
        timeout(PATIENCE, settled)
            .await
            .map_err(|_| LayerError::NotSettled)
    }

    /// Takes part, until [`leave_all`](Self::leave_all) or for as long as this future lives: joins and
    /// leaves, connects again when a connection breaks, and gives `receive` what comes, in order.
    pub async fn run(&self, receive: impl Fn(Received) + Send + Sync) {
        const PAUSE: Duration = Duration::from_secs(1);
        let mut stopped = self.shared.stopped.subscribe();
        loop {
            let thread = thread::start(&self.shared);
            let mut running = self.shared.running.subscribe();
            let ended = async {
                if thread.is_ok() {
                    // It ends only with `shared`.
                    let _ = running.wait_for(|running| !running).await;
                }
            };
            tokio::select! {
                // The thread ends with it: that is no fault.
                biased;
                _ = stopped.wait_for(|stopped| *stopped) => return,
                () = self.hand_on(&receive) => {}
                () = ended => {}
            }
            let why = match thread {
                Err(error) => error.to_string(),
                Ok(_) => "it panicked".into(),
            };
            tracing::error!(
                code = "layer_thread",
                "no thread for OpenWISP's channel layer: {why}; trying again"
            );
            sleep(PAUSE).await;
        }
    }

    async fn hand_on(&self, receive: &(impl Fn(Received) + Send + Sync)) {
        loop {
            match self.shared.handover.take().await {
                Parcel::Messages(messages) => {
                    for raw in messages {
                        self.deliver(&raw, receive);
                        tokio::task::consume_budget().await;
                    }
                }
                Parcel::Gap { since, cause } => {
                    self.shared.metrics.layer_gap(cause);
                    tracing::warn!(code = "messages_lost", %since, cause, "messages of OpenWISP's channel layer may have been lost");
                    receive(Received::Gap { since, cause });
                }
                Parcel::Mark { host, number } => self.shared.marks.come(host, number),
                Parcel::End { host, connection } => {
                    self.shared.marks.disconnected(host, connection);
                }
            }
        }
    }

    fn deliver(&self, raw: &Raw, receive: &(impl Fn(Received) + Send + Sync)) {
        match self.opener.open(&raw.bytes) {
            Err(reason) => self.unreadable(&reason),
            Ok(Opened { channels, message }) => {
                let groups = match &raw.group {
                    Some(group) => self.shared.membership.member(group).into_iter().collect(),
                    None if channels.is_empty() => {
                        return self.unreadable("it names no channel");
                    }
                    None => self.groups(&channels),
                };
                if groups.is_empty() {
                    self.shared.metrics.layer_message("stale");
                }
                for group in groups {
                    receive(Received::Message {
                        group,
                        message: message.clone(),
                    });
                }
            }
        }
    }

    /// The groups of those channels that are ours and not left, each once.
    fn groups(&self, channels: &[String]) -> Vec<Arc<str>> {
        let numbers = channels
            .iter()
            .filter_map(|it| self.shared.names.number(it));
        let mut groups: Vec<Arc<str>> = Vec::with_capacity(1);
        for group in numbers.filter_map(|it| self.shared.membership.group(it)) {
            if !groups.contains(&group) {
                groups.push(group);
            }
        }
        groups
    }

    fn unreadable(&self, reason: &str) {
        self.shared.metrics.layer_message("unreadable");
        if let Some(held_back) = self.unreadable.pass() {
            tracing::warn!(
                code = "message_dropped",
                held_back,
                "a message of OpenWISP's channel layer cannot be read and is dropped: {reason}"
            );
        }
    }

    /// Leaves every group and removes our queue; at shutdown. It takes a few seconds at most: what
    /// Redis does not do by then, it does when our memberships expire.
    pub async fn leave_all(&self) {
        self.shared.stopped.send_replace(true);
        let mut running = self.shared.running.subscribe();
        let _ = timeout(PATIENCE, running.wait_for(|running| !running)).await;
        let hosts = 0..self.shared.names.hosts();
        let left = join_all(hosts.map(|host| async move {
            let seats = self.shared.membership.take_all(host);
            if self.shared.settings.kind == LayerKind::Core {
                let link = Link::new(&self.shared, host);
                if let Err(trouble) = core::leave_all(&link, &seats).await {
                    tracing::warn!(
                        code = "groups_not_left",
                        "could not leave all groups: {}",
                        link.host.explain(&trouble)
                    );
                }
            }
        }));
        if timeout(PATIENCE, left).await.is_err() {
            let trouble = Trouble::Silent;
            tracing::warn!(
                code = "groups_not_left",
                "could not leave all groups of OpenWISP's channel layer: {trouble}"
            );
        }
    }
}

#[cfg(test)]
mod tests;
