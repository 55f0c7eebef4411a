//! The life of what connects us with one host: it connects, serves until something breaks, and comes back.

use std::cell::Cell;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use super::connection::{Host, Trouble};
use super::handover::Handover;
use super::{Shared, core, pubsub};
use crate::event::Timestamp;
use crate::openwisp::settings::LayerKind;

/// How often each connection is asked whether it lives.
pub(super) const BEAT: Duration = Duration::from_secs(1);
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// Lines about one host that is away.
const LOG_EVERY: Duration = Duration::from_secs(30);

/// What is known of one host, over all connections to it.
pub(super) struct Link<'a> {
    pub(super) shared: &'a Shared,
    pub(super) number: usize,
    pub(super) host: Host,
    /// When the host was last asked something that it answered: what was sent before then has been received.
    pub(super) answered: Cell<Timestamp>,
    /// The same of our queue, if it is there: when the last mark was sent that has come.
    pub(super) emptied: Cell<Option<Timestamp>>,
    /// Since when messages may be lost, and why: told of when all is joined again.
    lost: Cell<Option<(Timestamp, &'static str)>>,
    up: Cell<bool>,
    /// Which connection it is, while there is one by which messages may come.
    connection: Cell<Option<u64>>,
    logged: Cell<Option<Instant>>,
    /// Whether nothing was logged since it was last said that all is well.
    silent: Cell<bool>,
}

impl<'a> Link<'a> {
    pub(super) fn new(shared: &'a Shared, number: usize) -> Self {
        let hosts = &shared.settings.hosts;
        Self {
            shared,
            number,
            host: Host::new(&hosts[number], hosts.len() > 1),
            answered: Cell::new(Timestamp::now()),
            emptied: Cell::new(None),
            lost: Cell::new(None),
            up: Cell::new(false),
            connection: Cell::new(None),
            logged: Cell::new(None),
            silent: Cell::new(false),
        }
    }

    pub(super) fn handover(&self) -> &'a Handover {
        &self.shared.handover
    }

    /// Connects and serves, again and again.
    pub(super) async fn keep(&self) -> Infallible {
        let mut wait = FIRST_WAIT;
        loop {
            let outcome = match self.shared.settings.kind {
                LayerKind::Core => core::serve(self).await,
                LayerKind::PubSub => pubsub::serve(self).await,
            };
            let Err(trouble) = outcome;
            self.disconnected();
            if self.up.replace(false) {
                wait = FIRST_WAIT;
            }
            self.shared.membership.set_up(self.number, false);
            self.lose(self.heard(), "connection");
            self.log(&trouble);
            // Not all gateways at once.
            tokio::time::sleep(wait.mul_f64(rand::random_range(0.5..1.0))).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// What was sent before then has been received.
    pub(super) fn heard(&self) -> Timestamp {
        let answered = self.answered.get();
        self.emptied.get().map_or(answered, |it| it.min(answered))
    }

    /// Messages since `since` may be lost; it is [told of](Self::joined) later.
    pub(super) fn lose(&self, since: Timestamp, cause: &'static str) {
        let (earlier, cause) = self.lost.get().unwrap_or((since, cause));
        self.lost.set(Some((since.min(earlier), cause)));
    }

    /// Whether there was a connection before, or one in vain.
    pub(super) fn has_lost(&self) -> bool {
        self.lost.get().is_some()
    }

    /// All is joined, and what is sent from now on arrives: `asked` is when the host was asked for the
    /// first of it.
    pub(super) fn joined(&self, asked: Timestamp) {
        if let Some((since, cause)) = self.lost.take() {
            self.handover().gap(since, cause);
        }
        self.answered.set(asked);
        self.shared.membership.set_up(self.number, true);
        if !self.up.replace(true) {
            self.log_joined();
        }
    }

    /// The host answers: once groups are joined, messages come.
    pub(super) fn connected(&self) {
        let connection = self.shared.marks.connected(self.number);
        self.connection.set(Some(connection));
    }

    /// No more comes by this connection.
    fn disconnected(&self) {
        if let Some(connection) = self.connection.take() {
            self.handover().end(self.number, connection);
        }
    }

    fn log_joined(&self) {
        if !self.silent.replace(true) {
            let place = self.host.place();
            tracing::info!(redis = %place, "hears OpenWISP's channel layer");
        }
    }

    fn log(&self, trouble: &Trouble) {
        if self.logged.get().is_none_or(|at| at.elapsed() >= LOG_EVERY) {
            self.logged.set(Some(Instant::now()));
            self.silent.set(false);
            tracing::error!(code = "layer_redis_away", "{}", self.host.explain(trouble));
        }
    }
}

/// With its thread ends what it has received.
impl Drop for Link<'_> {
    fn drop(&mut self) {
        self.disconnected();
    }
}
