//! The database: what is true. Everything else is told by it or woken by it.
//!
//! One SQL text serves SQLite and PostgreSQL where both take it, a named pair where not. Each
//! file holds one noun: its rows, what may be written to it (checked here, so that REST and the
//! command line refuse the same things with the same words) and its queries.
//!
//! A write that somebody may watch ends with its hint: on SQLite the sink of [`Store::on_commit`]
//! is called after the commit and before the next write may begin, on PostgreSQL a `NOTIFY` is
//! part of the transaction. Both keep the order of commits. Where [`Store::tell_through`] has named what
//! carries hints between nodes, that is told after the commit, and NOTIFY only wakes runners.

mod account;
mod administration;
mod audit;
mod backup;
mod batch;
mod batch_device;
mod changes;
mod clock;
mod columns;
mod command;
mod connection;
mod coordinates;
mod credential;
mod db;
mod device;
mod device_location;
mod directory;
mod error;
mod glance;
mod group;
mod hints;
mod import;
mod inquiry;
mod job;
mod key;
mod lease;
mod location;
mod look_up;
mod migration;
mod new_batch;
mod node;
mod organization;
mod password;
mod queue;
mod queue_room;
mod restored;
mod retention;
mod rights;
mod runnable;
mod selection;
mod session;
mod setup;
mod shown;
#[cfg(test)]
mod tests;
mod text;
mod token;
mod transaction;
mod user;
mod vault;
mod waiting;

pub use account::{Account, UserFilter};
pub use administration::Administration;
pub use audit::{Actor, AuditEntry, AuditFilter};
pub use backup::{Backup, BackupError, back_up};
pub use batch::{Batch, BatchFilter, BatchStatus};
pub use batch_device::{BatchDevice, Progress, ResultStatus, UnknownStatus};
pub use changes::{ChangedCommand, ChangedLocation, Changes, Position, SinceScope};
pub use command::{Cancelled, Command, NewCommand, SecretInput};
pub use connection::{Connection, ConnectionChange, NewConnection};
pub use coordinates::{Coordinates, CoordinatesError, Report};
pub use credential::{
    Credential, CredentialChange, CredentialFilter, CredentialKind, LoginSecret, NewCredential,
};
pub use db::is_database_in;
pub use device::{Device, DeviceChange, DeviceFilter, NewDevice};
pub use error::{FieldErrors, StoreError};
pub use group::{Group, GroupChange};
pub use hints::HintListener;
pub use import::{
    Import, ImportCount, ImportKind, ImportRemark, ImportReport, ImportedConnection,
    ImportedCredential, ImportedDevice, ImportedGroup, ImportedLocation, ImportedMembership,
    ImportedOrganization, ImportedPlace, ImportedUser, LeftOut, Matter,
};
pub use inquiry::{ClosedSockets, Inquiry, ListedSocket, NodeReply, Reply, SocketList};
pub use job::{Job, Login};
pub use key::{Key, KeyError};
pub use location::{Location, LocationChange, LocationFilter, NewLocation};
pub use new_batch::{Draft, NewBatch};
pub use node::{NodeEntry, NodeReport};
pub use organization::{NewOrganization, Organization, OrganizationChange, Place};
pub use queue::{Ending, Piece};
pub use queue_room::{QueueFull, QueueLimits};
pub use retention::Keep;
pub use selection::Selection;
pub use session::Session;
pub use setup::SetupError;
pub use token::Token;
pub use user::{AccountChange, NewAccount, PasswordRecord, Proved};
pub use waiting::EXPIRED;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use tokio::sync::{Mutex, Notify, SemaphorePermit, mpsc};
use uuid::Uuid;

use self::clock::Clock;
use self::coordinates::Waiting;
use self::db::{Db, Pools, on_pool};
use self::look_up::LookUps;
use self::vault::Vault;
use crate::event::{Event, OrganizationId};

/// Where the database is.
#[derive(Clone)]
pub enum Engine {
    /// `fleetwire.db` in this directory, which is made if it is not there.
    Sqlite {
        /// The data directory.
        directory: PathBuf,
    },
    /// A `postgres://` URL; it may hold a password, so it is never printed.
    Postgres {
        /// The URL.
        url: String,
    },
}

/// The open database, in the hands of an [`Actor`]: cheap to clone, one a process.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
    /// Who is named in the audit log for what is written.
    actor: Actor,
    lane: Lane,
}

/// Which connections a store uses.
#[derive(Clone, Copy)]
enum Lane {
    /// Those of requests.
    Requests,
    /// Those of what the node itself does.
    Node,
}

struct Inner {
    pools: Pools,
    /// SQLite: held from the beginning of a write until its hints are told.
    write_order: Arc<Mutex<()>>,
    sink: OnceLock<Box<Sink>>,
    /// PostgreSQL: what carries hints in place of NOTIFY.
    relay: OnceLock<Box<Relay>>,
    /// Reports on their way to the group writer.
    reports: mpsc::Sender<Waiting>,
    settling: hints::Settling,
    /// Tells this process's runner that the queue has changed.
    work: Notify,
    /// Tells this process that something is asked of all nodes.
    inquired: Notify,
    vault: Vault,
    look_ups: LookUps,
    clock: Clock,
}

type Sink = dyn Fn(Event) + Send + Sync;

type Relay = dyn Fn(Vec<Event>, i64) + Send + Sync;

/// The rows that a caller may see.
#[derive(Clone, Debug)]
pub enum Scope {
    /// Every organization's: a superuser, or the command line.
    All,
    /// Those of these organizations.
    Organizations(BTreeSet<OrganizationId>),
}

/// Which slice of a list is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Counted from 1.
    pub number: u32,
    /// Rows a page.
    pub size: u32,
}

/// One page of a list, and how many rows the whole list has.
#[derive(Clone, Debug)]
pub struct Paged<T> {
    /// Rows of the whole list.
    pub count: i64,
    /// Rows of this page.
    pub rows: Vec<T>,
}

impl Scope {
    /// Whether something of `organization` may be seen.
    #[must_use]
    pub fn contains(&self, organization: OrganizationId) -> bool {
        match self {
            Self::All => true,
            Self::Organizations(ids) => ids.contains(&organization),
        }
    }

    /// The SQL condition that `column` is in scope; `$1` in it is the list of [`Scope::ids`].
    fn condition(&self, db: &Db, column: &str) -> String {
        match (self, db) {
            (Self::All, _) => "$1 IS NOT NULL".to_owned(),
            (Self::Organizations(_), Db::Sqlite { .. }) => {
                format!("{column} {}", db::SQLITE_AMONG)
            }
            (Self::Organizations(_), Db::Postgres { .. }) => {
                format!("{column} {}", db::POSTGRES_AMONG)
            }
        }
    }

    fn ids(&self) -> Vec<Uuid> {
        match self {
            Self::All => Vec::new(),
            Self::Organizations(ids) => ids.iter().map(|id| id.0).collect(),
        }
    }
}

impl Page {
    fn offset(self) -> i64 {
        i64::from(self.number.saturating_sub(1)) * i64::from(self.size)
    }
}

impl Store {
    /// Opens the database, creating and migrating it as needed.
    ///
    /// # Errors
    /// When it cannot be reached, created or migrated.
    pub async fn open(engine: &Engine) -> Result<Self, StoreError> {
        let pools = Pools::open(engine).await?;
        let (reports, waiting) = mpsc::channel(coordinates::WAITING);
        let inner = Arc::new(Inner {
            pools,
            write_order: Arc::default(),
            sink: OnceLock::new(),
            relay: OnceLock::new(),
            reports,
            settling: hints::Settling::default(),
            work: Notify::new(),
            inquired: Notify::new(),
            vault: Vault::new(engine),
            look_ups: LookUps::default(),
            clock: Clock::of(engine),
        });
        tokio::spawn(coordinates::write_groups(Arc::downgrade(&inner), waiting));
        let store = Self {
            inner,
            actor: Actor::Node,
            lane: Lane::Requests,
        };
        // Sets the clock.
        store.position().await?;
        Ok(store)
    }

    /// The same database, in the hands of `actor`.
    #[must_use]
    pub fn by(&self, actor: Actor) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            actor,
            lane: self.lane,
        }
    }

    /// The same database, by connections that no request uses: for what must go on however many requests wait,
    /// the tail, leases, claims, and what this node says to others.
    #[must_use]
    pub fn for_node(&self) -> Self {
        Self {
            lane: Lane::Node,
            ..self.clone()
        }
    }

    /// Sets what is told of each committed event, in commit order (SQLite; on PostgreSQL hints come
    /// through [`Store::listen`]). Called once, before anything is written; later calls do nothing.
    pub fn on_commit(&self, sink: impl Fn(Event) + Send + Sync + 'static) {
        self.inner.sink.set(Box::new(sink)).ok();
    }

    /// Whether several nodes may work on this database.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self.db(), Db::Postgres { .. })
    }

    /// Whether the database answers: for readiness.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        on_pool!(self, pool => sqlx::query("SELECT 1").execute(pool).await.map(|_| ())?);
        Ok(())
    }

    /// Ends all connections; what is under way is finished first.
    pub async fn close(&self) {
        self.inner.pools.close().await;
    }

    fn db(&self) -> &Db {
        match self.lane {
            Lane::Requests => &self.inner.pools.requests,
            Lane::Node => &self.inner.pools.own,
        }
    }

    /// A turn to read a page of a list.
    async fn page_turn(&self) -> Result<SemaphorePermit<'_>, StoreError> {
        self.inner.pools.page_turn().await
    }

    fn write_order(&self) -> Arc<Mutex<()>> {
        Arc::clone(&self.inner.write_order)
    }

    fn tell(&self, event: Event) {
        if let Some(sink) = self.inner.sink.get() {
            sink(event);
        }
    }
}
