//! The database: what is true. Everything else is told by it or woken by it.
//!
//! One SQL text serves SQLite and PostgreSQL where both take it, a named pair where not. Each
//! file holds one noun: its rows, what may be written to it (checked here, so that REST and the
//! command line refuse the same things with the same words) and its queries.
//!
//! A write that moves a location ends with its hint: on SQLite the sink of [`Store::on_commit`]
//! is called after the commit and before the next write may begin, on PostgreSQL a `NOTIFY` is
//! part of the transaction. Both keep the order of commits.

mod changes;
mod coordinates;
mod device;
mod error;
mod group;
mod location;
mod organization;
mod session;
mod token;
mod user;

pub use changes::{Change, HintListener, Position, SinceScope};
pub use coordinates::{CoordinatesError, Report};
pub use device::{Device, DeviceChange, DeviceFilter, NewDevice};
pub use error::{FieldErrors, StoreError};
pub use group::{Group, GroupChange};
pub use location::{Location, LocationChange, LocationFilter, NewLocation};
pub use organization::{Organization, OrganizationChange};
pub use session::Session;
pub use token::Token;
pub use user::{Account, AccountChange, NewAccount, PasswordRecord};

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::event::{LocationMoved, OrganizationId};

/// Where the database is.
#[derive(Clone, Debug)]
pub enum Engine {
    /// `fleetwire.db` in this directory, which is made if it is not there.
    Sqlite { directory: PathBuf },
    /// A `postgres://` URL; it may hold a password, so it is never printed.
    Postgres { url: String },
}

/// The open database: cheap to clone, one a process.
#[derive(Clone)]
pub struct Store {}

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

impl Store {
    /// Opens the database, creating and migrating it as needed.
    ///
    /// # Errors
    /// When it cannot be reached, created or migrated.
    pub async fn open(engine: &Engine) -> Result<Self, StoreError> { todo!() }

    /// Sets what is told of each committed move, in commit order (SQLite; on PostgreSQL hints come
    /// through [`Store::listen`]). Called once, before anything is written.
    pub fn on_commit(&self, sink: impl Fn(LocationMoved) + Send + Sync + 'static) { todo!() }

    /// Whether the database answers: for readiness.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), StoreError> { todo!() }

    /// Ends all connections; what is under way is finished first.
    pub async fn close(&self) { todo!() }
}
