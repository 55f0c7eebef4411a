//! A copy of a SQLite database that others work on meanwhile.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};
use tempfile::NamedTempFile;

use super::db::{BUSY, DATABASE};
use super::vault;

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is nothing to copy.
    #[error("there is no database in {}: which one is it (--data-dir)?", .0.display())]
    NoDatabase(PathBuf),
    /// A backup is never written over something.
    #[error("{} is there already: name a file that is not", .0.display())]
    Exists(PathBuf),
    /// The copy cannot be written.
    #[error("{} cannot be written: {source}", path.display())]
    File {
        /// Where it was to be.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The database cannot be read, or its disk is full.
    #[error("the database could not be copied: {0}")]
    Database(#[from] sqlx::Error),
    /// What was copied is not sound: neither, then, is what it was copied from.
    #[error("the copy is damaged, and so is the database: {0}; restore an earlier copy")]
    Damaged(String),
}

/// What was copied.
#[derive(Debug)]
pub struct Backup {
    /// Bytes of the copy.
    pub bytes: u64,
    /// The file with the key of the copy's secrets, if the key lies beside the database: it is not in the
    /// copy.
    pub key_file: Option<PathBuf>,
}

/// Copies the database in `directory` to the new file `to`, for its owner alone, through to the disk. It is the
/// state of one moment after the call; who works on the database meanwhile is not held up. Nothing is
/// migrated: the copy is as old as the database.
///
/// # Errors
/// See [`BackupError`]; then `to` is not there.
pub async fn back_up(directory: &Path, to: &Path) -> Result<Backup, BackupError> {
    let file = directory.join(DATABASE);
    if !file.is_file() {
        return Err(BackupError::NoDatabase(directory.to_owned()));
    }
    if to.symlink_metadata().is_ok() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let failed = |source| BackupError::File {
        path: to.to_owned(),
        source,
    };
    let to_write = std::path::absolute(to).map_err(failed)?;
    let folder = to_write.parent().unwrap_or(Path::new("/"));
    // Under its own name only when it is whole. Made for its owner alone, and removed when this fails.
    let partial = NamedTempFile::with_prefix_in(".fleetwire-backup-", folder).map_err(failed)?;
    let Some(name) = partial.path().to_str() else {
        // SQLite would be told of another one.
        let why = "the name of its directory is no UTF-8";
        return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, why)));
    };
    copy(&file, name).await?;
    check(partial.path()).await?;
    partial.as_file().sync_all().map_err(failed)?;
    let copy = partial.persist_noclobber(to).map_err(|error| {
        let is_there = error.error.kind() == io::ErrorKind::AlreadyExists;
        if is_there {
            BackupError::Exists(to.to_owned())
        } else {
            failed(error.error)
        }
    })?;
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(failed)?;
    let key_file = directory.join(vault::FILE);
    Ok(Backup {
        bytes: copy.metadata().map_err(failed)?.len(),
        key_file: key_file.exists().then_some(key_file),
    })
}

/// Reads all of `from` in one transaction, which in write-ahead mode keeps nobody from writing, into the empty
/// file `to`.
async fn copy(from: &Path, to: &str) -> Result<(), BackupError> {
    let mut connection = read(from).await?;
    sqlx::query("VACUUM INTO $1")
        .bind(to)
        .execute(&mut connection)
        .await?;
    connection.close().await?;
    Ok(())
}

async fn check(copy: &Path) -> Result<(), BackupError> {
    let mut connection = read(copy).await?;
    let said: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check(1)")
        .fetch_all(&mut connection)
        .await?;
    connection.close().await?;
    match said.as_slice() {
        [word] if word == "ok" => Ok(()),
        found => Err(BackupError::Damaged(found.join("; "))),
    }
}

async fn read(file: &Path) -> Result<SqliteConnection, sqlx::Error> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .busy_timeout(BUSY);
    options.read_only(true).connect().await
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::{Engine, Store};
    use super::*;

    async fn house() -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().unwrap();
        let engine = Engine::Sqlite {
            directory: directory.path().join("data"),
        };
        let store = Store::open(&engine).await.unwrap();
        (directory, store)
    }

    #[tokio::test]
    async fn a_copy_is_for_its_owner_alone_and_opens_as_a_store() {
        let (directory, store) = house().await;
        store.add_organization("Alpha").await.unwrap();
        let restored = directory.path().join("restored");
        std::fs::create_dir(&restored).unwrap();
        let to = restored.join(DATABASE);
        let backup = back_up(&directory.path().join("data"), &to).await.unwrap();
        let metadata = to.metadata().unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        assert_eq!(metadata.len(), backup.bytes);
        assert_eq!(backup.key_file, None);
        // Nothing else was left there.
        assert_eq!(std::fs::read_dir(&restored).unwrap().count(), 1);
        let copy = Store::open(&Engine::Sqlite {
            directory: restored,
        })
        .await
        .unwrap();
        let names: Vec<_> = copy
            .organizations()
            .await
            .unwrap()
            .into_iter()
            .map(|it| it.name)
            .collect();
        assert_eq!(names, ["Alpha"]);
    }

    #[tokio::test]
    async fn the_key_that_lies_beside_the_database_is_named() {
        let (directory, store) = house().await;
        store.check_key().await.unwrap();
        let data = directory.path().join("data");
        let backup = back_up(&data, &directory.path().join("copy.db"))
            .await
            .unwrap();
        assert_eq!(backup.key_file, Some(data.join("secret.key")));
    }

    #[tokio::test]
    async fn nothing_is_overwritten_and_nothing_is_left_of_a_failure() {
        let (directory, _store) = house().await;
        let (data, to) = (
            directory.path().join("data"),
            directory.path().join("copy.db"),
        );
        std::fs::write(&to, "precious").unwrap();
        let refused = back_up(&data, &to).await.unwrap_err();
        assert!(matches!(refused, BackupError::Exists(_)), "{refused}");
        assert_eq!(std::fs::read_to_string(&to).unwrap(), "precious");
        let elsewhere = directory.path().join("nowhere/copy.db");
        let refused = back_up(&data, &elsewhere).await.unwrap_err();
        assert!(matches!(refused, BackupError::File { .. }), "{refused}");
        let refused = back_up(directory.path(), &directory.path().join("new.db")).await;
        assert!(
            matches!(refused, Err(BackupError::NoDatabase(_))),
            "{refused:?}"
        );
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2);
    }

    #[tokio::test]
    async fn a_damaged_database_gives_no_copy() {
        let (directory, store) = house().await;
        for number in 0..200 {
            store
                .add_organization(&format!("Organization {number}"))
                .await
                .unwrap();
        }
        store.close().await;
        let data = directory.path().join("data");
        let file = data.join(DATABASE);
        let mut bytes = std::fs::read(&file).unwrap();
        // Behind the first pages, which hold the tables' names.
        let from = bytes.len() / 2;
        bytes[from..].fill(0xa5);
        std::fs::write(&file, bytes).unwrap();
        let to = directory.path().join("copy.db");
        assert!(back_up(&data, &to).await.is_err());
        assert!(!to.exists());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
