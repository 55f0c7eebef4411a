//! Secrets at rest: sealed with the one key whose fingerprint the database knows.
//!
//! The key is configured, or on SQLite lies in a file of its own beside the database. Which key is
//! the right one is decided in the transaction that writes, so that a rotation by another process
//! leaves nothing behind that was sealed with the old one.

use std::fs::{File, OpenOptions, rename};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::key::{Key, KeyError, fingerprint_of};
use super::transaction::{Write, on_write};
use super::{Engine, Store, StoreError};

/// Where the key lies in the data directory, if it lies there.
pub(super) const FILE: &str = "secret.key";

/// Where a rotation leaves the new key until it is in force: each has a place of its own.
fn next_file(directory: &Path, fingerprint: &str) -> PathBuf {
    directory.join(format!("{FILE}.{fingerprint}"))
}

/// Every table and column that holds something sealed, each for its row's id.
const SEALED: [(&str, &str); 3] = [
    ("credential", "secret"),
    ("command", "secret_input"),
    ("imported", "secret"),
];

/// The key in memory, and where it comes from.
pub(super) struct Vault {
    /// SQLite: the directory of the key's file.
    directory: Option<PathBuf>,
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    key: Option<Key>,
    is_configured: bool,
}

impl Vault {
    pub fn new(engine: &Engine) -> Self {
        let directory = match engine {
            Engine::Sqlite { directory } => Some(directory.clone()),
            Engine::Postgres { .. } => None,
        };
        Self {
            directory,
            state: RwLock::default(),
        }
    }

    fn configure(&self, key: Key) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = State {
            key: Some(key),
            is_configured: true,
        };
    }

    /// The directory of the key's file, if the key comes from there.
    fn file_directory(&self) -> Option<&Path> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        self.directory.as_deref().filter(|_| !state.is_configured)
    }

    /// The key of this fingerprint: from memory, or else from its file.
    fn key(&self, wanted: &str) -> Result<Key, KeyError> {
        let held = {
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            state.key.clone()
        };
        if let Some(key) = held.as_ref().filter(|key| key.fingerprint() == wanted) {
            return Ok(key.clone());
        }
        let key = match (self.file_directory(), held) {
            (Some(directory), _) => load(directory, wanted)?,
            (None, Some(held)) => held,
            (None, None) => return Err(KeyError::NotSet),
        };
        if key.fingerprint() != wanted {
            return Err(KeyError::Mismatch {
                wanted: wanted.to_owned(),
                given: key.fingerprint(),
            });
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.key = Some(key.clone());
        Ok(key)
    }

    /// The first key of a database: the configured one, or a new one in a new file.
    fn first_key(&self) -> Result<Key, KeyError> {
        let Some(directory) = self.file_directory() else {
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            return state.key.clone().ok_or(KeyError::NotSet);
        };
        // A file from before the database, such as one restored without it, is as good.
        if let Some(key) = read(&directory.join(FILE))? {
            return Ok(key);
        }
        let key = Key::random();
        write_new(&directory.join(FILE), &key)?;
        Ok(key)
    }
}

/// Reads the key of this fingerprint, finishing a rotation that was cut short behind its commit.
fn load(directory: &Path, wanted: &str) -> Result<Key, KeyError> {
    let (path, next) = (directory.join(FILE), next_file(directory, wanted));
    let present = read(&path)?;
    if let Some(key) = present.as_ref().filter(|key| key.fingerprint() == wanted) {
        return Ok(key.clone());
    }
    if let Some(key) = read(&next)?.filter(|key| key.fingerprint() == wanted) {
        put_in_force(directory, wanted)?;
        return Ok(key);
    }
    present.ok_or(KeyError::Missing { path })
}

fn put_in_force(directory: &Path, fingerprint: &str) -> Result<(), KeyError> {
    let path = directory.join(FILE);
    let renamed = rename(next_file(directory, fingerprint), &path);
    match renamed.and_then(|()| File::open(directory)?.sync_all()) {
        Ok(()) => Ok(()),
        // Another process that needed the key was quicker.
        Err(error) if error.kind() == io::ErrorKind::NotFound && path.exists() => Ok(()),
        Err(source) => Err(KeyError::File { path, source }),
    }
}

fn read(path: &Path) -> Result<Option<Key>, KeyError> {
    let mut text = String::new();
    let failed = |source| KeyError::File {
        path: path.to_owned(),
        source,
    };
    match File::open(path) {
        Ok(mut file) => file.read_to_string(&mut text).map_err(failed)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let key = text.parse().map_err(|_| {
        let what = "it does not hold 64 hexadecimal digits";
        failed(io::Error::new(io::ErrorKind::InvalidData, what))
    })?;
    Ok(Some(key))
}

/// Writes a key for its owner alone, through to the disk.
fn write_new(path: &Path, key: &Key) -> Result<(), KeyError> {
    let write = || {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)?;
        writeln!(file, "{}", key.text())?;
        file.sync_all()?;
        File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
    };
    write().map_err(|source| KeyError::File {
        path: path.to_owned(),
        source,
    })
}

impl Store {
    /// Takes the configured key in place of one in a file.
    pub fn use_key(&self, key: Key) {
        self.inner.vault.configure(key);
    }

    /// Whether the key is there and the right one, and its fingerprint; the first time, the database
    /// learns it.
    ///
    /// # Errors
    /// When it is not, see [`KeyError`].
    pub async fn check_key(&self) -> Result<String, StoreError> {
        let mut write = self.write().await?;
        let fingerprint = write.key().await?.fingerprint();
        write.commit().await?;
        Ok(fingerprint)
    }

    /// Decrypts what was sealed for `owner`.
    pub(super) fn unseal(&self, sealed: &[u8], owner: Uuid) -> Result<Vec<u8>, StoreError> {
        let key = self.inner.vault.key(&fingerprint_of(sealed)?)?;
        Ok(key.open(sealed, owner)?)
    }

    /// Encrypts all secrets anew: with `new`, or where the key lies in a file with a random one that
    /// takes its place there. Returns the new key's fingerprint.
    ///
    /// # Errors
    /// When the present key is not there, when `new` is left out for a configured one, or when the
    /// database fails; then all is as before.
    pub async fn rotate_key(&self, new: Option<Key>) -> Result<String, StoreError> {
        let directory = self.inner.vault.file_directory().map(Path::to_owned);
        let mut write = self.write().await?;
        write.lock_key().await?;
        let old = write.key().await?;
        let new = match (new, &directory) {
            (Some(new), _) => new,
            (None, Some(_)) => Key::random(),
            (None, None) => return Err(KeyError::NotSet.into()),
        };
        for (table, column) in SEALED {
            write.reseal(table, column, &old, &new).await?;
        }
        on_write!(write, connection => {
            sqlx::query("UPDATE secret_key SET fingerprint = $1")
                .bind(new.fingerprint())
                .execute(connection)
                .await
                .map(|_| ())?;
        });
        let name = format!("{} to {}", old.fingerprint(), new.fingerprint());
        write.audit("change", "Key", Uuid::nil(), &name).await?;
        if let Some(directory) = &directory {
            // On the disk before the commit that makes it the only one that opens anything.
            write_new(&next_file(directory, &new.fingerprint()), &new)?;
        }
        write.commit().await?;
        match &directory {
            Some(directory) => put_in_force(directory, &new.fingerprint())?,
            None => self.inner.vault.configure(new.clone()),
        }
        Ok(new.fingerprint())
    }
}

impl Write {
    /// The key that the database is sealed with; it stays that until the commit.
    async fn key(&mut self) -> Result<Key, StoreError> {
        let sql = match self.row_lock() {
            "" => "SELECT fingerprint FROM secret_key",
            // Shared among those who seal: only a rotation waits for them, and they for it.
            _ => "SELECT fingerprint FROM secret_key FOR SHARE",
        };
        let wanted: Option<String> = on_write!(self, connection => {
            sqlx::query_scalar(sql).fetch_optional(connection).await?
        });
        if let Some(wanted) = wanted {
            return Ok(self.store().inner.vault.key(&wanted)?);
        }
        let key = self.store().inner.vault.first_key()?;
        let known: String = on_write!(self, connection => {
            // Another node may be as early; one of the two keys is it then, for both.
            sqlx::query_scalar(
                "INSERT INTO secret_key (id, fingerprint) VALUES (1, $1)
                 ON CONFLICT (id) DO UPDATE SET fingerprint = secret_key.fingerprint
                 RETURNING fingerprint",
            )
            .bind(key.fingerprint())
            .fetch_one(connection)
            .await?
        });
        Ok(self.store().inner.vault.key(&known)?)
    }

    /// Waits until nobody seals any more, and lets nobody begin to until the commit.
    async fn lock_key(&mut self) -> Result<(), StoreError> {
        let sql = format!("SELECT fingerprint FROM secret_key {}", self.row_lock());
        on_write!(self, connection => {
            sqlx::query(AssertSqlSafe(sql)).execute(connection).await.map(|_| ())?;
        });
        Ok(())
    }

    /// Encrypts a secret of `owner`'s row.
    pub(super) async fn seal(&mut self, plain: &[u8], owner: Uuid) -> Result<Vec<u8>, StoreError> {
        Ok(self.key().await?.seal(plain, owner)?)
    }

    /// Encrypts the same secret for each of these rows.
    pub(super) async fn seal_for_each(
        &mut self,
        plain: &[u8],
        owners: &[Uuid],
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        let key = self.key().await?;
        let sealed = owners.iter().map(|owner| key.seal(plain, *owner));
        Ok(sealed.collect::<Result<_, _>>()?)
    }

    async fn reseal(
        &mut self,
        table: &str,
        column: &str,
        old: &Key,
        new: &Key,
    ) -> Result<(), StoreError> {
        let lock = self.row_lock();
        let select = format!("SELECT id, {column} FROM {table} WHERE {column} IS NOT NULL {lock}");
        let update = format!("UPDATE {table} SET {column} = $2 WHERE id = $1");
        let rows: Vec<(Uuid, Vec<u8>)> = on_write!(self, connection => {
            sqlx::query_as(AssertSqlSafe(select)).fetch_all(connection).await?
        });
        for (id, sealed) in rows {
            let sealed = new.seal(&old.open(&sealed, id)?, id)?;
            on_write!(self, connection => {
                sqlx::query(AssertSqlSafe(update.clone()))
                    .bind(id)
                    .bind(sealed)
                    .execute(connection)
                    .await
                    .map(|_| ())?;
            });
        }
        Ok(())
    }
}

impl Store {
    /// What is sealed in the database now, for tests that look for the plain text.
    #[cfg(test)]
    pub(super) async fn sealed(&self) -> Vec<Vec<u8>> {
        use super::db::on_pool;

        let mut found = Vec::new();
        for (table, column) in SEALED {
            let sql = format!("SELECT {column} FROM {table} WHERE {column} IS NOT NULL");
            let rows: Vec<Vec<u8>> = on_pool!(self, pool => {
                sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(pool).await.unwrap()
            });
            found.extend(rows);
        }
        found
    }
}
