//! What the store promises, over both engines with the same code.

mod batches;
mod commands;
mod connections;
mod coordinates;
mod directory;
mod disk;
mod leases;
mod locations;
mod nodes;
mod people;
mod restored;
mod retention;
mod rights;
mod room;
mod rows;
mod setup;
mod tail;
mod turns;
mod upgrade;

use std::sync::{Arc, Mutex};

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

use super::db::Db;
use super::transaction::on_write;
use super::{Device, Engine, NewDevice, NewLocation, Organization, Store};
use crate::event::{Event, LocationMoved, Point};

/// Makes two tests of a function over a [`House`]: `sqlite` and `postgres`.
macro_rules! over_both {
    ($(async fn $name:ident($house:ident: House) $body:block)+) => {$(
        mod $name {
            use super::*;

            async fn check($house: &House) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                let house = House::sqlite().await;
                check(&house).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                let house = House::postgres().await;
                check(&house).await;
                house.end().await;
            }
        }
    )+};
}
use over_both;

/// A fresh store, and what it told of.
struct House {
    store: Store,
    engine: Engine,
    /// SQLite: the events that the sink was told of, in order.
    told: Arc<Mutex<Vec<Event>>>,
    _directory: Option<tempfile::TempDir>,
    /// PostgreSQL: the server's own database, and the name of ours in it.
    database: Option<(String, String)>,
}

impl House {
    async fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let engine = Engine::Sqlite {
            directory: directory.path().to_owned(),
        };
        Self::open(engine, Some(directory), None).await
    }

    async fn postgres() -> Self {
        let (url, database) = empty_postgres().await;
        Self::open(Engine::Postgres { url }, None, Some(database)).await
    }

    async fn open(
        engine: Engine,
        directory: Option<tempfile::TempDir>,
        database: Option<(String, String)>,
    ) -> Self {
        let store = Store::open(&engine).await.unwrap();
        let told: Arc<Mutex<Vec<Event>>> = Arc::default();
        let sink = Arc::clone(&told);
        store.on_commit(move |event| sink.lock().unwrap().push(event));
        Self {
            store,
            engine,
            told,
            _directory: directory,
            database,
        }
    }

    async fn end(self) {
        self.store.close().await;
        if let Some((server, name)) = self.database {
            administer(&server, format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    }

    /// The moves that the sink was told of, in order.
    fn told_moves(&self) -> Vec<LocationMoved> {
        let told = self.told.lock().unwrap();
        let moves = told.iter().filter_map(|event| match event {
            Event::LocationMoved(moved) => Some(moved.clone()),
            Event::CommandUpdated(_) => None,
        });
        moves.collect()
    }

    async fn organization(&self) -> Organization {
        let name = format!("Org {}", Uuid::new_v4().simple());
        self.store.add_organization(&name[..36]).await.unwrap()
    }

    async fn device(&self, organization: &Organization) -> Device {
        let new = NewDevice {
            name: format!("bus {}", Uuid::new_v4().simple()),
            organization: Some(organization.id),
            ..NewDevice::default()
        };
        self.store.add_device(&new).await.unwrap()
    }
}

impl Store {
    /// Runs SQL that no part of the program would.
    ///
    /// # Panics
    /// When the database fails.
    pub async fn run_sql(&self, sql: &str) {
        let mut write = self.write().await.unwrap();
        on_write!(write, connection => {
            sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await.map(|_| ()).unwrap();
        });
        write.commit().await.unwrap();
    }

    /// Takes all connections of requests, until what is returned is dropped.
    ///
    /// # Panics
    /// When the database fails.
    pub async fn use_up(&self) -> Vec<Box<dyn std::any::Any + Send>> {
        let mut held: Vec<Box<dyn std::any::Any + Send>> = Vec::new();
        match &self.inner.pools.requests {
            Db::Sqlite { read, .. } => {
                for _ in 0..read.options().get_max_connections() {
                    held.push(Box::new(read.acquire().await.unwrap()));
                }
            }
            Db::Postgres { pool, .. } => {
                for _ in 0..pool.options().get_max_connections() {
                    held.push(Box::new(pool.acquire().await.unwrap()));
                }
            }
        }
        held
    }
}

/// A database with nothing in it: its URL, and the server's with its name in it.
async fn empty_postgres() -> (String, (String, String)) {
    #[expect(clippy::disallowed_methods, reason = "the test's own environment")]
    let server = std::env::var("FLEETWIRE_TEST_POSTGRES_URL")
        .expect("no PostgreSQL: run the tests with tests/servers/postgres.sh");
    let name = format!("store_{}", Uuid::new_v4().simple());
    administer(&server, format!("CREATE DATABASE {name}")).await;
    let url = format!("{}/{name}", server.rsplit_once('/').unwrap().0);
    (url, (server, name))
}

async fn administer(server: &str, sql: String) {
    let mut connection = PgConnection::connect(server).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(&mut connection)
        .await
        .unwrap();
}

fn point(longitude: f64, latitude: f64) -> Point {
    Point::new(longitude, latitude).unwrap()
}

fn mobile(organization: &Organization, geometry: Option<Point>) -> NewLocation {
    NewLocation {
        organization: Some(organization.id),
        name: "Bus 1".into(),
        is_mobile: true,
        geometry,
        ..NewLocation::default()
    }
}
