//! In which order messages came: OpenWISP numbers nothing, so we do.
//!
//! A message is numbered as it is published. What is read from the tables has no number of its own: it
//! takes the one of the message that told the same state, if that came lately. So a state that was read
//! never stands behind a newer message, and no message that is newer than what was read is dropped.

use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::event::SubjectId;

/// OpenWISP sends some messages inside the transaction that they are about: for this long a state that
/// was read may be older than a message that came before.
const UNCOMMITTED: Duration = Duration::from_secs(5);

/// No more messages than this are remembered.
const REMEMBERED: usize = 100_000;

/// Tells whether two messages, or a message and a row, are of the same state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State(u64);

impl State {
    /// The state that `parts` say. Numbers are taken to nine decimals: GDAL writes 15 to 17 digits of a
    /// double, the tables have all of it.
    pub fn of(parts: &[&Value]) -> Self {
        let mut hasher = DefaultHasher::new();
        for part in parts {
            hash(part, &mut hasher);
        }
        Self(hasher.finish())
    }
}

fn hash(value: &Value, hasher: &mut DefaultHasher) {
    match value {
        Value::Number(number) => {
            let rounded = format!("{:.9}", number.as_f64().unwrap_or_default());
            rounded.hash(hasher);
        }
        Value::Array(items) => items.iter().for_each(|item| hash(item, hasher)),
        Value::Object(object) => {
            for (key, value) in object {
                key.hash(hasher);
                hash(value, hasher);
            }
        }
        Value::String(text) => text.hash(hasher),
        Value::Bool(flag) => flag.hash(hasher),
        Value::Null => 0.hash(hasher),
    }
}

struct Arrival {
    number: i64,
    subject: SubjectId,
    state: State,
    at: Instant,
}

/// The numbers given, and what came lately.
#[derive(Default)]
pub(super) struct Arrivals {
    last: i64,
    lately: VecDeque<Arrival>,
    /// What was told since messages may have been lost, while that is being repaired.
    since_gap: Option<HashSet<SubjectId>>,
}

impl Arrivals {
    /// Numbers a message.
    pub fn number(&mut self, subject: SubjectId, state: State) -> i64 {
        self.last += 1;
        self.forget();
        self.lately.push_back(Arrival {
            number: self.last,
            subject,
            state,
            at: Instant::now(),
        });
        if let Some(told) = &mut self.since_gap {
            told.insert(subject);
        }
        self.last
    }

    fn forget(&mut self) {
        while self
            .lately
            .front()
            .is_some_and(|it| it.at.elapsed() > UNCOMMITTED || self.lately.len() >= REMEMBERED)
        {
            self.lately.pop_front();
        }
    }

    /// The last number whose message is surely in what is read from now on.
    pub fn committed(&mut self) -> i64 {
        self.forget();
        self.lately
            .front()
            .map_or(self.last, |first| first.number - 1)
    }

    /// The number of a state that was read: of the message that told it, else `committed`, as it was
    /// before the reading. What was sent before the reading has come by now.
    pub fn number_of(&self, subject: SubjectId, state: State, committed: i64) -> i64 {
        let mut of_subject = self.lately.iter().rev().filter(|it| it.subject == subject);
        of_subject
            .find(|it| it.state == state)
            .map_or(committed, |it| it.number)
    }

    /// From now on, notes what is told.
    pub fn gap_begins(&mut self) {
        self.since_gap = Some(HashSet::new());
    }

    /// Whether a message about `subject` came after the gap: then it, or one that follows it, tells all
    /// that a row can tell.
    pub fn is_told_since_gap(&self, subject: SubjectId) -> bool {
        let told = self.since_gap.as_ref();
        told.is_some_and(|told| told.contains(&subject))
    }

    /// The gap is repaired.
    pub fn gap_ends(&mut self) {
        self.since_gap = None;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::event::LocationId;

    fn state(number: u64) -> State {
        State(number)
    }

    fn subject() -> SubjectId {
        LocationId::random().into()
    }

    #[tokio::test(start_paused = true)]
    async fn a_row_stands_where_the_message_of_its_state_stood() {
        let (mut arrivals, bus, tram) = (Arrivals::default(), subject(), subject());
        let first = arrivals.number(bus, state(1));
        let committed = arrivals.committed();
        assert_eq!(arrivals.number(tram, state(2)), first + 1);
        let newer = arrivals.number(bus, state(2));
        assert_eq!(arrivals.number_of(bus, state(1), committed), first);
        assert_eq!(arrivals.number_of(bus, state(2), committed), newer);
        // A state that no message told lately is older than every one that came lately.
        assert_eq!(arrivals.number_of(bus, state(9), committed), first - 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_came_long_ago_is_in_the_tables() {
        let (mut arrivals, bus) = (Arrivals::default(), subject());
        let first = arrivals.number(bus, state(1));
        assert!(arrivals.committed() < first);
        tokio::time::advance(UNCOMMITTED * 2).await;
        assert_eq!(arrivals.committed(), first);
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_is_told_after_a_gap_needs_no_repair() {
        let (mut arrivals, bus, tram) = (Arrivals::default(), subject(), subject());
        arrivals.number(bus, state(1));
        arrivals.gap_begins();
        arrivals.number(tram, state(1));
        assert!(!arrivals.is_told_since_gap(bus));
        assert!(arrivals.is_told_since_gap(tram));
        arrivals.gap_ends();
        assert!(!arrivals.is_told_since_gap(tram));
    }

    #[test]
    fn digits_that_gdal_cuts_off_make_no_other_state() {
        let (row, message) = (json!([0.1 + 0.2, 41.898_903]), json!([0.3, 41.898_903]));
        assert_eq!(State::of(&[&row]), State::of(&[&message]));
        assert_ne!(State::of(&[&row]), State::of(&[&json!([0.4, 41.898_903])]));
    }
}
