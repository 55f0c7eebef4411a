//! fleetwire itself: the parts that `fleetwire serve` is made of, put together as it does, over SQLite and
//! with its defaults. Only what publishes is ours: it hands frames to the hub, as the way in does.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use fleetwire::app::App;
use fleetwire::config::Config;
use fleetwire::event::{Frame, LocationId, OrganizationId, Topic};
use fleetwire::hub::{Hub, Snapshot};
use fleetwire::server::{self, Listener, standalone};
use fleetwire::store::{Engine, NewAccount, Store};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::super::client::protocol::controlled;
use super::{Kind, Running, start_ours};

/// The arguments that start it: with its defaults, or with frames that wait longer to be joined.
pub const REAL: &str = "fleetwire";
pub const PATIENT: &str = "fleetwire-20ms";

/// `socket.batch_ms` of the patient one.
const PATIENCE_MS: u64 = 20;

/// A database with operators of one organization, each with a token.
pub struct Users {
    directory: TempDir,
    tokens: Vec<String>,
}

impl Users {
    pub fn make(count: usize) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let tokens = Runtime::new()?.block_on(add_users(&engine(directory.path()), count))?;
        Ok(Self { directory, tokens })
    }
}

fn engine(directory: &Path) -> Engine {
    Engine::Sqlite {
        directory: directory.to_owned(),
    }
}

async fn add_users(engine: &Engine, count: usize) -> Result<Vec<String>> {
    let store = Store::open(engine).await?;
    let organization = store.add_organization("Bench").await?.id;
    let operators = store.find_group("Operator").await?.id;
    let mut tokens = Vec::new();
    for number in 0..count {
        let operator = NewAccount {
            username: format!("operator-{number}"),
            is_staff: true,
            groups: vec![operators],
            manages: vec![organization],
            ..NewAccount::default()
        };
        let user = store.add_user(&operator).await?.id;
        tokens.push(store.add_token(user, "bench").await?.1);
    }
    store.close().await;
    Ok(tokens)
}

/// The real thing; subscriber `n` is user `n`.
pub struct Fleetwire {
    name: &'static str,
    directory: String,
    tokens: Vec<String>,
}

impl Fleetwire {
    pub fn new(name: &'static str, users: &Users) -> Self {
        Self {
            name,
            directory: users.directory.path().to_string_lossy().into_owned(),
            tokens: users.tokens.clone(),
        }
    }
}

impl Kind for Fleetwire {
    fn name(&self) -> &'static str {
        self.name
    }

    fn start(&self) -> Result<Running> {
        let tokens = self.tokens.clone();
        start_ours(&[self.name, &self.directory], "/ws/loci/location/", tokens)
    }
}

/// Serves it.
pub fn serve(is_patient: bool, directory: &Path) -> Result<()> {
    fs::create_dir_all(directory)?;
    let mut config = Config::default();
    if is_patient {
        config.socket.batch_ms = PATIENCE_MS;
    }
    Runtime::new()?.block_on(async {
        // One user at one address may have them all: that is what is measured.
        config.limits.sockets_per_user = 0;
        config.limits.handshakes_per_second = 0;
        config.limits.handshakes_per_second_per_address = 0;
        config.limits.connections_per_address = 0;
        // Nobody waits for long: nearly all files are for sockets.
        config.limits.connections = 500;
        config.limits.fit_into(server::raise_open_files());
        let app = App::open(config, &engine(directory), directory).await?;
        let app = Arc::new(app);
        let _beside = app.start().await?;
        let organizations = app.store.organizations().await?;
        let organization = organizations.first().context("no organization")?.id;
        let listener = Listener::tcp("127.0.0.1:0").await?;
        let Listener::Tcp(sockets) = &listener else {
            anyhow::bail!("it listens at a port");
        };
        let publishers = TcpListener::bind("127.0.0.1:0").await?;
        println!("{} {}", sockets.local_addr()?, publishers.local_addr()?);
        let hub = Arc::clone(&app.hub);
        tokio::spawn(async move {
            while let Ok((publisher, _)) = publishers.accept().await {
                let hub = Arc::clone(&hub);
                tokio::spawn(async move { publish(publisher, &hub, organization).await });
            }
        });
        let (_drain, draining) = watch::channel(false);
        server::run(standalone::site(&app, draining.clone()), listener, draining).await;
        Ok(())
    })
}

/// Publishes what is asked for until the publisher has gone.
async fn publish(mut publisher: TcpStream, hub: &Hub, organization: OrganizationId) -> Result<()> {
    let topics = [Topic::OrgLocations(organization)];
    let mut locations = Vec::new();
    let mut heard = Vec::with_capacity(64 * 1024);
    let mut version = 0;
    while publisher.read_buf(&mut heard).await? > 0 {
        let mut at = 0;
        while let Some((location, message, length)) = controlled(&heard[at..]) {
            while locations.len() <= location {
                locations.push(LocationId::random());
            }
            version += 1;
            let snapshot = Snapshot {
                subject: locations[location].into(),
                version,
                frame: Frame::text(std::str::from_utf8(message)?),
            };
            hub.publish(&topics, &snapshot);
            at += length;
        }
        heard.drain(..at);
    }
    Ok(())
}
