//! Waiting for conditions, with a patience that only a real fault uses up.

use std::future::Future;
use std::time::{Duration, Instant};

/// How long anything that must happen may take before the test fails. Far above what the
/// contract promises, since the machine may be busy with other tests: no test measures time.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Asks again and again until `probe` answers, and fails when [`PATIENCE`] is used up.
pub async fn eventually<T>(what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    let mut again = tokio::time::interval(Duration::from_millis(10));
    loop {
        again.tick().await;
        if let Some(found) = probe().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
    }
}

/// The outcome of `future`, which must come within [`PATIENCE`].
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let Ok(outcome) = tokio::time::timeout(PATIENCE, future).await else {
        panic!("waited in vain: {what}")
    };
    outcome
}
