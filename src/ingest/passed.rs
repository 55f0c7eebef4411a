//! Which versions have passed the door.

use std::cmp::Ordering;
use std::collections::{HashMap, VecDeque};

use crate::event::{CommandId, CommandUpdated, Event, LocationId, LocationMoved, Topic};
use crate::store::{ChangedCommand, ChangedLocation};

/// Updates of commands that are remembered, the latest. What is older has been read by the tail; were
/// it read once more, that state would come a second time.
const UPDATES: usize = 100_000;

/// Updates that may be on their way when a later one is there already: of more than that most are lost.
const ON_THEIR_WAY: i64 = 8;

/// Whether it is an event's time to pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timing {
    /// What it follows has passed, as far as can be told.
    Next,
    /// One before it has not passed, and may be on its way.
    Early,
    /// The update that this output grew behind has been followed by another.
    Late,
}

/// The newest versions of a location that have passed.
#[derive(Clone, Copy, Debug, Default)]
struct Moves {
    moved: i64,
    fleet: i64,
}

/// The newest versions that have passed, one entry a location or command that was updated since this
/// process began: also of those that nobody here watches, or a socket that opens just after an
/// update would be told of it by the tail.
#[derive(Default)]
pub(super) struct Passed {
    locations: HashMap<LocationId, Moves>,
    /// By [`CommandUpdated::order`].
    commands: HashMap<CommandId, i64>,
    /// What went into `commands`, in that order.
    remembered: VecDeque<(CommandId, i64)>,
}

impl Passed {
    /// Lets a move pass: the topics for which it is news.
    pub(super) fn moved(&mut self, moved: &LocationMoved) -> Vec<Topic> {
        let newest = self.locations.entry(moved.id).or_default();
        let mut topics = Vec::with_capacity(3);
        if moved.moved_version > newest.moved {
            newest.moved = moved.moved_version;
            topics.push(moved.location_topic());
        }
        if moved.fleet_version > newest.fleet {
            newest.fleet = moved.fleet_version;
            topics.extend(moved.fleet_topics());
        }
        topics
    }

    /// Lets an update of a command pass: its topic, if it is news.
    pub(super) fn updated(&mut self, updated: &CommandUpdated) -> Vec<Topic> {
        if self.raise(updated.id, updated.order()) {
            vec![updated.topic()]
        } else {
            Vec::new()
        }
    }

    /// Whether it is the time of an event that came by a way that does not keep the order. (A location's
    /// version also grows by what is no move: then nothing is on its way, and an event is thought early that
    /// is not.)
    pub(super) fn timing(&self, event: &Event) -> Timing {
        let is_early = |newest: i64, version: i64| {
            let missing = version.saturating_sub(newest).saturating_sub(1);
            (1..=ON_THEIR_WAY).contains(&missing)
        };
        let is_early = match event {
            Event::LocationMoved(moved) => self
                .locations
                .get(&moved.id)
                .is_some_and(|newest| is_early(newest.moved, moved.moved_version)),
            Event::CommandUpdated(updated) => {
                let newest = self.commands.get(&updated.id).copied();
                let newest = newest.map(CommandUpdated::version_of);
                if updated.growth > 0 {
                    return match newest.unwrap_or_default().cmp(&updated.version) {
                        Ordering::Less => Timing::Early,
                        Ordering::Equal => Timing::Next,
                        Ordering::Greater => Timing::Late,
                    };
                }
                // Its creation, version 1, is told to nobody.
                is_early(newest.unwrap_or(1), updated.version)
            }
        };
        if is_early {
            Timing::Early
        } else {
            Timing::Next
        }
    }

    /// The newest [`CommandUpdated::order`] of a command that has passed, 0 for none.
    pub(super) fn order_of(&self, id: CommandId) -> i64 {
        self.commands.get(&id).copied().unwrap_or_default()
    }

    pub(super) fn is_move(&self, change: &ChangedLocation) -> bool {
        let newest = self.locations.get(&change.id).copied().unwrap_or_default();
        change.moved_version > newest.moved || change.fleet_version > newest.fleet
    }

    pub(super) fn is_update(&self, change: &ChangedCommand) -> bool {
        CommandUpdated::order_of(change.version) > self.order_of(change.id)
    }

    /// Notes that `change` has passed without anybody watching.
    pub(super) fn skip_move(&mut self, change: &ChangedLocation) {
        let newest = self.locations.entry(change.id).or_default();
        newest.moved = newest.moved.max(change.moved_version);
        newest.fleet = newest.fleet.max(change.fleet_version);
    }

    /// Notes that `change` has passed without anybody watching.
    pub(super) fn skip_update(&mut self, change: &ChangedCommand) {
        self.raise(change.id, CommandUpdated::order_of(change.version));
    }

    fn raise(&mut self, id: CommandId, order: i64) -> bool {
        if self
            .commands
            .get(&id)
            .is_some_and(|before| *before >= order)
        {
            return false;
        }
        self.commands.insert(id, order);
        self.remembered.push_back((id, order));
        if self.remembered.len() > UPDATES
            && let Some((oldest, order)) = self.remembered.pop_front()
            && self.commands.get(&oldest) == Some(&order)
        {
            self.commands.remove(&oldest);
        }
        true
    }
}
