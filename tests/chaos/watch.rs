//! What the nodes say of themselves from second to second: how they are (`/readyz`), what they have counted
//! (`/metrics`), what their clocks show. It shows that a fault happened, and that it is over.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::support::value_of;

const PAUSE: Duration = Duration::from_secs(1);

/// A node that takes longer says nothing. One whose database is away answers after 2 s.
const PATIENCE: Duration = Duration::from_secs(4);

/// Events of other nodes that came by hints.
const HINTS: &str = r#"fleetwire_hints_received_total{outcome="taken"}"#;
pub const CONFLATED: &str = r#"fleetwire_snapshots_total{outcome="conflated"}"#;
pub const IDLE: &str = r#"fleetwire_sockets_closed_total{reason="idle"}"#;
pub const TAIL_FAILED: &str = "fleetwire_tail_failures_total";
const CLOCK_AHEAD: &str = "fleetwire_clock_ahead_seconds";
pub const LEASES_UNREACHABLE: &str = r#"fleetwire_lease_checks_total{outcome="unreachable"}"#;

/// What is looked at of all that nodes count.
const SERIES: [&str; 5] = [HINTS, CONFLATED, IDLE, TAIL_FAILED, LEASES_UNREACHABLE];

/// Where a node is asked.
#[derive(Clone, Copy, Debug)]
pub struct Door {
    pub address: SocketAddr,
    pub metrics: SocketAddr,
}

/// What was seen of a node, since it was last forgotten.
#[derive(Clone, Debug, Default)]
pub struct Signs {
    /// How often its port refused, how often nothing was heard of it, and how often it answered.
    pub refused: usize,
    pub silent: usize,
    pub answered: usize,
    /// How often it said that its database, and that its hints are not well.
    pub without_database: usize,
    pub without_hints: usize,
    /// By how many seconds its clock was behind the database's at most, and ahead of it.
    pub behind: i64,
    pub ahead: i64,
    /// Whether it is well, as it said last.
    is_well: bool,
    /// By how much what it counts has grown. It counts anew when it is started again.
    grown: BTreeMap<String, u64>,
}

/// A node's counts, and its signs.
#[derive(Default)]
struct Node {
    counts: BTreeMap<String, u64>,
    signs: Signs,
}

/// What one look at a node brings.
enum Look {
    Refused,
    Silent,
    Told {
        readiness: Value,
        /// By how many seconds its clock is ahead of the database's.
        ahead: i64,
        counts: BTreeMap<String, u64>,
    },
}

/// Looks at all nodes again and again, until it is dropped.
pub struct Watch {
    nodes: Arc<Vec<Mutex<Node>>>,
    _tasks: JoinSet<()>,
}

impl Watch {
    pub fn begin(doors: &[Door]) -> Self {
        let nodes: Vec<Mutex<Node>> = doors.iter().map(|_| Mutex::default()).collect();
        let nodes = Arc::new(nodes);
        let http = reqwest::Client::builder()
            .no_proxy()
            .pool_max_idle_per_host(0)
            .timeout(PATIENCE);
        let http = http.build().expect("a plain HTTP client");
        let mut tasks = JoinSet::new();
        for (number, door) in doors.iter().copied().enumerate() {
            let (nodes, http) = (Arc::clone(&nodes), http.clone());
            tasks.spawn(async move {
                loop {
                    let look = look(&http, door).await;
                    nodes[number].lock().unwrap().note(look);
                    sleep(PAUSE).await;
                }
            });
        }
        Self {
            nodes,
            _tasks: tasks,
        }
    }

    /// What was seen of each node since this was asked last is forgotten.
    pub fn forget(&self) {
        for mut node in self.nodes() {
            node.signs = Signs::default();
        }
    }

    pub fn signs(&self) -> Vec<Signs> {
        self.nodes().map(|node| node.signs.clone()).collect()
    }

    fn nodes(&self) -> impl Iterator<Item = MutexGuard<'_, Node>> {
        self.nodes.iter().map(|node| node.lock().unwrap())
    }
}

impl Signs {
    /// By how much a series has grown.
    pub fn grown(&self, series: &str) -> u64 {
        self.grown.get(series).copied().unwrap_or(0)
    }

    /// Whether it was away for a while.
    pub fn was_away(&self) -> bool {
        self.refused + self.silent > 0
    }

    /// Whether it is ready in all its parts; and, where it is one of several, hears of the others' events at once.
    pub fn is_well(&self, is_alone: bool) -> bool {
        self.is_well && (is_alone || self.grown(HINTS) > 0)
    }
}

impl Node {
    fn note(&mut self, look: Look) {
        let signs = &mut self.signs;
        signs.is_well = false;
        match look {
            Look::Refused => signs.refused += 1,
            Look::Silent => signs.silent += 1,
            Look::Told {
                readiness,
                ahead,
                counts,
            } => {
                signs.answered += 1;
                signs.without_database += usize::from(readiness["database"] != "ok");
                signs.without_hints += usize::from(readiness["hints"] != "ok");
                signs.is_well = readiness["ready"] == true && readiness["degraded"] == false;
                signs.behind = signs.behind.max(-ahead);
                signs.ahead = signs.ahead.max(ahead);
                for (series, count) in &counts {
                    let before = self.counts.get(series).copied();
                    // What is seen for the first time may be older than the watch; less than before is a new start.
                    let more = match before {
                        Some(before) => count.checked_sub(before).unwrap_or(*count),
                        None if self.counts.is_empty() => 0,
                        None => *count,
                    };
                    *signs.grown.entry(series.clone()).or_default() += more;
                }
                self.counts.extend(counts);
            }
        }
    }
}

async fn look(http: &reqwest::Client, door: Door) -> Look {
    match timeout(PATIENCE, TcpStream::connect(door.address)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => return Look::Refused,
        _ => return Look::Silent,
    }
    tell(http, door).await.unwrap_or(Look::Silent)
}

async fn tell(http: &reqwest::Client, door: Door) -> Result<Look, reqwest::Error> {
    let readiness = http.get(format!("http://{}/readyz", door.address));
    let readiness = readiness.send().await?.text().await?;
    let counts = http.get(format!("http://{}/metrics", door.metrics));
    let counts = counts.send().await?.text().await?;
    Ok(Look::Told {
        readiness: serde_json::from_str(&readiness).unwrap_or(Value::Null),
        ahead: value_of(&counts, CLOCK_AHEAD)
            .and_then(|it| it.parse().ok())
            .unwrap_or(0),
        counts: read_counts(&counts),
    })
}

fn read_counts(text: &str) -> BTreeMap<String, u64> {
    let series = text.lines().filter(|line| !line.starts_with('#'));
    let pairs = series.filter_map(|line| line.rsplit_once(' '));
    pairs
        .filter(|(series, _)| SERIES.contains(series))
        .filter_map(|(series, count)| Some((series.to_owned(), count.parse().ok()?)))
        .collect()
}
