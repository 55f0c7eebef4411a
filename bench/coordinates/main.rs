//! What storing and pushing a coordinate costs: the real server's PUT beside one that stores
//! nothing, in turn within one run, so that a noisy machine is noisy to both.
//!
//! `cargo bench --bench coordinates` (or `make bench`) prints the figures of `bench/README.md`.

#[path = "../http.rs"]
mod http;
mod load;
#[path = "../program.rs"]
mod program;
#[path = "../report.rs"]
mod report;
mod server;

use std::time::Duration;

use anyhow::Result;
use rand::seq::SliceRandom;

use self::load::Quantiles;
use self::server::{Fleetwire, Nothing, Target};

/// Connections, each of a device of its own.
const DEVICES: usize = 64;

/// Rounds of one measurement of each; the medians of their paired ratios are printed.
const ROUNDS: usize = 15;

/// How long one measurement of one server takes.
const SPAN: Duration = Duration::from_secs(2);

fn main() -> Result<()> {
    if std::env::args().any(|argument| argument == server::NOTHING) {
        return server::serve_nothing();
    }
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(compare())
}

async fn compare() -> Result<()> {
    let fleetwire = Fleetwire::start(DEVICES).await?;
    let nothing = Nothing::start(DEVICES).await?;
    let (stored, empty) = (fleetwire.target(), nothing.target());
    // Both warm: connections, statement caches, the first reports that create locations.
    load::rate(stored, SPAN).await?;
    load::rate(empty, SPAN).await?;
    let rates = rounds(stored, empty, "PUT/s", async |target| {
        load::rate(target, SPAN).await
    })
    .await?;
    let half = median(rates.iter().map(|(stored, _)| *stored).collect()) / 2.0;
    println!("\nlatency at {half:.0} PUT/s (half of the stored rate), ms");
    let mut pushed = Vec::new();
    let mut answered = Vec::new();
    for round in 0..ROUNDS {
        let mut order = [true, false];
        order.shuffle(&mut rand::rng());
        for ours in order {
            if ours {
                pushed.push(load::push_latency(&fleetwire, half, SPAN).await?);
            } else {
                answered.push(load::put_latency(empty, half, SPAN).await?);
            }
        }
        print_latency(round, &pushed[round], &answered[round]);
    }
    let ratio = pushed
        .iter()
        .zip(&answered)
        .map(|(ours, theirs)| ours.p99 / theirs.p99)
        .collect();
    println!(
        "median: PUT-to-socket p50 {:.2} p99 {:.2}; PUT that stores nothing p50 {:.2} p99 {:.2}; p99 ratio {:.2}",
        median(pushed.iter().map(|q| q.p50).collect()),
        median(pushed.iter().map(|q| q.p99).collect()),
        median(answered.iter().map(|q| q.p50).collect()),
        median(answered.iter().map(|q| q.p99).collect()),
        median(ratio),
    );
    Ok(())
}

/// Measures both in random order, round by round, and prints each round and the median ratio.
async fn rounds(
    stored: &Target,
    empty: &Target,
    unit: &str,
    measure: impl AsyncFn(&Target) -> Result<f64>,
) -> Result<Vec<(f64, f64)>> {
    println!("round  stored {unit}  nothing {unit}  ratio");
    let mut pairs = Vec::new();
    for round in 0..ROUNDS {
        let mut pair = (0.0, 0.0);
        let mut order = [true, false];
        order.shuffle(&mut rand::rng());
        for ours in order {
            if ours {
                pair.0 = measure(stored).await?;
            } else {
                pair.1 = measure(empty).await?;
            }
        }
        println!(
            "{round:5}  {:12.0}  {:13.0}  {:.3}",
            pair.0,
            pair.1,
            pair.0 / pair.1
        );
        pairs.push(pair);
    }
    let mut ratios: Vec<f64> = pairs.iter().map(|(stored, empty)| stored / empty).collect();
    ratios.sort_by(f64::total_cmp);
    println!(
        "median ratio {:.3} (of {ROUNDS} rounds, lowest {:.3}, highest {:.3})",
        median(ratios.clone()),
        ratios[0],
        ratios[ROUNDS - 1],
    );
    Ok(pairs)
}

fn print_latency(round: usize, ours: &Quantiles, theirs: &Quantiles) {
    println!(
        "{round:5}  PUT-to-socket p50 {:.2} p99 {:.2} ({} pushed)   nothing p50 {:.2} p99 {:.2}",
        ours.p50, ours.p99, ours.count, theirs.p50, theirs.p99
    );
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
