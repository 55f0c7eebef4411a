//! One scenario: a crowd listens, the load works, something breaks and is mended, all comes to rest, and the
//! checker judges.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::checker::{Evidence, Truth, Violation, judge, missing};
use super::cluster::Cluster;
use super::crowd::{Crowd, Pace};
use super::faults::{Broken, Fault};
use super::history::{History, Seen, Status};
use super::intruders::Intruders;
use super::load::Load;

/// How long anything in a scenario may take to come about. What has not by then is a violation, or the end
/// of the test.
const PATIENCE: Duration = Duration::from_secs(150);

/// Faults that happen at the same time.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Tells its commands from those of others.
    pub name: String,
    pub faults: Vec<Fault>,
    pub sockets: usize,
    /// Which nodes the faults are about.
    pub random: u64,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    pub sockets: usize,
    pub events: usize,
    pub reconnects: usize,
    /// Connections that ended, by the close frame's code; without one.
    pub closes: BTreeMap<u16, usize>,
    pub broken_off: usize,
    pub reports: usize,
    pub commands: usize,
    pub succeeded: usize,
    pub failed: usize,
    pub intrusions: usize,
    pub seconds: u64,
    pub violations: Vec<Violation>,
}

impl Scenario {
    pub async fn run(&self, cluster: &mut Cluster) -> Outcome {
        let began = Instant::now();
        let before = cluster.truth(&self.name).await.steps;
        let broken = self.broken(cluster.nodes.len());
        let mut crowd = Crowd::new(cluster.entrance);
        crowd.join(cluster.world.places(self.sockets), Pace::Prompt);
        all_open(&crowd).await;
        for each in &broken {
            each.prepare(cluster, &mut crowd);
        }
        all_open(&crowd).await;
        let intruders = Intruders::begin(&cluster.world, cluster.entrance);
        let load = Load::begin(&cluster.world, &cluster.base(), &self.name, &before);
        work_goes_on(&load).await;
        for each in &broken {
            each.begin(cluster, &crowd, &load).await;
        }
        load.half_rests();
        let lasts = broken.iter().map(|it| it.fault.lasts()).max();
        let half = lasts.unwrap_or_default() / 2;
        // The fault is to last, whatever happens meanwhile: nothing is waited for.
        sleep(half).await;
        for each in &broken {
            each.turn_round(cluster);
        }
        sleep(half).await;
        for each in broken.iter().rev() {
            each.end(cluster, &crowd, &load).await;
        }
        all_open(&crowd).await;
        work_goes_on(&load).await;
        let mut evidence = Evidence {
            acknowledged: load.end().await,
            ..Evidence::default()
        };
        evidence.truth = self.comes_to_rest(cluster, &crowd, &evidence).await;
        evidence.intrusions = intruders.end().await;
        evidence.histories = crowd.end().await;
        outcome(&evidence, began)
    }

    fn broken(&self, nodes: usize) -> Vec<Broken> {
        let mut spared: Vec<_> = self
            .faults
            .iter()
            .copied()
            .filter_map(Broken::holds)
            .collect();
        let mut broken = Vec::new();
        for fault in &self.faults {
            let one = Broken::of(*fault, self.random, nodes, &spared);
            spared.push(one.victim);
            broken.push(one);
        }
        broken
    }

    /// Waits until every command has ended and every socket knows the last of everything, or it is too
    /// late for that; answers with what is in the database then.
    async fn comes_to_rest(&self, cluster: &Cluster, crowd: &Crowd, evidence: &Evidence) -> Truth {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let truth = cluster.truth(&self.name).await;
            let mut commands = truth.commands.values();
            // Those that were asked for without an answer, too.
            let is_over = commands.all(|it| it.update.status != Status::InProgress);
            let knows = |it: &History| missing(it, &truth, &evidence.acknowledged).is_empty();
            if (is_over && crowd.have_all_seen(knows)) || Instant::now() > deadline {
                return truth;
            }
            sleep(Duration::from_millis(500)).await;
        }
    }
}

async fn all_open(crowd: &Crowd) {
    patiently(
        || format!("{} of {} sockets are open", crowd.open(), crowd.len()),
        || crowd.open() == crowd.len(),
    )
    .await;
}

/// Waits until more reports and commands are acknowledged than vehicles and routers have under way.
async fn work_goes_on(load: &Load) {
    let (reports, commands) = load.acknowledged();
    patiently(
        || format!("{:?} was acknowledged", load.acknowledged()),
        || {
            let now = load.acknowledged();
            now.0 >= reports + 40 && now.1 >= commands + 10
        },
    )
    .await;
}

async fn patiently(what: impl Fn() -> String, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain: {}", what());
        sleep(Duration::from_millis(100)).await;
    }
}

fn outcome(evidence: &Evidence, began: Instant) -> Outcome {
    let mut outcome = Outcome {
        sockets: evidence.histories.len(),
        reports: evidence.acknowledged.reports,
        commands: evidence.acknowledged.commands.len(),
        intrusions: evidence.intrusions.attempts,
        violations: judge(evidence),
        ..Outcome::default()
    };
    for history in &evidence.histories {
        outcome.events += history.events();
        outcome.reconnects += history.reconnects();
        for seen in &history.seen {
            match seen {
                Seen::Closed(Some(code)) => *outcome.closes.entry(*code).or_default() += 1,
                Seen::Closed(None) => outcome.broken_off += 1,
                _ => {}
            }
        }
    }
    for command in evidence.truth.commands.values().filter(|it| it.is_new) {
        match command.update.status {
            Status::Success => outcome.succeeded += 1,
            Status::Failed => outcome.failed += 1,
            Status::InProgress => {}
        }
    }
    outcome.seconds = began.elapsed().as_secs();
    outcome
}
