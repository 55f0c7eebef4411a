//! One message to many sockets, beside a bare loop of `send()` and beside other push servers: what a
//! delivery, a connect and an idle socket cost. `make bench-fanout` prints the figures; `bench/README.md`
//! explains them.

mod client;
#[path = "../http.rs"]
mod http;
mod message;
mod plot;
#[path = "../program.rs"]
#[expect(dead_code, reason = "other servers are measured here")]
mod program;
mod report;
mod scenario;
mod server;
mod usage;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use rand::seq::SliceRandom;

use self::report::Table;
use self::scenario::{Sample, Scenario};
use self::server::{Kind, Running, Users};

/// The argument that makes this program one of its servers.
const SERVE: &str = "serve";

/// What is measured, by default everything.
#[derive(Parser)]
struct Arguments {
    /// Scenarios, by their names' beginnings
    #[arg(long, value_delimiter = ',')]
    scenarios: Vec<String>,
    /// Servers, by their names
    #[arg(long, value_delimiter = ',')]
    servers: Vec<String>,
    /// Rounds: in each, every server is measured once
    #[arg(long, default_value_t = 15)]
    pairs: usize,
    /// Where the plots go
    #[arg(long, default_value = "target/bench")]
    plots: String,
    /// What `cargo bench` says
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    fleetwire::server::raise_open_files();
    if arguments.get(1).is_some_and(|first| first == SERVE) {
        return server::serve(&arguments[2..]);
    }
    measure(&Arguments::parse())
}

fn measure(arguments: &Arguments) -> Result<()> {
    let chosen = |names: &[String], name: &str| {
        names.is_empty() || names.iter().any(|it| name.starts_with(it.as_str()))
    };
    let mut scenarios = scenario::all();
    scenarios.retain(|it| chosen(&arguments.scenarios, it.name()));
    ensure!(!scenarios.is_empty(), "no such scenario");
    let most = scenarios.iter().map(|it| it.sockets()).max();
    let users = Users::make(most.context("there are scenarios")?)?;
    let mut kinds = server::all(&users);
    kinds.retain(|it| {
        arguments.servers.is_empty() || arguments.servers.iter().any(|name| name == it.name())
    });
    kinds.retain(|it| {
        let missing = it.missing();
        if let Some(missing) = &missing {
            println!("{} is not measured: {missing}", it.name());
        }
        missing.is_none()
    });
    ensure!(!kinds.is_empty(), "no server to measure");
    fs::create_dir_all(&arguments.plots)?;
    for scenario in &scenarios {
        let table = compare(scenario.as_ref(), &kinds, arguments.pairs)?;
        println!("\n{table}");
        let plot = Path::new(&arguments.plots).join(format!("fanout-{}.svg", scenario.name()));
        fs::write(&plot, plot::bars(&table))?;
    }
    Ok(())
}

/// Measures all of them in each round, in random order.
fn compare<'a>(
    scenario: &'a dyn Scenario,
    kinds: &'a [Box<dyn Kind>],
    pairs: usize,
) -> Result<Table<'a>> {
    let sockets = scenario.sockets();
    let (kinds, small): (Vec<_>, Vec<_>) = kinds
        .iter()
        .filter(|it| scenario.is_for(it.name()))
        .partition(|it| it.most() >= sockets);
    let mut running: BTreeMap<&str, Running> = BTreeMap::new();
    let mut table = Table::new(scenario);
    table.too_small = small.iter().map(|it| it.name()).collect();
    for round in 0..pairs.min(scenario.most_pairs()) {
        let mut order = kinds.clone();
        order.shuffle(&mut rand::rng());
        let mut samples = BTreeMap::new();
        for kind in order {
            let name = kind.name();
            let server = match running.remove(name) {
                Some(server) => server,
                None => kind
                    .start()
                    .with_context(|| format!("{name} does not start"))?,
            };
            let sample = measured(scenario, &server);
            samples.insert(name, sample.with_context(|| name.to_owned())?);
            if !scenario.is_fresh() {
                running.insert(name, server);
            }
        }
        eprintln!(
            "{} {round}: {}",
            scenario.name(),
            report::line(scenario, &samples)
        );
        table.rounds.push(samples);
    }
    Ok(table)
}

fn measured(scenario: &dyn Scenario, server: &Running) -> Result<Sample> {
    server.settle()?;
    scenario.measure(server)
}
