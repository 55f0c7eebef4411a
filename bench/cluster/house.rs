//! A database as every cluster finds it: organizations, their devices, each with a location, and operators.

use anyhow::{Context, Result};
use fleetwire::event::{DeviceId, Point};
use fleetwire::store::{Engine, NewAccount, NewDevice, Report, Store};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

/// Devices that report in turn: so many that a location moves at most once between two readings of the tail, as
/// vehicles that report every few seconds do.
pub const DEVICES: usize = 1_000;

/// What they are spread over.
const ORGANIZATIONS: usize = 20;

/// Operators, each with a token.
const OPERATORS: usize = 2_000;

/// How many writes are under way while it is made.
const TOGETHER: usize = 8;

/// The database, and who knows what in it.
pub struct House {
    /// The `PostgreSQL` server, without a database.
    server: String,
    /// The database that is copied.
    template: String,
    /// The token of a superuser.
    pub token: String,
    /// Those of operators of the first organization.
    pub operators: Vec<String>,
    /// The devices, and their keys.
    pub devices: Vec<(DeviceId, String)>,
}

impl House {
    /// Makes it on the `PostgreSQL` behind `url`.
    pub async fn build(url: &str) -> Result<Self> {
        let (server, _) = url.rsplit_once('/').context("a URL without a database")?;
        let mut house = Self {
            server: server.to_owned(),
            template: format!("bench_{}", uuid::Uuid::new_v4().simple()),
            token: String::new(),
            operators: Vec::new(),
            devices: Vec::new(),
        };
        house
            .tell_server(&format!("CREATE DATABASE {}", house.template))
            .await?;
        let store = Store::open(&Engine::Postgres {
            url: format!("{server}/{}", house.template),
        })
        .await?;
        house.settle(&store).await?;
        store.close().await;
        let mut template = PgConnection::connect(&format!("{server}/{}", house.template)).await?;
        sqlx::query("VACUUM ANALYZE").execute(&mut template).await?;
        template.close().await?;
        Ok(house)
    }

    async fn settle(&mut self, store: &Store) -> Result<()> {
        let mut organizations = Vec::new();
        for number in 0..ORGANIZATIONS {
            let name = format!("Bench {number}");
            organizations.push(store.add_organization(name.as_str()).await?.id);
        }
        let group = store.find_group("Operator").await?.id;
        let root = NewAccount {
            username: "root".to_owned(),
            is_superuser: true,
            is_staff: true,
            ..NewAccount::default()
        };
        let root = store.add_user(&root).await?.id;
        self.token = store.add_token(root, "bench").await?.1;
        let organizations = &organizations;
        let operators = stream::iter(0..OPERATORS).map(async |number| {
            let operator = NewAccount {
                username: format!("operator-{number}"),
                is_staff: true,
                groups: vec![group],
                manages: vec![organizations[0]],
                ..NewAccount::default()
            };
            let user = store.add_user(&operator).await?.id;
            anyhow::Ok(store.add_token(user, "bench").await?.1)
        });
        self.operators = operators.buffer_unordered(TOGETHER).try_collect().await?;
        let devices = stream::iter(0..DEVICES).map(async |number| {
            let new = NewDevice {
                name: format!("bus-{number}"),
                organization: Some(organizations[number % ORGANIZATIONS]),
                ..NewDevice::default()
            };
            let device = store.add_device(&new).await?;
            // Its first report makes its location.
            let report = Report {
                device: device.id,
                key: device.key.clone(),
                geometry: Point::new(0.0, 41.898_903)?,
                time: None,
            };
            store.report_coordinates(report).await?;
            anyhow::Ok((device.id, device.key))
        });
        self.devices = devices.buffer_unordered(TOGETHER).try_collect().await?;
        Ok(())
    }

    /// Where each device reports.
    pub fn paths(&self) -> Vec<String> {
        let devices = self.devices.iter();
        devices
            .map(|(id, key)| format!("/api/v1/controller/device/{id}/coordinates/?key={key}"))
            .collect()
    }

    /// A database that nothing has used: its name and its URL.
    pub async fn copy(&self) -> Result<(String, String)> {
        let name = format!("bench_{}", uuid::Uuid::new_v4().simple());
        let copy = format!("CREATE DATABASE {name} TEMPLATE {}", self.template);
        self.tell_server(&copy).await?;
        let url = format!("{}/{name}", self.server);
        Ok((name, url))
    }

    /// Removes a copy.
    pub async fn remove(&self, name: &str) -> Result<()> {
        self.tell_server(&format!("DROP DATABASE {name} WITH (FORCE)"))
            .await
    }

    /// The process of the server that starts the others.
    pub async fn server_process(&self) -> Result<u32> {
        let mut connection = PgConnection::connect(&format!("{}/postgres", self.server)).await?;
        let process: String =
            sqlx::query_scalar("SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)")
                .fetch_one(&mut connection)
                .await?;
        connection.close().await?;
        Ok(process.trim().parse()?)
    }

    async fn tell_server(&self, sql: &str) -> Result<()> {
        let mut connection = PgConnection::connect(&format!("{}/postgres", self.server)).await?;
        sqlx::query(AssertSqlSafe(sql.to_owned()))
            .execute(&mut connection)
            .await?;
        Ok(connection.close().await?)
    }
}
