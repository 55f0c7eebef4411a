//! Millions of durations in little memory: buckets that are 3 % wide.

use std::time::Duration;

/// Buckets between two powers of two.
const STEPS: u32 = 32;

/// How often each duration was seen.
#[derive(Clone)]
pub struct Latencies {
    counts: Vec<u32>,
    total: usize,
}

impl Default for Latencies {
    fn default() -> Self {
        Self {
            counts: vec![0; (64 * STEPS) as usize],
            total: 0,
        }
    }
}

impl Latencies {
    pub fn add(&mut self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.counts[bucket(nanoseconds)] += 1;
        self.total += 1;
    }

    /// Milliseconds that the given part took at most; NaN of nothing.
    pub fn quantile(&self, part: f64) -> f64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "counts stay far below 2^52"
        )]
        let rank = (self.total as f64 * part) as usize;
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += *count as usize;
            if seen > rank || (seen == self.total && seen > 0) {
                return lowest(bucket) / 1e6;
            }
        }
        f64::NAN
    }
}

/// Small ones count themselves; then the five bits behind the first decide.
fn bucket(nanoseconds: u64) -> usize {
    if nanoseconds < u64::from(STEPS) {
        return usize::try_from(nanoseconds).unwrap_or(0);
    }
    let power = nanoseconds.ilog2() - STEPS.ilog2();
    let step = (nanoseconds >> power) - u64::from(STEPS);
    ((power + 1) * STEPS) as usize + usize::try_from(step).unwrap_or(0)
}

/// The shortest duration of a bucket.
#[expect(clippy::cast_precision_loss, reason = "a bucket is 3 % wide")]
fn lowest(bucket: usize) -> f64 {
    let (power, step) = (bucket / STEPS as usize, bucket % STEPS as usize);
    if power == 0 {
        return step as f64;
    }
    (STEPS as usize + step) as f64 * (1_u64 << (power - 1)) as f64
}
