//! When each socket is to be looked at: one entry a socket, however many sockets there are.

use crate::hub::SubscriberId;

/// Milliseconds of a tick.
pub const TICK_MS: u64 = 100;

/// Of a turn: 51.2 s. What is due later is looked at in between, and put in again. Tests do not wait so long for it.
const BUCKETS: u32 = if cfg!(test) { 16 } else { 512 };

/// A timer wheel (hashed, after Varghese and Lauck, 1987). Time is counted in ticks.
#[derive(Debug)]
pub struct Wheel {
    buckets: Box<[Vec<SubscriberId>]>,
    /// The last tick that was taken out.
    turned: u32,
}

impl Wheel {
    /// An empty one, at tick 0.
    pub fn new() -> Self {
        Self {
            buckets: (0..BUCKETS).map(|_| Vec::new()).collect(),
            turned: 0,
        }
    }

    /// Has `id` come up at `tick`, or before if that is far away. Never at once.
    pub fn put(&mut self, id: SubscriberId, tick: u32) {
        let ahead = tick.saturating_sub(self.turned).clamp(1, BUCKETS - 1);
        let bucket = (self.turned + ahead) % BUCKETS;
        self.buckets[bucket as usize].push(id);
    }

    /// Moves what has come up until `now` into `due`.
    pub fn turn(&mut self, now: u32, due: &mut Vec<SubscriberId>) {
        // After a stall, a whole turn is all there is.
        let ticks = now.saturating_sub(self.turned).min(BUCKETS);
        for ahead in 1..=ticks {
            let bucket = (self.turned + ahead) % BUCKETS;
            due.append(&mut std::mem::take(&mut self.buckets[bucket as usize]));
        }
        self.turned = self.turned.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(slot: u32) -> SubscriberId {
        SubscriberId { slot, serial: 1 }
    }

    fn due(wheel: &mut Wheel, now: u32) -> Vec<u32> {
        let mut due = Vec::new();
        wheel.turn(now, &mut due);
        due.iter().map(|id| id.slot).collect()
    }

    #[test]
    fn each_comes_up_at_its_tick_and_once() {
        let mut wheel = Wheel::new();
        wheel.put(id(1), 3);
        wheel.put(id(2), 5);
        assert!(due(&mut wheel, 2).is_empty());
        assert_eq!(due(&mut wheel, 3), [1]);
        assert_eq!(due(&mut wheel, 9), [2]);
        assert!(due(&mut wheel, 2000).is_empty());
    }

    #[test]
    fn what_is_far_away_comes_up_before_and_what_is_past_at_the_next_tick() {
        let mut wheel = Wheel::new();
        wheel.put(id(1), 100_000);
        assert_eq!(due(&mut wheel, BUCKETS - 1), [1]);
        wheel.put(id(2), 7);
        assert_eq!(due(&mut wheel, BUCKETS), [2]);
    }

    #[test]
    fn a_stall_longer_than_a_turn_forgets_nobody() {
        let mut wheel = Wheel::new();
        wheel.put(id(1), 3);
        wheel.put(id(2), 300);
        let mut came = due(&mut wheel, 5 * BUCKETS + 7);
        came.sort_unstable();
        assert_eq!(came, [1, 2]);
        wheel.put(id(3), 5 * BUCKETS + 9);
        assert_eq!(due(&mut wheel, 5 * BUCKETS + 9), [3]);
    }
}
