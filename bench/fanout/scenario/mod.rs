//! What is asked of every server.

mod connect;
mod deliver;
mod idle;
mod slow;

use std::time::Duration;

use anyhow::Result;

use self::connect::Connect;
use self::deliver::{Deliver, Pace};
use self::idle::Idle;
use self::slow::Slow;
use super::server::{PATIENT, Running};

/// Bytes of a frame, where nothing else is said.
const FRAME: usize = 300;

/// Something to measure.
pub trait Scenario {
    /// For the command line.
    fn name(&self) -> &'static str;

    /// For people.
    fn title(&self) -> String;

    /// How many sockets it opens at most.
    fn sockets(&self) -> usize;

    fn columns(&self) -> Vec<Column>;

    /// Whether each measurement needs a server that has just started.
    fn is_fresh(&self) -> bool {
        false
    }

    /// Where more rounds would tell nothing new.
    fn most_pairs(&self) -> usize {
        usize::MAX
    }

    /// Whether it asks for what that server has.
    fn is_for(&self, server: &str) -> bool {
        server != PATIENT
    }

    fn measure(&self, server: &Running) -> Result<Sample>;
}

/// What one server needed once. What a scenario does not measure stays 0.
#[derive(Clone, Copy, Default)]
pub struct Sample {
    /// Microseconds of the server's processor: a delivery, a connect, or an idle socket in a second.
    pub cpu: f64,
    /// The same of a delivery, without what the server takes while nothing is published.
    pub cpu_beyond: f64,
    /// Deliveries or connects a second, and in a second of the server's processor.
    pub rate: f64,
    pub cpu_rate: f64,
    /// Milliseconds from publishing to a delivery.
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    /// Milliseconds from publishing to the last delivery of a message.
    pub last_p50: f64,
    pub last_p90: f64,
    /// Part of its processor that the client needed.
    pub client: f64,
    pub lost: f64,
    /// Bytes a socket, of the server and of the kernel.
    pub memory: f64,
    pub kernel: f64,
    /// The rate beside slow readers against the one without them, and against the one beside as many fast
    /// ones; what became of the slow ones.
    pub kept: f64,
    pub kept_all: f64,
    pub published: f64,
    pub behind: f64,
    pub skipped: f64,
    pub closed: f64,
    pub up_to_date: f64,
}

/// A column of a table.
pub struct Column {
    pub title: &'static str,
    pub digits: usize,
    pub of: fn(&Sample) -> f64,
    pub shows: Shows,
}

/// What a table says of a column beside the median.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Shows {
    Median,
    /// The lowest and the highest.
    Spread,
    /// The paired ratios of fleetwire to the row's server.
    Ratio,
}

fn column(title: &'static str, digits: usize, shows: Shows, of: fn(&Sample) -> f64) -> Column {
    Column {
        title,
        digits,
        of,
        shows,
    }
}

/// Everything.
pub fn all() -> Vec<Box<dyn Scenario>> {
    let alone = |name, sockets, messages| {
        Box::new(Deliver {
            name,
            sockets,
            frame: FRAME,
            pace: Pace::Alone {
                queued: 1,
                messages,
            },
        })
    };
    let four = |name, sockets, messages| {
        Box::new(Deliver {
            name,
            sockets,
            frame: FRAME,
            pace: Pace::Alone {
                queued: 4,
                messages,
            },
        })
    };
    vec![
        alone("one-100", 100, 400),
        alone("one-1000", 1000, 150),
        alone("one-5000", 5000, 40),
        alone("one-18000", 18_000, 12),
        four("four-1000", 1000, 300),
        four("four-18000", 18_000, 24),
        Box::new(Deliver {
            name: "long",
            sockets: 1000,
            frame: 600,
            pace: Pace::Alone {
                queued: 1,
                messages: 150,
            },
        }),
        Box::new(Deliver {
            name: "fleet",
            sockets: 200,
            frame: FRAME,
            pace: Pace::Plan {
                a_second: 10_000,
                window: 512,
                span: Duration::from_secs(2),
            },
        }),
        Box::new(Deliver {
            name: "latency",
            sockets: 1000,
            frame: FRAME,
            pace: Pace::Plan {
                a_second: 20,
                window: 20,
                span: Duration::from_secs(4),
            },
        }),
        Box::new(Slow),
        Box::new(Idle {
            name: "idle",
            users: idle::MANY,
        }),
        Box::new(Idle {
            name: "idle-few-users",
            users: 10,
        }),
        Box::new(Connect),
    ]
}
