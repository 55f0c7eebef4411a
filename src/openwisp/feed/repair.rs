//! What was missed, read from the tables: after an outage, and for `?since=`.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::arrivals::{Gap, State, UNCOMMITTED};
use super::{Feed, Told, lock};
use crate::event::{Cursor, DeviceId, Frame, SubjectId, Timestamp, Topic};
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
}

/// A reading of what changed in a gap. There are two: what was not committed at the first is there at the
/// second.
struct Reading {
    gap: Gap,
    /// When the second is due; not yet known at the first.
    due: Option<Instant>,
    /// What the first told.
    told: HashMap<SubjectId, State>,
}

impl Feed {
    /// Messages may have been lost from `since` on.
    pub(super) fn note_gap(&self, since: Timestamp, cause: &'static str) {
        self.metrics.layer_gap(cause);
        tracing::warn!(code = "messages_lost", %since, cause, "messages of OpenWISP may have been lost");
        self.begin_repair(since);
    }

    /// Has the tables read for what changed since then.
    pub(super) fn begin_repair(&self, since: Timestamp) {
        lock(&self.arrivals).gap_begins(since);
        self.gap_noted.notify_one();
    }

    /// Repairs gaps for as long as the program runs, trying again until the tables could be read.
    pub(super) async fn repair_gaps(&self) {
        // In the order in which they are due.
        let mut again = VecDeque::new();
        loop {
            let due = again.front().and_then(|it: &Reading| it.due);
            tokio::select! {
                () = self.gap_noted.notified() => {}
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
            }
            while let Some(reading) = self.next_reading(&mut again) {
                again.extend(self.read_gap(reading).await);
            }
            if again.is_empty() {
                lock(&self.arrivals).gaps_end();
            }
        }
    }

    /// What is to be read now.
    fn next_reading(&self, again: &mut VecDeque<Reading>) -> Option<Reading> {
        let first = lock(&self.arrivals).take_gap().map(|gap| Reading {
            gap,
            due: None,
            told: HashMap::new(),
        });
        let is_due = |it: &mut Reading| it.due.is_none_or(|at| at <= Instant::now());
        first.or_else(|| again.pop_front_if(is_due))
    }

    /// Reads what changed in a gap; after the first reading, the second.
    async fn read_gap(&self, mut reading: Reading) -> Option<Reading> {
        let is_first = reading.due.is_none();
        match self.repair(&mut reading).await {
            Ok(told) => tracing::info!(told, is_first, "told what may have been missed"),
            Err(error) => {
                tracing::warn!(code = "tables_unread", %error, "what was missed cannot be read yet");
                lock(&self.arrivals).gap_remains(reading.gap);
                sleep(AGAIN).await;
                return None;
            }
        }
        reading.due = Some(Instant::now() + UNCOMMITTED);
        is_first.then_some(reading)
    }

    /// Tells the present state of what changed since then and is listened to; how much that was.
    async fn repair(&self, reading: &mut Reading) -> Result<usize, TablesError> {
        let mut told = 0;
        for missed in missed(&self.hub.topics()) {
            let mut cursor = Cursor::begin(reading.gap.since.plus_seconds(-MARGIN_S));
            loop {
                let (page, next) = self.page(&missed, cursor).await?;
                // Whatever was sent before the reading has come then.
                self.settled().await;
                for row in &page {
                    told += usize::from(self.tell_again(row, reading));
                }
                match next {
                    Some(next) => cursor = next,
                    None => break,
                }
            }
        }
        Ok(told)
    }

    /// Tells what was read, unless a message has told it, or more, since the gap.
    fn tell_again(&self, told: &Told, reading: &mut Reading) -> bool {
        let topics = self.wanted(told);
        if topics.is_empty() {
            return false;
        }
        let (subject, state) = (told.subject, told.state);
        let frame = Frame::text(&told.text);
        let mut arrivals = lock(&self.arrivals);
        let is_known = match reading.due {
            None => arrivals.may_be_older(subject, state),
            Some(_) => reading.told.get(&subject) == Some(&state),
        };
        if is_known || arrivals.is_told_after(reading.gap, subject) {
            return false;
        }
        reading.told.insert(subject, state);
        let snapshot = Snapshot {
            subject,
            version: arrivals.number_row(subject, state),
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
        let Some(missed) = missed(topics).into_iter().next() else {
            return Ok((Vec::new(), None));
        };
        let committed = lock(&self.arrivals).committed();
        let (page, next) = self.page(&missed, cursor).await?;
        self.settled().await;
        // Before the lock, for which every message waits.
        let frames: Vec<Frame> = page.iter().map(|told| Frame::text(&told.text)).collect();
        let arrivals = lock(&self.arrivals);
        let snapshots = page.iter().zip(frames).map(|(told, frame)| Snapshot {
            subject: told.subject,
            version: arrivals.number_of(told.subject, told.state, committed),
            frame,
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
        })
    }

    /// Waits until what is on its way has been told. While the channel layer is away nothing is.
    pub(super) async fn settled(&self) {
        if let Err(error) = self.layer.settled().await {
            tracing::debug!(%error, "what is on its way is not waited for");
        }
        self.moves.are_told().await;
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

#[cfg(test)]
#[path = "repair_tests.rs"]
mod tests;
