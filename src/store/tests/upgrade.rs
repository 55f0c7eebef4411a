//! Databases of earlier and of later versions, and nodes of both beside one another.

use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Executor};

use super::*;
use crate::access::{Credential, Directory};
use crate::event::{CommandId, CommandStatus, DeviceId, NodeId, UserId};
use crate::store::key::hexadecimal;
use crate::store::migration::{of_postgres, of_sqlite};
use crate::store::session::digest;
use crate::store::{Report, StoreError};

const KEY: &str = "the-key-of-an-old-device";
const TOKEN: &str = "a-token-from-before";

/// Ids of what an old database has.
const ORGANIZATION: u8 = 1;
const USER: u8 = 2;
const DEVICE: u8 = 3;
const LOCATION: u8 = 4;
const ENDED: u8 = 5;
const WAITING: u8 = 6;

fn id(number: u8) -> Uuid {
    Uuid::from_u128(number.into())
}

/// A database that no store has opened yet.
struct Empty {
    engine: Engine,
    directory: Option<tempfile::TempDir>,
    database: Option<(String, String)>,
}

/// A connection to it, past the store.
enum Raw {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Empty {
    fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self {
            engine: Engine::Sqlite {
                directory: directory.path().to_owned(),
            },
            directory: Some(directory),
            database: None,
        }
    }

    async fn postgres() -> Self {
        let (url, database) = empty_postgres().await;
        Self {
            engine: Engine::Postgres { url },
            directory: None,
            database: Some(database),
        }
    }

    fn migrator(&self) -> Migrator {
        match self.engine {
            Engine::Sqlite { .. } => of_sqlite(),
            Engine::Postgres { .. } => of_postgres(),
        }
    }

    async fn raw(&self) -> Raw {
        match &self.engine {
            Engine::Sqlite { directory } => {
                let file = SqliteConnectOptions::new().filename(directory.join("fleetwire.db"));
                let file = file.create_if_missing(true).foreign_keys(true);
                Raw::Sqlite(file.connect().await.unwrap())
            }
            Engine::Postgres { url } => Raw::Postgres(PgConnection::connect(url).await.unwrap()),
        }
    }

    /// What the version of this migration would have left, with a little of everything in it.
    async fn of_version(self, version: i64) -> Self {
        let (migrator, mut raw) = (self.migrator(), self.raw().await);
        match &mut raw {
            Raw::Sqlite(it) => migrator.run_direct(Some(version), it, false).await,
            Raw::Postgres(it) => migrator.run_direct(Some(version), it, false).await,
        }
        .unwrap();
        raw.run(FIRST).await;
        if version >= 3 {
            raw.run(COMMANDS).await;
        }
        if version >= 5 {
            raw.run("UPDATE command SET organization_id = {1}").await;
        }
        self
    }

    async fn open(self) -> House {
        House::open(self.engine, self.directory, self.database).await
    }

    /// Why it does not open.
    async fn refusal(&self) -> StoreError {
        match Store::open(&self.engine).await {
            Ok(_) => panic!("it was opened"),
            Err(error) => error,
        }
    }
}

/// `{n}` stands for an id, `{token}` for the token's digest.
const FIRST: &str = "
    INSERT INTO organization (id, name, slug, is_active, created, modified)
        VALUES ({1}, 'Alpha', 'alpha', TRUE, 1, 1);
    INSERT INTO users (id, username, email, password_hash, password_version, is_active, is_staff,
            is_superuser, expires, created, modified)
        VALUES ({2}, 'ada', 'ada@example.org', '', 1, TRUE, TRUE, FALSE, NULL, 1, 1);
    INSERT INTO organization_user (user_id, organization_id, manages) VALUES ({2}, {1}, TRUE);
    INSERT INTO user_permission (user_id, permission) VALUES ({2}, 'geo.view_location');
    INSERT INTO token (id, digest, user_id, description, by_login, created)
        VALUES ({2}, {token}, {2}, '', FALSE, 1);
    INSERT INTO device (id, organization_id, name, key, notes, addresses, created, modified)
        VALUES ({3}, {1}, 'bus', 'the-key-of-an-old-device', '', '[]', 1, 1);
    INSERT INTO location (id, organization_id, name, address, type, is_mobile, longitude, latitude,
            created, modified, version, change, moved_version, moved, fleet_version, fleet_moved)
        VALUES ({4}, {1}, 'bus', '', 'outdoor', TRUE, 12.5, 41.9, 1, 1, 7, 1, 7, 1, 7, 1);
    INSERT INTO device_location (device_id, location_id) VALUES ({3}, {4});";

const COMMANDS: &str = "
    INSERT INTO credential (id, organization_id, name, username, port, kind, secret,
            old_algorithms, created, modified)
        VALUES ({3}, {1}, 'routers', 'root', 22, 'password', {token}, FALSE, 1, 1);
    INSERT INTO connection (id, device_id, credential_id, is_enabled, failure_reason, created,
            modified)
        VALUES ({3}, {3}, {3}, TRUE, '', 1, 1);
    INSERT INTO command (id, device_id, connection_asked, type, label, input, status, exit_code,
            created, modified, expires, is_sent, version, change)
        VALUES ({5}, {3}, FALSE, 'custom', 'Custom', '{\"command\":\"uptime\"}', 'failed', 3,
            1, 1, 1, TRUE, 4, 1);
    INSERT INTO command_output (command_id, number, text) VALUES ({5}, 1, 'up ');
    INSERT INTO command_output (command_id, number, text) VALUES ({5}, 2, '3 days');
    INSERT INTO command (id, device_id, connection_asked, type, label, input, status, exit_code,
            created, modified, expires, is_sent, version, change)
        VALUES ({6}, {3}, FALSE, 'custom', 'Custom', '{\"command\":\"id\"}', 'queued', NULL,
            1, 1, 99999999999999999, FALSE, 1, 0);
    INSERT INTO audit (id, moment, actor, action, model, object_id, object)
        VALUES ({5}, 1, 'ada', 'run', 'Command', {5}, 'Custom on bus');";

impl Raw {
    async fn run(&mut self, sql: &str) {
        let is_sqlite = matches!(self, Self::Sqlite(_));
        let bytes = |bytes: &[u8]| {
            let digits = hexadecimal(bytes);
            if is_sqlite {
                format!("x'{digits}'")
            } else {
                format!("'\\x{digits}'::bytea")
            }
        };
        let mut sql = sql.replace("{token}", &bytes(&digest(TOKEN)));
        for number in [ORGANIZATION, USER, DEVICE, LOCATION, ENDED, WAITING] {
            let value = if is_sqlite {
                bytes(id(number).as_bytes())
            } else {
                format!("'{}'", id(number))
            };
            sql = sql.replace(&format!("{{{number}}}"), &value);
        }
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        match self {
            Self::Sqlite(it) => it.execute(sql).await.map(|_| ()).unwrap(),
            Self::Postgres(it) => it.execute(sql).await.map(|_| ()).unwrap(),
        }
    }
}

impl House {
    /// All that was there is there, and goes on.
    async fn is_whole(&self, version: i64) {
        let store = &self.store;
        let shown = Credential::Token(TOKEN.into());
        let identity = store
            .identify(&shown)
            .await
            .unwrap()
            .expect("the token holds");
        assert_eq!(identity.user.id, UserId(id(USER)));
        let device = DeviceId(id(DEVICE));
        let report = Report {
            device,
            key: KEY.into(),
            geometry: point(13.0, 42.0),
            time: None,
        };
        let answer = store.report_coordinates(report).await.unwrap();
        assert_eq!(answer.name, "bus");
        let device = store.find_device("bus").await.unwrap();
        assert!(device.is_active);
        let ada = store.find_user("ada").await.unwrap();
        assert_eq!((&*ada.email, &*ada.first_name), ("ada@example.org", ""));
        assert!(!store.is_setup_open().await.unwrap(), "there is a user");
        if version < 3 {
            return;
        }
        let ended = store
            .command(device.id, CommandId(id(ENDED)))
            .await
            .unwrap();
        assert_eq!((&*ended.output, ended.exit_code), ("up 3 days", Some(3)));
        assert_eq!(ended.status, CommandStatus::Failed);
        let node = NodeId(Uuid::new_v4());
        let job = store.claim_command(node, 30).await.unwrap();
        let job = job.expect("what waited is still to be run");
        assert_eq!(job.command.id, CommandId(id(WAITING)));
    }
}

/// Makes a test of each on both engines.
macro_rules! of_both {
    ($($name:ident)+) => {$(
        mod $name {
            use super::*;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name(async || Empty::sqlite()).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$name(Empty::postgres).await;
            }
        }
    )+};
}

of_both! {
    databases_of_every_earlier_version_are_taken_over_with_all_that_is_in_them
    a_later_version_that_only_added_something_disturbs_nobody
    a_later_version_that_took_something_away_is_left_alone
}

async fn databases_of_every_earlier_version_are_taken_over_with_all_that_is_in_them(
    empty: impl AsyncFn() -> Empty,
) {
    let migrator = empty().await.migrator();
    let versions: Vec<i64> = migrator.iter().map(|it| it.version).collect();
    assert!(versions.len() > 8, "{versions:?}");
    for version in versions {
        let house = empty().await.of_version(version).await.open().await;
        house.is_whole(version).await;
        house.end().await;
    }
}

async fn a_later_version_that_only_added_something_disturbs_nobody(empty: impl AsyncFn() -> Empty) {
    let empty = empty().await.of_version(i64::MAX).await;
    let mut raw = empty.raw().await;
    raw.run(
        "CREATE TABLE later (id INTEGER PRIMARY KEY);
         ALTER TABLE device ADD COLUMN later TEXT NOT NULL DEFAULT '';
         INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (9999, 'later', TRUE, {token}, 1)",
    )
    .await;
    let house = empty.open().await;
    house.is_whole(i64::MAX).await;
    house.end().await;
}

async fn a_later_version_that_took_something_away_is_left_alone(empty: impl AsyncFn() -> Empty) {
    let empty = empty().await.of_version(i64::MAX).await;
    let mut raw = empty.raw().await;
    raw.run("UPDATE schema_floor SET migration = 9999").await;
    let refusal = empty.refusal().await;
    assert!(matches!(refusal, StoreError::Outdated { .. }), "{refusal}");
    let text = refusal.to_string();
    assert!(
        text.contains("9999") && text.contains("later version"),
        "{text}"
    );
    // Once the floor is what we know, it opens.
    let known = empty.migrator().iter().map(|it| it.version).max().unwrap();
    raw.run(&format!("UPDATE schema_floor SET migration = {known}"))
        .await;
    let house = empty.open().await;
    house.is_whole(i64::MAX).await;
    house.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_start_at_once_make_one_database() {
    let empty = Empty::postgres().await;
    let nodes = (0..8).map(|_| {
        let engine = empty.engine.clone();
        tokio::spawn(async move { Store::open(&engine).await.map(|_| ()) })
    });
    for node in nodes.collect::<Vec<_>>() {
        node.await.unwrap().unwrap();
    }
    let house = empty.open().await;
    house.organization().await;
    house.end().await;
}

/// A migration does not hold up for long those who serve, and is not put off for good by one of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_gives_way_and_comes_back() {
    let empty = Empty::postgres().await.of_version(6).await;
    let Raw::Postgres(mut serving) = empty.raw().await else {
        unreachable!("a database of PostgreSQL")
    };
    // In the middle of a transaction, as somebody who serves is.
    serving.execute("BEGIN").await.unwrap();
    serving
        .execute("UPDATE users SET modified = 2")
        .await
        .unwrap();
    let engine = empty.engine.clone();
    let opening = tokio::spawn(async move { Store::open(&engine).await });
    let Raw::Postgres(mut watching) = empty.raw().await else {
        unreachable!("a database of PostgreSQL")
    };
    let mut waited: std::collections::BTreeSet<i32> = std::collections::BTreeSet::new();
    // It waits for the table, gives up, and another attempt waits: each has a connection of its own.
    while waited.len() < 2 {
        let found: Vec<i32> = sqlx::query_scalar(
            "SELECT pid FROM pg_locks WHERE NOT granted AND locktype = 'relation' AND database =
                 (SELECT oid FROM pg_database WHERE datname = current_database())",
        )
        .fetch_all(&mut watching)
        .await
        .unwrap();
        waited.extend(found);
        assert!(!opening.is_finished(), "nothing held it up");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    serving.execute("COMMIT").await.unwrap();
    opening.await.unwrap().unwrap().close().await;
    let house = empty.open().await;
    house.is_whole(6).await;
    house.end().await;
}

/// The last migration of the time before `schema_floor`, with what that version needs.
const BEFORE_FLOOR: i64 = 8;

/// What takes something away from a version that runs beside.
const TAKES_AWAY: [&str; 6] = [
    "DROP TABLE",
    "DROP COLUMN",
    "RENAME ",
    "ALTER COLUMN",
    "DROP TRIGGER",
    "DROP FUNCTION",
];

#[test]
fn migrations_expand_or_raise_the_floor() {
    for migrator in [of_sqlite(), of_postgres()] {
        for migration in migrator.iter().filter(|it| it.version > BEFORE_FLOOR) {
            let sql = migration.sql.as_str().to_uppercase();
            let lines = sql
                .lines()
                .map(|line| line.split("--").next().unwrap_or_default());
            let sql = lines.collect::<Vec<_>>().join("\n");
            let name = format!("{} {}", migration.version, migration.description);
            let raises = sql.contains("UPDATE SCHEMA_FLOOR SET MIGRATION = ");
            for words in TAKES_AWAY {
                assert!(!sql.contains(words) || raises, "{name}: {words}");
            }
            for column in sql.split("ADD COLUMN").skip(1) {
                let column = column.split(';').next().unwrap_or_default();
                // An older version inserts rows without it.
                let is_given = !column.contains("NOT NULL") || column.contains("DEFAULT");
                assert!(is_given, "{name}: a column that older versions leave out");
            }
        }
    }
}

#[test]
fn both_engines_have_the_same_migrations() {
    let names = |migrator: Migrator| -> Vec<_> {
        let all = migrator.iter();
        all.map(|it| (it.version, it.description.to_string()))
            .collect()
    };
    assert_eq!(names(of_sqlite()), names(of_postgres()));
}
