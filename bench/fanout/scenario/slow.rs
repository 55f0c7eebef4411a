//! Some who read slowly, and what the others notice of it.

use std::time::Duration;

use anyhow::Result;
use rand::seq::SliceRandom;

use super::deliver::{self, Pace, count};
use super::{Column, FRAME, Sample, Scenario, Shows, column};
use crate::client::Client;
use crate::server::Running;

const READERS: usize = 900;
const SLOW: usize = 100;

/// Few enough for the last state of each to fit into what waits for a slow reader.
const LOCATIONS: usize = 200;

/// As fast as the readers get it.
const PACE: Pace = Pace::Plan {
    a_second: 1_000_000,
    window: 32,
    span: Duration::from_secs(2),
};

/// A tenth reads slowly.
pub struct Slow;

impl Scenario for Slow {
    fn name(&self) -> &'static str {
        "slow"
    }

    fn title(&self) -> String {
        format!("{READERS} readers as fast as they can, beside {SLOW} slow ones")
    }

    fn sockets(&self) -> usize {
        READERS + SLOW
    }

    fn columns(&self) -> Vec<Column> {
        vec![
            column("deliveries/s to the others", 0, Shows::Median, |it| it.rate),
            column("against without them", 3, Shows::Spread, |it| it.kept),
            column("against all fast", 3, Shows::Spread, |it| it.kept_all),
            column("lost by the others", 0, Shows::Median, |it| it.lost),
            column("messages published", 0, Shows::Median, |it| it.published),
            column("slow ones behind at the end", 0, Shows::Median, |it| {
                it.behind
            }),
            column("skipped for slow ones", 0, Shows::Median, |it| it.skipped),
            column("slow ones closed", 0, Shows::Median, |it| it.closed),
            column("slow ones up to date", 0, Shows::Median, |it| it.up_to_date),
        ]
    }

    fn measure(&self, server: &Running) -> Result<Sample> {
        let mut order = [Others::None, Others::Slow, Others::Fast];
        order.shuffle(&mut rand::rng());
        let mut sample = Sample::default();
        let (mut without, mut all) = (0.0, 0.0);
        for others in order {
            let measured = run(server, others)?;
            match others {
                Others::None => without = measured.rate,
                Others::Slow => sample = measured,
                // Of them the same part is looked at.
                Others::Fast => all = measured.rate * count(READERS) / count(READERS + SLOW),
            }
            server.settle()?;
        }
        sample.kept = sample.rate / without;
        sample.kept_all = sample.rate / all;
        Ok(sample)
    }
}

/// The tenth beside the readers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Others {
    None,
    Slow,
    Fast,
}

fn run(server: &Running, others: Others) -> Result<Sample> {
    let mut client = Client::connect(server)?;
    client.locations = LOCATIONS;
    match others {
        Others::None => {}
        Others::Slow => client.open_slow(server.address, SLOW)?,
        Others::Fast => client.open(server.address, SLOW)?,
    }
    client.open(server.address, READERS)?;
    let mut sample = deliver::measure(server, &mut client, FRAME, PACE)?;
    if others == Others::Slow {
        let outcome = client.catch_up()?;
        sample.published = count(client.journal.len());
        sample.behind = count(outcome.behind);
        sample.skipped = count(outcome.skipped);
        sample.closed = count(outcome.closed);
        sample.up_to_date = count(outcome.up_to_date);
    }
    Ok(sample)
}
