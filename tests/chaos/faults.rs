//! What is broken, and how it is mended.

use std::fmt;
use std::time::Duration;

use rustix::process::Signal;

use super::cluster::{CABLE, CLOCK, Cluster};
use super::crowd::{Crowd, Pace};
use super::load::Load;

const SLOW_READERS: usize = 200;
const SILENT_READERS: usize = 500;
/// How many sockets come back at once in a storm, as a multiple of the crowd: 5,000 of 2,000.
const STORM: (usize, usize) = (5, 2);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// `kill -9` of a node, and its start.
    KillNode,
    /// SIGTERM of a node, and its start.
    TerminateNode,
    /// Redis is ended, and started again.
    StopRedis,
    /// Redis forgets everything.
    FlushRedis,
    /// Redis hangs.
    PauseRedis,
    /// A node's cable is pulled, and plugged in again.
    CutNode,
    /// PostgreSQL is ended, and started again.
    StopPostgres,
    /// The disk of a node on SQLite is full, and has room again.
    FillDisk,
    /// A node's clock is turned back by an hour, then forth by two, then right again.
    TurnClock,
    /// 200 clients read slowly what pours in.
    SlowReaders,
    /// 500 clients do not read what pours in, and then they do.
    SilentReaders,
    /// 5,000 sockets break off, and come back at once.
    Storm,
}

impl Fault {
    pub const ALL: [Self; 12] = [
        Self::KillNode,
        Self::TerminateNode,
        Self::StopRedis,
        Self::FlushRedis,
        Self::PauseRedis,
        Self::CutNode,
        Self::StopPostgres,
        Self::FillDisk,
        Self::TurnClock,
        Self::SlowReaders,
        Self::SilentReaders,
        Self::Storm,
    ];

    /// Whether it can happen where one node stands alone on SQLite.
    pub fn is_of_one(self) -> bool {
        let is_of_cluster = matches!(self, Self::CutNode | Self::StopPostgres | Self::TurnClock);
        !is_of_cluster && !self.is_of_redis()
    }

    /// Whether it is about Redis.
    pub fn is_of_redis(self) -> bool {
        matches!(self, Self::StopRedis | Self::FlushRedis | Self::PauseRedis)
    }

    /// Whether it can happen where three nodes share a PostgreSQL.
    pub fn is_of_three(self) -> bool {
        self != Self::FillDisk
    }

    /// How long it lasts.
    pub fn lasts(self) -> Duration {
        Duration::from_secs(match self {
            Self::FlushRedis => 3,
            Self::KillNode | Self::TerminateNode | Self::StopPostgres => 6,
            Self::StopRedis | Self::FillDisk | Self::TurnClock | Self::Storm => 12,
            // 20 s as asked for; a cable is pulled for longer than it takes to be taken for dead.
            Self::PauseRedis | Self::CutNode | Self::SlowReaders | Self::SilentReaders => 20,
        })
    }

    /// Why it cannot be done here.
    pub fn lacks(self, cluster: &Cluster) -> Option<&str> {
        let lacking = match self {
            Self::CutNode => cluster.namespace.as_ref().err(),
            Self::TurnClock => cluster.clock.as_ref().err(),
            _ => None,
        };
        lacking.map(String::as_str)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::KillNode => "kill -9 a node",
            Self::TerminateNode => "SIGTERM a node",
            Self::StopRedis => "stop and start Redis",
            Self::FlushRedis => "FLUSHALL Redis",
            Self::PauseRedis => "SIGSTOP Redis 20 s",
            Self::CutNode => "cut a node off",
            Self::StopPostgres => "restart PostgreSQL",
            Self::FillDisk => "fill SQLite's disk",
            Self::TurnClock => "turn a node's clock",
            Self::SlowReaders => "200 slow readers",
            Self::SilentReaders => "500 silent readers",
            Self::Storm => "storm of 5,000",
        })
    }
}

/// A fault at its work. `victim` is the node that it is about, where it is about one.
pub struct Broken {
    pub fault: Fault,
    pub victim: usize,
}

impl Broken {
    /// Which node a fault is about, of those that `spared` leaves.
    pub fn of(fault: Fault, random: u64, nodes: usize, spared: &[usize]) -> Self {
        let victim = match fault {
            Fault::CutNode => CABLE,
            Fault::TurnClock => CLOCK,
            _ => {
                let left: Vec<_> = (0..nodes).filter(|it| !spared.contains(it)).collect();
                let at = random % left.len().max(1) as u64;
                usize::try_from(at)
                    .ok()
                    .and_then(|at| left.get(at).copied())
                    .unwrap_or(0)
            }
        };
        Self { fault, victim }
    }

    /// The node that must stay as it is while this lasts.
    pub fn holds(fault: Fault) -> Option<usize> {
        match fault {
            Fault::CutNode => Some(CABLE),
            Fault::TurnClock => Some(CLOCK),
            _ => None,
        }
    }

    /// More sockets that the fault is about, before it begins.
    pub fn prepare(&self, cluster: &Cluster, crowd: &mut Crowd) {
        let world = &cluster.world;
        let fleets = |count| (0..count).map(|it| world.pouring.fleet(it)).collect();
        match self.fault {
            Fault::SlowReaders => {
                crowd.join(fleets(SLOW_READERS), Pace::Slow);
                // Who hears the same and reads it all is not held up by them.
                crowd.join(fleets(SLOW_READERS / 10), Pace::Prompt);
            }
            Fault::SilentReaders => {
                crowd.join(fleets(SILENT_READERS), Pace::Silent);
                crowd.join(fleets(SILENT_READERS / 10), Pace::Prompt);
            }
            Fault::Storm => {
                let (all, of) = STORM;
                let more = crowd.len() * (all - of) / of;
                crowd.join(world.places(more), Pace::Prompt);
            }
            _ => {}
        }
    }

    pub async fn begin(&self, cluster: &mut Cluster, crowd: &Crowd, load: &Load) {
        let redis = || cluster.redis.as_ref().expect("a cluster of three");
        match self.fault {
            Fault::KillNode => cluster.nodes[self.victim].kill().await,
            // It drains while it is down.
            Fault::TerminateNode => cluster.nodes[self.victim].signal(Signal::TERM),
            Fault::FlushRedis => redis().flush().await,
            Fault::PauseRedis => redis().pause(),
            Fault::StopRedis => {
                let redis = cluster.redis.as_mut().expect("a cluster of three");
                redis.terminate().await;
            }
            Fault::CutNode => plug(cluster, false),
            Fault::StopPostgres => {
                let postgres = cluster.postgres.as_ref().expect("a cluster of three");
                tokio::task::block_in_place(|| postgres.stop());
            }
            Fault::FillDisk => cluster.disk.as_ref().expect("one node").fill(),
            Fault::TurnClock => turn(cluster, "-1h"),
            Fault::SlowReaders | Fault::SilentReaders => {
                crowd.be_slow(true);
                load.pour(true);
            }
            Fault::Storm => crowd.storm(),
        }
    }

    /// When half of its time is over.
    pub fn turn_round(&self, cluster: &Cluster) {
        if self.fault == Fault::TurnClock {
            turn(cluster, "+1h");
        }
    }

    pub async fn end(&self, cluster: &mut Cluster, crowd: &Crowd, load: &Load) {
        match self.fault {
            Fault::KillNode => cluster.nodes[self.victim].run().await,
            Fault::TerminateNode => {
                let status = cluster.nodes[self.victim].exit().await;
                assert!(status.success(), "a node that was told to end: {status}");
                cluster.nodes[self.victim].run().await;
            }
            Fault::FlushRedis | Fault::Storm => {}
            Fault::PauseRedis => cluster.redis.as_ref().expect("a cluster of three").resume(),
            Fault::StopRedis => {
                let redis = cluster.redis.as_mut().expect("a cluster of three");
                redis.run().await;
            }
            Fault::CutNode => plug(cluster, true),
            Fault::StopPostgres => {
                let postgres = cluster.postgres.as_ref().expect("a cluster of three");
                tokio::task::block_in_place(|| postgres.run());
            }
            Fault::FillDisk => cluster.disk.as_ref().expect("one node").relieve(),
            Fault::TurnClock => turn(cluster, "+0"),
            Fault::SlowReaders | Fault::SilentReaders => {
                load.pour(false);
                crowd.be_slow(false);
            }
        }
    }
}

fn plug(cluster: &Cluster, is_connected: bool) {
    let namespace = cluster.namespace.as_ref();
    namespace.expect("asked for first").connect(is_connected);
}

fn turn(cluster: &Cluster, by: &str) {
    cluster.clock.as_ref().expect("asked for first").turn(by);
}
