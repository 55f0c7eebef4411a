//! Hints that came before one that they follow: they stand in line for a moment.
//!
//! Two nodes that update one row tell of it after their commits, each in its own time. Versions would keep
//! the order anyway, but by dropping the older one. A watcher is told of each update, so the newer one
//! waits here until the older one is there, or has had its time: then it is lost, and the newer one is what
//! counts.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::super::passed::Timing;
use super::super::{Ingest, Origin};
use super::message::LARGE;
use crate::event::{CommandUpdated, Event, SubjectId};

/// How long the older one may take longer: many times what a message takes through Redis.
const PATIENCE: Duration = Duration::from_millis(50);

/// Events that may stand in line, and bytes of what they hold: a node's own have not travelled, and may be as
/// large as a command's whole output.
const ROOM: usize = 1000;
const ROOM_BYTES: usize = ROOM * LARGE;

/// What an event takes beside its texts, at least.
const BARE_BYTES: usize = 256;

/// Those who wait for an older one.
#[derive(Default)]
pub(super) struct Line {
    state: Mutex<State>,
    added: Notify,
}

#[derive(Default)]
struct State {
    /// By what orders the events of a subject.
    waiting: HashMap<SubjectId, BTreeMap<i64, Event>>,
    /// When whose time is over: in that order, as all have the same. Some have gone before.
    due: VecDeque<(Instant, SubjectId, i64)>,
    /// Bytes of those who wait.
    bytes: usize,
}

impl Line {
    /// Hands an event on, now or in its turn.
    pub fn take(&self, ingest: &Ingest, event: Event) {
        let mut state = self.state();
        let subject = event.subject();
        match ingest.timing(&event) {
            Timing::Early if state.has_room(&event) => {
                let (order, due) = (order(&event), Instant::now() + PATIENCE);
                state.bytes += bytes(&event);
                let waiting = state.waiting.entry(subject).or_default();
                if let Some(same) = waiting.insert(order, event) {
                    state.bytes -= bytes(&same);
                }
                state.due.push_back((due, subject, order));
                self.added.notify_one();
            }
            timing => {
                hand_on(ingest, &event, timing);
                state.advance(ingest, subject);
            }
        }
    }

    /// Hands on what has waited long enough, for ever; tells how many waited in vain.
    pub async fn keep(&self, ingest: &Ingest, in_vain: impl Fn(u64)) -> Infallible {
        loop {
            let due = self.state().due.front().map(|(due, ..)| *due);
            match due {
                Some(due) => sleep_until(due).await,
                None => self.added.notified().await,
            }
            in_vain(self.hand_on_due(ingest, Instant::now()));
        }
    }

    fn hand_on_due(&self, ingest: &Ingest, now: Instant) -> u64 {
        let mut state = self.state();
        let mut in_vain = 0;
        while let Some((_, subject, order)) = state.due.pop_front_if(|(due, ..)| *due <= now) {
            let Some(waiting) = state.waiting.get_mut(&subject) else {
                continue;
            };
            let later = waiting.split_off(&(order + 1));
            for event in std::mem::replace(waiting, later).into_values() {
                state.bytes -= bytes(&event);
                hand_on(ingest, &event, ingest.timing(&event));
                in_vain += 1;
            }
            state.advance(ingest, subject);
        }
        in_vain
    }

    // Held while events are handed on, which never waits: so none overtakes another of its subject.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn has_room(&self, event: &Event) -> bool {
        self.due.len() < ROOM && self.bytes + bytes(event) <= ROOM_BYTES
    }

    /// Hands on those of a subject whose turn it is now.
    fn advance(&mut self, ingest: &Ingest, subject: SubjectId) {
        let Some(waiting) = self.waiting.get_mut(&subject) else {
            return;
        };
        while let Some(first) = waiting.first_entry() {
            let timing = ingest.timing(first.get());
            if timing == Timing::Early {
                return;
            }
            let event = first.remove();
            self.bytes -= bytes(&event);
            hand_on(ingest, &event, timing);
        }
        self.waiting.remove(&subject);
    }
}

fn hand_on(ingest: &Ingest, event: &Event, timing: Timing) {
    let origin = match event {
        Event::CommandUpdated(updated) if updated.growth > 0 => Origin::Growth,
        _ => Origin::Hint,
    };
    // Growing output belongs to the update that it follows: without that one nobody can tell whether it is
    // older than what was told.
    if origin == Origin::Hint || timing == Timing::Next {
        ingest.publish(event, origin);
    }
}

/// What an event holds, about.
fn bytes(event: &Event) -> usize {
    let texts = match event {
        Event::LocationMoved(moved) => moved.name.len() + moved.address.len(),
        Event::CommandUpdated(updated) => {
            updated.label.len() + updated.output.len() + bytes_of(&updated.input)
        }
    };
    BARE_BYTES + texts
}

fn bytes_of(value: &Value) -> usize {
    let held = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(bytes_of).sum(),
        Value::Object(fields) => {
            let held = fields
                .iter()
                .map(|(key, value)| key.len() + bytes_of(value));
            held.sum()
        }
    };
    size_of::<Value>() + held
}

fn order(event: &Event) -> i64 {
    match event {
        Event::LocationMoved(moved) => moved.moved_version,
        Event::CommandUpdated(updated) => CommandUpdated::order(updated),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{CommandId, DeviceId, LocationId, OrganizationId, Topic};
    use crate::ingest::testing::{grown, house, moved, versions};

    fn move_of(id: LocationId, version: i64) -> Event {
        Event::LocationMoved(moved(id, OrganizationId(id.0), version))
    }

    #[test]
    fn a_newer_update_waits_for_the_older_one() {
        let (ingest, listeners) = house();
        let line = Line::default();
        let id = LocationId::random();
        let listener = listeners.join(vec![Topic::Location(id)]);
        for version in [4, 7, 6] {
            line.take(&ingest, move_of(id, version));
        }
        assert_eq!(versions(&listener), [4]);
        line.take(&ingest, move_of(id, 5));
        assert_eq!(versions(&listener), [5, 6, 7]);
        line.take(&ingest, move_of(id, 8));
        assert_eq!(versions(&listener), [8]);
    }

    #[test]
    fn an_older_update_that_does_not_come_is_waited_for_in_vain_and_dropped_later() {
        let (ingest, listeners) = house();
        let line = Line::default();
        let id = LocationId::random();
        let listener = listeners.join(vec![Topic::Location(id)]);
        for version in [4, 6, 7] {
            line.take(&ingest, move_of(id, version));
        }
        assert_eq!(line.hand_on_due(&ingest, Instant::now()), 0);
        assert_eq!(versions(&listener), [4]);
        let later = Instant::now() + PATIENCE;
        assert_eq!(line.hand_on_due(&ingest, later), 1);
        line.take(&ingest, move_of(id, 5));
        assert_eq!(versions(&listener), [6, 7]);
        assert!(line.state().waiting.is_empty());
    }

    #[test]
    fn what_lies_far_ahead_or_is_the_first_heard_of_does_not_wait() {
        let (ingest, listeners) = house();
        let line = Line::default();
        let id = LocationId::random();
        let listener = listeners.join(vec![Topic::Location(id)]);
        for version in [9, 100] {
            line.take(&ingest, move_of(id, version));
        }
        assert_eq!(versions(&listener), [9, 100]);
    }

    #[test]
    fn no_more_wait_than_there_is_room_for() {
        let (ingest, listeners) = house();
        let line = Line::default();
        let listener = listeners.join(vec![Topic::AllLocations]);
        for _ in 0..ROOM + 5 {
            let id = LocationId::random();
            line.take(&ingest, move_of(id, 1));
            line.take(&ingest, move_of(id, 3));
        }
        let heard = versions(&listener);
        assert_eq!(heard.iter().filter(|version| **version == 3).count(), 5);
    }

    #[test]
    fn large_ones_take_no_more_memory_than_small_ones_may() {
        const OUTPUT: usize = 1 << 20;
        let (ingest, listeners) = house();
        let line = Line::default();
        let mut event = grown(OrganizationId::random(), 1, 0);
        let listener = listeners.join(vec![Topic::DeviceCommands(event.device)]);
        let large = || {
            let heard = listener.heard();
            heard.iter().filter(|it| it.size() > OUTPUT).count()
        };
        let (asked, mut at_once) = (2 * ROOM_BYTES / OUTPUT, 0);
        for _ in 0..asked {
            event.id = CommandId::random();
            (event.version, event.output) = (1, String::new());
            line.take(&ingest, Event::CommandUpdated(event.clone()));
            (event.version, event.output) = (3, "x".repeat(OUTPUT));
            line.take(&ingest, Event::CommandUpdated(event.clone()));
            assert!(line.state().bytes <= ROOM_BYTES);
            at_once += large();
        }
        // The others are told in their turn, and leave room behind.
        line.hand_on_due(&ingest, Instant::now() + PATIENCE);
        let later = large();
        assert_eq!(at_once + later, asked);
        assert!(at_once >= asked / 2 && later > 0, "{at_once}, {later}");
        assert_eq!(line.state().bytes, 0);
    }

    #[test]
    fn growing_output_is_told_behind_its_update_or_not_at_all() {
        let (ingest, listeners) = house();
        let line = Line::default();
        let mut event = grown(OrganizationId::random(), 3, 1);
        event.device = DeviceId::random();
        let listener = listeners.join(vec![Topic::DeviceCommands(event.device)]);
        let of = |version, growth| {
            let mut event = event.clone();
            (event.version, event.growth) = (version, growth);
            event.output = format!("version {version}.{growth}\"");
            Event::CommandUpdated(event)
        };
        line.take(&ingest, of(2, 0));
        // Before its update, then with it.
        line.take(&ingest, of(3, 1));
        line.take(&ingest, of(3, 0));
        // Of an update that does not come, and of one that is over.
        line.take(&ingest, of(4, 1));
        line.hand_on_due(&ingest, Instant::now() + PATIENCE);
        line.take(&ingest, of(3, 2));
        line.take(&ingest, of(5, 0));
        line.hand_on_due(&ingest, Instant::now() + PATIENCE);
        line.take(&ingest, of(3, 3));
        let frames = listener.heard();
        let heard = frames.iter().map(|frame| {
            let text = String::from_utf8_lossy(frame.bytes());
            let after = text.split("version ").nth(1).unwrap();
            after.split('\\').next().unwrap().to_owned()
        });
        let heard: Vec<_> = heard.collect();
        assert_eq!(heard, ["2.0", "3.0", "3.1", "3.2", "5.0"]);
    }
}
