//! Databases that are away, in the way, or not what they should be.

use std::path::PathBuf;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;

use super::{House, over_both};
use crate::access::Resource;
use crate::event::DeviceId;
use crate::openwisp::settings::DatabaseAddress;
use crate::openwisp::tables::{Tables, TablesError, Version};

async fn ask(tables: &Tables) -> Result<(), TablesError> {
    let device = Resource::Device(DeviceId::random());
    tables.owners(&[device]).await.map(drop)
}

over_both! {
    async fn what_it_is_and_that_all_is_there_is_told(house: House) {
        house.tables.probe().await.unwrap();
        let release = house.tables.release().await.unwrap();
        assert_eq!(release.version, Version::From1_3);
        assert!(release.to_string().starts_with("OpenWISP controller 1.3 or later (config 0"), "{release}");
        assert_eq!(house.tables.missing(true).await.unwrap(), Vec::<String>::new());
        // The tests' own user of PostgreSQL may.
        assert_eq!(house.tables.user_may_write().await.unwrap(), house.file().is_none());
        house.tables.close().await;
    }

    async fn the_connections_cannot_write(house: House) {
        let sql = "DELETE FROM openwisp_users_user RETURNING CAST(id AS TEXT)";
        let error = house.tables.rows::<(String,), 0>(sql.into(), []).await.unwrap_err();
        assert!(error.to_string().to_lowercase().contains("read"), "{error}");
        assert!(!house.tables.rows::<(String,), 0>("SELECT username FROM openwisp_users_user".into(), [])
            .await.unwrap().is_empty());
    }

    async fn a_database_in_the_middle_of_a_migration_is_told(house: House) {
        house.alter("ALTER TABLE config_device RENAME TO config_device_old").await;
        let error = ask(&house.tables).await.unwrap_err();
        assert!(matches!(&error, TablesError::Shape(_)), "{error:?}");
        assert!(error.to_string().contains("config_device"), "{error}");
        house.alter("ALTER TABLE config_device_old RENAME TO config_device;
             ALTER TABLE config_device RENAME COLUMN organization_id TO owner_id;
             DROP TABLE django_session").await;
        let error = ask(&house.tables).await.unwrap_err();
        assert!(error.to_string().contains("organization_id"), "{error}");
        let missing = house.tables.missing(true).await.unwrap();
        assert_eq!(missing, [
            "the table config_device has no column organization_id",
            "there is no table django_session",
        ]);
        assert_eq!(house.tables.missing(false).await.unwrap().len(), 1);
        // When it is over, the same connections go on.
        house.alter("ALTER TABLE config_device RENAME COLUMN owner_id TO organization_id").await;
        ask(&house.tables).await.unwrap();
    }
}

#[tokio::test]
async fn a_file_that_is_not_there_yet_is_read_when_it_is() {
    let whole = House::spatialite().await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("openwisp.db");
    let tables = Tables::open(&DatabaseAddress::Sqlite(file.clone()));
    assert!(matches!(ask(&tables).await, Err(TablesError::NoFile)));
    assert!(matches!(tables.probe().await, Err(TablesError::NoFile)));
    assert!(!file.exists());
    std::fs::copy(whole.file().unwrap(), &file).unwrap();
    ask(&tables).await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_no_database_is_told() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "no database at all, but a text of some length").unwrap();
    let tables = Tables::open(&DatabaseAddress::Sqlite(file.path().to_owned()));
    let error = tables.probe().await.unwrap_err();
    assert!(error.to_string().contains("not a database"), "{error}");
}

#[tokio::test]
async fn neither_waits_long_for_the_other_in_one_file() {
    let house = House::spatialite().await;
    ask(&house.tables).await.unwrap();
    // No lock of ours is left behind.
    house
        .alter("PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE")
        .await;
    let error = ask(&house.tables).await.unwrap_err();
    assert!(matches!(error, TablesError::Locked), "{error:?}");
    house.alter("ROLLBACK").await;
    ask(&house.tables).await.unwrap();
}

#[tokio::test]
async fn connections_that_ended_are_made_anew() {
    let house = House::postgis().await;
    for _ in 0..3 {
        let asked = (0..8).map(|_| ask(&house.tables));
        for answer in futures_util::future::join_all(asked).await {
            answer.unwrap();
        }
        house
            .alter(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid()",
            )
            .await;
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_an_error_of_the_question_alone() {
    let options = PgConnectOptions::new_without_pgpass()
        .socket(PathBuf::from("/no/such/directory"))
        .username("nobody");
    let tables = Tables::open(&DatabaseAddress::Postgres(Box::new(options)));
    let asked = tokio::time::timeout(Duration::from_secs(30), ask(&tables)).await;
    assert!(asked.unwrap().is_err());
    assert!(tables.probe().await.is_err());
}
