//! How things are broken and mended.

use redis::Value;
use rustix::process::Signal;

use super::cluster::{CABLE, CLOCK, Cluster};
use super::crowd::{Crowd, Pace};
use super::faults::{Fault, SILENT_READERS, SLOW_READERS, STORM};
use super::load::Load;
use crate::support::Redis;

/// A fault at its work. `victim` is the node that it is about, where it is about one.
pub struct Broken {
    pub fault: Fault,
    pub victim: usize,
    /// What was found where it was done, for faults that no node can tell of: what shows it, or what is lacking.
    pub found: Result<String, String>,
}

impl Broken {
    /// Which node a fault is about, of those that `spared` leaves.
    pub fn of(fault: Fault, random: u64, nodes: usize, spared: &[usize]) -> Self {
        let victim = match fault {
            Fault::CutNode | Fault::LosePackets => CABLE,
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
        Self {
            fault,
            victim,
            found: Err("nobody has looked".to_owned()),
        }
    }

    /// The node that must stay as it is while this lasts.
    pub fn holds(fault: Fault) -> Option<usize> {
        match fault {
            Fault::CutNode | Fault::LosePackets => Some(CABLE),
            Fault::TurnClock => Some(CLOCK),
            _ => None,
        }
    }

    /// More sockets that the fault is about, before it begins.
    pub fn prepare(&self, cluster: &Cluster, crowd: &mut Crowd) {
        let world = &cluster.world;
        match self.fault {
            Fault::SlowReaders => pouring(cluster, crowd, SLOW_READERS, Pace::Slow),
            Fault::SilentReaders => pouring(cluster, crowd, SILENT_READERS, Pace::Silent),
            Fault::Storm => {
                let (all, of) = STORM;
                let more = crowd.len() * (all - of) / of;
                crowd.join(world.places(more), Pace::Prompt, &[cluster.entrance]);
            }
            _ => {}
        }
    }

    pub async fn begin(&mut self, cluster: &mut Cluster, crowd: &Crowd, load: &Load) {
        let redis = || cluster.redis.as_ref().expect("a cluster of three");
        match self.fault {
            Fault::KillNode => cluster.nodes[self.victim].kill().await,
            // It drains while it is down.
            Fault::TerminateNode => cluster.nodes[self.victim].signal(Signal::TERM),
            Fault::FlushRedis => self.found = flush(redis()).await,
            Fault::PauseRedis => redis().pause(),
            Fault::StopRedis => {
                let redis = cluster.redis.as_mut().expect("a cluster of three");
                redis.terminate().await;
            }
            Fault::CutNode => plug(cluster, false),
            Fault::LosePackets => lose(cluster, true),
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
    pub fn turn_round(&mut self, cluster: &Cluster) {
        match self.fault {
            Fault::TurnClock => turn(cluster, "+1h"),
            Fault::FillDisk => {
                let is_full = cluster.disk.as_ref().expect("one node").is_full();
                self.found = if is_full {
                    Ok("not a byte more can be written".to_owned())
                } else {
                    Err("there is room on the disk".to_owned())
                };
            }
            _ => {}
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
            Fault::LosePackets => lose(cluster, false),
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

fn lose(cluster: &Cluster, loses: bool) {
    let namespace = cluster.namespace.as_ref();
    namespace.expect("asked for first").lose(loses);
}

/// More sockets at what pours: `count` that read as `pace` says, a tenth of them never again; and a tenth as many
/// that read it all and must not be held up by them. They are opened at the nodes themselves: a balancer would
/// keep what its clients do not read.
fn pouring(cluster: &Cluster, crowd: &mut Crowd, count: usize, pace: Pace) {
    let places = |count: usize| {
        (0..count)
            .map(|it| cluster.world.pouring.fleet(it))
            .collect()
    };
    let addresses = cluster.addresses();
    for (count, pace) in [
        (count - count / 10, pace),
        (count / 10, Pace::Never),
        (count / 10, Pace::Prompt),
    ] {
        crowd.join(places(count), pace, &addresses);
    }
}

/// Redis is given something to forget, and does.
async fn flush(redis: &Redis) -> Result<String, String> {
    redis.command(&["SET", "fleetwire-chaos", "1"]).await;
    let before = redis.command(&["DBSIZE"]).await;
    redis.flush().await;
    let after = redis.command(&["DBSIZE"]).await;
    match (before, after) {
        (Value::Int(before @ 1..), Value::Int(0)) => Ok(format!("of {before} keys none is left")),
        (before, after) => Err(format!("there were {before:?} keys, and are {after:?}")),
    }
}

fn turn(cluster: &Cluster, by: &str) {
    cluster.clock.as_ref().expect("asked for first").turn(by);
}
