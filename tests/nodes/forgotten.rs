//! What is on the way to the database forgets connections: they never break, and nothing comes any more.

use std::net::SocketAddr;

use reqwest::Url;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::watch;

use super::cluster::NO_TAIL;
use super::way::{url_by, way_to};
use crate::support::{Engine, FLEET, Seed, Server, Socket, coordinates, eventually};

/// Leads connections on to a PostgreSQL, as a firewall does that may lose its table.
struct Way {
    address: SocketAddr,
    /// How often it has forgotten what was open.
    forgotten: watch::Sender<u32>,
}

/// Leads on what comes, until the way has forgotten this connection; then it is thrown away, and nobody
/// is told.
async fn lead(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    forgotten: watch::Receiver<u32>,
) {
    let opened = *forgotten.borrow();
    let mut bytes = vec![0; 8192];
    loop {
        let read = from.read(&mut bytes).await.unwrap_or(0);
        if *forgotten.borrow() != opened {
            if read == 0 {
                // The other side hears of no end either.
                return std::future::pending().await;
            }
            continue;
        }
        if read == 0 || to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}

impl Way {
    /// One to the server of `url`.
    async fn to(url: &Url) -> Self {
        let (forgotten, seen) = watch::channel(0);
        let address = way_to(url, move |client, server| {
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            let (there, back) = (
                lead(from_client, to_server, seen.clone()),
                lead(from_server, to_client, seen.clone()),
            );
            // Either end ends both, as where nothing is between them.
            async move {
                tokio::select! {
                    () = there => {}
                    () = back => {}
                }
            }
        });
        Self {
            address: address.await,
            forgotten,
        }
    }

    fn forget(&self) {
        self.forgotten.send_modify(|times| *times += 1);
    }
}

#[tokio::test]
async fn a_connection_for_hints_that_the_way_has_forgotten_is_noticed_and_made_anew() {
    let database = Server::prepare(Engine::Postgres, &[]).await;
    let url = Url::parse(database.database_url().unwrap()).unwrap();
    let way = Way::to(&url).await;
    // The tail would bring everything, and hide it.
    let mut node = database.beside_with(&[NO_TAIL, ("DATABASE__URL", &url_by(&url, way.address))]);
    let seed = Seed(&database);
    let organization = seed.organization("Alpha");
    let bus = seed.location("bus", &organization, &["--mobile", "--point", "0,0"]);
    let root = seed.root();
    node.run().await;
    let mut socket = Socket::open(&node, FLEET, &root).await;
    database.cli(&["location", "set", &bus, "--point", "1,1"]);
    assert_eq!(coordinates(&socket.next().await), (1.0, 1.0));
    way.forget();
    eventually("it is noticed that nothing is heard", async || {
        let log = node.log();
        log.contains("database hints were lost").then_some(())
    })
    .await;
    // What was committed meanwhile comes when it listens again, by the tail that is woken for it.
    let mut step = 1.0;
    let mut move_on = || {
        step += 1.0;
        database.cli(&["location", "set", &bus, "--point", &format!("{step},1")]);
        step
    };
    eventually("it listens anew", async || {
        move_on();
        (!socket.ping().await.is_empty()).then_some(())
    })
    .await;
    // And what is committed from now on by hints.
    let last = move_on();
    while coordinates(&socket.next().await) != (last, 1.0) {}
}
