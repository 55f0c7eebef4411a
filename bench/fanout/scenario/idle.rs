//! Sockets on which nothing happens but what the server itself does: heartbeats, checks of rights.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::deliver::count;
use super::{Column, Sample, Scenario, Shows, column};
use crate::client::Client;
use crate::server::Running;
use crate::usage::kernel_memory;

/// What a socket takes is the slope between the two: what the program takes by itself is in neither.
const FEW: usize = 5000;
const MANY: usize = 18_000;

/// Long enough for several checks of rights.
const SHORT: Duration = Duration::from_secs(6);

/// Long enough for a heartbeat of every socket.
const LONG: Duration = Duration::from_secs(22);

/// Idle sockets.
pub struct Idle;

impl Scenario for Idle {
    fn name(&self) -> &'static str {
        "idle"
    }

    fn title(&self) -> String {
        format!("{FEW} to {MANY} idle sockets, each of another user, with leases and heartbeats")
    }

    fn sockets(&self) -> usize {
        MANY
    }

    fn columns(&self) -> Vec<Column> {
        vec![
            column("bytes a socket (RSS)", 0, Shows::Spread, |it| it.memory),
            column(
                "kernel's bytes a connection, both ends",
                0,
                Shows::Median,
                |it| it.kernel,
            ),
            column("CPU µs a socket in a second", 2, Shows::Median, |it| {
                it.cpu
            }),
        ]
    }

    fn is_fresh(&self) -> bool {
        true
    }

    fn most_pairs(&self) -> usize {
        3
    }

    fn measure(&self, server: &Running) -> Result<Sample> {
        let mut client = Client::connect(server)?;
        client.open(server.address, FEW)?;
        wait(&mut client, SHORT)?;
        let (few, kernel_few) = (server.usage.memory()?, kernel_memory()?);
        client.open(server.address, MANY - FEW)?;
        server.settle()?;
        let (cpu, begin) = (server.usage.cpu()?, Instant::now());
        wait(&mut client, LONG)?;
        let wall = begin.elapsed().as_secs_f64();
        let cpu = server.usage.cpu()?.saturating_sub(cpu).as_secs_f64();
        let between = count(MANY - FEW);
        Ok(Sample {
            cpu: cpu / wall / count(MANY) * 1e6,
            memory: (server.usage.memory()? - few) / between,
            kernel: (kernel_memory()? - kernel_few) / between,
            ..Sample::default()
        })
    }
}

/// Answers heartbeats meanwhile.
fn wait(client: &mut Client, span: Duration) -> Result<()> {
    let begin = Instant::now();
    while let Some(left) = span.checked_sub(begin.elapsed()) {
        client.pump(left)?;
    }
    Ok(())
}
