//! What was missed, read from the tables: after an outage, and for `?since=`.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::sleep;

use super::{Feed, Told, lock};
use crate::event::{Cursor, DeviceId, Frame, Timestamp, Topic};
use crate::hub::Snapshot;
use crate::openwisp::tables::{LocationScope, TablesError};

/// Clocks differ, and a row is stamped a moment before it is committed.
const MARGIN_S: i64 = 10;

/// Between two attempts while the database is away.
const AGAIN: Duration = Duration::from_secs(1);

/// Locations that are held in memory at a time.
const PAGE: u32 = 200;

/// The same of commands, each of which may hold a megabyte of output.
const COMMANDS: u32 = 8;

/// What is read for some topics.
enum Missed {
    /// Of these locations.
    Moves(LocationScope),
    /// Of these devices.
    Commands(Vec<DeviceId>),
    /// Of one, as many as a client that returns may ask for.
    LatestCommands(DeviceId),
}

impl Feed {
    /// Messages may have been lost from `since` on.
    pub(super) fn note_gap(&self, since: Timestamp, cause: &'static str) {
        self.metrics.layer_gap(cause);
        tracing::warn!(%since, cause, "messages of OpenWISP may have been lost");
        self.begin_repair(since);
    }

    /// Has the tables read for what changed since then.
    pub(super) fn begin_repair(&self, since: Timestamp) {
        // First: a repair that ends now must not end this one.
        self.widen_gap(since);
        lock(&self.arrivals).gap_begins();
        self.gap_noted.notify_one();
    }

    /// Repairs gaps for as long as the program runs, trying again until the tables could be read.
    pub(super) async fn repair_gaps(&self) {
        loop {
            self.gap_noted.notified().await;
            while let Some(since) = self.take_gap() {
                match self.repair(since).await {
                    Ok(told) => tracing::info!(told, "told what may have been missed"),
                    Err(error) => {
                        tracing::warn!(%error, "what was missed cannot be read yet");
                        self.widen_gap(since);
                        sleep(AGAIN).await;
                    }
                }
            }
        }
    }

    /// The gap that is to be repaired; where there is none, what is told is no longer noted.
    fn take_gap(&self) -> Option<Timestamp> {
        let mut gap = lock(&self.gap);
        let taken = gap.take();
        if taken.is_none() {
            lock(&self.arrivals).gap_ends();
        }
        taken
    }

    fn widen_gap(&self, since: Timestamp) {
        let mut gap = lock(&self.gap);
        *gap = Some(gap.map_or(since, |other| other.min(since)));
    }

    /// Tells the present state of what changed since then and is listened to; how much that was.
    async fn repair(&self, since: Timestamp) -> Result<usize, TablesError> {
        let mut told = 0;
        for missed in missed(&self.hub.topics()) {
            let mut cursor = Cursor::begin(since.plus_seconds(-MARGIN_S));
            loop {
                let (page, next) = self.page(&missed, cursor).await?;
                // Whatever was sent before the reading has come then.
                self.settled().await;
                told += page.iter().filter(|row| self.tell_again(row)).count();
                match next {
                    Some(next) => cursor = next,
                    None => break,
                }
            }
        }
        Ok(told)
    }

    /// Tells what was read, unless a message has told it, or more, since the gap.
    fn tell_again(&self, told: &Told) -> bool {
        let topics = self.wanted(told);
        if topics.is_empty() {
            return false;
        }
        let frame = Frame::text(&told.text);
        let mut arrivals = lock(&self.arrivals);
        if arrivals.is_told_since_gap(told.subject) {
            return false;
        }
        let version = arrivals.number(told.subject, told.state);
        let snapshot = Snapshot {
            subject: told.subject,
            version,
            frame,
        };
        self.publish(arrivals, &topics, &snapshot, "tables");
        true
    }

    /// A page of the present states of what changed on `topics` from `cursor` on.
    pub(super) async fn replayed(
        &self,
        topics: &[Topic],
        cursor: Cursor,
    ) -> Result<(Vec<Snapshot>, Option<Cursor>), TablesError> {
        // A socket listens to a device, a location, or organizations.
        let missed = match topics {
            [Topic::DeviceCommands(device)] => Some(Missed::LatestCommands(*device)),
            topics => missed(topics).into_iter().next(),
        };
        let Some(missed) = missed else {
            return Ok((Vec::new(), None));
        };
        let committed = lock(&self.arrivals).committed();
        let (page, next) = self.page(&missed, cursor).await?;
        self.settled().await;
        let arrivals = lock(&self.arrivals);
        let snapshots = page.iter().map(|told| Snapshot {
            subject: told.subject,
            version: arrivals.number_of(told.subject, told.state, committed),
            frame: Frame::text(&told.text),
        });
        Ok((snapshots.collect(), next))
    }

    async fn page(
        &self,
        missed: &Missed,
        cursor: Cursor,
    ) -> Result<(Vec<Told>, Option<Cursor>), TablesError> {
        Ok(match missed {
            Missed::Moves(scope) => {
                let (rows, next) = self.tables.locations_since(scope, cursor, PAGE).await?;
                (
                    rows.iter().filter_map(Told::of_location_row).collect(),
                    next,
                )
            }
            // Of one device a client that returns wants the latest, see the store's.
            Missed::Commands(devices) => {
                let rows = match devices.as_slice() {
                    [device] => self.tables.commands_since(*device, cursor, COMMANDS).await,
                    devices => {
                        self.tables
                            .commands_of_since(devices, cursor, COMMANDS)
                            .await
                    }
                };
                let (rows, next) = rows?;
                (rows.iter().map(Told::of_command_row).collect(), next)
            }
            Missed::LatestCommands(device) => {
                let read = self.tables.commands_since(*device, cursor, COMMANDS);
                let (rows, next) = read.await?;
                (rows.iter().map(Told::of_command_row).collect(), next)
            }
        })
    }

    /// Waits for what is on its way. While the channel layer is away nothing is.
    async fn settled(&self) {
        if let Err(error) = self.layer.settled().await {
            tracing::debug!(%error, "the channel layer is away: nothing is on its way");
        }
    }
}

/// What to read for `topics`, each thing once.
fn missed(topics: &[Topic]) -> Vec<Missed> {
    let mut devices = Vec::new();
    let (mut locations, mut organizations) = (BTreeSet::new(), BTreeSet::new());
    let mut has_all = false;
    for topic in topics {
        match *topic {
            Topic::DeviceCommands(id) => devices.push(id),
            Topic::Location(id) => drop(locations.insert(id)),
            Topic::OrgLocations(id) => drop(organizations.insert(id)),
            Topic::AllLocations => has_all = true,
        }
    }
    let mut missed = Vec::new();
    if has_all {
        missed.push(Missed::Moves(LocationScope::All));
    } else if !locations.is_empty() || !organizations.is_empty() {
        missed.push(Missed::Moves(LocationScope::Either {
            locations,
            organizations,
        }));
    }
    if !devices.is_empty() {
        missed.push(Missed::Commands(devices));
    }
    missed
}
