//! The sockets of one OpenWISP, served by its Daphne and by `fleetwire gateway` in turn, with the same
//! Django publishing: what a delivery costs, how long it takes, what a socket and a handshake cost.
//!
//! `make bench-gateway` prints the figures.

#[path = "../http.rs"]
mod http;
mod openwisp;
#[path = "../program.rs"]
#[expect(dead_code, reason = "another server is measured here")]
mod program;
mod sockets;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use self::openwisp::{Publisher, Server};
use self::sockets::Sockets;

/// How often each server is measured.
const ROUNDS: usize = 5;

/// Sockets of a measurement.
const SOCKETS: u32 = 1000;

/// Messages that are sent one at a time: each when the one before has arrived everywhere.
const ALONE: usize = 30;

/// Messages that are sent at once: few enough for the capacity of a channel.
const AT_ONCE: usize = 20;

/// A message that takes longer is lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// One of its figures.
type Figure = fn(&Cost) -> f64;

/// What one server needed in one round.
struct Cost {
    handshakes_a_second: f64,
    memory_a_socket: f64,
    /// Deliveries in a second of the processor, one message at a time.
    alone: f64,
    /// The same in a second of the clock.
    alone_a_second: f64,
    p99_alone: f64,
    /// The same of messages sent at once.
    at_once: f64,
    lost: usize,
}

fn main() -> Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?
        .block_on(measure())
}

async fn measure() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mut publisher = Publisher::start()?;
    let cookie = publisher.cookie()?;
    println!(
        "{SOCKETS} sockets\n\nserver     handshakes/s  KiB/socket  alone: deliveries/CPU s  deliveries/s  at once: deliveries/CPU s  \
         p99 alone ms  lost"
    );
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        // Each is new, so that no round pays for the one before; in turn, the first one changing.
        let mut daphne = None;
        let mut ours = None;
        for turn in 0..2 {
            let is_daphne = (round + turn) % 2 == 0;
            let server = if is_daphne {
                Server::daphne().await?
            } else {
                Server::gateway(&directory).await?
            };
            let cost = cost(&server, &mut publisher, &cookie).await?;
            print(server.name, &cost);
            *(if is_daphne { &mut daphne } else { &mut ours }) = Some(cost);
        }
        rounds.push(daphne.zip(ours).context("each had its turn")?);
    }
    println!("\nmedian of {ROUNDS} paired ratios, fleetwire / Daphne (lowest, highest)");
    let kinds: [(&str, Figure); 6] = [
        ("handshakes a second", |it| it.handshakes_a_second),
        ("memory a socket", |it| it.memory_a_socket),
        ("deliveries a CPU second, one at a time", |it| it.alone),
        ("deliveries a second, one at a time", |it| it.alone_a_second),
        ("deliveries a CPU second, sent at once", |it| it.at_once),
        ("p99 of a delivery, one at a time", |it| it.p99_alone),
    ];
    for (name, of) in kinds {
        let mut ratios: Vec<f64> = rounds
            .iter()
            .map(|(theirs, ours)| of(ours) / of(theirs))
            .collect();
        ratios.sort_by(f64::total_cmp);
        println!(
            "{name:40} {:8.3} ({:.3}, {:.3})",
            ratios[ROUNDS / 2],
            ratios[0],
            ratios[ROUNDS - 1]
        );
    }
    Ok(())
}

async fn cost(server: &Server, publisher: &mut Publisher, cookie: &str) -> Result<Cost> {
    // Warm: what is imported or connected at the first socket is no socket's cost.
    drop(Sockets::open(&server.address, cookie, 20).await?);
    let before = server.memory()?;
    let mut sockets = Sockets::open(&server.address, cookie, SOCKETS as usize).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let memory = server.memory()? - before;
    let alone = deliver(server, publisher, &mut sockets, ALONE, 1).await?;
    let at_once = deliver(server, publisher, &mut sockets, 1, AT_ONCE).await?;
    let mut sorted = alone.delays.clone();
    sorted.sort_by(f64::total_cmp);
    let p99 = sorted
        .get(sorted.len() * 99 / 100)
        .copied()
        .unwrap_or(f64::NAN);
    Ok(Cost {
        handshakes_a_second: f64::from(SOCKETS) / sockets.opening.as_secs_f64(),
        memory_a_socket: memory / f64::from(SOCKETS),
        alone: alone.a_cpu_second,
        alone_a_second: alone.a_second,
        p99_alone: p99 * 1000.0,
        at_once: at_once.a_cpu_second,
        lost: (ALONE + AT_ONCE) * SOCKETS as usize - alone.delays.len() - at_once.delays.len(),
    })
}

/// What deliveries cost.
struct Deliveries {
    /// In a second of the server's processor.
    a_cpu_second: f64,
    /// In a second of the clock, from the first publication to the last arrival.
    a_second: f64,
    /// How long each took, in seconds.
    delays: Vec<f64>,
}

/// Publishes `times`, so many `messages` at once, each time when all before have arrived everywhere.
async fn deliver(
    server: &Server,
    publisher: &mut Publisher,
    sockets: &mut Sockets,
    times: usize,
    messages: usize,
) -> Result<Deliveries> {
    let (began, before) = (Instant::now(), server.cpu()?);
    let mut delays = Vec::new();
    for _ in 0..times {
        // What arrives meanwhile is read by the runtime's other thread.
        tokio::task::block_in_place(|| publisher.publish(messages))?;
        delays.extend(sockets.delays(messages * SOCKETS as usize, PATIENCE).await);
    }
    let taken = began.elapsed();
    let cpu = server.cpu()?.saturating_sub(before);
    let delivered = f64::from(u32::try_from(delays.len())?);
    Ok(Deliveries {
        a_cpu_second: delivered / cpu.as_secs_f64(),
        a_second: delivered / taken.as_secs_f64(),
        delays,
    })
}

fn print(name: &str, cost: &Cost) {
    println!(
        "{name:10} {:12.1}  {:10.1}  {:23.0}  {:12.0}  {:25.0}  {:12.1}  {:4}",
        cost.handshakes_a_second,
        cost.memory_a_socket / 1024.0,
        cost.alone,
        cost.alone_a_second,
        cost.at_once,
        cost.p99_alone,
        cost.lost,
    );
}
