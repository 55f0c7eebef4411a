//! How much waits in an outbox: kept while frames come and go, as looking through all that waits would cost more the
//! more that is.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::hub::Snapshot;

/// The sizes of frames that wait.
#[derive(Debug, Default)]
pub struct Sizes {
    /// Of all together.
    pub bytes: usize,
    largest: usize,
    /// How many are of the largest size; 0 where it has to be looked for.
    of_largest: usize,
}

impl Sizes {
    /// One more waits.
    pub fn add(&mut self, size: usize) {
        self.bytes += size;
        if size > self.largest {
            (self.largest, self.of_largest) = (size, 1);
        } else if size == self.largest && self.of_largest > 0 {
            self.of_largest += 1;
        }
    }

    /// One waits no more.
    pub fn remove(&mut self, size: usize) {
        self.bytes -= size;
        if self.bytes == 0 {
            *self = Self::default();
        } else if size == self.largest {
            self.of_largest = self.of_largest.saturating_sub(1);
        }
    }

    /// The size of the largest of those that wait.
    pub fn largest(&mut self, waiting: &VecDeque<Arc<Snapshot>>) -> usize {
        if self.of_largest == 0 {
            let sizes = || waiting.iter().map(|waiting| waiting.frame.size());
            self.largest = sizes().max().unwrap_or(0);
            self.of_largest = sizes().filter(|size| *size == self.largest).count();
        }
        self.largest
    }
}
