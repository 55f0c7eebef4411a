//! The load: as fast as it goes for a rate, on a plan for latencies.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::StreamExt;
use futures_util::future::try_join_all;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use super::http::Connection;
use super::report::{number, put};
use super::server::{Fleetwire, Target};

/// Milliseconds.
pub struct Quantiles {
    pub count: usize,
    pub p50: f64,
    pub p99: f64,
}

/// PUTs a second over all connections, each as fast as its answers come.
pub async fn rate(target: &Target, span: Duration) -> Result<f64> {
    let end = Instant::now() + span;
    let clients = target.paths.iter().map(async |path| {
        let mut connection = Connection::open(&target.address).await?;
        let put = put(path, 12.512_124);
        let mut count = 0_u32;
        while Instant::now() < end {
            let (status, _) = connection.exchange(&put).await?;
            ensure!(status == 200, "a PUT was answered with {status}");
            count += 1;
        }
        anyhow::Ok(count)
    });
    let counts = try_join_all(clients).await?;
    Ok(f64::from(counts.iter().sum::<u32>()) / span.as_secs_f64())
}

/// From the planned instant of a PUT to its answer, at `rate` PUTs a second.
pub async fn put_latency(target: &Target, rate: f64, span: Duration) -> Result<Quantiles> {
    let plan = Plan::new(target, rate, span);
    let answered = plan.run(target).await?;
    quantiles(plan.planned().zip(answered))
}

/// From the planned instant of a PUT to the arrival of its message on a superuser's fleet socket.
pub async fn push_latency(server: &Fleetwire, rate: f64, span: Duration) -> Result<Quantiles> {
    let target = server.target();
    let mut handshake =
        format!("ws://{}/ws/loci/location/", target.address).into_client_request()?;
    let bearer = HeaderValue::try_from(format!("Bearer {}", server.token))?;
    handshake.headers_mut().insert("Authorization", bearer);
    let (mut socket, _) = tokio_tungstenite::connect_async(handshake).await?;
    let plan = Plan::new(target, rate, span);
    let mut arrived = vec![None; plan.count];
    let receive = async {
        for _ in 0..plan.count {
            let message = timeout(Duration::from_secs(10), socket.next()).await;
            let message = message
                .context("a message did not arrive")?
                .context("closed")??;
            let now = Instant::now();
            if let Some(slot) = number(message.to_text()?).and_then(|n| arrived.get_mut(n)) {
                *slot = Some(now);
            }
        }
        anyhow::Ok(())
    };
    let (sent, received) = tokio::join!(plan.run(target), receive);
    sent?;
    received?;
    socket.close(None).await?;
    let arrived: Option<Vec<Instant>> = arrived.into_iter().collect();
    quantiles(
        plan.planned()
            .zip(arrived.context("an update was not pushed")?),
    )
}

/// When each PUT is due: evenly over the span, dealt to the connections in turn.
struct Plan {
    begin: Instant,
    gap: Duration,
    count: usize,
}

impl Plan {
    fn new(target: &Target, rate: f64, span: Duration) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a small count"
        )]
        let a_connection = (rate * span.as_secs_f64()) as usize / target.paths.len();
        Self {
            begin: Instant::now() + Duration::from_millis(100),
            gap: Duration::from_secs_f64(1.0 / rate),
            count: a_connection * target.paths.len(),
        }
    }

    fn due(&self, number: usize) -> Instant {
        self.begin + self.gap.mul_f64(count(number))
    }

    fn planned(&self) -> impl Iterator<Item = Instant> {
        (0..self.count).map(|number| self.due(number))
    }

    /// Sends every PUT when it is due, or as soon after as its connection is free, and returns
    /// when each was answered.
    async fn run(&self, target: &Target) -> Result<Vec<Instant>> {
        let connections = target.paths.len();
        let clients = target.paths.iter().enumerate().map(async |(first, path)| {
            let mut connection = Connection::open(&target.address).await?;
            let mut answers = Vec::new();
            for number in (first..self.count).step_by(connections) {
                let put = put(path, longitude(number));
                sleep_until(self.due(number)).await;
                let (status, _) = connection.exchange(&put).await?;
                ensure!(status == 200, "a PUT was answered with {status}");
                answers.push((number, Instant::now()));
            }
            anyhow::Ok(answers)
        });
        let mut answers = try_join_all(clients).await?.concat();
        answers.sort_by_key(|(number, _)| *number);
        Ok(answers.into_iter().map(|(_, answered)| answered).collect())
    }
}

/// The longitude says which PUT a message is of.
fn longitude(number: usize) -> f64 {
    count(number) / 10_000.0
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn count(number: usize) -> f64 {
    number as f64
}

fn quantiles(spans: impl Iterator<Item = (Instant, Instant)>) -> Result<Quantiles> {
    let mut spans: Vec<f64> = spans
        .map(|(from, to)| to.saturating_duration_since(from).as_secs_f64() * 1e3)
        .collect();
    ensure!(!spans.is_empty(), "nothing was measured");
    spans.sort_by(f64::total_cmp);
    Ok(Quantiles {
        count: spans.len(),
        p50: spans[spans.len() / 2],
        p99: spans[spans.len() * 99 / 100],
    })
}
