//! Two nodes on one PostgreSQL, and perhaps a Redis between them.

use tempfile::TempDir;

use crate::support::{
    Credential, Engine, FLEET, Redis, Seed, Server, Socket, coordinates, free_address, value_of,
};

/// The longest interval of the tail: what comes sooner was not brought by it.
pub const NO_TAIL: (&str, &str) = ("INGEST__TAIL_MS", "60000");

/// Two running nodes, one organization with a mobile location, and a superuser.
pub struct Cluster {
    pub nodes: [Server; 2],
    /// Where each shows its metrics.
    metrics: [String; 2],
    pub redis: Option<Redis>,
    pub token: Credential,
    pub organization: String,
    pub location: String,
    _directory: TempDir,
}

impl Cluster {
    /// One whose hints go through a Redis of its own.
    pub async fn with_redis(settings: &[(&str, &str)]) -> Self {
        let directory = TempDir::with_prefix("fleetwire-nodes-").unwrap();
        let redis = Redis::start(directory.path(), "redis", Some("s3cret")).await;
        let url = redis.url(0);
        let settings = [settings, &[("HINTS__URL", &url)]].concat();
        Self::start(&settings, Some(redis), directory).await
    }

    /// One whose hints go through the database.
    pub async fn without_redis(settings: &[(&str, &str)]) -> Self {
        let directory = TempDir::with_prefix("fleetwire-nodes-").unwrap();
        Self::start(settings, None, directory).await
    }

    async fn start(settings: &[(&str, &str)], redis: Option<Redis>, directory: TempDir) -> Self {
        let metrics = [(); 2].map(|()| free_address().to_string());
        let first = [settings, &[("METRICS__LISTEN", &metrics[0])]].concat();
        let mut first = Server::prepare(Engine::Postgres, &first).await;
        let mut second = first.beside_with(&[("METRICS__LISTEN", &metrics[1])]);
        let seed = Seed(&first);
        let organization = seed.organization("Alpha");
        let location = seed.location("bus", &organization, &["--mobile", "--point", "0,0"]);
        let token = seed.root();
        first.run().await;
        second.run().await;
        Self {
            nodes: [first, second],
            metrics,
            redis,
            token,
            organization,
            location,
            _directory: directory,
        }
    }

    pub fn redis(&mut self) -> &mut Redis {
        self.redis.as_mut().expect("a Redis")
    }

    /// Somebody who watches the fleet of some organizations, and nothing else.
    pub fn manager(&self, name: &str, organizations: &[&str]) -> Credential {
        let mut flags = vec!["--staff", "--permission", "geo.view_location"];
        for organization in organizations {
            flags.extend(["--manages", *organization]);
        }
        Seed(&self.nodes[0]).user_with_token(name, &flags)
    }

    /// The superuser's feed of all fleets at a node.
    pub async fn fleet(&self, node: usize) -> Socket {
        Socket::open(&self.nodes[node], FLEET, &self.token).await
    }

    /// Moves the location through a node: the step is its longitude.
    pub async fn step(&self, node: usize, step: u32) {
        let client = self.nodes[node].client(&self.token);
        let longitude = f64::from(step) / 100.0;
        client.move_location(&self.location, longitude, 1.0).await;
    }

    /// The value of a series that a node counts; 0 for what it has not counted yet.
    pub async fn counted(&self, node: usize, series: &str) -> u64 {
        let url = format!("http://{}/metrics", self.metrics[node]);
        let text = reqwest::get(url).await.unwrap().text().await.unwrap();
        value_of(&text, series).map_or(0, |value| value.parse().unwrap())
    }

    /// How many events a node has handed to its sockets that came by `origin`.
    pub async fn published(&self, node: usize, origin: &str) -> u64 {
        let series = format!("fleetwire_events_published_total{{origin=\"{origin}\"}}");
        self.counted(node, &series).await
    }
}

/// The step that a message of a location tells.
pub fn step_of(message: &serde_json::Value) -> u32 {
    let longitude = coordinates(message).0;
    // Steps are few and whole.
    format!("{:.0}", longitude * 100.0).parse().unwrap()
}

/// Reads on to the last step, and answers with all on the way; none goes backwards and none comes twice.
pub async fn steps_until(socket: &mut Socket, last: u32) -> Vec<u32> {
    let mut steps: Vec<u32> = Vec::new();
    while steps.last() != Some(&last) {
        let step = step_of(&socket.next().await);
        assert!(
            steps.last().is_none_or(|before| *before < step),
            "{step} after {steps:?}"
        );
        steps.push(step);
    }
    steps
}
