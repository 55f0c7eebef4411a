//! Many who connect at the same time, each with a token of a user of its own.

use std::time::Instant;

use anyhow::Result;

use super::deliver::count;
use super::{Column, Sample, Scenario, Shows, column};
use crate::client::Client;
use crate::server::Running;
use crate::usage::Usage;

const SOCKETS: usize = 5000;

/// A storm of handshakes.
pub struct Connect;

impl Scenario for Connect {
    fn name(&self) -> &'static str {
        "connect"
    }

    fn title(&self) -> String {
        format!("{SOCKETS} connects, 40 under way at a time")
    }

    fn sockets(&self) -> usize {
        SOCKETS
    }

    fn columns(&self) -> Vec<Column> {
        vec![
            column("CPU µs a connect", 1, Shows::Ratio, |it| it.cpu),
            column("connects/s", 0, Shows::Median, |it| it.rate),
            column("client busy", 2, Shows::Median, |it| it.client),
        ]
    }

    fn measure(&self, server: &Running) -> Result<Sample> {
        let mut client = Client::connect(server)?;
        // What is made at the first sockets is no socket's cost.
        client.open(server.address, 50)?;
        server.settle()?;
        let ourselves = Usage::ourselves();
        let (cpu, busy, begin) = (server.usage.cpu()?, ourselves.cpu()?, Instant::now());
        client.open(server.address, SOCKETS - 50)?;
        let wall = begin.elapsed().as_secs_f64();
        let cpu = server.usage.cpu()?.saturating_sub(cpu).as_secs_f64();
        let busy = ourselves.cpu()?.saturating_sub(busy).as_secs_f64();
        let connects = count(SOCKETS - 50);
        Ok(Sample {
            cpu: cpu / connects * 1e6,
            rate: connects / wall,
            client: busy / wall,
            ..Sample::default()
        })
    }
}
