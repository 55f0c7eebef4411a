//! A question to the database that is never answered: its machine has lost its power, and nothing breaks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::Url;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::{TcpStream, UnixStream};

use super::way::{url_by, way_to};
use crate::support::{Credential, Engine, Server, eventually};

/// What the runner says when it asks for what is next in the queue.
const LOOK: &[u8] = b"turn AS MATERIALIZED";

/// Leads connections on to a PostgreSQL, and can swallow a look into the queue.
struct Way {
    address: SocketAddr,
    /// Whether the next look is to get no answer.
    is_armed: Arc<AtomicBool>,
}

/// Leads on what the client says, until it asks what is to get no answer; then nothing comes any more.
async fn lead(client: TcpStream, server: UnixStream, is_armed: &AtomicBool) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let there = async {
        let mut bytes = vec![0; 65536];
        loop {
            let read = from_client.read(&mut bytes).await.unwrap_or(0);
            let said = &bytes[..read];
            let looks = said.windows(LOOK.len()).any(|it| it == LOOK);
            if looks && is_armed.swap(false, Ordering::SeqCst) {
                return true;
            }
            if read == 0 || to_server.write_all(said).await.is_err() {
                return false;
            }
        }
    };
    let is_silent = tokio::select! {
        is_silent = there => is_silent,
        _ = copy(&mut from_server, &mut to_client) => false,
    };
    if is_silent {
        std::future::pending::<()>().await;
    }
}

impl Way {
    /// One to the server of `url`.
    async fn to(url: &Url) -> Self {
        let is_armed = Arc::new(AtomicBool::new(false));
        let armed = Arc::clone(&is_armed);
        let address = way_to(url, move |client, server| {
            let armed = Arc::clone(&armed);
            async move { lead(client, server, &armed).await }
        });
        Self {
            address: address.await,
            is_armed,
        }
    }

    /// The URL of the same database by this way. Each statement travels with its text.
    fn url(&self, url: &Url) -> String {
        format!("{}?statement-cache-capacity=0", url_by(url, self.address))
    }

    /// Returns when a look has been swallowed.
    async fn swallow_a_look(&self) {
        self.is_armed.store(true, Ordering::SeqCst);
        eventually("the runner looks into the queue", async || {
            (!self.is_armed.load(Ordering::SeqCst)).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_runner_that_gets_no_answer_asks_again_and_keeps_nobody_from_ending_the_server() {
    let database = Server::prepare(Engine::Postgres, &[("SERVER__DRAIN_S", "0")]).await;
    let url = Url::parse(database.database_url().unwrap()).unwrap();
    let way = Way::to(&url).await;
    let mut node = database.beside_with(&[("DATABASE__URL", &way.url(&url))]);
    node.run().await;
    way.swallow_a_look().await;
    eventually("it no longer waits for the answer", async || {
        let log = node.log();
        log.contains("the queue of commands cannot be read")
            .then_some(())
    })
    .await;
    let client = node.client(&Credential::Nobody);
    eventually("the runner looks into the queue again", async || {
        let told = client.get("/readyz").await;
        (told.json["runner"] == "ok").then_some(())
    })
    .await;
    way.swallow_a_look().await;
    assert_eq!(node.terminate().await.code(), Some(0));
}
