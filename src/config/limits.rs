//! `[limits]`: how much of it one user, one address or one device may have. 0 is no limit.

use serde::{Deserialize, Serialize};

use super::check::{Problems, between};

/// Files that are left to what no client has opened: the database, SSH.
const OTHER_FILES: u64 = 256;

/// Limits; 0 of any is none.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Open sockets of this node.
    pub sockets: u32,
    /// Open connections of this node that are no sockets: requests, and those that have said nothing yet.
    pub connections: u32,
    /// Those of one address (of IPv6: of one /64).
    pub connections_per_address: u32,
    /// Open sockets of one user on this node.
    pub sockets_per_user: u32,
    /// Open sockets of one address (of IPv6: of one /64) on this node.
    pub sockets_per_address: u32,
    /// Handshakes of which this node asks who it is, in a second.
    pub handshakes_per_second: u32,
    /// Those of one address (of IPv6: of one /64).
    pub handshakes_per_second_per_address: u32,
    /// Reports of coordinates of one device that this node takes, in a second on average.
    pub reports_per_second: u32,
    /// Commands that may wait for one device.
    pub commands_per_device: u32,
    /// Commands that may wait for all devices of one organization.
    pub commands_per_organization: u32,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            sockets: 100_000,
            connections: 20_000,
            connections_per_address: 5000,
            sockets_per_user: 10_000,
            sockets_per_address: 0,
            handshakes_per_second: 5000,
            handshakes_per_second_per_address: 1000,
            reports_per_second: 20,
            commands_per_device: 100,
            commands_per_organization: 20_000,
        }
    }
}

impl LimitsConfig {
    /// Makes the limits of sockets and connections what this process can have with so many open `files`: beyond
    /// it nothing could be opened, neither for a client nor for the database.
    pub fn fit_into(&mut self, files: u64) {
        let most = u32::try_from(files.saturating_sub(OTHER_FILES).max(2)).unwrap_or(u32::MAX);
        // Most are for sockets. Each was a connection before, but for a moment only.
        self.connections = fitting(self.connections, (most / 8).max(1));
        self.sockets = fitting(self.sockets, most - self.connections);
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        // What a second is divided by.
        let a_nanosecond_each = 1_000_000_000;
        for (key, value) in [
            ("handshakes_per_second", self.handshakes_per_second),
            (
                "handshakes_per_second_per_address",
                self.handshakes_per_second_per_address,
            ),
            ("reports_per_second", self.reports_per_second),
        ] {
            between(problems, "limits", key, value.into(), 0, a_nanosecond_each);
        }
    }
}

/// A limit, where 0 is none, that is to be no more than `most`.
fn fitting(limit: u32, most: u32) -> u32 {
    if limit == 0 { most } else { limit.min(most) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_never_more_sockets_and_connections_than_files() {
        for (sockets, connections, files, fitting) in [
            (0, 0, 1024, (672, 96)),
            (100_000, 20_000, 1024, (672, 96)),
            (500, 50, 1024, (500, 50)),
            (0, 50, 1024, (718, 50)),
            (0, 0, 100, (1, 1)),
            (100_000, 20_000, 1 << 20, (100_000, 20_000)),
            (0, 20_000, u64::MAX, (u32::MAX - 20_000, 20_000)),
        ] {
            let mut limits = LimitsConfig {
                sockets,
                connections,
                ..LimitsConfig::default()
            };
            limits.fit_into(files);
            let fit = (limits.sockets, limits.connections);
            assert_eq!(fit, fitting, "{sockets} and {connections} of {files}");
        }
    }
}
