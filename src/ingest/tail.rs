//! The tail: reads committed changes in an order that misses nothing, and publishes the present
//! state of what no hint brought.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use super::{Ingest, Origin, Relay, moved_snapshot, updated_snapshot};
use crate::event::{CommandId, Cursor, DeviceId, Event, LocationId, Timestamp, Topic};
use crate::hub::{Snapshot, Source, SourceError};
use crate::store::{Changes, Position, SinceScope, Store, StoreError};
use crate::telemetry::{Health, Metrics};

/// How often `SQLite` is asked whether another connection has committed: a few microseconds each.
const DATA_VERSION: Duration = Duration::from_millis(25);

/// How many whole rows are fetched at a time.
const ROWS: usize = 250;

/// How many commands are fetched at a time: each may hold a megabyte of output.
const COMMANDS: usize = 8;

/// How many snapshots a socket's replay holds in memory at a time.
const REPLAY_PAGE: u32 = 200;

/// The same of commands.
const REPLAY_COMMANDS: u32 = 8;

/// How many replays read the database at the same time: when thousands of clients return together,
/// the tail, the leases and new handshakes need it as well.
const REPLAYS: usize = 2;

/// How long growing output that was pushed may take to be saved, and how often that is looked for.
const SAVED: Duration = Duration::from_secs(4);
const SAVED_AGAIN: Duration = Duration::from_millis(100);

/// A reading that takes longer has failed, and is tried again on another connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// The reader of the log, and how far it is.
pub struct Tail {
    store: Store,
    /// The same by the connections of requests: who asks for a replay decides how much is read.
    replayed: Store,
    ingest: Arc<Ingest>,
    metrics: Arc<Metrics>,
    /// Asks for a pass now.
    wake: Notify,
    /// Completed passes; written by [`Tail::run`] alone.
    passes: watch::Sender<u64>,
    /// Turns of replays to read.
    replays: Semaphore,
    /// What carries hints, where that is not the database.
    relay: Option<Arc<Relay>>,
    /// Whether changes are read.
    health: Health,
}

impl Tail {
    /// A tail that has read nothing yet.
    #[must_use]
    pub fn new(store: Store, ingest: Arc<Ingest>, metrics: Arc<Metrics>) -> Self {
        Self {
            store: store.for_node(),
            replayed: store,
            ingest,
            metrics,
            wake: Notify::new(),
            passes: watch::Sender::new(0),
            replays: Semaphore::new(REPLAYS),
            relay: None,
            health: Health::uncounted("nothing was read yet", None),
        }
    }

    /// Why this node does not read what others have changed, if it does not.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.health.trouble()
    }

    /// The same beside a relay of hints.
    #[must_use]
    pub fn beside(self, relay: Option<Arc<Relay>>) -> Self {
        Self { relay, ..self }
    }

    /// Asks for a pass now instead of at the next tick.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Where to begin reading. What is committed by now is not news to anybody.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin(&self) -> Result<Position, StoreError> {
        let position = self.store.position().await?;
        self.health.is_well();
        if let Some(relay) = &self.relay {
            relay.has_read(&position);
        }
        Ok(position)
    }

    /// Reads from `position` on for as long as the program runs: each `every`, and sooner when
    /// woken or when the database says that something was committed. While the database is away
    /// the position stays, so an outage loses nothing.
    pub async fn run(&self, mut position: Position, every: Duration) {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut data_version = None;
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.wake.notified() => {}
                () = self.wanted_by_relay() => {}
                () = self.other_commit(data_version) => {}
            }
            // Asked before reading: what is committed meanwhile shows as another number.
            data_version = self.store.data_version().await.ok().flatten();
            let read = timeout(PATIENCE, self.pass(&position)).await;
            match read.unwrap_or_else(|_| Err(StoreError::late())) {
                Ok(read) => {
                    position = read;
                    self.health.is_well();
                    self.metrics.tail_passes.inc();
                    self.metrics.clock_ahead.set(self.store.own_clock_ahead_s());
                    self.passes.send_modify(|passes| *passes += 1);
                }
                Err(error) => {
                    self.metrics.tail_failures.inc();
                    self.health
                        .is_ill("what others have changed cannot be read");
                    tracing::warn!(code = "tail_failed", %error, "the tail cannot read the database and tries again");
                    sleep(every).await;
                }
            }
        }
    }

    /// One reading: what is new is published, and the position behind it returned.
    async fn pass(&self, position: &Position) -> Result<Position, StoreError> {
        let (changes, next) = self.store.changes_after(position).await?;
        let mut lost = self.lost(&changes);
        if lost.is_some() {
            // Hints of these commits may be a moment away: only what they really did not bring
            // loses its intermediate states.
            match &self.relay {
                None => self.store.settle().await,
                Some(relay) => relay.settle(|| self.awaits(relay, &changes)).await,
            }
            lost = self.lost(&changes);
        }
        let (moved, updated) = lost.unwrap_or_default();
        for ids in moved.chunks(ROWS) {
            for moved in self.store.moves_of(ids).await? {
                self.ingest
                    .publish(&Event::LocationMoved(moved), Origin::Tail);
            }
        }
        for ids in updated.chunks(COMMANDS) {
            for updated in self.store.updates_of(ids).await? {
                self.ingest
                    .publish(&Event::CommandUpdated(updated), Origin::Tail);
            }
        }
        if let Some(relay) = &self.relay {
            relay.has_told(&changes);
            relay.has_read(&next);
        }
        Ok(next)
    }

    /// Whether hints may yet bring some of these changes.
    fn awaits(&self, relay: &Relay, changes: &Changes) -> bool {
        let lost = self.lost(changes);
        lost.is_some_and(|(moved, updated)| !moved.is_empty() || relay.may_bring(&updated))
    }

    /// What no hint has brought of what somebody here watches: locations and commands.
    fn lost(&self, changes: &Changes) -> Option<(Vec<LocationId>, Vec<CommandId>)> {
        let moved = self.ingest.moves_to_tell(&changes.locations);
        let updated = self.ingest.updates_to_tell(&changes.commands);
        (!moved.is_empty() || !updated.is_empty()).then_some((moved, updated))
    }

    /// Returns when the relay knows of something that no hint brings; never without one.
    async fn wanted_by_relay(&self) {
        match &self.relay {
            Some(relay) => relay.wants_tail().await,
            None => std::future::pending().await,
        }
    }

    /// Returns when a connection has committed to `SQLite` after it said `data_version`; never where
    /// there is no such number (on `PostgreSQL` NOTIFY tells).
    async fn other_commit(&self, data_version: Option<i64>) {
        if data_version.is_none() {
            return std::future::pending().await;
        }
        loop {
            tokio::time::sleep(DATA_VERSION).await;
            if self
                .store
                .data_version()
                .await
                .is_ok_and(|now| now != data_version)
            {
                return;
            }
        }
    }
}

#[async_trait]
impl Source for Tail {
    async fn attend(&self, topics: &[Topic]) {
        if let Some(relay) = &self.relay {
            // First: from the next pass on hints bring what is committed.
            relay.attend(topics).await;
        }
        let mut passes = self.passes.subscribe();
        // The pass under way may have begun before the commit; the one after it has not.
        let enough = *passes.borrow_and_update() + 2;
        while *passes.borrow_and_update() < enough {
            self.wake();
            // The sender lives in `self`, so this cannot fail while we are here.
            if passes.changed().await.is_err() {
                return;
            }
        }
    }

    fn now(&self) -> Timestamp {
        self.store.instant()
    }

    fn passes(&self) -> u64 {
        *self.passes.borrow()
    }

    async fn replay(
        &self,
        topics: &[Topic],
        cursor: Cursor,
    ) -> Result<(Vec<Snapshot>, Option<Cursor>), SourceError> {
        let Some(replayed) = replayed(topics) else {
            return Ok((Vec::new(), None));
        };
        let patience = Instant::now() + SAVED;
        loop {
            // The semaphore is never closed: without a turn there would only be more hurry.
            let turn = self.replays.acquire().await;
            let read = timeout(PATIENCE, self.page(&replayed, cursor)).await;
            drop(turn);
            let page = read
                .unwrap_or_else(|_| Err(StoreError::late()))
                .map_err(|error| SourceError(error.into()))?;
            // Who saw growing output before must not see less of it now.
            if page.is_caught_up || Instant::now() > patience {
                return Ok((page.snapshots, page.next));
            }
            sleep(SAVED_AGAIN).await;
        }
    }
}

/// A page of a replay.
struct ReplayPage {
    snapshots: Vec<Snapshot>,
    next: Option<Cursor>,
    /// Whether nothing newer was pushed here than what it holds.
    is_caught_up: bool,
}

impl Tail {
    async fn page(&self, replayed: &Replayed, cursor: Cursor) -> Result<ReplayPage, StoreError> {
        match replayed {
            Replayed::Moves(scope) => {
                let (moves, next) = self
                    .replayed
                    .moves_since(scope, cursor, REPLAY_PAGE)
                    .await?;
                Ok(ReplayPage {
                    snapshots: moves.iter().map(moved_snapshot).collect(),
                    next,
                    is_caught_up: true,
                })
            }
            Replayed::Commands(device) => {
                let page = self
                    .replayed
                    .updates_since(*device, cursor, REPLAY_COMMANDS);
                let (updates, next) = page.await?;
                Ok(ReplayPage {
                    snapshots: updates.iter().map(updated_snapshot).collect(),
                    next,
                    is_caught_up: self.ingest.has_caught_up(&updates),
                })
            }
        }
    }
}

/// What a replay reads.
enum Replayed {
    Moves(SinceScope),
    Commands(DeviceId),
}

/// What a replay of `topics` reads; nothing where nothing can have changed.
fn replayed(topics: &[Topic]) -> Option<Replayed> {
    let mut organizations = BTreeSet::new();
    for topic in topics {
        match *topic {
            Topic::DeviceCommands(id) => return Some(Replayed::Commands(id)),
            Topic::Location(id) => return Some(Replayed::Moves(SinceScope::Location(id))),
            Topic::AllLocations => return Some(Replayed::Moves(SinceScope::Fleet(None))),
            Topic::OrgLocations(id) => {
                organizations.insert(id);
            }
        }
    }
    let fleet = || Replayed::Moves(SinceScope::Fleet(Some(organizations.clone())));
    (!organizations.is_empty()).then(fleet)
}
