//! The way in: committed moves become events for the hub.
//!
//! A hint tells of one committed move at once; the [`tail`] reads the log of committed changes and
//! misses nothing. Both come through [`Ingest::publish`], which lets each version of a location
//! pass once and none after a newer one.

mod hints;
mod tail;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

pub use hints::follow_hints;
pub use tail::Tail;

use crate::event::{Frame, LocationId, LocationMoved, Topic};
use crate::hub::{Hub, Snapshot};
use crate::store::Change;
use crate::telemetry::Metrics;

/// What brought an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Told of at its commit.
    Hint,
    /// Found in the log.
    Tail,
}

impl Origin {
    const fn label(self) -> &'static str {
        match self {
            Self::Hint => "hint",
            Self::Tail => "tail",
        }
    }
}

/// The newest versions of a location that have passed.
#[derive(Clone, Copy, Debug, Default)]
struct Passed {
    moved: i64,
    fleet: i64,
}

/// The one door to the hub.
pub struct Ingest {
    hub: Arc<Hub>,
    metrics: Arc<Metrics>,
    /// One entry a location that has moved since this process began (24 bytes each, and the map's
    /// own): also for those that nobody here watches, or a socket that opens just after a move
    /// would be told of it by the tail. The lock is held while publishing, which is what keeps
    /// versions in order; publishing never waits.
    passed: Mutex<HashMap<LocationId, Passed>>,
}

impl Ingest {
    /// A door through which nothing has passed yet.
    #[must_use]
    pub fn new(hub: Arc<Hub>, metrics: Arc<Metrics>) -> Self {
        Self {
            hub,
            metrics,
            passed: Mutex::default(),
        }
    }

    /// Hands a move to whoever watches the location or its fleet, unless it has been overtaken.
    pub fn publish(&self, moved: &LocationMoved, origin: Origin) {
        let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = passed.entry(moved.id).or_default();
        let mut topics: Vec<Topic> = Vec::with_capacity(3);
        if moved.moved_version > newest.moved {
            newest.moved = moved.moved_version;
            topics.push(moved.location_topic());
        }
        if moved.fleet_version > newest.fleet {
            newest.fleet = moved.fleet_version;
            topics.extend(moved.fleet_topics());
        }
        topics.retain(|topic| self.hub.wants(*topic));
        if topics.is_empty() {
            return;
        }
        let delivered = self.hub.publish(&topics, &snapshot(moved));
        self.metrics.event_published(origin.label());
        self.metrics.snapshots("queued", delivered.queued);
        self.metrics.snapshots("conflated", delivered.conflated);
        self.metrics.snapshots("overflowed", delivered.overflowed);
    }

    /// Whether `change` holds a move that no hint has brought.
    fn is_news(&self, change: &Change) -> bool {
        let passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = passed.get(&change.id).copied().unwrap_or_default();
        change.moved_version > newest.moved || change.fleet_version > newest.fleet
    }

    /// Whether a socket here watches what `change` is about.
    fn is_watched(&self, change: &Change) -> bool {
        self.hub.wants(Topic::Location(change.id))
            || self.hub.wants(Topic::OrgLocations(change.organization))
            || self.hub.wants(Topic::AllLocations)
    }

    /// Notes that `change` has passed without anybody watching.
    fn skip(&self, change: &Change) {
        let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = passed.entry(change.id).or_default();
        newest.moved = newest.moved.max(change.moved_version);
        newest.fleet = newest.fleet.max(change.fleet_version);
    }
}

/// A move as the hub carries it: encoded here, once.
fn snapshot(moved: &LocationMoved) -> Snapshot {
    Snapshot {
        subject: moved.subject(),
        version: moved.moved_version,
        frame: Frame::text(&moved.message()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{LocationType, OrganizationId, Point};
    use crate::hub::Subscriber;

    fn moved(id: LocationId, moved_version: i64, fleet_version: i64) -> LocationMoved {
        LocationMoved {
            id,
            organization: OrganizationId::random(),
            name: format!("version {moved_version}"),
            address: String::new(),
            kind: LocationType::Outdoor,
            is_mobile: true,
            geometry: Point::new(1.0, 2.0).unwrap(),
            moved_version,
            fleet_version,
        }
    }

    fn house() -> (Ingest, Arc<Hub>) {
        let hub = Arc::new(Hub::new(1024 * 1024));
        (Ingest::new(Arc::clone(&hub), Arc::default()), hub)
    }

    /// The versions that reached a subscriber, in order.
    fn versions(subscriber: &Subscriber) -> Vec<i64> {
        let frames = subscriber.outbox().take(usize::MAX);
        frames
            .iter()
            .map(|frame| {
                let text = String::from_utf8_lossy(frame.bytes());
                let after = text.split("version ").nth(1).unwrap();
                after.split('"').next().unwrap().parse().unwrap()
            })
            .collect()
    }

    #[test]
    fn a_version_passes_once_whoever_brings_it() {
        let (ingest, hub) = house();
        let id = LocationId::random();
        let subscriber = hub.join(vec![Topic::Location(id)]);
        ingest.publish(&moved(id, 1, 1), Origin::Hint);
        ingest.publish(&moved(id, 1, 1), Origin::Tail);
        assert_eq!(versions(&subscriber), [1]);
    }

    #[test]
    fn no_version_passes_after_a_newer_one() {
        let (ingest, hub) = house();
        let id = LocationId::random();
        let subscriber = hub.join(vec![Topic::AllLocations]);
        ingest.publish(&moved(id, 5, 5), Origin::Tail);
        ingest.publish(&moved(id, 4, 4), Origin::Hint);
        ingest.publish(&moved(id, 6, 6), Origin::Hint);
        assert_eq!(versions(&subscriber), [5, 6]);
    }

    #[test]
    fn a_move_that_does_not_count_for_the_fleet_reaches_only_the_locations_own_watchers() {
        let (ingest, hub) = house();
        let id = LocationId::random();
        let (one, fleet) = (
            hub.join(vec![Topic::Location(id)]),
            hub.join(vec![Topic::AllLocations]),
        );
        ingest.publish(&moved(id, 3, 0), Origin::Hint);
        assert_eq!(versions(&one), [3]);
        assert!(versions(&fleet).is_empty());
    }

    #[test]
    fn a_fleet_move_that_hints_lost_is_told_even_when_a_fixed_one_followed_it() {
        let (ingest, hub) = house();
        let id = LocationId::random();
        let fleet = hub.join(vec![Topic::AllLocations]);
        ingest.publish(&moved(id, 1, 1), Origin::Hint);
        // Version 2 made it fixed and was lost, version 3 moved the fixed one.
        ingest.publish(&moved(id, 3, 2), Origin::Tail);
        assert_eq!(versions(&fleet), [1, 3]);
    }

    #[test]
    fn what_passed_unwatched_is_no_news_to_a_later_socket() {
        let (ingest, _hub) = house();
        let change = Change {
            id: LocationId::random(),
            organization: OrganizationId::random(),
            moved_version: 7,
            fleet_version: 7,
        };
        assert!(ingest.is_news(&change));
        ingest.skip(&change);
        assert!(!ingest.is_news(&change));
    }
}
