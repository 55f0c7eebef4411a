//! Moves of releases before 1.3, which wait for what their rows say beside.

use std::collections::HashMap;
use std::sync::Mutex;

use tokio::sync::{Notify, watch};

use super::{Feed, Moved, Told, lock};
use crate::event::{LocationId, Timestamp};

/// Moves that wait, at most: beyond them the tables are read as after an outage.
const MOST: usize = 10_000;

/// What waits for its rows.
#[derive(Default)]
pub(super) struct Moves {
    waiting: Mutex<Waiting>,
    noted: Notify,
    /// How many of all that came do not wait any more.
    done: watch::Sender<u64>,
}

#[derive(Default)]
struct Waiting {
    moves: Vec<(LocationId, Moved)>,
    /// When the first of them came.
    since: Option<Timestamp>,
    /// How many ever came.
    count: u64,
}

impl Moves {
    /// Has a move wait. If there are too many of them all are dropped, and it is said since when.
    fn push(&self, id: LocationId, moved: Moved) -> Result<(), Timestamp> {
        let mut waiting = lock(&self.waiting);
        let since = *waiting.since.get_or_insert_with(Timestamp::now);
        waiting.count += 1;
        let is_full = waiting.moves.len() >= MOST;
        if is_full {
            waiting.moves.clear();
            waiting.since = None;
        } else {
            waiting.moves.push((id, moved));
        }
        drop(waiting);
        self.noted.notify_one();
        if is_full { Err(since) } else { Ok(()) }
    }

    /// What waits now.
    fn take(&self) -> Waiting {
        let mut waiting = lock(&self.waiting);
        let count = waiting.count;
        let taken = std::mem::take(&mut *waiting);
        waiting.count = count;
        taken
    }

    /// Returns once no move waits of those that wait now.
    pub(super) async fn are_told(&self) {
        let count = lock(&self.waiting).count;
        let mut done = self.done.subscribe();
        // It ends only with ourselves.
        let _ = done.wait_for(|done| *done >= count).await;
    }
}

impl Feed {
    /// Has a move told once its row is read.
    pub(super) fn wait_for_row(&self, id: LocationId, moved: Moved) {
        if let Err(since) = self.moves.push(id, moved) {
            self.note_gap(since, "rows");
        }
    }

    /// Completes the two fields that releases before 1.3 send with what the tables say, for as long as the
    /// program runs.
    pub(super) async fn complete_moves(&self) {
        loop {
            self.moves.noted.notified().await;
            let Waiting {
                moves,
                since,
                count,
            } = self.moves.take();
            let mut ids: Vec<_> = moves.iter().map(|(id, _)| *id).collect();
            ids.sort_unstable();
            ids.dedup();
            match self.tables.locations(&ids).await {
                Ok(rows) => {
                    let rows: HashMap<_, _> = rows.iter().map(|row| (row.id, row)).collect();
                    for (id, moved) in moves {
                        if let Some(row) = rows.get(&id) {
                            self.metrics.layer_message("forwarded");
                            self.tell(&Told::of_moved(row, moved));
                        }
                    }
                }
                Err(error) => {
                    tracing::warn!(code = "tables_unread", %error, "moves wait for the database");
                    self.note_gap(since.unwrap_or_else(Timestamp::now), "database");
                }
            }
            self.moves.done.send_replace(count);
        }
    }
}

#[cfg(test)]
#[path = "moves_tests.rs"]
mod tests;
