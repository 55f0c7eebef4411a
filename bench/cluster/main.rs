//! What one more node costs: some of them on one `PostgreSQL`, with its NOTIFY or a Redis for hints, take the
//! same reports. The processor time of each part is told for one update, one handshake and one lease.
//!
//! `make bench-cluster` prints the figures of `bench/README.md`, which `docs/scaling.md` reckons with.

mod cluster;
mod house;
#[path = "../http.rs"]
mod http;
#[path = "../program.rs"]
#[expect(
    dead_code,
    reason = "what is needed over REST is made by the store here"
)]
mod program;
mod queries;
#[path = "../report.rs"]
mod report;
mod rights;
mod table;
mod updates;
#[path = "../fanout/usage.rs"]
#[expect(dead_code, reason = "memory is the fan-out's to measure")]
mod usage;

use anyhow::{Context, Result};
use rand::seq::SliceRandom;

use self::cluster::{Cluster, Hints};
use self::house::House;
use self::table::Tables;
use self::updates::Watched;

/// Rounds, in each of which every plan is measured once.
const ROUNDS: usize = 5;

/// How many nodes there are, where reports come at an even rate and where they come as fast as they can.
const EVEN: [usize; 3] = [1, 3, 6];
const FULL: [usize; 2] = [1, 3];

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Plan {
    Even(Hints, Watched, usize),
    Full(Hints, usize),
    Rights,
    Queries,
}

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
    let rounds = argument("--rounds")?.unwrap_or(ROUNDS);
    let house = House::build(&url).await?;
    let mut plans = plans();
    let mut tables = Tables::default();
    for round in 1..=rounds {
        plans.shuffle(&mut rand::rng());
        for plan in &plans {
            measure(&house, *plan, &mut tables)
                .await
                .with_context(|| format!("round {round}, {plan:?}"))?;
            eprintln!("round {round}: {plan:?}");
        }
    }
    tables.print(rounds);
    Ok(())
}

fn plans() -> Vec<Plan> {
    let mut plans = vec![Plan::Rights, Plan::Queries];
    for hints in [Hints::Notify, Hints::Redis] {
        plans.extend(FULL.map(|nodes| Plan::Full(hints, nodes)));
        plans.extend(EVEN.map(|nodes| Plan::Even(hints, Watched::AtTheFirst, nodes)));
        // With one node the first is each.
        let many = EVEN.into_iter().filter(|nodes| *nodes > 1);
        plans.extend(many.map(|nodes| Plan::Even(hints, Watched::Everywhere, nodes)));
    }
    plans
}

async fn measure(house: &House, plan: Plan, tables: &mut Tables) -> Result<()> {
    let (hints, nodes) = match plan {
        Plan::Even(hints, _, nodes) | Plan::Full(hints, nodes) => (hints, nodes),
        Plan::Rights => (Hints::Notify, 1),
        Plan::Queries => (Hints::Notify, 0),
    };
    let cluster = Cluster::start(house, hints, nodes).await?;
    match plan {
        Plan::Even(_, watched, _) => {
            let cost = updates::even(house, &cluster, watched).await?;
            let row = (hints, watched, nodes);
            tables.even.entry(row).or_default().push(cost);
        }
        Plan::Full(..) => {
            let cost = updates::full(house, &cluster).await?;
            tables.full.entry((hints, nodes)).or_default().push(cost);
        }
        Plan::Rights => tables.rights.push(rights::measure(house, &cluster).await?),
        Plan::Queries => tables
            .queries
            .push(queries::measure(house, &cluster).await?),
    }
    cluster.end(house).await
}

/// The number behind `name` in the arguments.
fn argument(name: &str) -> Result<Option<usize>> {
    let mut arguments = std::env::args().skip_while(|it| it != name).skip(1);
    let number = arguments.next().map(|it| it.parse());
    number
        .transpose()
        .with_context(|| format!("{name} takes a number"))
}
