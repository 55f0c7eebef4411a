//! Reports at an even rate to the first node, and how long they take to reach a socket of every node that is
//! watched.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::StreamExt;
use futures_util::future::try_join_all;
use serde_json::Value;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::http::{Connection, request};

/// Updates a second, in all.
pub const RATE: f64 = 1_000.0;

/// How long they are sent.
const SPAN: Duration = Duration::from_secs(5);

/// What one update cost, in microseconds of processor time, and how long it took to the last node.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    pub first: f64,
    /// Mean of the other nodes, if there are any.
    pub other: Option<f64>,
    pub postgres: f64,
    pub redis: Option<f64>,
    /// Milliseconds, median.
    pub latency: f64,
}

pub type Socket = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

/// The feed of all fleets at a node.
pub async fn watch(address: &str, token: &str) -> Result<Socket> {
    let mut handshake = format!("ws://{address}/ws/loci/location/").into_client_request()?;
    let bearer = HeaderValue::try_from(format!("Bearer {token}"))?;
    handshake.headers_mut().insert("Authorization", bearer);
    Ok(tokio_tungstenite::connect_async(handshake).await?.0)
}

/// One report of each device.
pub async fn warm(address: &str, paths: &[String]) -> Result<()> {
    let mut connection = Connection::open(address).await?;
    for path in paths {
        let (status, _) = connection.exchange(&put(path, 0)).await?;
        ensure!(status == 200, "a PUT was answered with {status}");
    }
    Ok(())
}

/// Sends reports for a while: how many there were, and the median time to the last of the sockets, in milliseconds.
pub async fn run(address: &str, paths: &[String], sockets: &mut [Socket]) -> Result<(u32, f64)> {
    let begin = Instant::now() + Duration::from_millis(100);
    let gap = Duration::from_secs_f64(1.0 / RATE);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a small count"
    )]
    let count = (RATE * SPAN.as_secs_f64()) as u32;
    let due = |number: u32| begin + gap * number;
    let clients = paths.iter().zip(0_u32..).map(async |(path, first)| {
        let mut connection = Connection::open(address).await?;
        for number in (first..count).step_by(paths.len()) {
            let put = put(path, number);
            sleep_until(due(number)).await;
            let (status, _) = connection.exchange(&put).await?;
            ensure!(status == 200, "a PUT was answered with {status}");
        }
        anyhow::Ok(())
    });
    let arrivals = sockets.iter_mut().map(|socket| arrivals(socket, count));
    let (sent, arrived) = tokio::join!(try_join_all(clients), try_join_all(arrivals));
    sent?;
    let arrived = arrived?;
    let mut spans = Vec::new();
    for (number, index) in (0..count).zip(0_usize..) {
        let last = arrived.iter().map(|of_socket| of_socket[index]).max();
        let last = last.context("nobody watches")?;
        let span = last.saturating_duration_since(due(number));
        spans.push(span.as_secs_f64() * 1e3);
    }
    spans.sort_by(f64::total_cmp);
    Ok((count, spans[spans.len() / 2]))
}

/// When each update arrived: all must.
async fn arrivals(socket: &mut Socket, count: u32) -> Result<Vec<Instant>> {
    let begin = Instant::now();
    let mut arrived = vec![begin; count as usize];
    for _ in 0..count {
        let message = timeout(Duration::from_secs(10), socket.next()).await;
        let message = message
            .context("an update did not arrive within 10 s")?
            .context("a socket was closed")??;
        let number = number(message.to_text()?).context("a strange message")?;
        *arrived.get_mut(number).context("a strange number")? = Instant::now();
    }
    Ok(arrived)
}

/// The longitude says which update it is.
fn put(path: &str, number: u32) -> Vec<u8> {
    let longitude = f64::from(number) / 10_000.0;
    let body = format!(
        r#"{{"type":"Feature","geometry":{{"type":"Point","coordinates":[{longitude},41.898903]}}}}"#
    );
    request("PUT", path, None, &body)
}

fn number(message: &str) -> Option<usize> {
    let message: Value = serde_json::from_str(message).ok()?;
    let longitude = message["geometry"]["coordinates"][0].as_f64()?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it was a count"
    )]
    Some((longitude * 10_000.0).round() as usize)
}
