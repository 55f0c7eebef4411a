//! Waiting for the database, within bounds.
//!
//! What it was asked may never be answered: a machine that lost its power closes no connection. Whoever waits
//! here asks again, or leaves it to the lease of what it has claimed.

use std::time::Duration;

use tokio::time::timeout;

use crate::store::StoreError;

/// How long one question may take. Well beyond what a database needs that is busy, so that nobody loses the
/// place among those who wait to write.
pub(super) const ANSWERED: Duration = Duration::from_secs(10);

/// Why the database did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unanswered {
    /// It says why.
    #[error(transparent)]
    Failed(#[from] StoreError),
    /// It says nothing. Whether it was done nobody knows.
    #[error("the database did not answer within {} s", ANSWERED.as_secs())]
    Late,
}

/// The answer to what was `asked`, if it comes in time.
pub(super) async fn in_time<T>(
    asked: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, Unanswered> {
    let answered = timeout(ANSWERED, asked).await;
    Ok(answered.map_err(|_| Unanswered::Late)??)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_never_comes_is_not_waited_for() {
        let asked = in_time(std::future::pending::<Result<(), StoreError>>());
        let told = asked.await.unwrap_err().to_string();
        assert_eq!(told, "the database did not answer within 10 s");
        assert_eq!(in_time(async { Ok(7) }).await.unwrap(), 7);
        let failed = in_time(async { Err::<(), _>(StoreError::NotFound("Command")) });
        assert!(matches!(failed.await, Err(Unanswered::Failed(_))));
    }
}
