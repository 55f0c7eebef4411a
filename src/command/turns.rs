//! Turns to run on a device that was reached: so many at a time, and fairly given. Whoever waits is
//! passed over by no organization that runs more.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::event::{OrganizationId, Timestamp};

/// Who waits for a turn: an organization's single commands before those of batches, each by age.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiter {
    /// Whose turn it would be.
    pub organization: Option<OrganizationId>,
    /// Among those of the organization 0 goes before 1.
    pub rank: i32,
    /// When it was asked for.
    pub created: Timestamp,
}

/// The turns of a runner.
pub(super) struct Turns(Arc<Mutex<State>>);

struct State {
    free: usize,
    /// Turns that each organization has; absent for none.
    held: HashMap<Option<OrganizationId>, usize>,
    /// Which one in all was the last that each organization was given.
    last: HashMap<Option<OrganizationId>, u64>,
    given: u64,
    waiting: BTreeMap<Option<OrganizationId>, BTreeMap<Place, oneshot::Sender<Turn>>>,
    /// Tells apart what is as old.
    arrivals: u64,
}

/// Rank, age, arrival.
type Place = (i32, Timestamp, u64);

/// A turn, until it is dropped.
pub(super) struct Turn {
    state: Arc<Mutex<State>>,
    organization: Option<OrganizationId>,
}

impl Turns {
    /// So many at the same time.
    pub fn new(turns: usize) -> Self {
        Self(Arc::new(Mutex::new(State {
            free: turns,
            held: HashMap::new(),
            last: HashMap::new(),
            given: 0,
            waiting: BTreeMap::new(),
            arrivals: 0,
        })))
    }

    /// Returns when it is this one's turn. Whoever does not wait any more is passed over.
    pub async fn take(&self, waiter: Waiter) -> Turn {
        let given = {
            let mut state = lock(&self.0);
            let (give, given) = oneshot::channel();
            state.arrivals += 1;
            let place = (waiter.rank, waiter.created, state.arrivals);
            let queue = state.waiting.entry(waiter.organization).or_default();
            queue.insert(place, give);
            given
        };
        give_away(&self.0);
        given
            .await
            .expect("whoever waits is kept until a turn is given")
    }
}

impl Turns {
    /// How many have a turn or wait for one.
    pub fn asked_for(&self) -> usize {
        let state = lock(&self.0);
        let held: usize = state.held.values().sum();
        let waiting = state.waiting.values().flat_map(BTreeMap::values);
        held + waiting.filter(|give| !give.is_closed()).count()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        {
            let mut state = lock(&self.state);
            state.free += 1;
            if let Some(held) = state.held.get_mut(&self.organization) {
                *held -= 1;
                if *held == 0 {
                    state.held.remove(&self.organization);
                }
            }
        }
        give_away(&self.state);
    }
}

/// Gives turns that are free to those who wait.
fn give_away(turns: &Arc<Mutex<State>>) {
    loop {
        // The lock is given back before the turn is: one that nobody takes is dropped right here.
        let Some((organization, give)) = lock(turns).next() else {
            return;
        };
        let turn = Turn {
            state: Arc::clone(turns),
            organization,
        };
        drop(give.send(turn));
    }
}

impl State {
    /// Who is next, if there is a turn for anybody: of the organization with the fewest turns, and
    /// among these of the one that was given none for the longest time.
    fn next(&mut self) -> Option<(Option<OrganizationId>, oneshot::Sender<Turn>)> {
        for queue in self.waiting.values_mut() {
            queue.retain(|_, give| !give.is_closed());
        }
        self.waiting.retain(|_, queue| !queue.is_empty());
        if self.free == 0 {
            return None;
        }
        let organizations = self.waiting.keys().map(|organization| {
            let held = self.held.get(organization).copied().unwrap_or_default();
            let last = self.last.get(organization).copied().unwrap_or_default();
            (held, last, *organization)
        });
        let (.., organization) = organizations.min()?;
        let (_, give) = self.waiting.get_mut(&organization)?.pop_first()?;
        self.free -= 1;
        self.given += 1;
        self.last.insert(organization, self.given);
        *self.held.entry(organization).or_default() += 1;
        Some((organization, give))
    }
}

fn lock(turns: &Mutex<State>) -> MutexGuard<'_, State> {
    turns.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Waker};

    use super::*;

    type Taking<'a> = Pin<Box<dyn Future<Output = Turn> + 'a>>;

    fn waiter(organization: OrganizationId, rank: i32, created: i64) -> Waiter {
        Waiter {
            organization: Some(organization),
            rank,
            created: Timestamp(created),
        }
    }

    /// Those who wait for a turn, in the order of their coming.
    struct Queue<'a>(Vec<Option<Taking<'a>>>);

    impl<'a> Queue<'a> {
        fn of(turns: &'a Turns, waiters: &[Waiter]) -> Self {
            let mut queue = Self(Vec::new());
            for waiter in waiters {
                queue.0.push(Some(Box::pin(turns.take(*waiter))));
                assert!(queue.given().is_empty(), "there is no turn to be had");
            }
            queue
        }

        /// Who was given one since the last call.
        fn given(&mut self) -> Vec<(usize, Turn)> {
            let mut context = Context::from_waker(Waker::noop());
            let mut given = Vec::new();
            for (number, place) in self.0.iter_mut().enumerate() {
                let Some(taking) = place else { continue };
                if let std::task::Poll::Ready(turn) = taking.as_mut().poll(&mut context) {
                    given.push((number, turn));
                    *place = None;
                }
            }
            given
        }

        /// In which order all get their turn, one ending after the other.
        fn order(mut self, first: Turn) -> Vec<usize> {
            let mut order = Vec::new();
            let mut turn = Some(first);
            while let Some(ended) = turn.take() {
                drop(ended);
                let mut given = self.given();
                assert!(given.len() <= 1, "one turn ended, and one is given");
                if let Some((number, next)) = given.pop() {
                    order.push(number);
                    turn = Some(next);
                }
            }
            order
        }
    }

    #[tokio::test]
    async fn the_organization_that_runs_least_comes_first() {
        let (alpha, beta) = (OrganizationId::random(), OrganizationId::random());
        let turns = Turns::new(3);
        let mut held = Vec::new();
        for _ in 0..3 {
            held.push(turns.take(waiter(alpha, 1, 1)).await);
        }
        let waiting: Vec<_> = (0..3)
            .map(|_| waiter(alpha, 1, 1))
            .chain((0..3).map(|_| waiter(beta, 1, 9)))
            .collect();
        let mut queue = Queue::of(&turns, &waiting);
        drop(held.pop());
        let first = queue.given();
        assert_eq!(first[0].0, 3, "of beta, though it is younger");
        drop(held.pop());
        let second = queue.given();
        // Both run one: it is alpha's turn again.
        assert_eq!(second[0].0, 0);
    }

    #[tokio::test]
    async fn organizations_alternate_however_few_turns_there_are() {
        let (alpha, beta) = (OrganizationId::random(), OrganizationId::random());
        let turns = Turns::new(1);
        let held = turns.take(waiter(alpha, 1, 0)).await;
        let waiting: Vec<_> = (1..=4)
            .map(|created| waiter(alpha, 1, created))
            .chain((5..=6).map(|created| waiter(beta, 1, created)))
            .collect();
        let queue = Queue::of(&turns, &waiting);
        assert_eq!(queue.order(held), [4, 0, 5, 1, 2, 3]);
    }

    #[tokio::test]
    async fn within_an_organization_single_commands_go_first_and_then_the_oldest() {
        let alpha = OrganizationId::random();
        let turns = Turns::new(1);
        let held = turns.take(waiter(alpha, 1, 0)).await;
        let waiting = [(1, 1), (1, 3), (1, 2), (0, 5), (0, 4)];
        let waiting = waiting.map(|(rank, created)| waiter(alpha, rank, created));
        let queue = Queue::of(&turns, &waiting);
        assert_eq!(queue.order(held), [4, 3, 0, 2, 1]);
    }

    #[tokio::test]
    async fn who_does_not_wait_any_more_is_passed_over_and_no_turn_is_lost() {
        let alpha = OrganizationId::random();
        let turns = Turns::new(1);
        let held = turns.take(waiter(alpha, 0, 0)).await;
        let waiting = [1, 2, 3].map(|created| waiter(alpha, 0, created));
        let mut queue = Queue::of(&turns, &waiting);
        queue.0[0] = None;
        drop(held);
        // Given, and left before it was looked at.
        queue.0[1] = None;
        let given = queue.given();
        assert_eq!(given[0].0, 2);
        drop(given);
        drop(queue);
        drop(turns.take(waiter(alpha, 0, 0)).await);
    }
}
