//! What is broken: nodes, and what stands around them, each a process of its own.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use jiff::Timestamp;
use serde::Deserialize;
use tempfile::TempDir;
use uuid::Uuid;

use super::checker::{Ended, Truth};
use super::clock::Clock;
use super::disk::Disk;
use super::history::{Status, Update, step};
use super::network::Namespace;
use super::watch::Door;
use super::world::World;
use crate::support::{
    Database, Engine, Nginx, OwnPostgres, Redis, Server, Surroundings, free_address,
};

/// The node whose clock can be turned, and the one whose cable can be pulled.
pub const CLOCK: usize = 1;
pub const CABLE: usize = 2;
const NODES: usize = 3;

/// A cluster of three nodes on PostgreSQL, behind a balancer; or one node on SQLite. All of it ends when
/// this is dropped.
pub struct Cluster {
    /// Where clients come in.
    pub entrance: SocketAddr,
    pub world: World,
    /// Before the nodes: it is unmounted while they still run.
    pub disk: Option<Disk>,
    pub nodes: Vec<Server>,
    /// Where each of them is reached itself, and asked how it is.
    pub doors: Vec<Door>,
    pub redis: Option<Redis>,
    pub postgres: Option<OwnPostgres>,
    /// Why one of them is not there.
    pub namespace: Result<Namespace, String>,
    pub clock: Result<Clock, String>,
    _balancer: Option<Nginx>,
    _directory: TempDir,
}

/// Whether a node may be one of those with a clock or cable of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Equipment {
    Plain,
    Whole,
}

/// What all nodes are told. Pings are frequent, so that who hears none knows soon that its connection is
/// dead; a busy machine is not a dead router. All clients have the balancer's address.
const SETTINGS: [(&str, &str); 9] = [
    // Room for the last states of what pours, and for little else: it is soon used up.
    ("SOCKET__OUTBOX_BYTES", "49152"),
    ("SOCKET__PING_S", "4"),
    // Who reads nothing is not given up before its outbox is full.
    ("SOCKET__IDLE_S", "30"),
    ("SERVER__DRAIN_S", "3"),
    ("COMMANDS__CONNECT_TIMEOUT_S", "20"),
    ("COMMANDS__AUTHENTICATION_TIMEOUT_S", "20"),
    ("COMMANDS__TIMEOUT_S", "60"),
    ("LIMITS__HANDSHAKES_PER_SECOND_PER_ADDRESS", "0"),
    ("LOG__LEVEL", "warn"),
];

const SECRETS_KEY: &str = "6b1f0c1a1e6d4c35a7e3d1f2b8096c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b";

impl Cluster {
    /// Three nodes, and all around them.
    pub async fn of_three(equipment: Equipment) -> Self {
        let directory = TempDir::with_prefix("fleetwire-chaos-").expect("a directory");
        let (namespace, clock) = match equipment {
            Equipment::Whole => (Namespace::make(), Clock::make(directory.path())),
            Equipment::Plain => (Err("not asked for".into()), Err("not asked for".into())),
        };
        let here = namespace.as_ref().map(|it| it.here);
        let here = here.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let mut postgres = OwnPostgres::start().await;
        let url = postgres.listen_at(here);
        let redis = SocketAddr::new(here, free_address().port());
        let redis = Redis::start_at(redis, directory.path(), "redis", None).await;
        let hints = redis.url(0);
        let mut settings = SETTINGS.to_vec();
        settings.extend([("DATABASE__URL", &*url), ("SECRETS__KEY", SECRETS_KEY)]);
        if knows_hints() {
            settings.push(("HINTS__URL", &hints));
        }
        let first = Server::prepare(Engine::Sqlite, &settings).await;
        let (mut nodes, mut doors) = (Vec::new(), Vec::new());
        for number in 0..NODES {
            let (surroundings, metrics) = surroundings(number, &namespace, &clock);
            let mut node = first.beside_in(&surroundings);
            node.run().await;
            let address = node.address();
            doors.push(Door { address, metrics });
            nodes.push(node);
        }
        let addresses: Vec<_> = doors.iter().map(|door| door.address).collect();
        let balancer = Nginx::balance(directory.path(), &addresses).await;
        Self {
            entrance: balancer.address(),
            world: World::make(&nodes[0], &here.to_string()).await,
            disk: None,
            nodes,
            doors,
            redis: Some(redis),
            postgres: Some(postgres),
            namespace,
            clock,
            _balancer: Some(balancer),
            _directory: directory,
        }
    }

    /// One node on SQLite, on a small disk; or why there can be no such disk.
    pub async fn of_one() -> Result<Self, String> {
        let metrics = free_address();
        let listen = metrics.to_string();
        let settings = [&SETTINGS[..], &[("METRICS__LISTEN", &listen)]].concat();
        let mut node = Server::prepare(Engine::Sqlite, &settings).await;
        let disk = Disk::mount(node.directory()).map_err(|error| format!("not run: {error}"))?;
        node.run().await;
        Ok(Self {
            entrance: node.address(),
            world: World::make(&node, "127.0.0.1").await,
            disk: Some(disk),
            doors: vec![Door {
                address: node.address(),
                metrics,
            }],
            nodes: vec![node],
            redis: None,
            postgres: None,
            namespace: Err("one node".to_owned()),
            clock: Err("one node".to_owned()),
            _balancer: None,
            _directory: TempDir::with_prefix("fleetwire-chaos-").expect("a directory"),
        })
    }

    /// Prints the ends of the nodes' logs.
    pub fn tell(&self) {
        const LINES: usize = 40;
        for node in &self.nodes {
            let log = node.log();
            let lines: Vec<_> = log.lines().collect();
            let tail = &lines[lines.len().saturating_sub(LINES)..];
            eprintln!("--- {} ---\n{}", node.base(), tail.join("\n"));
        }
    }

    /// Where the nodes are reached past the balancer.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(Server::address).collect()
    }

    pub fn base(&self) -> String {
        format!("http://{}", self.entrance)
    }

    /// What is in the database now, and on the devices. New are this scenario's commands.
    pub async fn truth(&self, scenario: &str) -> Truth {
        let mut database = Database::of(&self.nodes[0]).await;
        let queries = Queries::of(&database);
        let mut truth = Truth::default();
        for row in database.texts(queries.locations).await {
            let row: LocationRow = serde_json::from_str(&row).unwrap();
            let step = step(row.longitude).expect("what a vehicle reported");
            truth.steps.insert(row.id, step);
        }
        for row in database.texts(queries.commands).await {
            let row: CommandRow = serde_json::from_str(&row).unwrap();
            let id = row.id;
            truth.commands.insert(id, row.ended(scenario));
        }
        for line in self.world.lines() {
            *truth.lines.entry(line).or_default() += 1;
        }
        truth
    }
}

fn surroundings(
    number: usize,
    namespace: &Result<Namespace, String>,
    clock: &Result<Clock, String>,
) -> (Surroundings, SocketAddr) {
    let mut metrics = free_address();
    let mut surroundings = Surroundings::default();
    match (number, namespace, clock) {
        (CABLE, Ok(namespace), _) => {
            let port = free_address().port();
            surroundings.address = Some(SocketAddr::new(namespace.there, port));
            metrics.set_ip(namespace.there);
            surroundings.launcher = namespace.launcher();
        }
        (CLOCK, _, Ok(clock)) => surroundings.environment = clock.environment(),
        _ => {}
    }
    let name = "FLEETWIRE_METRICS__LISTEN".to_owned();
    surroundings.environment.push((name, metrics.to_string()));
    (surroundings, metrics)
}

/// Whether this program takes hints by Redis.
fn knows_hints() -> bool {
    include_str!("../../src/config/fleetwire.toml").contains("\n[hints]\n")
}

/// Rows as JSON texts, which are alike on both engines.
struct Queries {
    locations: String,
    commands: String,
}

impl Queries {
    fn of(database: &Database) -> Self {
        let object = if database.is_sqlite() {
            "json_object"
        } else {
            "json_build_object"
        };
        let (id, device, joined) = if database.is_sqlite() {
            (
                "hex(id)",
                "hex(device_id)",
                "group_concat(text, '' ORDER BY number)",
            )
        } else {
            ("id", "device_id", "string_agg(text, '' ORDER BY number)")
        };
        Self {
            locations: format!(
                "SELECT CAST({object}('id', {id}, 'longitude', longitude) AS TEXT) FROM location
                 WHERE longitude IS NOT NULL"
            ),
            commands: format!(
                "SELECT CAST({object}('id', {id}, 'device', {device}, 'status', status,
                     'modified', modified, 'input', input, 'output', COALESCE((SELECT {joined}
                         FROM command_output WHERE command_id = command.id), '')) AS TEXT)
                 FROM command"
            ),
        }
    }
}

#[derive(Deserialize)]
struct LocationRow {
    id: Uuid,
    longitude: f64,
}

#[derive(Deserialize)]
struct CommandRow {
    id: Uuid,
    device: Uuid,
    status: String,
    modified: i64,
    input: String,
    output: String,
}

#[derive(Deserialize)]
struct Input {
    command: String,
}

impl CommandRow {
    /// The mark is the second word of the command line.
    fn ended(self, scenario: &str) -> Ended {
        let Input { command } = serde_json::from_str(&self.input).unwrap();
        let mark = command.split(' ').nth(1).unwrap().to_owned();
        let modified = Timestamp::from_microsecond(self.modified).unwrap();
        Ended {
            is_new: mark.starts_with(&format!("{scenario}:")),
            mark,
            update: Update {
                id: self.id,
                device: self.device,
                modified: format!("{modified:.6}"),
                status: match &*self.status {
                    "success" => Status::Success,
                    "failed" => Status::Failed,
                    _ => Status::InProgress,
                },
                output: self.output,
            },
        }
    }
}
