//! Sockets on which nothing happens but what the server itself does: heartbeats, checks of rights.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::deliver::count;
use super::{Column, Sample, Scenario, Shows, column};
use crate::client::Client;
use crate::server::{PATIENT, Running};
use crate::usage::kernel_memory;

/// What a socket takes is the slope between the two: what the program takes by itself is in neither.
const FEW: usize = 5000;
pub const MANY: usize = 18_000;

/// Long enough for several checks of rights.
const SHORT: Duration = Duration::from_secs(6);

/// Long enough for a heartbeat of every socket.
const LONG: Duration = Duration::from_secs(22);

/// Idle sockets of so many users.
pub struct Idle {
    pub name: &'static str,
    pub users: usize,
}

impl Scenario for Idle {
    fn name(&self) -> &'static str {
        self.name
    }

    fn title(&self) -> String {
        let whose = if self.users < MANY {
            format!("of {} users", self.users)
        } else {
            "each of another user".to_owned()
        };
        format!("{FEW} to {MANY} idle sockets, {whose}, with leases and heartbeats")
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

    /// Only fleetwire asks who it is.
    fn is_for(&self, server: &str) -> bool {
        (self.users >= MANY && server != PATIENT) || server == "fleetwire" || server == "raw"
    }

    fn measure(&self, server: &Running) -> Result<Sample> {
        let mut client = Client::connect(server)?;
        client.users = self.users;
        client.open(server.address, FEW)?;
        client.wait(SHORT)?;
        let (few, kernel_few) = (server.usage.memory()?, kernel_memory()?);
        client.open(server.address, MANY - FEW)?;
        server.settle()?;
        let (cpu, begin) = (server.usage.cpu()?, Instant::now());
        client.wait(LONG)?;
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
