//! What an OpenWISP has, read from its database (PostGIS or SpatiaLite) in one consistent view, by a
//! connection that cannot write.
//!
//! Ids stay what they are. Where OpenWISP has none that we could keep (groups are numbered there, and
//! login data that all organizations share becomes a copy for each), ids are made of what there is, so
//! that they are the same each time.

mod database;
mod geometry;
mod login;
mod network;
mod people;
mod places;

pub use database::{Location, LocationError};

use sha2::{Digest, Sha256};
use uuid::Uuid;

use self::database::Database;
use crate::store::{Import, ImportKind, ImportRemark, LeftOut, Matter};

/// Why an OpenWISP cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The database does not answer, or does not let us in.
    #[error("OpenWISP's database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// A table is not there.
    #[error(
        "there is no table {0}: this is not the database of an OpenWISP controller, or of one whose \
         models were extended under other names"
    )]
    NoTable(&'static str),
    /// A column is not there.
    #[error("the table {table} has no column {column}: only an OpenWISP up to 1.3 can be read")]
    NoColumn {
        /// Where.
        table: &'static str,
        /// Which.
        column: &'static str,
    },
    /// A value is not what Django writes there.
    #[error("in {table}, a {column} is not what OpenWISP writes there")]
    Value {
        /// Where.
        table: &'static str,
        /// Which.
        column: &'static str,
    },
}

/// Reads all that can be imported.
///
/// # Errors
/// When the database cannot be read, or is no OpenWISP's.
pub async fn read(location: &Location) -> Result<Import, ReadError> {
    let mut database = Database::open(location).await?;
    let mut import = Import {
        source: source(&mut database).await?,
        ..Import::default()
    };
    people::read(&mut database, &mut import).await?;
    network::read(&mut database, &mut import).await?;
    places::read(&mut database, &mut import).await?;
    database.close().await;
    Ok(import)
}

/// Which installation it is: the instant of its first migration belongs to no other, and stays when
/// the database is copied to another server.
async fn source(database: &mut Database) -> Result<Uuid, ReadError> {
    let mut applied = Vec::new();
    for row in database.rows("django_migrations", &["applied"]).await? {
        applied.push(row.instant("applied")?);
    }
    let first = applied.into_iter().min().map(|first| first.to_string());
    Ok(made_of(&["installation", &first.unwrap_or_default()]))
}

/// An id for what has none that could be kept: of these words always the same.
fn made_of(words: &[&str]) -> Uuid {
    let digest = Sha256::digest(format!("fleetwire openwisp {}", words.join(" ")));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

fn left_out(kind: ImportKind, id: Uuid, name: &str, reason: impl Into<String>) -> LeftOut {
    LeftOut {
        kind,
        id,
        name: name.to_owned(),
        reason: reason.into(),
    }
}

fn in_part(kind: ImportKind, name: &str, reason: impl Into<String>) -> ImportRemark {
    ImportRemark {
        kind,
        name: name.to_owned(),
        matter: Matter::InPart,
        reason: reason.into(),
    }
}
