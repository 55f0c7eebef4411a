//! From OpenWISP's channel layer to the hub: the gateway's [`Source`].
//!
//! OpenWISP tells the groups of its channel layer what it saves; we are a member of those that somebody
//! here listens to ([`membership`]). Its messages go on as they are ([`message`]), those of releases before
//! 1.3 with what the tables add ([`moves`]). Where some may have been lost, and for `?since=`, the tables
//! are read instead ([`repair`]); [`arrivals`] keeps both in order.

mod arrivals;
mod group;
mod membership;
mod message;
mod moves;
mod repair;
#[cfg(test)]
mod testing;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;

use self::arrivals::Arrivals;
use self::group::Group;
use self::membership::Membership;
use self::message::{Moved, Told};
use self::moves::Moves;
use super::layer::{ChannelLayer, Received};
use super::tables::{Release, Tables, Version};
use crate::event::{Cursor, Frame, Topic};
use crate::hub::{Hub, Snapshot, Source, SourceError};
use crate::telemetry::{Metrics, Throttled};

/// Replays that read the database at the same time: leases and new handshakes need it as well.
const REPLAYS: usize = 2;

/// What is not understood and logged each second; the rest is counted.
const LOGGED: u32 = 5;

/// What OpenWISP tells, on its way to the hub.
pub struct Feed {
    hub: Arc<Hub>,
    layer: Arc<ChannelLayer>,
    tables: Tables,
    metrics: Arc<Metrics>,
    /// The lock is held while publishing, which keeps numbers in order; publishing never waits.
    arrivals: Mutex<Arrivals>,
    membership: Mutex<Membership>,
    /// Known once the database has answered.
    release: OnceLock<Release>,
    gap_noted: Notify,
    moves: Moves,
    looks: AtomicU64,
    replays: Semaphore,
    not_understood: Throttled,
}

impl Feed {
    /// A feed that has heard nothing yet.
    #[must_use]
    pub fn new(
        hub: Arc<Hub>,
        layer: Arc<ChannelLayer>,
        tables: Tables,
        metrics: Arc<Metrics>,
    ) -> Arc<Self> {
        Arc::new(Self {
            hub,
            layer,
            tables,
            metrics,
            arrivals: Mutex::default(),
            membership: Mutex::new(Membership::new()),
            release: OnceLock::new(),
            gap_noted: Notify::new(),
            moves: Moves::default(),
            looks: AtomicU64::new(0),
            replays: Semaphore::new(REPLAYS),
            not_understood: Throttled::new(LOGGED),
        })
    }

    /// Starts what listens, follows and repairs. It ends when what is returned is dropped.
    #[must_use]
    pub fn start(self: &Arc<Self>) -> JoinSet<()> {
        let mut running = JoinSet::new();
        let feed = Arc::clone(self);
        running.spawn(async move { feed.layer.run(|received| feed.receive(received)).await });
        let feed = Arc::clone(self);
        running.spawn(async move { feed.follow_topics().await });
        let feed = Arc::clone(self);
        running.spawn(async move { feed.repair_gaps().await });
        let feed = Arc::clone(self);
        running.spawn(async move { feed.complete_moves().await });
        running
    }

    fn receive(&self, received: Received) {
        match received {
            Received::Message { group, message } => self.hear(&group, message),
            // Counted and logged where it was noticed.
            Received::Gap { since, .. } => self.begin_repair(since),
        }
    }

    /// A message to one of our groups.
    fn hear(&self, name: &str, message: Value) {
        let told = match Group::parse(name) {
            Some(Group::Location(id)) => match Moved::of_message(message) {
                Ok(moved) => return self.wait_for_row(id, moved),
                Err(not_ours) => Err(not_ours),
            },
            Some(group) => Told::of_message(group, message),
            None => Err(message::NotOurs),
        };
        if let Ok(told) = told {
            self.metrics.layer_message("forwarded");
            self.tell(&told);
        } else {
            self.metrics.layer_message("unknown");
            if let Some(held_back) = self.not_understood.pass() {
                tracing::warn!(
                    code = "message_dropped",
                    group = name,
                    held_back,
                    "a message that is no JSON object was dropped"
                );
            }
        }
    }

    /// Hands what was heard to whoever listens.
    fn tell(&self, told: &Told) {
        let topics = self.wanted(told);
        // Also what nobody listens to is numbered: a replay may be reading it.
        let frame = (!topics.is_empty()).then(|| Frame::text(&told.text));
        let mut arrivals = lock(&self.arrivals);
        let version = arrivals.number(told.subject, told.state);
        if let Some(frame) = frame {
            let subject = told.subject;
            let snapshot = Snapshot {
                subject,
                version,
                frame,
            };
            self.publish(arrivals, &topics, &snapshot, "layer");
        }
    }

    /// Those of its topics that somebody listens to.
    fn wanted(&self, told: &Told) -> Vec<Topic> {
        let topics = told.topics.iter().copied();
        topics.filter(|topic| self.hub.wants(*topic)).collect()
    }

    /// Publishes what was just numbered, before anything else is.
    fn publish(
        &self,
        numbered: MutexGuard<'_, Arrivals>,
        topics: &[Topic],
        snapshot: &Snapshot,
        origin: &'static str,
    ) {
        self.hub.publish(topics, snapshot);
        drop(numbered);
        self.metrics.event_published(origin);
    }

    /// Whether this OpenWISP tells its organizations of moves; as long as nobody knows, it does.
    fn tells_organizations(&self) -> bool {
        self.release
            .get()
            .is_none_or(|release| release.version == Version::From1_3)
    }
}

#[async_trait]
impl Source for Feed {
    async fn attend(&self, topics: &[Topic]) {
        self.join_groups_of(topics).await;
    }

    fn passes(&self) -> u64 {
        self.looks.load(Ordering::Relaxed)
    }

    async fn replay(
        &self,
        topics: &[Topic],
        cursor: Cursor,
    ) -> Result<(Vec<Snapshot>, Option<Cursor>), SourceError> {
        // The semaphore is never closed: without a turn there would only be more hurry.
        let _turn = self.replays.acquire().await;
        self.replayed(topics, cursor)
            .await
            .map_err(|error| SourceError(error.into()))
    }
}

/// A poisoned lock guards queues and maps that are whole after every operation: a panic elsewhere is no
/// reason to stop serving everybody else.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
