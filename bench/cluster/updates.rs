//! What an update costs: reports at an even rate to the first node while sockets watch, and reports to all nodes
//! as fast as they are answered.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::StreamExt;
use futures_util::future::try_join_all;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::cluster::{Cluster, Used};
use super::house::House;
use super::http::Connection;
use super::report::{number, put};

/// Updates a second, where their rate is even.
pub const RATE: f64 = 1_000.0;

/// Connections that reports come over.
const CONNECTIONS: usize = 64;

/// How long reports are sent.
const SPAN: Duration = Duration::from_secs(5);

/// Where a superuser watches all fleets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Watched {
    Everywhere,
    /// Only where the reports come in: the other nodes hear of what nobody there wants.
    AtTheFirst,
}

impl Watched {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Everywhere => "at each node",
            Self::AtTheFirst => "at the first node",
        }
    }
}

/// What one update cost, in microseconds of processor time beyond what is used while nothing happens.
#[derive(Clone, Debug)]
pub struct Cost {
    /// Milliseconds of processor time a second while nothing happens: of `PostgreSQL`, and of a node.
    pub idle: (f64, f64),
    pub used: Used,
    pub updates_per_second: f64,
    /// Milliseconds to the last socket, median, where somebody watches.
    pub latency: Option<f64>,
}

pub type Socket = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

/// The feed of all fleets at a node that the user of `token` may see.
pub async fn watch(address: &str, token: &str) -> Result<Socket> {
    let mut handshake = format!("ws://{address}/ws/loci/location/").into_client_request()?;
    let bearer = HeaderValue::try_from(format!("Bearer {token}"))?;
    handshake.headers_mut().insert("Authorization", bearer);
    Ok(tokio_tungstenite::connect_async(handshake).await?.0)
}

/// Reports at an even rate to the first node.
pub async fn even(house: &House, cluster: &Cluster, watched: Watched) -> Result<Cost> {
    let watching = match watched {
        Watched::Everywhere => &cluster.addresses[..],
        Watched::AtTheFirst => &cluster.addresses[..1],
    };
    let mut sockets = Vec::new();
    for address in watching {
        sockets.push(watch(address, &house.token).await?);
    }
    let idle = cluster.idle().await?;
    let began = cluster.begin()?;
    let (updates, latency) = send(&cluster.addresses[0], &house.paths(), &mut sockets).await?;
    cost(&idle, &cluster.used_since(&began)?, updates, Some(latency))
}

/// Reports to all nodes as fast as they are answered, while nobody watches.
pub async fn full(house: &House, cluster: &Cluster) -> Result<Cost> {
    let paths = house.paths();
    let idle = cluster.idle().await?;
    let began = cluster.begin()?;
    let until = Instant::now() + SPAN;
    let clients = (0..CONNECTIONS).map(async |first| {
        let address = &cluster.addresses[first % cluster.addresses.len()];
        let mut connection = Connection::open(address).await?;
        let mut sent = 0;
        let paths = paths.iter().skip(first).step_by(CONNECTIONS);
        for path in paths.cycle() {
            if Instant::now() > until {
                break;
            }
            report(&mut connection, &put(path, longitude(sent))).await?;
            sent += 1;
        }
        anyhow::Ok(sent)
    });
    let sent: u32 = try_join_all(clients).await?.iter().sum();
    cost(&idle, &cluster.used_since(&began)?, sent, None)
}

fn cost(idle: &Used, busy: &Used, updates: u32, latency: Option<f64>) -> Result<Cost> {
    let updates = f64::from(updates);
    let node = idle.nodes.first().context("no node")?;
    Ok(Cost {
        idle: (idle.postgres * 1e3 / idle.span, node * 1e3 / idle.span),
        used: busy.beyond(idle, updates),
        updates_per_second: updates / busy.span,
        latency,
    })
}

/// How many there were, and the median time to the last of the sockets, in milliseconds.
async fn send(address: &str, paths: &[String], sockets: &mut [Socket]) -> Result<(u32, f64)> {
    let begin = Instant::now() + Duration::from_millis(100);
    let gap = Duration::from_secs_f64(1.0 / RATE);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a small count"
    )]
    let count = (RATE * SPAN.as_secs_f64()) as u32;
    let due = |number: u32| begin + gap * number;
    let clients = (0..CONNECTIONS).map(async |first| {
        let mut connection = Connection::open(address).await?;
        let numbers = (0..count).zip(0_usize..).skip(first);
        for (number, index) in numbers.step_by(CONNECTIONS) {
            let put = put(&paths[index % paths.len()], longitude(number));
            sleep_until(due(number)).await;
            report(&mut connection, &put).await?;
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

async fn report(connection: &mut Connection, put: &[u8]) -> Result<()> {
    let (status, _) = connection.exchange(put).await?;
    ensure!(status == 200, "a PUT was answered with {status}");
    Ok(())
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
fn longitude(number: u32) -> f64 {
    f64::from(number % 1_000_000) / 10_000.0
}
