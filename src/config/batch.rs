//! `[batch]`: one command on many devices.

use serde::{Deserialize, Serialize};

use super::check::{Problems, between};

/// Batches.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct BatchConfig {
    /// Devices that a batch may have.
    pub max_devices: usize,
    /// Seconds that each of its commands may wait for its start before it expires.
    pub queue_s: u64,
}

impl Default for BatchConfig {
    fn default() -> Self {
        Self {
            max_devices: 1000,
            queue_s: 3600,
        }
    }
}

impl BatchConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        let a_week = 604_800;
        for (key, value, most) in [
            ("max_devices", self.max_devices as u64, 10_000),
            ("queue_s", self.queue_s, a_week),
        ] {
            between(problems, "batch", key, value, 1, most);
        }
    }
}
