//! Whether the server stays as large as it is, however long it runs: clients come and go, report, run commands
//! and log in, while memory, open files and threads are sampled. In the second half of the run none of them
//! may grow; at its end, when everybody has left, the files have to be closed.
//!
//! `make soak` runs it for an hour (`SOAK_S`), prints what it saw, and fails where something grows.

mod churn;
#[path = "../commands/device.rs"]
#[expect(dead_code, reason = "how much it prints a second matters elsewhere")]
mod device;
#[path = "../http.rs"]
mod http;
#[path = "../program.rs"]
#[expect(dead_code, reason = "the server is started with settings of its own")]
mod program;
mod sample;

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use clap::Parser;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep};

use self::churn::{Churn, Counts};
use self::program::{Process, connect, free_address};
use self::sample::{Judgement, Sample, judge};

/// Between two samples.
const EVERY: Duration = Duration::from_secs(10);

/// The shortest run that says anything: half of it is for caches to fill.
const SHORTEST_S: u64 = 120;

/// How long the server has to close what everybody has left.
const LEAVING: Duration = Duration::from_secs(30);

/// Files that may be open at the end beyond those at the start: what the database keeps.
const FILES_AT_REST: u64 = 16;

#[derive(Parser)]
struct Options {
    /// How long it runs, in seconds.
    #[arg(long, default_value_t = 3600)]
    seconds: u64,
    /// Cargo's own.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let options = Options::parse();
    ensure!(
        options.seconds >= SHORTEST_S,
        "{SHORTEST_S} seconds are the least that says anything"
    );
    tokio::runtime::Runtime::new()?.block_on(soak(Duration::from_secs(options.seconds)))
}

async fn soak(length: Duration) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let address = free_address()?;
    let server = serve(&directory, &address)?;
    let pid = server.0.id();
    connect(&address).await?;
    let churn = Arc::new(Churn::prepare(&directory, &address).await?);
    let start = Sample::of(pid)?;
    let mut clients = JoinSet::new();
    Arc::clone(&churn).begin(&mut clients);
    let samples = watch(pid, length, &churn.counts, &mut clients).await?;
    clients.shutdown().await;
    let end = at_rest(pid, start.files + FILES_AT_REST).await?;
    conclude(&samples, start, end)
}

/// Starts the server as an operator would, with a proxy in front that says who the clients are.
fn serve(directory: &TempDir, address: &str) -> Result<Process> {
    let process = Command::new(env!("CARGO_BIN_EXE_fleetwire"))
        .args(["serve", "--listen", address, "--data-dir"])
        .arg(directory.path())
        .env("FLEETWIRE_LOG__LEVEL", "error")
        .env("FLEETWIRE_SERVER__TRUSTED_PROXIES", "127.0.0.1")
        .spawn()
        .context("the server does not start")?;
    Ok(Process(process))
}

/// Samples until the time is over; ends earlier where a client meets something that it should not.
async fn watch(
    pid: u32,
    length: Duration,
    counts: &Counts,
    clients: &mut JoinSet<Result<()>>,
) -> Result<Vec<Sample>> {
    println!("      s   RSS MiB   files  threads   sockets   reports  commands  log-ins");
    let (begin, mut ticks) = (Instant::now(), interval(EVERY));
    let mut samples = Vec::new();
    while begin.elapsed() < length {
        tokio::select! {
            _ = ticks.tick() => {
                let sample = Sample::of(pid).context("the server is gone")?;
                println!("{:7}  {sample}  {counts}", begin.elapsed().as_secs());
                samples.push(sample);
            }
            ended = clients.join_next() => match ended {
                Some(Ok(Err(error))) => return Err(error.context("a client failed")),
                other => bail!("a client ended by itself: {other:?}"),
            },
        }
    }
    Ok(samples)
}

/// What the server holds when everybody has left.
async fn at_rest(pid: u32, files: u64) -> Result<Sample> {
    let deadline = Instant::now() + LEAVING;
    loop {
        let sample = Sample::of(pid)?;
        if sample.files <= files || Instant::now() > deadline {
            return Ok(sample);
        }
        sleep(Duration::from_millis(200)).await;
    }
}

/// Prints the verdict.
fn conclude(samples: &[Sample], start: Sample, end: Sample) -> Result<()> {
    println!("\nat the start, and when everybody had left:\n         {start}\n         {end}\n");
    let judgements = judge(samples);
    for judgement in &judgements {
        println!("{judgement}");
    }
    let grown: Vec<_> = judgements.iter().filter(|it| !it.is_flat()).collect();
    let names: Vec<_> = grown.iter().map(|it: &&Judgement| it.what).collect();
    ensure!(names.is_empty(), "not flat: {}", names.join(", "));
    ensure!(
        end.files <= start.files + FILES_AT_REST,
        "{} files are open with nobody there, and at the start there were {}",
        end.files,
        start.files
    );
    println!("flat");
    Ok(())
}
