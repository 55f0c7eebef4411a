//! Hints from the database: `PostgreSQL`'s NOTIFY, of this node's commits and of everybody's.
//!
//! (On `SQLite` the store calls [`Ingest::publish`] itself right after each commit.)

use std::sync::Arc;
use std::time::Duration;

use super::{Ingest, Origin, Tail};
use crate::store::{HintListener, Store, StoreError};
use crate::telemetry::Health;

/// How long to wait before listening anew after a failure. The tail goes on meanwhile.
const RETRY: Duration = Duration::from_secs(1);

/// How that is called where readiness is asked for.
const LOST: &str = "the database's hints are not heard";

/// Publishes what the database's hints bring and wakes the tail for what they cannot carry, for as
/// long as the program runs, and says whether they can be heard. Waits for ever where the database gives no hints.
pub async fn follow_hints(store: Store, ingest: Arc<Ingest>, tail: Arc<Tail>, health: Arc<Health>) {
    loop {
        match store.listen().await {
            Ok(None) => {
                // The store tells itself.
                health.is_well();
                std::future::pending::<()>().await;
            }
            Ok(Some(mut listener)) => {
                // What was committed while nobody listened is the tail's to find.
                tail.wake();
                health.is_well();
                let error = follow(&mut listener, &ingest, &tail).await;
                health.is_ill(LOST);
                tracing::warn!(code = "hints_lost", %error, "database hints were lost; the tail goes on, listening anew");
            }
            Err(error) => {
                health.is_ill(LOST);
                tracing::warn!(code = "hints_lost", %error, "cannot listen for database hints; the tail goes on");
            }
        }
        tokio::time::sleep(RETRY).await;
    }
}

async fn follow(listener: &mut HintListener, ingest: &Ingest, tail: &Tail) -> StoreError {
    loop {
        match listener.next().await {
            Ok(Some(event)) => ingest.publish(&event, Origin::Hint),
            Ok(None) => tail.wake(),
            Err(error) => return error,
        }
    }
}
