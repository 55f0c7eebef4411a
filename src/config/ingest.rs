//! `[ingest]`: how committed changes are found.

use serde::{Deserialize, Serialize};

use super::check::{Problems, between};

/// The tail of the database.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct IngestConfig {
    /// Milliseconds between two readings of what was committed without a hint.
    pub tail_ms: u64,
}

impl Default for IngestConfig {
    fn default() -> Self {
        Self { tail_ms: 250 }
    }
}

impl IngestConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        between(problems, "ingest", "tail_ms", self.tail_ms, 10, 60_000);
    }
}
