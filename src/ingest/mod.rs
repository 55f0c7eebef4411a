//! The way in: committed updates become events for the hub.
//!
//! A hint tells of one committed update at once; the [`tail`] reads the log of committed changes and
//! misses nothing. Both come through [`Ingest::publish`], which lets each version of a location or
//! command pass once and none after a newer one. The runner brings the growing output of what it
//! runs the same way, more often than it is saved. Where Redis carries the hints, that is the [`relay`].

mod hints;
mod passed;
mod relay;
mod tail;
#[cfg(test)]
mod testing;

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

pub use hints::follow_hints;
pub use relay::{Relay, RelaySettings};
pub use tail::Tail;

use passed::{Passed, Timing};

use crate::event::{
    CommandId, CommandUpdated, DeviceId, Event, Frame, LocationId, LocationMoved, Topic,
};
use crate::hub::{Hub, Snapshot};
use crate::store::{ChangedCommand, ChangedLocation};
use crate::telemetry::Metrics;

/// What brought an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Told of at its commit.
    Hint,
    /// Found in the log.
    Tail,
    /// Output that has grown since the last update.
    Growth,
}

impl Origin {
    const fn label(self) -> &'static str {
        match self {
            Self::Hint => "hint",
            Self::Tail => "tail",
            Self::Growth => "growth",
        }
    }
}

/// The one door to the hub.
pub struct Ingest {
    hub: Arc<Hub>,
    metrics: Arc<Metrics>,
    /// The lock is held while publishing, which is what keeps versions in order; publishing never
    /// waits.
    passed: Mutex<Passed>,
    /// What tells other nodes, where there is something beside the database.
    relay: OnceLock<Weak<Relay>>,
}

impl Ingest {
    /// A door through which nothing has passed yet.
    #[must_use]
    pub fn new(hub: Arc<Hub>, metrics: Arc<Metrics>) -> Self {
        Self {
            hub,
            metrics,
            passed: Mutex::default(),
            relay: OnceLock::new(),
        }
    }

    /// Hands an event to whoever watches what it is about, unless it has been overtaken.
    pub fn publish(&self, event: &Event, origin: Origin) {
        // A command's message may be long: it is made before others have to wait.
        let long = match event {
            Event::CommandUpdated(updated) if self.is_watching(updated.device) => {
                Some(updated_snapshot(updated))
            }
            _ => None,
        };
        let mut passed = self.passed();
        let mut topics = match event {
            Event::LocationMoved(moved) => passed.moved(moved),
            Event::CommandUpdated(updated) => passed.updated(updated),
        };
        topics.retain(|topic| self.hub.wants(*topic));
        if topics.is_empty() {
            return;
        }
        let snapshot = long.unwrap_or_else(|| match event {
            Event::LocationMoved(moved) => moved_snapshot(moved),
            Event::CommandUpdated(updated) => updated_snapshot(updated),
        });
        self.hub.publish(&topics, &snapshot);
        self.metrics.event_published(origin.label());
    }

    /// Tells of output that has grown since the last update: here, and where other nodes can be told of what
    /// is not in the database.
    pub fn grow(&self, grown: CommandUpdated) {
        let event = Event::CommandUpdated(grown);
        self.publish(&event, Origin::Growth);
        if let Some(relay) = self.relay() {
            relay.tell_others_of_growth(&event);
        }
    }

    /// Whether anybody may see the growing output of the device's commands, `bytes` long by now: what
    /// nobody sees need not be made into snapshots.
    #[must_use]
    pub fn wants_growth(&self, device: DeviceId, bytes: usize) -> bool {
        self.is_watching(device) || self.relay().is_some_and(|relay| relay.carries(bytes))
    }

    fn relay(&self) -> Option<Arc<Relay>> {
        self.relay.get().and_then(Weak::upgrade)
    }

    /// Whether it is the time of an event that may have overtaken an earlier one on its way here.
    fn timing(&self, event: &Event) -> Timing {
        self.passed().timing(event)
    }

    /// Whether a socket here watches the device.
    fn is_watching(&self, device: DeviceId) -> bool {
        self.hub.wants(Topic::DeviceCommands(device))
    }

    /// Whether a socket here watches what `change` is about.
    fn is_watched(&self, change: &ChangedLocation) -> bool {
        self.hub.wants(Topic::Location(change.id))
            || self.hub.wants(Topic::OrgLocations(change.organization))
            || self.hub.wants(Topic::AllLocations)
    }

    /// Of changed locations, those whose move no hint has brought and that somebody here watches.
    fn moves_to_tell(&self, changed: &[ChangedLocation]) -> Vec<LocationId> {
        let mut passed = self.passed();
        let mut news = Vec::new();
        for change in changed {
            if !self.is_watched(change) {
                passed.skip_move(change);
            } else if passed.is_move(change) {
                news.push(change.id);
            }
        }
        news
    }

    /// Of changed commands, those whose update no hint has brought and that somebody here watches.
    fn updates_to_tell(&self, changed: &[ChangedCommand]) -> Vec<CommandId> {
        let mut passed = self.passed();
        let mut news = Vec::new();
        for change in changed {
            if !self.is_watching(change.device) {
                passed.skip_update(change);
            } else if passed.is_update(change) {
                news.push(change.id);
            }
        }
        news
    }

    /// Whether all that was told here of these commands is in `updates`: their growing output may have
    /// been pushed and not saved yet.
    fn has_caught_up(&self, updates: &[CommandUpdated]) -> bool {
        let passed = self.passed();
        updates
            .iter()
            .all(|update| update.order() >= passed.order_of(update.id))
    }

    fn passed(&self) -> MutexGuard<'_, Passed> {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An update of a command as the hub carries it: encoded here, once.
fn updated_snapshot(updated: &CommandUpdated) -> Snapshot {
    Snapshot {
        subject: updated.subject(),
        version: updated.order(),
        frame: Frame::text(&updated.message()),
    }
}

/// A move as the hub carries it: encoded here, once.
fn moved_snapshot(moved: &LocationMoved) -> Snapshot {
    Snapshot {
        subject: moved.subject(),
        version: moved.moved_version,
        frame: Frame::text(&moved.message()),
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{house, moved, versions};
    use super::*;
    use crate::event::OrganizationId;
    use crate::store::Changes;

    fn moved_event(id: LocationId, moved_version: i64, fleet_version: i64) -> Event {
        Event::LocationMoved(LocationMoved {
            fleet_version,
            ..moved(id, OrganizationId::random(), moved_version)
        })
    }

    fn grown(id: CommandId, device: DeviceId, version: i64, growth: u32) -> Event {
        Event::CommandUpdated(CommandUpdated {
            id,
            device,
            ..testing::grown(OrganizationId::random(), version, growth)
        })
    }

    #[test]
    fn a_version_passes_once_whoever_brings_it() {
        let (ingest, listeners) = house();
        let id = LocationId::random();
        let listener = listeners.join(vec![Topic::Location(id)]);
        ingest.publish(&moved_event(id, 1, 1), Origin::Hint);
        ingest.publish(&moved_event(id, 1, 1), Origin::Tail);
        assert_eq!(versions(&listener), [1]);
    }

    #[test]
    fn no_version_passes_after_a_newer_one() {
        let (ingest, listeners) = house();
        let id = LocationId::random();
        let listener = listeners.join(vec![Topic::AllLocations]);
        ingest.publish(&moved_event(id, 5, 5), Origin::Tail);
        ingest.publish(&moved_event(id, 4, 4), Origin::Hint);
        ingest.publish(&moved_event(id, 6, 6), Origin::Hint);
        assert_eq!(versions(&listener), [5, 6]);
    }

    #[test]
    fn a_move_that_does_not_count_for_the_fleet_reaches_only_the_locations_own_watchers() {
        let (ingest, listeners) = house();
        let id = LocationId::random();
        let (one, fleet) = (
            listeners.join(vec![Topic::Location(id)]),
            listeners.join(vec![Topic::AllLocations]),
        );
        ingest.publish(&moved_event(id, 3, 0), Origin::Hint);
        assert_eq!(versions(&one), [3]);
        assert!(versions(&fleet).is_empty());
    }

    #[test]
    fn a_fleet_move_that_hints_lost_is_told_even_when_a_fixed_one_followed_it() {
        let (ingest, listeners) = house();
        let id = LocationId::random();
        let fleet = listeners.join(vec![Topic::AllLocations]);
        ingest.publish(&moved_event(id, 1, 1), Origin::Hint);
        // Version 2 made it fixed and was lost, version 3 moved the fixed one.
        ingest.publish(&moved_event(id, 3, 2), Origin::Tail);
        assert_eq!(versions(&fleet), [1, 3]);
    }

    #[test]
    fn what_passed_unwatched_is_no_news_to_a_later_socket() {
        let (ingest, listeners) = house();
        let changes = Changes {
            locations: vec![ChangedLocation {
                id: LocationId::random(),
                organization: OrganizationId::random(),
                moved_version: 7,
                fleet_version: 7,
            }],
            commands: vec![ChangedCommand {
                id: CommandId::random(),
                device: DeviceId::random(),
                version: 7,
            }],
        };
        assert!(ingest.moves_to_tell(&changes.locations).is_empty());
        assert!(ingest.updates_to_tell(&changes.commands).is_empty());
        let device = changes.commands[0].device;
        let _watching = listeners.join(vec![Topic::AllLocations, Topic::DeviceCommands(device)]);
        assert!(ingest.moves_to_tell(&changes.locations).is_empty());
        assert!(ingest.updates_to_tell(&changes.commands).is_empty());
        let next = ChangedCommand {
            version: 8,
            ..changes.commands[0]
        };
        assert_eq!(ingest.updates_to_tell(&[next]).len(), 1);
    }

    #[test]
    fn growing_output_passes_between_two_updates_and_never_behind_the_second() {
        let (ingest, listeners) = house();
        let (id, device) = (CommandId::random(), DeviceId::random());
        let listener = listeners.join(vec![Topic::DeviceCommands(device)]);
        ingest.publish(&grown(id, device, 2, 0), Origin::Hint);
        ingest.publish(&grown(id, device, 2, 1), Origin::Growth);
        ingest.publish(&grown(id, device, 2, 2), Origin::Growth);
        ingest.publish(&grown(id, device, 3, 0), Origin::Hint);
        ingest.publish(&grown(id, device, 2, 3), Origin::Growth);
        ingest.publish(&grown(id, device, 3, 0), Origin::Tail);
        assert_eq!(listener.heard().len(), 4);
    }
}
