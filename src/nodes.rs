//! This node among the others: it says that it is there, and replies to what is asked of all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use crate::access::{DirectoryError, Leases};
use crate::event::{NodeId, Timestamp};
use crate::store::{Inquiry, NodeReport, Reply, Store, StoreError};
use crate::telemetry::{Health, Metrics};

/// How often a node says that it is there. Others take it for dead after three times that are missed.
const BEAT: Duration = Duration::from_secs(5);

/// How often it is looked for inquiries when nobody tells of them: another process may have written.
const LOOK: Duration = Duration::from_millis(500);

/// How long to leave the database alone after it failed.
const PAUSE: Duration = Duration::from_secs(1);

/// How long to look whether another process beats under the same identity.
const LOOK_FOR_TWIN: Duration = Duration::from_secs(6);

/// Without a beat for as long, nothing can be written, whatever the reason.
pub const BEAT_PATIENCE: Duration = Duration::from_secs(15);

/// How that is called where readiness is asked for.
const UNWRITTEN: &str = "it cannot be written";

/// What people call the node that listens at `port`: its host and port.
#[must_use]
pub fn name(port: u16) -> String {
    let system = rustix::system::uname();
    format!("{}:{port}", system.nodename().to_string_lossy())
}

/// Whether another process runs as the node `id`: a data directory that is copied with the image of a
/// machine has the identity in it. Looks on for a beat only where there is doubt: somebody said a moment ago that it is
/// there, who has another name than `name`, or may have it on another machine (`is_at_home` is false).
///
/// # Errors
/// When the database fails.
pub async fn is_elsewhere(
    store: &Store,
    id: NodeId,
    name: &str,
    is_at_home: bool,
) -> Result<bool, StoreError> {
    let find = async || {
        let nodes = store.nodes().await?;
        Ok::<_, StoreError>(nodes.into_iter().find(|node| node.id == id))
    };
    let Some(seen_first) = find().await? else {
        return Ok(false);
    };
    if !seen_first.is_alive || (is_at_home && seen_first.name == name) {
        return Ok(false);
    }
    let deadline = Instant::now() + LOOK_FOR_TWIN;
    while Instant::now() < deadline {
        sleep(LOOK).await;
        if find().await?.is_some_and(|it| it.seen > seen_first.seen) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A node's part in what all nodes do together.
pub struct Attendance {
    store: Store,
    leases: Arc<Leases>,
    metrics: Arc<Metrics>,
    /// Whether the database takes what is written.
    writes: Arc<Health>,
    id: NodeId,
    name: String,
    started: Timestamp,
    /// How the last beat went, for the log.
    is_writable: AtomicBool,
}

impl Attendance {
    /// Of the node `id` that people call `name`, whose sockets hold `leases`. Nothing is said yet. `writes` is
    /// told how each beat went: it is written, so it shows what no reading does.
    #[must_use]
    pub fn new(
        store: Store,
        leases: Arc<Leases>,
        metrics: Arc<Metrics>,
        writes: Arc<Health>,
        id: NodeId,
        name: String,
    ) -> Self {
        Self {
            store,
            leases,
            metrics,
            writes,
            id,
            name,
            started: Timestamp::now(),
            is_writable: AtomicBool::new(true),
        }
    }

    /// Says that this node is there and replies to what is asked, for as long as the program runs.
    pub async fn run(self) {
        tokio::join!(self.keep_beating(), self.keep_replying());
    }

    /// Says it for the first time. Whoever had the identity before is no trouble: it was this node.
    pub async fn begin(&self) {
        self.beat().await;
    }

    async fn keep_beating(&self) {
        loop {
            sleep(if self.writes.trouble().is_none() {
                BEAT
            } else {
                PAUSE
            })
            .await;
            if let Some(other) = self.beat().await {
                tracing::error!(
                    code = "node_twice",
                    "{other} runs as this node ({}) as well: each ends what the other runs. Was the data \
                     directory copied? Stop one, remove the file `node` from its data directory, and start it",
                    self.id
                );
            }
        }
    }

    /// Answers with who else says the same.
    async fn beat(&self) -> Option<String> {
        let report = NodeReport {
            id: self.id,
            name: self.name.clone(),
            version: env!("CARGO_PKG_VERSION"),
            started: self.started,
            sockets: i64::try_from(self.leases.count()).unwrap_or(i64::MAX),
            commands: self.metrics.commands_running.get(),
        };
        match self.store.report_node(&report).await {
            Ok(other) => {
                self.writes.is_well();
                if !self.is_writable.swap(true, Ordering::Relaxed) {
                    tracing::info!("the database can be written again");
                }
                other
            }
            Err(error) => {
                // Once an outage.
                if self.is_writable.swap(false, Ordering::Relaxed) {
                    tracing::error!(code = "database_unwritten", %error, "the database cannot be written; trying again");
                }
                self.writes.is_ill(UNWRITTEN);
                None
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
