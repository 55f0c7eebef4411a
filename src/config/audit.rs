//! `[audit]`: the log of who did what.

use serde::{Deserialize, Serialize};

use super::check::{A_CENTURY, Problems, between};

/// The audit log.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditConfig {
    /// Days that entries are kept; 0 for ever.
    pub keep_days: u64,
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self { keep_days: 365 }
    }
}

impl AuditConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        between(problems, "audit", "keep_days", self.keep_days, 0, A_CENTURY);
    }
}
