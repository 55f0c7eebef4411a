//! Hints: what tells of committed updates at once. On SQLite the sink of [`Store::on_commit`], on
//! PostgreSQL a NOTIFY that is part of the transaction.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::postgres::PgListener;
use tokio::sync::broadcast;
use tokio::time::timeout;
use uuid::Uuid;

use super::db::Db;
use super::{Store, StoreError};
use crate::event::{
    CommandUpdated, Event, LocationId, LocationMoved, LocationType, OrganizationId, Point,
};

/// The channel of PostgreSQL's NOTIFY.
pub(super) const CHANNEL: &str = "fleetwire";

/// PostgreSQL carries payloads of less than 8,000 bytes.
const PAYLOAD: usize = 7900;

/// What begins a marker: hints begin with a brace.
const MARKER: &str = "marker ";

/// The payload that tells runners to look at the queue.
pub(super) const WORK: &str = "work";

/// The payload that tells nodes that something is asked of all of them.
pub(super) const INQUIRY: &str = "inquiry";

/// Hints that have not come by then are taken for lost.
const SETTLE: Duration = Duration::from_millis(200);

/// An event as NOTIFY carries it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Hint {
    Location(Moved),
    Command(CommandUpdated),
}

#[derive(Serialize, Deserialize)]
struct Moved {
    id: LocationId,
    organization: OrganizationId,
    name: String,
    address: String,
    kind: LocationType,
    is_mobile: bool,
    longitude: f64,
    latitude: f64,
    version: i64,
    fleet_version: i64,
}

impl From<&Event> for Hint {
    fn from(event: &Event) -> Self {
        match event {
            Event::CommandUpdated(updated) => Self::Command(updated.clone()),
            Event::LocationMoved(moved) => Self::Location(Moved {
                id: moved.id,
                organization: moved.organization,
                name: moved.name.clone(),
                address: moved.address.clone(),
                kind: moved.kind,
                is_mobile: moved.is_mobile,
                longitude: moved.geometry.longitude(),
                latitude: moved.geometry.latitude(),
                version: moved.moved_version,
                fleet_version: moved.fleet_version,
            }),
        }
    }
}

/// The payload of an event's NOTIFY; empty ("read the tail") for one that is too large.
pub(super) fn payload(event: &Event) -> String {
    if let Event::CommandUpdated(updated) = event
        && updated.output.len() > PAYLOAD
    {
        return String::new();
    }
    let payload = serde_json::to_string(&Hint::from(event)).unwrap_or_default();
    if payload.len() <= PAYLOAD {
        payload
    } else {
        String::new()
    }
}

/// The event in a payload; `None` where it says "read the tail", or nothing that we understand.
fn event(payload: &str) -> Option<Event> {
    match serde_json::from_str(payload).ok()? {
        Hint::Command(updated) => Some(Event::CommandUpdated(updated)),
        Hint::Location(moved) => Some(Event::LocationMoved(LocationMoved {
            geometry: Point::new(moved.longitude, moved.latitude).ok()?,
            id: moved.id,
            organization: moved.organization,
            name: moved.name,
            address: moved.address,
            kind: moved.kind,
            is_mobile: moved.is_mobile,
            moved_version: moved.version,
            fleet_version: moved.fleet_version,
        })),
    }
}

/// Markers that went through the channel of hints and came back.
pub(super) struct Settling {
    listening: AtomicBool,
    heard: broadcast::Sender<Uuid>,
}

impl Default for Settling {
    fn default() -> Self {
        Self {
            listening: AtomicBool::new(false),
            heard: broadcast::Sender::new(64),
        }
    }
}

/// Hints of committed updates from PostgreSQL's LISTEN.
pub struct HintListener {
    store: Store,
    listener: PgListener,
}

impl HintListener {
    /// The next hint: an event, or `None` for "read the tail now" (an event too large to carry, or
    /// hints that may have been lost because the connection had to be made anew).
    ///
    /// # Errors
    /// When the connection is gone and cannot be made anew.
    pub async fn next(&mut self) -> Result<Option<Event>, StoreError> {
        loop {
            let Some(notification) = self.listener.try_recv().await? else {
                self.store.wake_runner();
                return Ok(None);
            };
            let payload = notification.payload();
            if payload == WORK {
                self.store.wake_runner();
                continue;
            }
            if payload == INQUIRY {
                self.store.wake_for_inquiry();
                continue;
            }
            match payload.strip_prefix(MARKER) {
                Some(marker) => {
                    // Nobody waits for the markers of other nodes.
                    marker
                        .parse()
                        .map(|marker| self.store.inner.settling.heard.send(marker))
                        .ok();
                }
                None => return Ok(event(payload)),
            }
        }
    }
}

impl Drop for HintListener {
    fn drop(&mut self) {
        self.store
            .inner
            .settling
            .listening
            .store(false, Ordering::Relaxed);
    }
}

impl Store {
    /// Returns when the queue of commands has changed since the last call, as far as this process
    /// was told; one caller at a time.
    pub async fn work(&self) {
        self.inner.work.notified().await;
    }

    pub(super) fn wake_runner(&self) {
        self.inner.work.notify_one();
    }

    /// PostgreSQL: opens the stream of hints; `None` on SQLite, where [`Store::on_commit`] tells.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn listen(&self) -> Result<Option<HintListener>, StoreError> {
        let Db::Postgres { listen, .. } = self.db() else {
            return Ok(None);
        };
        let mut listener = PgListener::connect_with(listen).await?;
        listener.listen(CHANNEL).await?;
        self.inner.settling.listening.store(true, Ordering::Relaxed);
        Ok(Some(HintListener {
            store: self.clone(),
            listener,
        }))
    }

    /// Returns when every hint of an update committed before this call has been handed over, or when
    /// it is plain that it will not be: so that the tail does not overtake hints on their way.
    pub async fn settle(&self) {
        let settled = async {
            match self.db() {
                // Whoever committed holds the order of writes until the hints are told.
                Db::Sqlite { .. } => drop(self.write_order().lock_owned().await),
                Db::Postgres { pool, .. } => {
                    if self.inner.settling.listening.load(Ordering::Relaxed) {
                        self.follow_marker(pool).await;
                    }
                }
            }
        };
        // No answer in time is an answer: the hints before it are lost as well.
        timeout(SETTLE, settled).await.ok();
    }

    /// Sends a marker through the channel of hints and waits for it: notifications come in the order
    /// of commits, so those before it have come as well.
    async fn follow_marker(&self, pool: &sqlx::PgPool) {
        let marker = Uuid::new_v4();
        let mut heard = self.inner.settling.heard.subscribe();
        let sent = sqlx::query("SELECT pg_notify($1, $2)")
            .bind(CHANNEL)
            .bind(format!("{MARKER}{marker}"))
            .execute(pool)
            .await;
        if sent.is_ok() {
            while heard.recv().await.is_ok_and(|heard| heard != marker) {}
        }
    }
}
