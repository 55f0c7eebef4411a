//! `[socket]`: the bounds of an open WebSocket.

use std::num::NonZero;
use std::thread;

use serde::{Deserialize, Serialize};

use super::check::{Problems, between};

/// Open sockets.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SocketConfig {
    /// Bytes that may be queued for a slow reader beyond the one message that always may.
    pub outbox_bytes: usize,
    /// Seconds between two pings.
    pub ping_s: u64,
    /// Seconds without inbound bytes or progress in writing after which a connection is dropped.
    pub idle_s: u64,
    /// Milliseconds in which messages for a socket that follow another are joined; 0 joins none.
    pub batch_ms: u64,
    /// Threads that serve open sockets; 0 for one a processor.
    pub threads: usize,
    /// How fast what a client sends is read (and thrown away), in bytes a second.
    pub inbound_bytes_per_second: usize,
}

impl Default for SocketConfig {
    fn default() -> Self {
        Self {
            outbox_bytes: 256 * 1024,
            ping_s: 20,
            idle_s: 30,
            batch_ms: 2,
            threads: 0,
            inbound_bytes_per_second: 16 * 1024 * 1024,
        }
    }
}

impl SocketConfig {
    /// How many threads that is on this machine.
    #[must_use]
    pub fn shards(&self) -> usize {
        match self.threads {
            0 => thread::available_parallelism().map_or(1, NonZero::get),
            threads => threads,
        }
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        let gib = 1 << 30;
        between(
            problems,
            "socket",
            "outbox_bytes",
            self.outbox_bytes as u64,
            0,
            gib,
        );
        between(problems, "socket", "batch_ms", self.batch_ms, 0, 1000);
        between(problems, "socket", "threads", self.threads as u64, 0, 1024);
        between(problems, "socket", "ping_s", self.ping_s, 1, 3600);
        between(problems, "socket", "idle_s", self.idle_s, 1, 7200);
        let inbound = self.inbound_bytes_per_second as u64;
        between(
            problems,
            "socket",
            "inbound_bytes_per_second",
            inbound,
            1024,
            gib,
        );
        if self.idle_s <= self.ping_s {
            // Of the two, the one that was set is the one to mend.
            let usual = Self::default();
            let (key, relation, other, value) = if self.idle_s == usual.idle_s {
                ("ping_s", "less", "idle_s", self.idle_s)
            } else {
                ("idle_s", "more", "ping_s", self.ping_s)
            };
            problems.add(
                "socket",
                key,
                format!(
                    "must be {relation} than socket.{other} ({value}): a silent client is only \
                     heard when it answers a ping"
                ),
            );
        }
    }
}
