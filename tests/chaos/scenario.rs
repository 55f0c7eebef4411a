//! One scenario: a crowd listens, the load works, something breaks and is mended, all comes to rest, and the
//! checker judges.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::{sleep, sleep_until};

use super::broken::Broken;
use super::checker::{Evidence, Truth, Violation, judge, missing};
use super::cluster::Cluster;
use super::crowd::{Crowd, Pace};
use super::faults::Fault;
use super::history::{Duty, History, Seen, Status};
use super::intruders::Intruders;
use super::leaver::Leaver;
use super::load::{Load, Work};
use super::shown::Noticed;
use super::watch::Watch;

/// How long anything in a scenario may take to come about. What has not by then is a violation, or the end
/// of the test.
const PATIENCE: Duration = Duration::from_secs(150);

/// How much longer a fault may last than it is to, until it is noticed.
const MORE: Duration = Duration::from_secs(30);

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

/// What happens while something is broken, in this order where it happens at once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    Half,
    EarlyEnd,
    End,
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
    /// Attempts of those without a right, and those of them that were answered with a refusal.
    pub intrusions: usize,
    pub intrusions_refused: usize,
    /// Vehicles whose last report was acknowledged in the middle of it.
    pub last_words: usize,
    /// Sockets whose user's right was taken away in the middle of it.
    pub shut_out: usize,
    /// Of each fault what shows that it happened, or what does not.
    pub shown: Vec<Result<String, String>>,
    /// What else was to be tried and was not.
    pub lacking: Vec<&'static str>,
    pub seconds: u64,
    pub violations: Vec<Violation>,
}

/// Who is there when something breaks, and what had happened to them before.
struct Stage<'a> {
    crowd: &'a Crowd,
    load: &'a Load,
    watch: &'a Watch,
    put_off: usize,
    closes: BTreeMap<Option<u16>, usize>,
}

impl Stage<'_> {
    /// What was noticed since.
    fn noticed(&self) -> Noticed {
        let mut closes = self.crowd.closes();
        for (code, before) in &self.closes {
            closes.entry(*code).and_modify(|now| *now -= before);
        }
        Noticed {
            nodes: self.watch.signs(),
            closes,
            crowd: self.crowd.len(),
            put_off: self.load.put_off() - self.put_off,
        }
    }
}

impl Scenario {
    pub async fn run(&self, cluster: &mut Cluster) -> Outcome {
        let began = Instant::now();
        let before = cluster.truth(&self.name).await.steps;
        let mut broken = self.broken(cluster.nodes.len());
        let watch = Watch::begin(&cluster.doors);
        let mut crowd = Crowd::new();
        let entrance = [cluster.entrance];
        crowd.join(cluster.world.places(self.sockets), Pace::Prompt, &entrance);
        for door in &cluster.doors {
            // So that at each node somebody listens, also when it was started again.
            crowd.join(cluster.world.sentries(), Pace::Prompt, &[door.address]);
        }
        all_open(&crowd).await;
        for each in &broken {
            each.prepare(cluster, &mut crowd);
        }
        let leaver = tokio::task::block_in_place(|| {
            let name = format!("leaver-{}", self.name);
            Leaver::make(&cluster.nodes[0], &cluster.world, &name, self.random)
        });
        let leaving = crowd.join(leaver.places.clone(), Pace::Prompt, &entrance);
        all_open(&crowd).await;
        let intruders = Intruders::begin(&cluster.world, cluster.entrance);
        let load = Load::begin(&cluster.world, &cluster.base(), &self.name, &before);
        work_goes_on(&load).await;
        all_well(&watch).await;
        let stage = Stage {
            crowd: &crowd,
            load: &load,
            watch: &watch,
            put_off: load.put_off(),
            closes: crowd.closes(),
        };
        watch.forget();
        let noticed = self
            .break_and_mend(cluster, &stage, &mut broken, leaver, leaving)
            .await;
        watch.forget();
        all_open(&crowd).await;
        work_goes_on(&load).await;
        all_well(&watch).await;
        let last_words = load.last_words();
        let mut evidence = Evidence {
            acknowledged: load.end().await,
            ..Evidence::default()
        };
        evidence.truth = self.comes_to_rest(cluster, &crowd, &evidence).await;
        evidence.intrusions = intruders.end().await;
        evidence.histories = crowd.end().await;
        Outcome {
            last_words,
            lacking: self.lacking(&evidence, last_words),
            shown: broken.iter().map(|it| it.shown(&noticed)).collect(),
            seconds: began.elapsed().as_secs(),
            ..outcome(&evidence)
        }
    }

    /// Breaks it, takes the leaver's right away meanwhile, and mends it; answers with what was noticed.
    async fn break_and_mend(
        &self,
        cluster: &mut Cluster,
        stage: &Stage<'_>,
        broken: &mut [Broken],
        leaver: Leaver,
        leaving: Range<usize>,
    ) -> Noticed {
        let Stage {
            crowd, load, watch, ..
        } = *stage;
        for each in &mut *broken {
            each.begin(cluster, crowd, load).await;
        }
        load.tell(Work::Broken);
        let has_database = !self.faults.iter().any(|it| it.is_without_database());
        let (mended, may_begin) = watch::channel(has_database);
        crowd.shut_out(leaving.clone(), None);
        let mut servers: Vec<_> = cluster.addresses().into_iter().enumerate().collect();
        // Those that nothing happens to first.
        servers.sort_by_key(|(number, _)| broken.iter().any(|it| it.victim == *number));
        let servers = servers.into_iter().map(|(_, address)| address).collect();
        let vehicles = cluster.world.vehicles().cloned().collect();
        let left = leaver.leave(servers, vehicles, may_begin);
        self.last(cluster, stage, broken).await;
        mended.send_replace(true);
        load.tell(Work::Mended);
        patiently(
            || format!("not every node is well: {:?}", watch.signs()),
            || watch.signs().iter().all(|it| it.is_well(true)),
        )
        .await;
        let noticed = stage.noticed();
        let told = left.await.expect("no panic");
        crowd.shut_out(leaving, Some(told));
        noticed
    }

    /// Lets it last, and mends it. All ends together; only what keeps anything from being written has its own
    /// time, so that something can happen to the others.
    async fn last(&self, cluster: &mut Cluster, stage: &Stage<'_>, broken: &mut [Broken]) {
        let began = tokio::time::Instant::now();
        let lasts = broken.iter().map(|it| it.fault.lasts()).max();
        let lasts = lasts.unwrap_or_default();
        let ends_early = |it: &Broken| it.fault.is_without_writes() && it.fault.lasts() < lasts;
        let early = broken.iter().find(|it| ends_early(it));
        let early = early.map(|it| (it.fault.lasts(), Moment::EarlyEnd));
        let mut moments = vec![(lasts / 2, Moment::Half), (lasts, Moment::End)];
        moments.extend(early);
        moments.sort_unstable();
        for (after, moment) in moments {
            // It is to last, whatever happens meanwhile.
            sleep_until(began + after).await;
            if moment == Moment::Half {
                for each in &mut *broken {
                    each.turn_round(cluster);
                }
                stage.load.tell(Work::Midway);
                continue;
            }
            let is_early = moment == Moment::EarlyEnd;
            let now = broken.iter().filter(|it| ends_early(it) == is_early);
            let now: Vec<_> = now.collect();
            let has_last_words = !is_early && self.has_last_words();
            is_noticed(stage, &now, has_last_words).await;
            for each in now.iter().rev() {
                each.end(cluster, stage.crowd, stage.load).await;
            }
        }
    }

    /// Whether a report can be acknowledged while it is broken.
    fn has_last_words(&self) -> bool {
        !self.faults.iter().any(|it| it.is_without_writes())
    }

    /// What did not happen of that which was to be tried.
    fn lacking(&self, evidence: &Evidence, last_words: usize) -> Vec<&'static str> {
        let are_out = |it: &&History| matches!(it.duty, Duty::IsOut { .. }) && it.events() > 0;
        let has_leavers = evidence.histories.iter().any(|it| are_out(&it));
        let checks = [
            (
                last_words > 0 || !self.has_last_words(),
                "no vehicle's last report was acknowledged meanwhile",
            ),
            (has_leavers, "who lost the right had heard nothing before"),
            (
                evidence.intrusions.refused > 0,
                "nobody who tried to get in was refused",
            ),
            (
                !evidence.acknowledged.late_commands.is_empty(),
                "no command was asked for afterwards",
            ),
        ];
        let lacking = checks.into_iter().filter(|(is_there, _)| !is_there);
        lacking.map(|(_, what)| what).collect()
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

/// On a busy machine it may last longer: until it has been noticed and, where one can, a vehicle has said its last
/// word meanwhile; but not for ever. What is not noticed then is the outcome's to say.
async fn is_noticed(stage: &Stage<'_>, broken: &[&Broken], has_last_words: bool) {
    let deadline = Instant::now() + MORE;
    let is_shown = |it: &Broken, noticed: &Noticed| {
        // What such a node has counted is known when it is back.
        it.fault.is_of_cable() || it.shown(noticed).is_ok()
    };
    while Instant::now() < deadline {
        let noticed = stage.noticed();
        let has_last_word = !has_last_words || stage.load.last_words() > 0;
        if has_last_word && broken.iter().all(|it| is_shown(it, &noticed)) {
            return;
        }
        sleep(Duration::from_millis(500)).await;
    }
}

async fn all_open(crowd: &Crowd) {
    patiently(
        || format!("{} of {} sockets are open", crowd.open(), crowd.len()),
        || crowd.open() == crowd.len(),
    )
    .await;
}

/// Waits until every node is ready in all its parts, and has heard of the others' events at once.
async fn all_well(watch: &Watch) {
    patiently(
        || format!("not every node is well: {:?}", watch.signs()),
        || {
            let signs = watch.signs();
            signs.iter().all(|it| it.is_well(signs.len() == 1))
        },
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
            now.0 >= reports + 24 && now.1 >= commands + 10
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

/// What the evidence says.
fn outcome(evidence: &Evidence) -> Outcome {
    let mut outcome = Outcome {
        sockets: evidence.histories.len(),
        reports: evidence.acknowledged.reports,
        commands: evidence.acknowledged.commands.len(),
        intrusions: evidence.intrusions.attempts,
        intrusions_refused: evidence.intrusions.refused,
        violations: judge(evidence),
        ..Outcome::default()
    };
    for history in &evidence.histories {
        outcome.events += history.events();
        outcome.reconnects += history.reconnects();
        let is_out = matches!(history.duty, Duty::IsOut { .. }) && history.is_shut_out();
        outcome.shut_out += usize::from(is_out);
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
    outcome
}
