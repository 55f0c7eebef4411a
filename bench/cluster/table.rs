//! What was measured, as tables in Markdown.

use std::collections::BTreeMap;

use super::cluster::{Hints, Used};
use super::queries::{self, Costs};
use super::rights;
use super::updates::{Cost, RATE, Watched};

/// By plan, a value a round.
#[derive(Default)]
pub struct Tables {
    pub even: BTreeMap<(Hints, Watched, usize), Vec<Cost>>,
    pub full: BTreeMap<(Hints, usize), Vec<Cost>>,
    pub rights: Vec<rights::Cost>,
    pub queries: Vec<Costs>,
}

impl Tables {
    pub fn print(&self, rounds: usize) {
        println!("Processor time in µs; medians of {rounds} rounds (lowest, highest).\n");
        self.print_even();
        self.print_full();
        self.print_single();
    }

    fn print_single(&self) {
        println!("| | node | PostgreSQL |\n|---|---|---|");
        let of_rights = |name, used: fn(&rights::Cost) -> &Used| {
            let node = cell(self.rights.iter().map(|it| Some(used(it).nodes[0])));
            let postgres = cell(self.rights.iter().map(|it| Some(used(it).postgres)));
            println!("| {name} | {node} | {postgres} |");
        };
        of_rights("a handshake", |it| &it.handshake);
        of_rights("a lease that is asked about", |it| &it.lease);
        let of_queries = |name, cost: fn(&Costs) -> queries::Cost| {
            let node = cell(self.queries.iter().map(|it| Some(cost(it).node)));
            let postgres = cell(self.queries.iter().map(|it| Some(cost(it).postgres)));
            println!("| {name} | {node} | {postgres} |");
        };
        of_queries("a reading of the tail that finds nothing", |it| {
            it.empty_reading
        });
        of_queries("a changed location in such a reading", |it| {
            it.changed_location
        });
        of_queries("whose it is what is watched", |it| it.owner);
    }

    fn print_even(&self) {
        println!(
            "{RATE} updates a second to the first node\n\n\
             | hints | watched | nodes | the node that takes it | each other node | PostgreSQL | Redis | \
             ms to the last node, p50 | PostgreSQL idle, ms a second | a node idle |\n\
             |---|---|---|---|---|---|---|---|---|---|"
        );
        for ((hints, watched, nodes), costs) in &self.even {
            let column = |value: fn(&Cost) -> Option<f64>| cell(costs.iter().map(value));
            println!(
                "| {} | {} | {nodes} | {} | {} | {} | {} | {} | {} | {} |",
                hints.name(),
                watched.name(),
                column(|it| it.used.nodes.first().copied()),
                column(|it| mean(&it.used.nodes[1..])),
                column(|it| Some(it.used.postgres)),
                column(|it| it.used.redis),
                column(|it| it.latency),
                column(|it| Some(it.idle.0)),
                column(|it| Some(it.idle.1)),
            );
        }
        println!();
    }

    fn print_full(&self) {
        println!(
            "As fast as reports are answered, to all nodes in turn\n\n\
             | hints | nodes | updates/s | all nodes | PostgreSQL | Redis | updates/s, Redis / NOTIFY |\n\
             |---|---|---|---|---|---|---|"
        );
        for ((hints, nodes), costs) in &self.full {
            let column = |value: fn(&Cost) -> Option<f64>| cell(costs.iter().map(value));
            let notified = self.full.get(&(Hints::Notify, *nodes));
            let ratios = costs.iter().zip(notified.into_iter().flatten());
            let ratio =
                match hints {
                    Hints::Notify => String::new(),
                    Hints::Redis => cell(ratios.map(|(this, other)| {
                        Some(this.updates_per_second / other.updates_per_second)
                    })),
                };
            println!(
                "| {} | {nodes} | {} | {} | {} | {} | {ratio} |",
                hints.name(),
                column(|it| Some(it.updates_per_second)),
                column(|it| Some(it.used.nodes.iter().sum())),
                column(|it| Some(it.used.postgres)),
                column(|it| it.used.redis),
            );
        }
        println!();
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "a few nodes")]
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The median, and the lowest and the highest.
fn cell(values: impl Iterator<Item = Option<f64>>) -> String {
    let mut values: Vec<f64> = values.flatten().collect();
    values.sort_by(f64::total_cmp);
    let digits = |value: f64| {
        if value.abs() < 10.0 {
            2
        } else {
            usize::from(value.abs() < 100.0)
        }
    };
    let number = |value: f64| format!("{value:.*}", digits(value));
    match values.as_slice() {
        [] => String::new(),
        [only] => number(*only),
        [lowest, .., highest] => {
            let middle = values.len() / 2;
            let median = f64::midpoint(values[middle], values[(values.len() - 1) / 2]);
            format!(
                "{} ({}, {})",
                number(median),
                number(*lowest),
                number(*highest)
            )
        }
    }
}
