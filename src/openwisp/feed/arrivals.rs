//! In which order messages came: OpenWISP numbers nothing, so we do.
//!
//! A message is numbered as it is published. What is read from the tables has no number of its own: it
//! takes the one of the message that told the same state, if that came lately. So a state that was read
//! never stands behind a newer message, and no message that is newer than what was read is dropped.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::event::{SubjectId, Timestamp};

/// OpenWISP sends some messages inside the transaction that they are about: for this long a state that
/// was read may be older than a message that came before.
pub(super) const UNCOMMITTED: Duration = Duration::from_secs(5);

/// No more messages than this are remembered.
const REMEMBERED: usize = 100_000;

/// Tells whether two messages, or a message and a row, are of the same state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

/// Messages may have been lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    /// From then on.
    pub since: Timestamp,
    /// The last number when that was noted: what has a greater one came after the gap.
    pub after: i64,
}

/// The numbers given, and what came lately.
#[derive(Default)]
pub(super) struct Arrivals {
    last: i64,
    /// Oldest first.
    lately: VecDeque<Arrival>,
    /// The last number of each state in it.
    numbers: HashMap<(SubjectId, State), i64>,
    /// The last message about each subject in it.
    messages: HashMap<SubjectId, (i64, State)>,
    /// What nobody repairs yet.
    gap: Option<Gap>,
    /// As long as gaps are repaired: the number of the last message about each subject.
    told: Option<HashMap<SubjectId, i64>>,
}

impl Arrivals {
    /// Numbers a message.
    pub fn number(&mut self, subject: SubjectId, state: State) -> i64 {
        let number = self.number_row(subject, state);
        self.messages.insert(subject, (number, state));
        if let Some(told) = &mut self.told {
            told.insert(subject, number);
        }
        number
    }

    /// Numbers a row that is told in the place of a message that was lost.
    pub fn number_row(&mut self, subject: SubjectId, state: State) -> i64 {
        self.last += 1;
        self.forget();
        self.lately.push_back(Arrival {
            number: self.last,
            subject,
            state,
            at: Instant::now(),
        });
        self.numbers.insert((subject, state), self.last);
        self.last
    }

    fn forget(&mut self) {
        let mut must_go = self.lately.len() >= REMEMBERED;
        while let Some(first) = self.lately.front()
            && (must_go || first.at.elapsed() > UNCOMMITTED)
        {
            let key = (first.subject, first.state);
            // What came again since then stays.
            if self.numbers.get(&key) == Some(&first.number) {
                self.numbers.remove(&key);
            }
            if let Some((number, _)) = self.messages.get(&first.subject)
                && *number == first.number
            {
                self.messages.remove(&first.subject);
            }
            self.lately.pop_front();
            must_go = false;
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
        let number = self.numbers.get(&(subject, state));
        number.copied().unwrap_or(committed)
    }

    /// Whether a row may be older than the last message about `subject`, whose transaction goes on.
    pub fn may_be_older(&mut self, subject: SubjectId, row: State) -> bool {
        self.forget();
        let message = self.messages.get(&subject);
        message.is_some_and(|(_, state)| *state != row)
    }

    /// Messages from `since` on may have been lost: from now on, notes what is told.
    pub fn gap_begins(&mut self, since: Timestamp) {
        let after = self.last;
        self.gap_remains(Gap { since, after });
    }

    /// A gap that was [taken](Self::take_gap) is not repaired.
    pub fn gap_remains(&mut self, gap: Gap) {
        self.told.get_or_insert_default();
        // Of two, only what came after both tells all.
        self.gap = Some(self.gap.map_or(gap, |other| Gap {
            since: gap.since.min(other.since),
            after: gap.after.max(other.after),
        }));
    }

    /// The gap that is to be repaired.
    pub fn take_gap(&mut self) -> Option<Gap> {
        self.gap.take()
    }

    /// Whether a message about `subject` came after the gap: then it, or one that follows it, tells all
    /// that a row can tell.
    pub fn is_told_after(&self, gap: Gap, subject: SubjectId) -> bool {
        let told = self.told.as_ref().and_then(|told| told.get(&subject));
        told.is_some_and(|number| *number > gap.after)
    }

    /// All gaps that were taken are repaired.
    pub fn gaps_end(&mut self) {
        if self.gap.is_none() {
            self.told = None;
        }
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
        arrivals.gap_begins(Timestamp(5));
        let gap = arrivals.take_gap().unwrap();
        arrivals.number(tram, state(1));
        assert!(!arrivals.is_told_after(gap, bus));
        assert!(arrivals.is_told_after(gap, tram));
        // A row that was told is no message.
        arrivals.number_row(bus, state(2));
        assert!(!arrivals.is_told_after(gap, bus));
    }

    #[tokio::test(start_paused = true)]
    async fn a_gap_that_begins_while_another_is_repaired_makes_nobody_forget_what_was_told() {
        let (mut arrivals, bus) = (Arrivals::default(), subject());
        arrivals.gap_begins(Timestamp(5));
        let first = arrivals.take_gap().unwrap();
        arrivals.number(bus, state(1));
        arrivals.gap_begins(Timestamp(7));
        assert!(arrivals.is_told_after(first, bus));
        // The end of the first is not that of the second.
        arrivals.gaps_end();
        assert!(arrivals.is_told_after(first, bus));
        let second = arrivals.take_gap().unwrap();
        assert_eq!(second.since, Timestamp(7));
        assert!(!arrivals.is_told_after(second, bus));
        // Two that are repaired together: what came between them may have been followed by a loss.
        arrivals.gap_remains(first);
        arrivals.gap_remains(second);
        let both = arrivals.take_gap().unwrap();
        assert_eq!((both.since, both.after), (first.since, second.after));
        arrivals.gaps_end();
        assert!(!arrivals.is_told_after(first, bus));
    }

    #[tokio::test(start_paused = true)]
    async fn a_row_may_be_older_than_a_message_for_as_long_as_a_transaction_lasts() {
        let (mut arrivals, bus) = (Arrivals::default(), subject());
        arrivals.number(bus, state(1));
        arrivals.number(bus, state(2));
        assert!(arrivals.may_be_older(bus, state(1)));
        assert!(!arrivals.may_be_older(bus, state(2)));
        assert!(!arrivals.may_be_older(subject(), state(1)));
        tokio::time::advance(UNCOMMITTED * 2).await;
        assert!(!arrivals.may_be_older(bus, state(1)));
        assert!(arrivals.numbers.is_empty() && arrivals.messages.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_came_again_lately_is_remembered() {
        let (mut arrivals, bus) = (Arrivals::default(), subject());
        arrivals.number(bus, state(1));
        tokio::time::advance(UNCOMMITTED * 3 / 4).await;
        let again = arrivals.number(bus, state(1));
        tokio::time::advance(UNCOMMITTED * 3 / 4).await;
        assert_eq!(arrivals.committed(), again - 1);
        assert_eq!(arrivals.number_of(bus, state(1), 0), again);
        assert!(arrivals.may_be_older(bus, state(9)));
    }

    #[test]
    fn digits_that_gdal_cuts_off_make_no_other_state() {
        let (row, message) = (json!([0.1 + 0.2, 41.898_903]), json!([0.3, 41.898_903]));
        assert_eq!(State::of(&[&row]), State::of(&[&message]));
        assert_ne!(State::of(&[&row]), State::of(&[&json!([0.4, 41.898_903])]));
    }
}
