//! `[log]`: what is written to standard error, and how.

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::check::Problems;

/// Logs.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// `text` or `json`.
    pub format: LogFormat,
    /// A filter as of tracing's `EnvFilter`: `info`, `warn,fleetwire=debug`.
    pub level: String,
}

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for machines.
    Json,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            level: "info".into(),
        }
    }
}

impl LogConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        if let Err(reason) = check_filter(&self.level) {
            problems.add("log", "level", reason);
        }
    }
}

fn check_filter(filter: &str) -> Result<(), String> {
    let form = "levels are off, error, warn, info, debug, trace, also for one module: \
                info,fleetwire=debug";
    if filter.trim().is_empty() {
        return Err(format!("must not be empty; {form}"));
    }
    for directive in filter.split(',').map(str::trim) {
        // `EnvFilter` takes a lone word that is no level for a module's name, and logs everything
        // of that module and nothing else: what a misspelt level would become.
        let is_word = !directive.contains(['=', '[']);
        if directive.is_empty() || is_word && directive.parse::<LevelFilter>().is_err() {
            return Err(format!("\"{directive}\" is no level; {form}"));
        }
    }
    EnvFilter::try_new(filter)
        .map(drop)
        .map_err(|error| format!("\"{filter}\": {error}; {form}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_level_is_refused_and_not_taken_for_a_module() {
        for good in [
            "info",
            "off",
            "WARN",
            "info,fleetwire=debug",
            "warn,fleetwire::store=trace",
        ] {
            assert_eq!(check_filter(good), Ok(()), "{good}");
        }
        for bad in ["", "inof", "info,debgu", "fleetwire=loud", "info,,warn"] {
            assert!(check_filter(bad).is_err(), "{bad}");
        }
    }
}
