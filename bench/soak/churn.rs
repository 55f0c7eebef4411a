//! Clients that come and go: sockets, reports, commands and log-ins, each kind in tasks that end only with an
//! error.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use futures_util::{SinkExt as _, StreamExt as _};
use rand::RngExt as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::device;
use super::http::{Connection, request};
use super::program::{add_superuser, cli, connect, create, text};

/// Vehicles that report, and clients of each kind.
const DEVICES: usize = 32;
const SOCKETS: usize = 200;
const COMMANDERS: usize = 4;

/// Between two reports of a vehicle.
const REPORT: Duration = Duration::from_millis(250);

/// Between two log-ins: each costs the server a password hash, on purpose.
const LOGIN: Duration = Duration::from_secs(2);

/// The longest that a socket stays, in milliseconds.
const STAY_MS: u64 = 20_000;

const FLEET: &str = "/ws/loci/location/";
const DEVICE_PATH: &str = "/api/v1/controller/device/";
const PASSWORD: &str = "correct horse battery";

/// What has been done so far.
#[derive(Default)]
pub struct Counts {
    sockets: AtomicU64,
    reports: AtomicU64,
    commands: AtomicU64,
    logins: AtomicU64,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (sockets, reports) = (of(&self.sockets), of(&self.reports));
        let (commands, logins) = (of(&self.commands), of(&self.logins));
        write!(f, "{sockets:8}  {reports:8}  {commands:8}  {logins:7}")
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Everybody, and what they need to know.
pub struct Churn {
    address: String,
    token: String,
    devices: Vec<(String, String)>,
    /// What has been done.
    pub counts: Counts,
}

impl Churn {
    /// Fills a server that runs: vehicles, and devices to run commands on.
    pub async fn prepare(directory: &TempDir, address: &str) -> Result<Self> {
        let organization = text(&cli(directory, &[], &["org", "add", "Soak"])?, "id")?;
        let token = add_superuser(directory, &[])?;
        let mut connection = connect(address).await?;
        let router = device::start().await?.to_string();
        let credential = json!({"name": "routers", "organization": organization,
            "params": {"username": device::USERNAME, "password": device::PASSWORD}});
        let path = "/api/v1/controller/credential/";
        let credential = create(&mut connection, &token, path, &credential).await?;
        let mut devices = Vec::new();
        for number in 0..DEVICES {
            let body = json!({"name": format!("bus-{number}"), "organization": organization,
                "addresses": [router]});
            let made = create(&mut connection, &token, DEVICE_PATH, &body).await?;
            let id = text(&made, "id")?;
            let body = json!({"credentials": credential["id"]});
            let path = format!("{DEVICE_PATH}{id}/connection/");
            create(&mut connection, &token, &path, &body).await?;
            devices.push((id, text(&made, "key")?));
        }
        let user = json!({"username": "ada", "email": "ada@example.org", "password": PASSWORD,
            "is_staff": true, "is_superuser": true});
        create(&mut connection, &token, "/api/v1/users/user/", &user).await?;
        Ok(Self {
            address: address.to_owned(),
            token,
            devices,
            counts: Counts::default(),
        })
    }

    /// Lets everybody in.
    pub fn begin(self: Arc<Self>, clients: &mut JoinSet<Result<()>>) {
        for number in 0..DEVICES {
            let churn = Arc::clone(&self);
            clients.spawn(async move { churn.report(number).await });
        }
        for number in 0..SOCKETS {
            let churn = Arc::clone(&self);
            clients.spawn(async move { churn.come_and_go(number).await });
        }
        for number in 0..COMMANDERS {
            let churn = Arc::clone(&self);
            clients.spawn(async move { churn.command(number).await });
        }
        let churn = Arc::clone(&self);
        clients.spawn(async move { churn.log_in_and_out().await });
    }

    /// A vehicle, which now and then connects anew.
    async fn report(&self, number: usize) -> Result<()> {
        let (id, key) = &self.devices[number];
        let path = format!("{DEVICE_PATH}{id}/coordinates/?key={key}");
        loop {
            let mut connection = Connection::open(&self.address).await?;
            for _ in 0..random(1..100) {
                let (longitude, latitude) = {
                    let mut random = rand::rng();
                    (random.random_range(-180..180), random.random_range(-90..90))
                };
                let geometry = json!({"type": "Point", "coordinates": [longitude, latitude]});
                let body = json!({"type": "Feature", "geometry": geometry}).to_string();
                expect(
                    200,
                    connection
                        .exchange(&request("PUT", &path, None, &body))
                        .await?,
                )?;
                count(&self.counts.reports);
                sleep(REPORT).await;
            }
        }
    }

    /// A viewer: of the fleet or of a device, from now on or from a minute ago, with a good token or not; ends in
    /// order or is just gone.
    async fn come_and_go(&self, number: usize) -> Result<()> {
        loop {
            let (id, _) = &self.devices[number % DEVICES];
            let path = match random(0..4) {
                0 => format!("/ws/controller/device/{id}/command"),
                1 => {
                    let since = jiff::Timestamp::now() - Duration::from_mins(1);
                    format!("{FLEET}?since={since}")
                }
                _ => FLEET.to_owned(),
            };
            let is_known = random(0..20) > 0;
            let token = if is_known { &self.token } else { "nobody" };
            match (open(&self.address, &path, token).await?, is_known) {
                (Some(socket), true) => {
                    count(&self.counts.sockets);
                    stay(socket).await?;
                }
                (None, false) => sleep(Duration::from_millis(random(0..1000))).await,
                (None, true) => bail!("{path} was refused"),
                (Some(_), false) => bail!("{path} was opened with a wrong token"),
            }
        }
    }

    /// An operator who runs one command after another, and cancels some.
    async fn command(&self, number: usize) -> Result<()> {
        let mut connection = Connection::open(&self.address).await?;
        let token = Some(self.token.as_str());
        loop {
            let (id, _) =
                &self.devices[(number + COMMANDERS * usize::try_from(random(0..4))?) % DEVICES];
            let path = format!("{DEVICE_PATH}{id}/command/");
            let body = json!({"type": "custom", "input": {"command": device::command(1)}});
            let made = create(&mut connection, &self.token, &path, &body).await?;
            let own = format!("{path}{}/", text(&made, "id")?);
            if random(0..8) == 0 {
                let cancel = request("POST", &format!("{own}cancel/"), token, "{}");
                let (status, _) = connection.exchange(&cancel).await?;
                ensure!(
                    [202, 409].contains(&status),
                    "a cancel was answered with {status}"
                );
            }
            loop {
                sleep(Duration::from_millis(200)).await;
                let look = request("GET", &own, token, "");
                let seen = expect(200, connection.exchange(&look).await?)?;
                if seen["status"] != "in-progress" {
                    break;
                }
            }
            count(&self.counts.commands);
            sleep(Duration::from_millis(random(0..4000))).await;
        }
    }

    /// Somebody with a password, and somebody from elsewhere each time who does not have it.
    async fn log_in_and_out(&self) -> Result<()> {
        loop {
            let mut connection = Connection::open(&self.address).await?;
            let path = "/api/v1/users/token/";
            let right = json!({"username": "ada", "password": PASSWORD}).to_string();
            expect(
                200,
                connection
                    .exchange(&request("POST", path, None, &right))
                    .await?,
            )?;
            let wrong =
                json!({"username": format!("user{}", random(0..1_000_000)), "password": "x"});
            // Of IPv4, where each address counts by itself.
            let (high, low) = (random(0..256), random(0..256));
            let from = format!("198.{}.{high}.{low}", random(18..20));
            let wrong = request("POST", path, None, &wrong.to_string());
            let wrong = String::from_utf8(wrong)?.replacen(
                "\r\n",
                &format!("\r\nX-Forwarded-For: {from}\r\n"),
                1,
            );
            expect(400, connection.exchange(wrong.as_bytes()).await?)?;
            count(&self.counts.logins);
            sleep(LOGIN).await;
        }
    }
}

/// The answer's JSON.
fn expect(status: u16, answer: (u16, &[u8])) -> Result<Value> {
    let text = String::from_utf8_lossy(answer.1);
    ensure!(answer.0 == status, "an answer of {}: {text}", answer.0);
    serde_json::from_str(&text).with_context(|| format!("no JSON: {text}"))
}

type Socket = WebSocketStream<TcpStream>;

/// A socket, or `None` where it is refused.
async fn open(address: &str, path: &str, token: &str) -> Result<Option<Socket>> {
    let mut request = format!("ws://{address}{path}").into_client_request()?;
    let headers = request.headers_mut();
    headers.insert("authorization", format!("Bearer {token}").parse()?);
    let stream = TcpStream::connect(address).await?;
    match tokio_tungstenite::client_async(request, stream).await {
        Ok((socket, _)) => Ok(Some(socket)),
        Err(Error::Http(response)) if response.status() == 403 => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Hears for a while, and leaves in one way or the other.
async fn stay(mut socket: Socket) -> Result<()> {
    let until = Instant::now() + Duration::from_millis(random(0..STAY_MS));
    while let Ok(heard) = timeout_at(until, socket.next()).await {
        let message = heard.context("the server closed a socket")??;
        ensure!(
            !message.is_close(),
            "the server closed a socket: {message:?}"
        );
    }
    if random(0..2) == 0 {
        return Ok(());
    }
    socket.send(Message::Close(None)).await?;
    while let Some(Ok(_)) = socket.next().await {}
    Ok(())
}

fn random(range: std::ops::Range<u64>) -> u64 {
    rand::rng().random_range(range)
}
