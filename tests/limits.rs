//! Limits: each is met, answered clearly and counted, nobody else is harmed by it, and it gives room again.

mod commands;
mod connections;
mod requests;
mod sockets;

use crate::support::{Answer, Client, Credential, Head, Seed, Server, eventually, free_address};

/// A server with limits, whose metrics are read.
struct Stage {
    server: Server,
    metrics: Client,
    organization: String,
    root: Credential,
}

impl Stage {
    async fn set_up(settings: &[(&str, &str)]) -> Self {
        let address = free_address();
        let listen = address.to_string();
        let settings = [settings, &[("METRICS__LISTEN", &*listen)]].concat();
        let server = Server::start_with(&settings).await;
        let seed = Seed(&server);
        let (organization, root) = (seed.organization("Alpha"), seed.root());
        Self {
            server,
            metrics: Client::of(address),
            organization,
            root,
        }
    }

    fn seed(&self) -> Seed<'_> {
        Seed(&self.server)
    }

    fn nobody(&self) -> Client {
        self.server.client(&Credential::Nobody)
    }

    /// How often a limit was met so far.
    async fn hits(&self, limit: &str) -> u64 {
        self.counted(&format!("fleetwire_limits_hit_total{{limit=\"{limit}\"}} "))
            .await
    }

    /// The number behind what a line of the metrics begins with; 0 where there is none.
    async fn counted(&self, start: &str) -> u64 {
        let text = self.metrics.get("/metrics").await.text;
        let line = text.lines().find_map(|line| line.strip_prefix(start));
        line.map_or(0, |count| count.parse().unwrap())
    }

    /// Waits until so many connections are open that are no sockets.
    async fn has_connections(&self, count: u64) {
        eventually(&format!("{count} connections are open"), async || {
            let open = self.counted("fleetwire_connections_open ").await;
            (open == count).then_some(())
        })
        .await;
    }

    /// Waits until that is so.
    async fn has_hit(&self, limit: &str, count: u64) {
        eventually(&format!("{limit} was counted"), async || {
            (self.hits(limit).await == count).then_some(())
        })
        .await;
    }
}

/// The seconds after which one that was refused may try again.
fn retry_after_of(head: &Head) -> u64 {
    let seconds: u64 = head.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&seconds), "{}", head.text);
    seconds
}

/// The seconds after which an answer lets one try again.
fn retry_after(answer: &Answer) -> u64 {
    let seconds = answer.header("retry-after");
    let seconds = seconds.parse().unwrap_or_else(|_| panic!("{answer:?}"));
    assert!((1..=60).contains(&seconds), "{seconds}");
    seconds
}
