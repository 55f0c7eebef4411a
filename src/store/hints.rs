//! Hints: what tells of committed updates at once. On SQLite the sink of [`Store::on_commit`], on
//! PostgreSQL a NOTIFY that is part of the transaction, or what [`Store::tell_through`] names.

use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sha2::{Digest, Sha256};
use sqlx::postgres::{PgConnectOptions, PgListener, PgNotification, PgPoolOptions};
use sqlx::{Connection as _, PgConnection, PgExecutor};
use tokio::sync::broadcast;
use tokio::time::timeout;
use uuid::Uuid;

use super::db::{ACQUIRE, Db};
use super::key::hexadecimal;
use super::{Store, StoreError};
use crate::event::Event;

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

/// Without a word for this long, it is asked whether anything can be heard at all; then for as long again.
const SILENCE: Duration = Duration::from_secs(5);

/// The payload of an event's NOTIFY; empty ("read the tail") for one that is too large.
pub(super) fn payload(event: &Event) -> String {
    if let Event::CommandUpdated(updated) = event
        && updated.output.len() > PAYLOAD
    {
        return String::new();
    }
    let payload = event.written();
    if payload.len() <= PAYLOAD {
        payload
    } else {
        String::new()
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
    /// When the connection is gone and cannot be made anew, or nothing comes through it any more.
    pub async fn next(&mut self) -> Result<Option<Event>, StoreError> {
        loop {
            let Some(notification) = self.receive().await? else {
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
                None => return Ok(Event::read(payload)),
            }
        }
    }
}

impl HintListener {
    /// What comes next through the connection; `None` when it had to be made anew. A connection that something
    /// on the way has forgotten, or whose host is gone, never breaks by itself: so after a silence a
    /// marker of our own has to come through it.
    async fn receive(&mut self) -> Result<Option<PgNotification>, StoreError> {
        let store = &self.store;
        let mut received = pin!(self.listener.try_recv());
        loop {
            if let Ok(received) = timeout(SILENCE, received.as_mut()).await {
                return Ok(received?);
            }
            let is_sent = tokio::select! {
                received = received.as_mut() => return Ok(received?),
                sent = timeout(SILENCE, store.send_fresh_marker()) => matches!(sent, Ok(Ok(()))),
            };
            // Where none can be sent the database is away as a whole, and this says nothing.
            if is_sent {
                let received = timeout(SILENCE, received.as_mut()).await;
                return Ok(received.map_err(|_| deaf())??);
            }
        }
    }
}

async fn tell_marker(connection: impl PgExecutor<'_>, marker: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_notify($1, $2)")
        .bind(CHANNEL)
        .bind(format!("{MARKER}{marker}"))
        .execute(connection)
        .await
        .map(|_| ())
}

fn deaf() -> sqlx::Error {
    let reason = "nothing comes through the connection that hints are heard by";
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, reason))
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

    /// Sets what is told of the events of each transaction once it is committed, with the number that their
    /// rows were stamped with, in place of a NOTIFY: on PostgreSQL, by what is not the database. It must
    /// not wait, and nothing may depend on it. Called once, before anything is written; later calls do nothing.
    pub fn tell_through(&self, relay: impl Fn(Vec<Event>, i64) + Send + Sync + 'static) {
        self.inner.relay.set(Box::new(relay)).ok();
    }

    /// What tells this PostgreSQL database from every other one, also from its copies made by a dump, in
    /// 16 characters; `None` on SQLite.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn fingerprint(&self) -> Result<Option<String>, StoreError> {
        let Db::Postgres { pool, .. } = self.db() else {
            return Ok(None);
        };
        let identity: String = sqlx::query_scalar(
            "SELECT (SELECT system_identifier FROM pg_control_system())::text || ' '
                 || (SELECT oid FROM pg_database WHERE datname = current_database())::text",
        )
        .fetch_one(pool)
        .await?;
        let digest = Sha256::new_with_prefix("fleetwire database ").chain_update(identity);
        Ok(Some(hexadecimal(&digest.finalize()[..8])))
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
        let listening = async {
            // Of a pool of its own each time: the connection before may be dead and not know it, and would
            // keep the only place.
            let pool = PgPoolOptions::new()
                .max_connections(1)
                .acquire_timeout(ACQUIRE)
                .connect_lazy_with(PgConnectOptions::clone(listen));
            let mut listener = PgListener::connect_with(&pool).await?;
            listener.listen(CHANNEL).await?;
            Ok::<_, StoreError>(listener)
        };
        let listener = timeout(2 * ACQUIRE, listening).await;
        let listener = listener.unwrap_or_else(|_| Err(StoreError::late()))?;
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
                Db::Postgres { .. } => {
                    if self.inner.settling.listening.load(Ordering::Relaxed) {
                        self.follow_marker().await;
                    }
                }
            }
        };
        // No answer in time is an answer: the hints before it are lost as well.
        timeout(SETTLE, settled).await.ok();
    }

    /// Sends a marker through the channel of hints and waits for it: notifications come in the order
    /// of commits, so those before it have come as well.
    async fn follow_marker(&self) {
        let marker = Uuid::new_v4();
        let mut heard = self.inner.settling.heard.subscribe();
        if self.send_marker(marker).await.is_ok() {
            while heard.recv().await.is_ok_and(|heard| heard != marker) {}
        }
    }

    async fn send_marker(&self, marker: Uuid) -> Result<(), StoreError> {
        if let Db::Postgres { pool, .. } = self.db() {
            tell_marker(pool, marker).await?;
        }
        Ok(())
    }

    /// Sends a marker that nobody waits for over a connection of its own: what made the one that listens deaf may
    /// have made all of the pool dumb, and each of them takes its time to be found out.
    async fn send_fresh_marker(&self) -> Result<(), StoreError> {
        if let Db::Postgres { listen, .. } = self.db() {
            let mut connection = PgConnection::connect_with(listen).await?;
            tell_marker(&mut connection, Uuid::new_v4()).await?;
            connection.close().await?;
        }
        Ok(())
    }
}
