//! Which faults happen, alone and in pairs, and what is said of them in the end.

use std::fmt::Write as _;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
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
    let mut places = Places::default();
    let mut wrong = Vec::new();
    println!("seed {}\n{}", plan.seed, Outcome::HEAD);
    for scenario in &plan.scenarios {
        let outcome = places.run(scenario, plan.equipment).await;
        println!("{}", line(scenario, &outcome));
        for complaint in complaints(scenario, &outcome) {
            println!("{complaint}");
            wrong.push(complaint);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// So that a run can be repeated: the seed of the documentation draws the pairs that stand there.
#[test]
fn the_pairs_of_the_documentation_are_drawn_by_its_seed() {
    let text = include_str!("../../docs/chaos.md");
    let (_, behind) = text.split_once("`CHAOS_SEED=").expect("a seed");
    let (seed, _) = behind.split_once('`').expect("a seed");
    let seed = seed.parse().expect("a number");
    let listed = text.lines().filter_map(|line| line.strip_prefix("- "));
    let listed: Vec<_> = listed.filter(|line| line.contains(" + ")).collect();
    let drawn = whole(&mut StdRng::seed_from_u64(seed));
    let pairs = drawn.iter().filter(|faults| faults.len() == 2);
    let pairs: Vec<_> = pairs.map(|faults| names(faults)).collect();
    assert_eq!(listed, pairs, "- {}", pairs.join("\n- "));
}

/// What scenarios happen to, begun when it is needed first.
#[derive(Default)]
struct Places {
    one: Option<Cluster>,
    three: Option<Cluster>,
}

impl Places {
    /// What came of a scenario, or why it was not run to its end.
    async fn run(&mut self, scenario: &Scenario, equipment: Equipment) -> Result<Outcome, String> {
        let is_of_one = scenario.faults.contains(&Fault::FillDisk);
        let place = if is_of_one {
            &mut self.one
        } else {
            &mut self.three
        };
        let running = async {
            if place.is_none() {
                *place = Some(if is_of_one {
                    Cluster::of_one().await?
                } else {
                    Cluster::of_three(equipment).await
                });
            }
            let cluster = place.as_mut().expect("it was begun above");
            let mut faults = scenario.faults.iter();
            match faults.find_map(|fault| fault.lacks(cluster)) {
                Some(lacking) => Err(format!("not run: {lacking}")),
                None => Ok(scenario.run(cluster).await),
            }
        };
        let ended = AssertUnwindSafe(running).catch_unwind().await;
        ended.unwrap_or_else(|panic| {
            if let Some(cluster) = place {
                cluster.tell();
            }
            // What it left is in no state to go on with.
            *place = None;
            let text = panic.downcast_ref::<String>().map(String::as_str);
            Err(format!("ended early: {}", text.unwrap_or("a panic")))
        })
    }
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
            (short, SOCKETS, Equipment::Plain)
        };
        let wanted = setting(FAULTS).unwrap_or_default();
        let faults = faults.into_iter().enumerate();
        let scenarios = faults.map(|(number, faults)| Scenario {
            name: format!("s{number}"),
            faults,
            sockets,
            random: random.random(),
        });
        let mut scenarios: Vec<_> = scenarios.collect();
        // A whole name chooses that one alone.
        let is_whole_name = scenarios.iter().any(|it| named(it) == wanted);
        scenarios.retain(|it| {
            let name = named(it);
            name == wanted || (!is_whole_name && name.contains(&wanted))
        });
        Self {
            seed,
            scenarios,
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
            // Redis cannot be told to forget when it is away, and there is one cable.
            if !together(Fault::is_of_redis)
                && !together(Fault::is_of_cable)
                && (together(Fault::is_of_one) || together(Fault::is_of_three))
            {
                pairs.push(pair.to_vec());
            }
        }
    }
    pairs.shuffle(random);
    let mut chosen: Vec<Vec<Fault>> = Vec::new();
    while chosen.len() < PAIRS && !pairs.is_empty() {
        let times = |fault: &Fault| chosen.iter().flatten().filter(|it| *it == fault).count();
        let used = |pair: &Vec<Fault>| pair.iter().map(times).sum::<usize>();
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
    names(&scenario.faults)
}

fn names(faults: &[Fault]) -> String {
    let names: Vec<_> = faults.iter().map(Fault::to_string).collect();
    names.join(" + ")
}

impl Outcome {
    const HEAD: &'static str = "| fault | sockets | events seen | reconnects | closes by code | reports \
        acknowledged | said last meanwhile | commands acknowledged (succeeded, failed in all) | shut out | intrusions \
        tried (refused) | seconds | violations | what shows that it happened |\n\
        |---|---|---|---|---|---|---|---|---|---|---|---|---|";
}

fn line(scenario: &Scenario, outcome: &Result<Outcome, String>) -> String {
    let name = named(scenario);
    let it = match outcome {
        Ok(outcome) => outcome,
        Err(reason) => return format!("| {name} | {} |", reason.to_uppercase()),
    };
    let mut closes = format!("none: {}", it.broken_off);
    for (code, count) in &it.closes {
        write!(closes, ", {code}: {count}").expect("a string takes it");
    }
    let shown = it.shown.iter().map(|shown| match shown {
        Ok(text) => text.clone(),
        Err(text) => format!("NOTHING: {text}"),
    });
    let shown: Vec<_> = shown.collect();
    let shown = shown.join("; ");
    format!(
        "| {name} | {} | {} | {} | {closes} | {} | {} | {} ({}, {}) | {} | {} ({}) | {} | {} | {shown} |",
        it.sockets,
        it.events,
        it.reconnects,
        it.reports,
        it.last_words,
        it.commands,
        it.succeeded,
        it.failed,
        it.shut_out,
        it.intrusions,
        it.intrusions_refused,
        it.seconds,
        it.violations.len(),
    )
}

/// What is wrong with a scenario: also that it was not run, or that nothing shows what it was to be about.
fn complaints(scenario: &Scenario, outcome: &Result<Outcome, String>) -> Vec<String> {
    const MOST: usize = 20;
    let name = named(scenario);
    match outcome {
        Ok(outcome) => {
            let violations = outcome.violations.iter().take(MOST);
            let violations = violations.map(|it| format!("{name}: {it}"));
            let shown = scenario.faults.iter().zip(&outcome.shown);
            let unseen = shown.filter_map(|(fault, shown)| {
                let text = shown.as_ref().err()?;
                Some(format!(
                    "{name}: nothing shows that it happened ({fault}): {text}"
                ))
            });
            let lacking = outcome.lacking.iter().map(|it| format!("{name}: {it}"));
            violations.chain(unseen).chain(lacking).collect()
        }
        Err(reason) => vec![format!("{name}: {}", reason.to_uppercase())],
    }
}
