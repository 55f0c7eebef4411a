//! What one more node costs: one to three of them on one `PostgreSQL`, with its NOTIFY or a Redis for hints,
//! take the same reports. The processor time of each part is told for one update.
//!
//! `make bench-cluster` prints the figures of `bench/README.md`, which `docs/scaling.md` reckons with.

mod cluster;
#[path = "../http.rs"]
mod http;
mod load;
#[path = "../program.rs"]
mod program;
mod usage;

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use rand::seq::SliceRandom;

use self::cluster::{Cluster, Hints, Plan, Watched};
use self::load::Cost;

/// Rounds, in each of which every plan is measured once.
const ROUNDS: usize = 5;

fn main() -> Result<()> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(compare())
}

async fn compare() -> Result<()> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the benchmark's settings, not the product's"
    )]
    let url = std::env::var("FLEETWIRE_TEST_POSTGRES_URL")
        .context("FLEETWIRE_TEST_POSTGRES_URL is not set: run `make bench-cluster`")?;
    let mut plans = Vec::new();
    for hints in [Hints::Notify, Hints::Redis] {
        for nodes in 1..=3 {
            for watched in [Watched::Everywhere, Watched::AtTheFirst] {
                plans.push(Plan {
                    hints,
                    nodes,
                    watched,
                });
            }
        }
    }
    // With one node everywhere is at the first.
    plans.retain(|plan| plan.nodes > 1 || plan.watched == Watched::Everywhere);
    let mut costs: BTreeMap<Plan, Vec<Cost>> = BTreeMap::new();
    for round in 1..=ROUNDS {
        plans.shuffle(&mut rand::rng());
        for plan in &plans {
            let cost = Cluster::start(&url, *plan).await?.measure().await?;
            eprintln!("round {round}: {plan:?} {cost:?}");
            costs.entry(*plan).or_default().push(cost);
        }
    }
    print(&costs);
    Ok(())
}

fn print(costs: &BTreeMap<Plan, Vec<Cost>>) {
    println!(
        "Processor time of one update in µs, medians of {ROUNDS} rounds (lowest, highest), at {} updates a second\n",
        load::RATE
    );
    println!(
        "| hints | nodes | watched | the node that takes it | each other node | PostgreSQL | Redis | \
         ms to the last node, p50 |\n|---|---|---|---|---|---|---|---|"
    );
    for (plan, costs) in costs {
        let column = |value: fn(&Cost) -> Option<f64>| {
            let mut values: Vec<f64> = costs.iter().filter_map(value).collect();
            values.sort_by(f64::total_cmp);
            match values.as_slice() {
                [] => "-".to_owned(),
                [lowest, .., highest] => {
                    let median = values[values.len() / 2];
                    format!("{median:.1} ({lowest:.1}, {highest:.1})")
                }
                [only] => format!("{only:.1}"),
            }
        };
        println!(
            "| {} | {} | {} | {} | {} | {} | {} | {} |",
            plan.hints.name(),
            plan.nodes,
            plan.watched.name(),
            column(|it| Some(it.first)),
            column(|it| it.other),
            column(|it| Some(it.postgres)),
            column(|it| it.redis),
            column(|it| Some(it.latency)),
        );
    }
}
