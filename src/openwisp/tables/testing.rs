//! A copy of the database that a real OpenWISP made, for a test to alter.

use std::path::PathBuf;

use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use uuid::Uuid;

use super::Tables;
use crate::openwisp::settings::DatabaseAddress;

/// A copy of OpenWISP's database, and a connection that alters it.
pub(in crate::openwisp) struct House {
    pub tables: Tables,
    pub address: DatabaseAddress,
    writer: tokio::sync::Mutex<Writer>,
    _directory: Option<tempfile::TempDir>,
}

enum Writer {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

pub(in crate::openwisp) fn variable(name: &str) -> String {
    #[expect(clippy::disallowed_methods, reason = "the test's own environment")]
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: run `make test`, or `tests/servers/postgres.sh tests/servers/openwisp.sh cargo test`")
    })
}

impl House {
    pub async fn spatialite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("openwisp.db");
        std::fs::copy(variable("FLEETWIRE_TEST_OPENWISP_SQLITE"), &file).unwrap();
        let options = SqliteConnectOptions::new()
            .filename(&file)
            .foreign_keys(false);
        let mut writer = SqliteConnection::connect_with(&options).await.unwrap();
        // They call functions of SpatiaLite, which is not loaded here.
        let triggers: Vec<String> =
            sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'trigger'")
                .fetch_all(&mut writer)
                .await
                .unwrap();
        for trigger in triggers {
            let drop = AssertSqlSafe(format!("DROP TRIGGER \"{trigger}\""));
            sqlx::query(drop).execute(&mut writer).await.unwrap();
        }
        Self::of(
            DatabaseAddress::Sqlite(file),
            Writer::Sqlite(writer),
            Some(directory),
        )
    }

    pub async fn postgis() -> Self {
        let server = variable("FLEETWIRE_TEST_POSTGRES_URL");
        let template = variable("FLEETWIRE_TEST_OPENWISP_POSTGRES");
        let template = template.rsplit_once('/').unwrap().1;
        let name = format!("tables_{}", Uuid::new_v4().simple());
        let mut connection = PgConnection::connect(&server).await.unwrap();
        let create = AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE {template}"));
        sqlx::query(create).execute(&mut connection).await.unwrap();
        let options = server.parse::<PgConnectOptions>().unwrap().database(&name);
        let utc = options.clone().options([("timezone", "UTC")]);
        let writer = PgConnection::connect_with(&utc).await.unwrap();
        let address = DatabaseAddress::Postgres(Box::new(options));
        Self::of(address, Writer::Postgres(writer), None)
    }

    fn of(address: DatabaseAddress, writer: Writer, directory: Option<tempfile::TempDir>) -> Self {
        Self {
            tables: Tables::open(&address),
            address,
            writer: tokio::sync::Mutex::new(writer),
            _directory: directory,
        }
    }

    /// Alters the database in words that both engines have: an id is written without dashes.
    pub async fn alter(&self, sql: impl Into<String>) {
        let sql = sql.into();
        let query = sqlx::raw_sql(AssertSqlSafe(sql.clone()));
        let done = match &mut *self.writer.lock().await {
            Writer::Sqlite(connection) => query.execute(connection).await.map(drop),
            Writer::Postgres(connection) => query.execute(connection).await.map(drop),
        };
        done.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    pub fn file(&self) -> Option<&PathBuf> {
        match &self.address {
            DatabaseAddress::Sqlite(file) => Some(file),
            DatabaseAddress::Postgres(_) => None,
        }
    }

    /// An organization.
    pub async fn organization(&self, name: &str, is_active: bool) -> Uuid {
        let id = Uuid::new_v4();
        self.alter(format!(
            "INSERT INTO openwisp_users_organization
                 (id, name, slug, is_active, description, email, url, created, modified)
             VALUES ('{}', '{name}', '{name}', {is_active}, '', '', '', {NOW}, {NOW})",
            id.simple()
        ))
        .await;
        id
    }

    /// A user of staff, with what is to be other in words of SQL (`is_staff = false`).
    pub async fn user(&self, name: &str, other: &str) -> Uuid {
        let id = Uuid::new_v4();
        self.alter(format!(
            "INSERT INTO openwisp_users_user (id, username, password, email, is_superuser, is_staff,
                 is_active, date_joined, first_name, last_name, bio, url, company, location, notes,
                 language)
             VALUES ('{}', '{name}', 'hash of {name}', '{name}@example.org', false, true, true, {NOW},
                 '', '', '', '', '', '', '', 'en')",
            id.simple()
        ))
        .await;
        if !other.is_empty() {
            self.alter(format!(
                "UPDATE openwisp_users_user SET {other} WHERE id = '{}'",
                id.simple()
            ))
            .await;
        }
        id
    }

    pub async fn member(&self, user: Uuid, organization: Uuid, is_admin: bool, is_owner: bool) {
        let id = Uuid::new_v4().simple();
        self.alter(format!(
            "INSERT INTO openwisp_users_organizationuser
                 (id, user_id, organization_id, is_admin, created, modified)
             VALUES ('{id}', '{}', '{}', {is_admin}, {NOW}, {NOW})",
            user.simple(),
            organization.simple()
        ))
        .await;
        if is_owner {
            self.alter(format!(
                "INSERT INTO openwisp_users_organizationowner
                     (id, organization_id, organization_user_id, created, modified)
                 VALUES ('{}', '{}', '{id}', {NOW}, {NOW})",
                Uuid::new_v4().simple(),
                organization.simple()
            ))
            .await;
        }
    }
}

pub(in crate::openwisp) const NOW: &str = "'2026-11-25 12:00:00'";
