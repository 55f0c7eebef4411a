//! Which faults happen, alone and in pairs, and what is said of them in the end.

use std::fmt::Write as _;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use super::cluster::{Cluster, Equipment};
use super::faults::Fault;
use super::scenario::{Outcome, Scenario};
use crate::support::allow_open_files;

/// What `make chaos` sets.
const WHOLE: &str = "FLEETWIRE_TEST_CHAOS";
const SEED: &str = "CHAOS_SEED";
const FAULTS: &str = "CHAOS_FAULTS";

const SOCKETS: usize = 2000;
const PAIRS: usize = 12;

/// What happens without it: a few faults, one after the other.
const SHORT: [&[Fault]; 2] = [&[Fault::KillNode], &[Fault::StopRedis]];
const SHORT_SOCKETS: usize = 500;

/// Everything that is to happen, and whether each of it can.
struct Plan {
    seed: u64,
    scenarios: Vec<Scenario>,
    equipment: Equipment,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_and_nobody_gets_in() {
    allow_open_files(20_000);
    let plan = Plan::make();
    let mut three = None;
    let mut one = None;
    let mut wrong = Vec::new();
    println!("seed {}\n{}", plan.seed, Outcome::HEAD);
    for scenario in &plan.scenarios {
        let cluster = if scenario.faults.contains(&Fault::FillDisk) {
            match &mut one {
                Some(cluster) => Ok(cluster),
                none => Cluster::of_one().await.map(|cluster| none.insert(cluster)),
            }
        } else {
            match &mut three {
                Some(cluster) => Ok(cluster),
                none => Ok(none.insert(Cluster::of_three(plan.equipment).await)),
            }
        };
        let outcome = match cluster {
            Ok(cluster) => {
                let mut faults = scenario.faults.iter();
                match faults.find_map(|fault| fault.lacks(cluster)) {
                    Some(lacking) => Err(lacking.to_owned()),
                    None => Ok(scenario.run(cluster).await),
                }
            }
            Err(lacking) => Err(lacking),
        };
        println!("{}", line(scenario, &outcome));
        wrong.extend(complaints(scenario, &outcome));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

impl Plan {
    fn make() -> Self {
        let is_whole = setting(WHOLE).is_some_and(|it| it == "whole");
        let seed = setting(SEED).map_or(1, |it| it.parse().expect("CHAOS_SEED is a number"));
        let mut random = StdRng::seed_from_u64(seed);
        let (faults, sockets, equipment) = if is_whole {
            (whole(&mut random), SOCKETS, Equipment::Whole)
        } else {
            let short = SHORT.iter().map(|faults| faults.to_vec()).collect();
            (short, SHORT_SOCKETS, Equipment::Plain)
        };
        let wanted = setting(FAULTS).unwrap_or_default();
        let faults = faults.into_iter().enumerate();
        let scenarios = faults.map(|(number, faults)| Scenario {
            name: format!("s{number}"),
            faults,
            sockets,
            random: random.random(),
        });
        let is_wanted = |it: &Scenario| wanted.is_empty() || named(it).contains(&wanted);
        Self {
            seed,
            scenarios: scenarios.filter(is_wanted).collect(),
            equipment,
        }
    }
}

/// Each fault by itself, then pairs of those that can happen at the same place: each fault is in as many as
/// the others, nearly.
fn whole(random: &mut StdRng) -> Vec<Vec<Fault>> {
    let alone = Fault::ALL.iter().map(|fault| vec![*fault]);
    let mut pairs = Vec::new();
    for (number, one) in Fault::ALL.iter().enumerate() {
        for other in &Fault::ALL[number + 1..] {
            let pair = [*one, *other];
            let together = |at: fn(Fault) -> bool| pair.iter().copied().all(at);
            if together(Fault::is_of_one) || together(Fault::is_of_three) {
                pairs.push(pair.to_vec());
            }
        }
    }
    pairs.shuffle(random);
    let mut chosen: Vec<Vec<Fault>> = Vec::new();
    while chosen.len() < PAIRS && !pairs.is_empty() {
        let uses = |fault: &Fault| chosen.iter().flatten().filter(|it| *it == fault).count();
        let used = |pair: &Vec<Fault>| pair.iter().map(uses).sum::<usize>();
        let next = (0..pairs.len()).min_by_key(|at| used(&pairs[*at]));
        chosen.push(pairs.remove(next.expect("there are pairs")));
    }
    alone.chain(chosen).collect()
}

fn setting(name: &str) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "these are the tests' settings, not the product's"
    )]
    std::env::var(name).ok()
}

fn named(scenario: &Scenario) -> String {
    let names: Vec<_> = scenario.faults.iter().map(Fault::to_string).collect();
    names.join(" + ")
}

impl Outcome {
    const HEAD: &'static str = "| fault | sockets | events seen | reconnects | closes by code | reports \
        acknowledged | commands acknowledged (succeeded) | intrusions tried | seconds | violations |\n\
        |---|---|---|---|---|---|---|---|---|---|";
}

fn line(scenario: &Scenario, outcome: &Result<Outcome, String>) -> String {
    let name = named(scenario);
    let it = match outcome {
        Ok(outcome) => outcome,
        Err(lacking) => return format!("| {name} | NOT RUN: {lacking} |"),
    };
    let mut closes = format!("none: {}", it.broken_off);
    for (code, count) in &it.closes {
        write!(closes, ", {code}: {count}").expect("a string takes it");
    }
    format!(
        "| {name} | {} | {} | {} | {closes} | {} | {} ({}) | {} | {} | {} |",
        it.sockets,
        it.events,
        it.reconnects,
        it.reports,
        it.commands,
        it.succeeded,
        it.intrusions,
        it.seconds,
        it.violations.len(),
    )
}

/// What is wrong with a scenario: also that it was not run.
fn complaints(scenario: &Scenario, outcome: &Result<Outcome, String>) -> Vec<String> {
    const MOST: usize = 20;
    let name = named(scenario);
    match outcome {
        Ok(outcome) => {
            let violations = outcome.violations.iter().take(MOST);
            violations.map(|it| format!("{name}: {it}")).collect()
        }
        Err(lacking) => vec![format!("{name}: NOT RUN: {lacking}")],
    }
}
