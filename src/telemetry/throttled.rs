//! A log that nobody can flood.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lets through up to a number of lines each second, and counts those it held back.
#[derive(Debug)]
pub struct Throttled {
    lines_per_second: u32,
    // A std lock around three numbers, never held across an await.
    window: Mutex<Window>,
}

#[derive(Debug)]
struct Window {
    began: Instant,
    passed: u32,
    held_back: u64,
}

impl Throttled {
    /// A log of at most `lines_per_second`.
    #[must_use]
    pub fn new(lines_per_second: u32) -> Self {
        Self {
            lines_per_second,
            window: Mutex::new(Window {
                began: Instant::now(),
                passed: 0,
                held_back: 0,
            }),
        }
    }

    /// `Some` when a line may be written now: the number of lines held back since the last one.
    pub fn pass(&self) -> Option<u64> {
        self.pass_at(Instant::now())
    }

    fn pass_at(&self, now: Instant) -> Option<u64> {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if now.duration_since(window.began) >= Duration::from_secs(1) {
            window.began = now;
            window.passed = 0;
        }
        if window.passed == self.lines_per_second {
            window.held_back += 1;
            return None;
        }
        window.passed += 1;
        Some(std::mem::take(&mut window.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_and_counted() {
        let log = Throttled::new(2);
        let start = Instant::now();
        let passed: Vec<_> = (0..5).map(|_| log.pass_at(start)).collect();
        assert_eq!(passed, [Some(0), Some(0), None, None, None]);
        assert_eq!(log.pass_at(start + Duration::from_secs(1)), Some(3));
    }
}
