//! How long to wait before the next attempt.

use std::time::Duration;

use rand::RngExt;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);

/// Waits that double up to a bound, each with jitter, so that the clients of a server that went
/// away do not all come back in the same instant.
#[derive(Debug)]
pub(super) struct Backoff(Duration);

impl Backoff {
    pub(super) fn new() -> Self {
        Self(FIRST)
    }

    /// The wait before the next attempt: between half and one and a half of the present step.
    pub(super) fn step(&mut self) -> Duration {
        let wait = self.0.mul_f64(rand::rng().random_range(0.5..1.5));
        self.0 = (self.0 * 2).min(LONGEST);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_stay_bounded() {
        let mut backoff = Backoff::new();
        assert!(backoff.step() < Duration::from_secs(1));
        for _ in 0..20 {
            assert!(backoff.step() <= LONGEST.mul_f64(1.5));
        }
        assert!(backoff.step() >= LONGEST.mul_f64(0.5));
    }
}
