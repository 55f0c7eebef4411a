//! The tail: reads committed changes in an order that misses nothing, and publishes the present
//! state of what no hint brought.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{MissedTickBehavior, interval};

use super::{Ingest, Origin};
use crate::event::LocationId;
use crate::store::{Change, Position, Store, StoreError};
use crate::telemetry::Metrics;

/// How often `SQLite` is asked whether another connection has committed: a few microseconds each.
const DATA_VERSION: Duration = Duration::from_millis(25);

/// How many whole rows are fetched at a time.
const ROWS: usize = 500;

/// The reader of the log, and how far it is.
pub struct Tail {
    store: Store,
    ingest: Arc<Ingest>,
    metrics: Arc<Metrics>,
    /// Asks for a pass now.
    wake: Notify,
    /// Completed passes; written by [`Tail::run`] alone.
    passes: watch::Sender<u64>,
}

impl Tail {
    /// A tail that has read nothing yet.
    #[must_use]
    pub fn new(store: Store, ingest: Arc<Ingest>, metrics: Arc<Metrics>) -> Self {
        Self {
            store,
            ingest,
            metrics,
            wake: Notify::new(),
            passes: watch::Sender::new(0),
        }
    }

    /// Asks for a pass now instead of at the next tick.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// How many passes are complete: what was committed before a call has been published once this
    /// is greater by two (the pass under way may have begun before the commit).
    #[must_use]
    pub fn passes(&self) -> u64 {
        *self.passes.borrow()
    }

    /// Returns once everything committed before the call has been published, so that a socket that
    /// joins the hub afterwards is told only of what comes later.
    pub async fn catch_up(&self) {
        let mut passes = self.passes.subscribe();
        let enough = *passes.borrow_and_update() + 2;
        while *passes.borrow_and_update() < enough {
            self.wake();
            // The sender lives in `self`, so this cannot fail while we are here.
            if passes.changed().await.is_err() {
                return;
            }
        }
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
                () = self.other_commit(data_version) => {}
            }
            // Asked before reading: what is committed meanwhile shows as another number.
            data_version = self.store.data_version().await.ok().flatten();
            match self.pass(position).await {
                Ok(read) => {
                    position = read;
                    self.metrics.tail_passes.inc();
                    self.passes.send_modify(|passes| *passes += 1);
                }
                Err(error) => {
                    self.metrics.tail_failures.inc();
                    tracing::warn!(%error, "the tail cannot read the database and tries again");
                    tokio::time::sleep(every).await;
                }
            }
        }
    }

    /// One reading: what is new is published, and the position behind it returned.
    async fn pass(&self, position: Position) -> Result<Position, StoreError> {
        let (changes, next) = self.store.changes_after(position).await?;
        let mut lost = self.news(&changes);
        if !lost.is_empty() {
            // Hints of these commits may be a moment away: only what they really did not bring
            // loses its intermediate states.
            self.store.settle().await;
            lost = self.news(&changes);
        }
        for ids in lost.chunks(ROWS) {
            for moved in self.store.moves_of(ids).await? {
                self.ingest.publish(&moved, Origin::Tail);
            }
        }
        Ok(next)
    }

    /// Of `changes`, those that somebody here watches and that have not been published.
    fn news(&self, changes: &[Change]) -> Vec<LocationId> {
        let mut news = Vec::new();
        for change in changes.iter().filter(|change| self.ingest.is_news(change)) {
            if self.ingest.is_watched(change) {
                news.push(change.id);
            } else {
                self.ingest.skip(change);
            }
        }
        news
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
