//! This node among the others: it says that it is there, and replies to what is asked of all of them.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::access::{DirectoryError, Leases};
use crate::event::{NodeId, Timestamp};
use crate::store::{Inquiry, NodeReport, Reply, Store, StoreError};
use crate::telemetry::Metrics;

/// How often a node says that it is there. Others take it for dead after three times that are missed.
const BEAT: Duration = Duration::from_secs(5);

/// How often it is looked for inquiries when nobody tells of them: another process may have written.
const LOOK: Duration = Duration::from_millis(500);

/// How long to leave the database alone after it failed.
const PAUSE: Duration = Duration::from_secs(1);

/// A node's part in what all nodes do together.
pub struct Attendance {
    store: Store,
    leases: Arc<Leases>,
    metrics: Arc<Metrics>,
    id: NodeId,
    name: String,
    started: Timestamp,
}

impl Attendance {
    /// Of the node `id` that listens at `port`, whose sockets hold `leases`. Nothing is said yet.
    #[must_use]
    pub fn new(
        store: Store,
        leases: Arc<Leases>,
        metrics: Arc<Metrics>,
        id: NodeId,
        port: u16,
    ) -> Self {
        let system = rustix::system::uname();
        Self {
            store,
            leases,
            metrics,
            id,
            name: format!("{}:{port}", system.nodename().to_string_lossy()),
            started: Timestamp::now(),
        }
    }

    /// Says that this node is there and replies to what is asked, for as long as the program runs.
    pub async fn run(self) {
        tokio::join!(self.keep_beating(), self.keep_replying());
    }

    async fn keep_beating(&self) {
        let mut beats = interval(BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beats.tick().await;
            let report = NodeReport {
                id: self.id,
                name: self.name.clone(),
                version: env!("CARGO_PKG_VERSION"),
                started: self.started,
                sockets: i64::try_from(self.leases.count()).unwrap_or(i64::MAX),
                commands: self.metrics.commands_running.get(),
            };
            if let Err(error) = self.store.report_node(&report).await {
                tracing::warn!(%error, "this node cannot tell the others that it is there");
            }
        }
    }

    async fn keep_replying(&self) {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.store.inquired() => {}
                _ = looks.tick() => {}
            }
            if let Err(error) = self.reply().await {
                tracing::debug!(%error, "what is asked of all nodes cannot be read; trying again");
                sleep(PAUSE).await;
            }
        }
    }

    async fn reply(&self) -> Result<(), StoreError> {
        for (id, inquiry) in self.store.inquiries(self.id).await? {
            let reply = match &inquiry {
                Some(inquiry) => Some(self.reply_to(inquiry).await),
                None => None,
            };
            self.store.reply(self.id, id, reply.as_ref()).await?;
        }
        Ok(())
    }

    async fn reply_to(&self, inquiry: &Inquiry) -> Reply {
        let done = match inquiry {
            Inquiry::ListSockets(filter, most) => {
                let listed = self.leases.list(filter, *most as usize).await;
                listed.map(|(count, sockets)| Reply::Sockets(count as u64, sockets))
            }
            Inquiry::CloseSockets(filter) => {
                let closing = self.leases.close(filter).await;
                closing.map(|count| {
                    tracing::info!(%filter, count, "sockets are closed: an administrator asked for it");
                    Reply::Closing(count as u64)
                })
            }
        };
        done.unwrap_or_else(|error: DirectoryError| Reply::Failed(error.to_string()))
    }
}
