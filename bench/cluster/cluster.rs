//! Nodes on a database of their own, and a Redis where it carries the hints.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep};

use super::house::House;
use super::program::{self, Process, SERVER_CPU, connect, free_address};
use super::usage::Usage;

/// How long to look at what is used while nothing happens.
const IDLE: Duration = Duration::from_secs(4);

/// How long a new cluster has to come to rest.
const REST: Duration = Duration::from_secs(1);

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

/// It all, running.
pub struct Cluster {
    /// Where each node listens.
    pub addresses: Vec<String>,
    /// The name and the URL of its database.
    database: (String, String),
    nodes: Vec<Process>,
    redis: Option<Process>,
    postgres: u32,
    _directories: Vec<TempDir>,
}

/// Seconds of processor time.
#[derive(Clone, Debug)]
pub struct Used {
    /// Of each node.
    pub nodes: Vec<f64>,
    pub postgres: f64,
    pub redis: Option<f64>,
    /// Seconds of the clock.
    pub span: f64,
}

/// When a measurement began, and what had been used by then.
pub struct Began(Vec<Duration>, Instant);

impl Cluster {
    /// So many nodes on a new copy of the database.
    pub async fn start(house: &House, hints: Hints, count: usize) -> Result<Self> {
        let database = house.copy().await?;
        let mut directories = vec![tempfile::tempdir()?];
        let (redis, hints) = match hints {
            Hints::Notify => (None, String::new()),
            Hints::Redis => {
                let path = directories[0].path().join("redis.sock");
                let path = path.to_str().context("a strange directory")?;
                (Some(start_redis(path).await?), format!("unix://{path}"))
            }
        };
        let environment = [
            ("FLEETWIRE_DATABASE__URL", database.1.as_str()),
            ("FLEETWIRE_SECRETS__KEY", &"7".repeat(64)),
            ("FLEETWIRE_HINTS__URL", &hints),
            ("FLEETWIRE_LIMITS__HANDSHAKES_PER_SECOND", "0"),
        ];
        let (mut nodes, mut addresses) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let (directory, address) = (tempfile::tempdir()?, free_address()?);
            nodes.push(program::serve(&directory, &address, &environment)?);
            connect(&address).await?;
            directories.push(directory);
            addresses.push(address);
        }
        sleep(REST).await;
        Ok(Self {
            addresses,
            database,
            nodes,
            redis,
            postgres: house.server_process().await?,
            _directories: directories,
        })
    }

    /// Ends it, and removes its database.
    pub async fn end(self, house: &House) -> Result<()> {
        drop(self.nodes);
        house.remove(&self.database.0).await
    }

    /// The URL of its database.
    pub fn database(&self) -> &str {
        &self.database.1
    }

    /// What is used while nothing happens.
    pub async fn idle(&self) -> Result<Used> {
        let began = self.begin()?;
        sleep(IDLE).await;
        self.used_since(&began)
    }

    pub fn begin(&self) -> Result<Began> {
        Ok(Began(self.used()?, Instant::now()))
    }

    pub fn used_since(&self, began: &Began) -> Result<Used> {
        let used = self.used()?;
        let span = began.1.elapsed().as_secs_f64();
        let pairs = began.0.iter().zip(&used);
        let mut seconds: Vec<f64> = pairs
            .map(|(before, after)| after.saturating_sub(*before).as_secs_f64())
            .collect();
        let redis = self.redis.as_ref().and_then(|_| seconds.pop());
        let postgres = seconds.pop().context("no PostgreSQL")?;
        Ok(Used {
            nodes: seconds,
            postgres,
            redis,
            span,
        })
    }

    /// Processor time of each node, of `PostgreSQL` and of Redis.
    fn used(&self) -> Result<Vec<Duration>> {
        let nodes = self.nodes.iter().map(|node| node.0.id());
        let redis = self.redis.iter().map(|redis| redis.0.id());
        let all = nodes.chain([self.postgres]).chain(redis);
        all.map(|process| Usage::of(process).cpu()).collect()
    }
}

impl Used {
    /// What each of `count` things cost beyond what is used in as long a time while nothing happens, in
    /// microseconds.
    pub fn beyond(&self, idle: &Self, count: f64) -> Self {
        let share = self.span / idle.span;
        let cost = |busy: f64, idle: f64| (busy - idle * share) * 1e6 / count;
        let nodes = self.nodes.iter().zip(&idle.nodes);
        Self {
            nodes: nodes.map(|(busy, idle)| cost(*busy, *idle)).collect(),
            postgres: cost(self.postgres, idle.postgres),
            redis: self
                .redis
                .zip(idle.redis)
                .map(|(busy, idle)| cost(busy, idle)),
            span: self.span,
        }
    }
}

async fn start_redis(path: &str) -> Result<Process> {
    let process = Command::new("taskset")
        .args(["-c", SERVER_CPU, "redis-server", "--port", "0"])
        .args(["--save", "", "--unixsocket", path])
        .stdout(Stdio::null())
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
