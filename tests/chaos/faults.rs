//! What can be broken.

use std::fmt;
use std::time::Duration;

use super::cluster::Cluster;

/// Readers that are slow or silent; a tenth of either never reads again, and a tenth as many more read it all.
pub const SLOW_READERS: usize = 200;
pub const SILENT_READERS: usize = 500;
/// How many sockets come back at once in a storm, as a multiple of the crowd: 5,000 of 2,000.
pub const STORM: (usize, usize) = (5, 2);

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
    /// A node's cable is pulled, and plugged in again: the node itself sees that.
    CutNode,
    /// All packets from and to a node vanish, and neither side can see why.
    LosePackets,
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
    pub const ALL: [Self; 13] = [
        Self::KillNode,
        Self::TerminateNode,
        Self::StopRedis,
        Self::FlushRedis,
        Self::PauseRedis,
        Self::CutNode,
        Self::LosePackets,
        Self::StopPostgres,
        Self::FillDisk,
        Self::TurnClock,
        Self::SlowReaders,
        Self::SilentReaders,
        Self::Storm,
    ];

    /// Whether it can happen where one node stands alone on SQLite.
    pub fn is_of_one(self) -> bool {
        let is_of_cluster = matches!(self, Self::StopPostgres | Self::TurnClock);
        !is_of_cluster && !self.is_of_redis() && !self.is_of_cable()
    }

    /// Whether it is about Redis.
    pub fn is_of_redis(self) -> bool {
        matches!(self, Self::StopRedis | Self::FlushRedis | Self::PauseRedis)
    }

    /// Whether it is about the node with a cable of its own.
    pub fn is_of_cable(self) -> bool {
        matches!(self, Self::CutNode | Self::LosePackets)
    }

    /// Whether a node cannot ask its database meanwhile.
    pub fn is_without_database(self) -> bool {
        self.is_of_cable() || self == Self::StopPostgres
    }

    /// Whether nothing can be written meanwhile.
    pub fn is_without_writes(self) -> bool {
        matches!(self, Self::StopPostgres | Self::FillDisk)
    }

    /// Whether it can happen where three nodes share a PostgreSQL.
    pub fn is_of_three(self) -> bool {
        self != Self::FillDisk
    }

    /// How long it lasts.
    pub fn lasts(self) -> Duration {
        Duration::from_secs(match self {
            Self::FlushRedis | Self::KillNode | Self::TerminateNode | Self::StopPostgres => 6,
            Self::StopRedis | Self::FillDisk | Self::TurnClock | Self::Storm => 12,
            // 20 s as asked for; a cable is pulled for longer than it takes to be taken for dead.
            Self::PauseRedis
            | Self::CutNode
            | Self::LosePackets
            | Self::SlowReaders
            | Self::SilentReaders => 20,
        })
    }

    /// Why it cannot be done here.
    pub fn lacks(self, cluster: &Cluster) -> Option<&str> {
        let lacking = match self {
            Self::CutNode | Self::LosePackets => cluster.namespace.as_ref().err(),
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
            Self::LosePackets => "lose a node's packets",
            Self::StopPostgres => "restart PostgreSQL",
            Self::FillDisk => "fill SQLite's disk",
            Self::TurnClock => "turn a node's clock",
            Self::SlowReaders => "200 slow readers",
            Self::SilentReaders => "500 silent readers",
            Self::Storm => "storm of 5,000",
        })
    }
}
