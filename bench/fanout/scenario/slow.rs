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
        format!("{READERS} readers as fast as they can, with and without {SLOW} slow ones")
    }

    fn sockets(&self) -> usize {
        READERS + SLOW
    }

    fn columns(&self) -> Vec<Column> {
        vec![
            column("deliveries/s with slow ones", 0, Shows::Median, |it| {
                it.rate
            }),
            column("against without", 3, Shows::Spread, |it| it.kept),
            column("lost by the others", 0, Shows::Median, |it| it.lost),
            column("slow ones closed", 0, Shows::Median, |it| it.closed),
            column("slow ones up to date", 0, Shows::Median, |it| it.up_to_date),
        ]
    }

    fn measure(&self, server: &Running) -> Result<Sample> {
        let mut order = [true, false];
        order.shuffle(&mut rand::rng());
        let (mut with, mut without) = (Sample::default(), Sample::default());
        for is_slow in order {
            let sample = if is_slow { &mut with } else { &mut without };
            *sample = run(server, is_slow)?;
            server.settle()?;
        }
        with.kept = with.rate / without.rate;
        Ok(with)
    }
}

fn run(server: &Running, is_slow: bool) -> Result<Sample> {
    let mut client = Client::connect(server)?;
    client.locations = LOCATIONS;
    client.open(server.address, READERS + if is_slow { SLOW } else { 0 })?;
    if is_slow {
        client.slow_down(SLOW)?;
    }
    let mut sample = deliver::measure(server, &mut client, FRAME, PACE)?;
    if is_slow {
        let outcome = client.catch_up()?;
        sample.closed = count(outcome.closed);
        sample.up_to_date = count(outcome.up_to_date);
    }
    Ok(sample)
}
