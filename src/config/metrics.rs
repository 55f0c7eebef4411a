//! `[metrics]`: the listener for Prometheus.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::check::Problems;

/// Metrics.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsConfig {
    /// Address and port of the Prometheus listener; empty for none.
    pub listen: String,
}

impl MetricsConfig {
    /// Where to listen, or `None` when metrics are off.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        // Checked when the configuration was loaded; off is what an empty text means.
        self.listen.parse().ok()
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        if !self.listen.is_empty() && self.address().is_none() {
            problems.add(
                "metrics",
                "listen",
                format!(
                    "\"{}\" is no IP address with a port such as 127.0.0.1:9100; leave it empty for \
                     no metrics",
                    self.listen
                ),
            );
        }
    }
}
