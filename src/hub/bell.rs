//! Who sleeps and who wakes whom, between those who put things into a shard's queues and the shard.
//!
//! `loom/` goes through every order in which their steps can fall.

use super::atomic::{AtomicBool, Ordering};

/// Rung for a sleeper, and only for one: who is awake looks at its queues anyway.
///
/// Whoever puts something in rings afterwards. Whoever wants to sleep [says so](Self::may_sleep) first and looks
/// at its queues afterwards. So one of the two sees what the other did.
#[derive(Debug)]
pub struct Bell {
    asleep: AtomicBool,
}

impl Default for Bell {
    /// Of a shard that is awake.
    fn default() -> Self {
        Self {
            asleep: AtomicBool::new(false),
        }
    }
}

impl Bell {
    /// Whether somebody has to be woken for what was put in just now. True for one caller a sleep.
    pub fn rings(&self) -> bool {
        // In one order with `may_sleep`: both write before they look.
        self.asleep.swap(false, Ordering::SeqCst)
    }

    /// From now on it has to be woken, if what it looks at next is empty.
    pub fn may_sleep(&self) {
        self.asleep.swap(true, Ordering::SeqCst);
    }

    /// It does not sleep after all.
    pub fn stays_awake(&self) {
        self.asleep.store(false, Ordering::SeqCst);
    }
}
