//! Nodes on a database of their own, a Redis where it carries the hints, and who watches.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tempfile::TempDir;
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep};

use super::load::{self, Cost, Socket};
use super::program::{self, Process, SERVER_CPU, add_superuser, cli, connect, free_address, text};
use super::usage::cpu;

/// Devices that report in turn, each over a connection of its own.
const DEVICES: usize = 50;

/// How long to look at what is used while nothing happens.
const IDLE: Duration = Duration::from_secs(2);

/// What carries hints between nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hints {
    Notify,
    Redis,
}

impl Hints {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Notify => "NOTIFY",
            Self::Redis => "Redis",
        }
    }
}

/// Where a superuser watches all fleets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Watched {
    Everywhere,
    /// Only where the reports come in: the other nodes hear of what nobody there wants.
    AtTheFirst,
}

impl Watched {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Everywhere => "at each node",
            Self::AtTheFirst => "at the first node",
        }
    }
}

/// What is put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Plan {
    pub hints: Hints,
    pub nodes: usize,
    pub watched: Watched,
}

/// It all, running.
pub struct Cluster {
    nodes: Vec<Process>,
    redis: Option<Process>,
    postgres: u32,
    sockets: Vec<Socket>,
    address: String,
    paths: Vec<String>,
    _directories: Vec<TempDir>,
}

impl Cluster {
    /// A new one, on the `PostgreSQL` behind `url`, after it has come to rest.
    pub async fn start(url: &str, plan: Plan) -> Result<Self> {
        let (database, postgres) = new_database(url).await?;
        let mut directories = vec![tempfile::tempdir()?];
        let (redis, hints) = match plan.hints {
            Hints::Notify => (None, String::new()),
            Hints::Redis => {
                let path = directories[0].path().join("redis.sock");
                let path = path.to_str().context("a strange directory")?;
                (Some(start_redis(path).await?), format!("unix://{path}"))
            }
        };
        let environment = [
            ("FLEETWIRE_DATABASE__URL", database.as_str()),
            ("FLEETWIRE_SECRETS__KEY", &"7".repeat(64)),
            ("FLEETWIRE_HINTS__URL", &hints),
        ];
        let organization = cli(&directories[0], &environment, &["org", "add", "Bench"])?;
        let token = add_superuser(&directories[0], &environment)?;
        let (mut nodes, mut addresses) = (Vec::new(), Vec::new());
        for _ in 0..plan.nodes {
            let (directory, address) = (tempfile::tempdir()?, free_address()?);
            nodes.push(program::serve(&directory, &address, &environment)?);
            connect(&address).await?;
            directories.push(directory);
            addresses.push(address);
        }
        let mut connection = connect(&addresses[0]).await?;
        let mut paths = Vec::new();
        for number in 0..DEVICES {
            let name = format!("bus-{number}");
            let body = json!({ "name": name, "organization": organization["id"] });
            let path = "/api/v1/controller/device/";
            let device = program::create(&mut connection, &token, path, &body).await?;
            let (id, key) = (text(&device, "id")?, text(&device, "key")?);
            paths.push(format!("{path}{id}/coordinates/?key={key}"));
        }
        let watching = match plan.watched {
            Watched::Everywhere => plan.nodes,
            Watched::AtTheFirst => 1,
        };
        // The first reports make the locations, before anybody watches.
        load::warm(&addresses[0], &paths).await?;
        let mut sockets = Vec::new();
        for address in &addresses[..watching] {
            sockets.push(load::watch(address, &token).await?);
        }
        sleep(Duration::from_secs(1)).await;
        Ok(Self {
            nodes,
            redis,
            postgres,
            sockets,
            address: addresses.swap_remove(0),
            paths,
            _directories: directories,
        })
    }

    /// What an update costs, without what is used while nothing happens.
    pub async fn measure(mut self) -> Result<Cost> {
        let (before, began) = (self.used()?, Instant::now());
        sleep(IDLE).await;
        let idle = Self::seconds(&before, &self.used()?);
        let idle_for = began.elapsed().as_secs_f64();
        let (before, began) = (self.used()?, Instant::now());
        let (updates, latency) = load::run(&self.address, &self.paths, &mut self.sockets).await?;
        let busy = Self::seconds(&before, &self.used()?);
        let share = began.elapsed().as_secs_f64() / idle_for;
        let of: Vec<f64> = busy
            .iter()
            .zip(&idle)
            .map(|(busy, idle)| (busy - idle * share) * 1e6 / f64::from(updates))
            .collect();
        let nodes = self.nodes.len();
        let others = &of[1..nodes];
        #[expect(clippy::cast_precision_loss, reason = "two at most")]
        let other = (!others.is_empty()).then(|| others.iter().sum::<f64>() / others.len() as f64);
        Ok(Cost {
            first: of[0],
            other,
            postgres: of[nodes],
            redis: of.get(nodes + 1).copied(),
            latency,
        })
    }

    /// Processor time of each node, of `PostgreSQL` and of Redis.
    fn used(&self) -> Result<Vec<Duration>> {
        let nodes = self.nodes.iter().map(|node| node.0.id());
        let redis = self.redis.iter().map(|redis| redis.0.id());
        nodes.chain([self.postgres]).chain(redis).map(cpu).collect()
    }

    fn seconds(before: &[Duration], after: &[Duration]) -> Vec<f64> {
        let pairs = before.iter().zip(after);
        pairs
            .map(|(before, after)| after.saturating_sub(*before).as_secs_f64())
            .collect()
    }
}

/// A database that nothing has used, as a URL, and its server's process.
async fn new_database(url: &str) -> Result<(String, u32)> {
    let mut connection = PgConnection::connect(url).await?;
    let name = format!("bench_{}", uuid::Uuid::new_v4().simple());
    sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}")))
        .execute(&mut connection)
        .await?;
    let process: String =
        sqlx::query_scalar("SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)")
            .fetch_one(&mut connection)
            .await?;
    connection.close().await?;
    let (server, _) = url.rsplit_once('/').context("a URL without a database")?;
    Ok((format!("{server}/{name}"), process.trim().parse()?))
}

async fn start_redis(path: &str) -> Result<Process> {
    let process = Command::new("taskset")
        .args(["-c", SERVER_CPU, "redis-server", "--port", "0"])
        .args(["--save", "", "--unixsocket", path, "--loglevel", "warning"])
        .spawn()
        .context("taskset (util-linux) starts redis-server")?;
    let process = Process(process);
    for _ in 0..200 {
        if UnixStream::connect(path).await.is_ok() {
            return Ok(process);
        }
        sleep(Duration::from_millis(25)).await;
    }
    bail!("redis-server did not listen within 5 s")
}
