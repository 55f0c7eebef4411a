//! What growing output costs: 64 commands that run at the same time and print at one rate for 5, 10
//! and 20 seconds, each watched by a socket. What a MiB costs must not grow with the output.
//!
//! `taskset -c 1 cargo bench --bench commands` prints the figures.

mod device;
mod fleet;
#[path = "../http.rs"]
mod http;
#[path = "../program.rs"]
mod program;
mod usage;

use anyhow::{Context, Result};

use self::fleet::{Fleet, Seen};
use self::usage::Usage;

/// Devices, each with one command and one socket.
const DEVICES: usize = 64;

/// How long the commands print, in seconds; the longest stays below the cap of a command's output.
const SPANS: [u32; 3] = [5, 10, 20];

/// One measurement.
struct Cost {
    seconds: u32,
    used: Usage,
    seen: Seen,
}

fn main() -> Result<()> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(measure())
}

async fn measure() -> Result<()> {
    let mut fleet = Fleet::start(DEVICES).await?;
    // Warm: the host keys are remembered, the statements prepared.
    fleet.run(1).await?;
    println!(
        "{DEVICES} commands, each {} KiB/s\n\n\
         seconds  output MiB  CPU s  CPU s/MiB  peak RSS MiB  messages  pushed MiB  \
         disk MiB  disk/output  rows",
        device::BYTES_A_SECOND / 1024
    );
    let mut costs = Vec::new();
    for seconds in SPANS {
        let before = fleet.usage().await?;
        let seen = fleet.run(seconds).await?;
        let used = fleet.usage().await?.since(&before);
        let cost = Cost {
            seconds,
            used,
            seen,
        };
        print(&cost);
        costs.push(cost);
    }
    let (first, last) = (costs.first(), costs.last());
    let (first, last) = first.zip(last).context("there are spans")?;
    println!(
        "\na MiB of {} s against one of {} s: CPU {:.2}, disk {:.2}, pushed {:.2}, rows {:.2} \
         (quadratic: {:.0})",
        last.seconds,
        first.seconds,
        last.cpu() / first.cpu(),
        last.disk() / first.disk(),
        last.pushed() / first.pushed(),
        last.rows() / first.rows(),
        f64::from(last.seconds) / f64::from(first.seconds),
    );
    Ok(())
}

fn print(cost: &Cost) {
    println!(
        "{:7}  {:10.1}  {:5.2}  {:9.4}  {:12.1}  {:8}  {:10.1}  {:8.1}  {:11.2}  {:4}",
        cost.seconds,
        mib(cost.seen.output),
        cost.used.cpu.as_secs_f64(),
        cost.cpu(),
        mib(cost.used.peak_memory),
        cost.seen.messages,
        mib(cost.seen.pushed),
        mib(cost.used.written),
        cost.disk(),
        cost.used.rows,
    );
}

/// Each for a MiB of output.
impl Cost {
    fn cpu(&self) -> f64 {
        self.used.cpu.as_secs_f64() / mib(self.seen.output)
    }

    fn disk(&self) -> f64 {
        mib(self.used.written) / mib(self.seen.output)
    }

    fn pushed(&self) -> f64 {
        mib(self.seen.pushed) / mib(self.seen.output)
    }

    fn rows(&self) -> f64 {
        count(self.used.rows) / mib(self.seen.output)
    }
}

fn mib(bytes: u64) -> f64 {
    count(bytes) / f64::from(1 << 20)
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn count(number: u64) -> f64 {
    number as f64
}
