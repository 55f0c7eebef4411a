//! `[limits]`: how much of it one user, one address or one device may have. 0 is no limit.

use serde::{Deserialize, Serialize};

use super::check::{Problems, between};

/// Files that are left to everything that is no socket: the database, SSH, requests.
const OTHER_FILES: u64 = 256;

/// Limits; 0 of any is none.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Open sockets of this node.
    pub sockets: u32,
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
    /// Makes the limit of sockets what this process can have with so many open `files`: beyond it nothing
    /// could be opened, neither for a socket nor for the database.
    pub fn fit_into(&mut self, files: u64) {
        let most = u32::try_from(files.saturating_sub(OTHER_FILES).max(1)).unwrap_or(u32::MAX);
        if self.sockets == 0 || self.sockets > most {
            self.sockets = most;
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_never_more_sockets_than_files() {
        for (sockets, files, fitting) in [
            (0, 1024, 768),
            (100_000, 1024, 768),
            (500, 1024, 500),
            (0, 100, 1),
            (0, u64::MAX, u32::MAX),
        ] {
            let mut limits = LimitsConfig {
                sockets,
                ..LimitsConfig::default()
            };
            limits.fit_into(files);
            assert_eq!(limits.sockets, fitting, "{sockets} of {files}");
        }
    }
}
