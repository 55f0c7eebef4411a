//! Messages to all sockets.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::{Column, Sample, Scenario, Shows, column};
use crate::client::Client;
use crate::server::{PATIENT, Running};
use crate::usage::Usage;

/// Between two that are sent alone: twice the time in which fleetwire joins what follows closely.
const GAP: Duration = Duration::from_millis(4);

/// A delivery that takes longer is lost.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server that is slow gets fewer messages: this long suffices.
const LONG_ENOUGH: Duration = Duration::from_secs(3);

/// Several checks of rights.
const IDLE: Duration = Duration::from_secs(6);

/// Messages before the first that counts.
const WARM: usize = 8;

/// When messages are published.
#[derive(Clone, Copy)]
pub enum Pace {
    /// So many at once, when all sockets have got those before.
    Alone { queued: usize, messages: usize },
    /// On a plan, for that long; but never more than a window ahead of what the sockets have got, so that
    /// a server that is slower than the plan is measured at its best and loses nothing.
    Plan {
        a_second: u32,
        window: usize,
        span: Duration,
    },
}

/// Deliveries of frames of one size.
pub struct Deliver {
    pub name: &'static str,
    pub sockets: usize,
    pub frame: usize,
    pub pace: Pace,
}

impl Scenario for Deliver {
    fn name(&self) -> &'static str {
        self.name
    }

    fn title(&self) -> String {
        let (sockets, frame) = (self.sockets, self.frame);
        match self.pace {
            Pace::Alone { queued: 1, .. } => {
                format!("One message at a time of {frame} bytes to {sockets} sockets")
            }
            Pace::Alone { queued, .. } => {
                format!("{queued} messages at a time of {frame} bytes to {sockets} sockets")
            }
            Pace::Plan { a_second, .. } => {
                format!(
                    "{a_second} messages a second of {frame} bytes to each of {sockets} sockets"
                )
            }
        }
    }

    fn sockets(&self) -> usize {
        self.sockets
    }

    fn columns(&self) -> Vec<Column> {
        let is_latency = self.name == "latency";
        let (cpu, last) = if is_latency {
            (Shows::Median, Shows::Ratio)
        } else {
            (Shows::Ratio, Shows::Median)
        };
        vec![
            column("CPU µs a delivery", 2, cpu, |it| it.cpu),
            column("beyond idle", 2, cpu, |it| it.cpu_beyond),
            column("deliveries a CPU second", 0, Shows::Median, |it| {
                it.cpu_rate
            }),
            column("deliveries/s", 0, Shows::Median, |it| it.rate),
            column("p50 ms", 2, Shows::Median, |it| it.p50),
            column("p90", 2, Shows::Median, |it| it.p90),
            column("p99", 2, Shows::Median, |it| it.p99),
            column("to the last p50 ms", 2, last, |it| it.last_p50),
            column("to the last p90", 2, last, |it| it.last_p90),
            column("client busy", 2, Shows::Median, |it| it.client),
            column("lost", 0, Shows::Median, |it| it.lost),
        ]
    }

    /// Only where frames follow closely does it matter how long they wait to be joined.
    fn is_for(&self, server: &str) -> bool {
        server != PATIENT || self.name == "fleet"
    }

    fn measure(&self, server: &Running) -> Result<Sample> {
        let mut client = Client::connect(server)?;
        client.open(server.address, self.sockets)?;
        let idle = idle(server, &mut client)?;
        let mut sample = measure(server, &mut client, self.frame, self.pace)?;
        // Of the processor in a second, by the deliveries in it.
        sample.cpu_beyond = sample.cpu - idle / sample.rate * 1e6;
        Ok(sample)
    }
}

/// What the server takes of its processor while nothing is published to these sockets.
fn idle(server: &Running, client: &mut Client) -> Result<f64> {
    if let Some(known) = server.idle.get() {
        return Ok(known);
    }
    server.settle()?;
    let (cpu, begin) = (server.usage.cpu()?, Instant::now());
    client.wait(IDLE)?;
    let cpu = server.usage.cpu()?.saturating_sub(cpu);
    let idle = cpu.as_secs_f64() / begin.elapsed().as_secs_f64();
    server.idle.set(Some(idle));
    Ok(idle)
}

/// Publishes to the open sockets of `client`, and says what it cost.
pub fn measure(server: &Running, client: &mut Client, frame: usize, pace: Pace) -> Result<Sample> {
    server.settle()?;
    let readers = client.readers();
    for _ in 0..WARM {
        alone(client, 1, frame, readers)?;
    }
    client.begin();
    let ourselves = Usage::ourselves();
    let (cpu, busy, begin) = (server.usage.cpu()?, ourselves.cpu()?, Instant::now());
    match pace {
        Pace::Alone { queued, messages } => {
            while client.journal.len() < messages && begin.elapsed() < LONG_ENOUGH {
                alone(client, queued, frame, readers)?;
            }
        }
        Pace::Plan {
            a_second,
            window,
            span,
        } => planned(client, a_second, window, span, frame, readers)?,
    }
    let wall = begin.elapsed().as_secs_f64();
    let cpu = server.usage.cpu()?.saturating_sub(cpu).as_secs_f64();
    let busy = ourselves.cpu()?.saturating_sub(busy).as_secs_f64();
    let journal = &client.journal;
    let delivered = count(journal.delivered);
    Ok(Sample {
        cpu: cpu / delivered * 1e6,
        rate: delivered / wall,
        cpu_rate: delivered / cpu,
        p50: journal.latencies.quantile(0.5),
        p90: journal.latencies.quantile(0.9),
        p99: journal.latencies.quantile(0.99),
        last_p50: journal.lasts.quantile(0.5),
        last_p90: journal.lasts.quantile(0.9),
        client: busy / wall,
        lost: count(journal.len() * readers) - delivered,
        ..Sample::default()
    })
}

/// Publishes at once, and waits until all have got it and a while has passed.
fn alone(client: &mut Client, queued: usize, frame: usize, readers: usize) -> Result<()> {
    let begin = Instant::now();
    client.publish(queued, frame, readers)?;
    arrive(client, readers)?;
    client.wait(GAP.saturating_sub(begin.elapsed()))
}

fn planned(
    client: &mut Client,
    a_second: u32,
    window: usize,
    span: Duration,
    frame: usize,
    readers: usize,
) -> Result<()> {
    let begin = Instant::now();
    let mut sips = 0;
    while begin.elapsed() < span {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a small count"
        )]
        let due = (begin.elapsed().as_secs_f64() * f64::from(a_second)) as usize + 1;
        let published = client.journal.len();
        let arrived = (client.journal.delivered + client.journal.lost) / readers.max(1);
        let now = due.min(arrived + window).saturating_sub(published);
        if now > 0 && !client.is_stuffed() {
            client.publish(now, frame, readers)?;
        }
        client.pump(Duration::from_millis(1))?;
        // By the clock: else how slow they are would depend on how busy the server keeps the client.
        while sips < begin.elapsed().as_millis() {
            client.sip(usize::try_from(sips)?)?;
            sips += 1;
        }
    }
    arrive(client, readers)
}

/// Waits until everything that was published has arrived, or nothing does any more.
fn arrive(client: &mut Client, readers: usize) -> Result<()> {
    let mut news = Instant::now();
    let mut before = 0;
    loop {
        let arrived = client.journal.delivered + client.journal.lost;
        if arrived >= client.journal.len() * readers {
            return Ok(());
        }
        if arrived > before {
            (before, news) = (arrived, Instant::now());
        } else if news.elapsed() > PATIENCE {
            return Ok(());
        }
        client.pump(Duration::from_millis(100))?;
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
pub fn count(number: usize) -> f64 {
    number as f64
}
