//! `[lease]`: how open sockets prove that they may stay open.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::check::{Problems, between};

/// Re-checking the rights behind open sockets.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LeaseConfig {
    /// Milliseconds between two checks of whose rights have changed.
    pub check_ms: u64,
    /// Seconds that sockets stay open while the database cannot be asked.
    pub grace_s: u64,
}

impl Default for LeaseConfig {
    fn default() -> Self {
        Self {
            check_ms: 2000,
            grace_s: 60,
        }
    }
}

impl LeaseConfig {
    /// How long sockets stay open while the database cannot be asked.
    #[must_use]
    pub fn grace(&self) -> Duration {
        Duration::from_secs(self.grace_s)
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        // The contract closes within 5 s what lost its right; a check takes its time too.
        between(problems, "lease", "check_ms", self.check_ms, 50, 2500);
        between(problems, "lease", "grace_s", self.grace_s, 0, 86_400);
    }
}
