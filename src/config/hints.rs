//! `[hints]`: what tells other nodes of a committed change at once.

use serde::{Deserialize, Serialize};

use super::check::Problems;
use super::database::misread;
use super::gateway::HiddenUrl;

/// The longest prefix: a channel's name is sent with each message.
const PREFIX: usize = 64;

/// Hints between nodes.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct HintsConfig {
    /// The Redis that carries them, as a URL; empty for PostgreSQL's NOTIFY.
    pub url: HiddenUrl,
    /// What its channels begin with; empty for a name made of the database's identity.
    pub prefix: String,
}

impl HintsConfig {
    pub(super) fn check(&self, problems: &mut Problems, is_on_sqlite: bool) {
        let known = ["redis://", "rediss://", "unix://"];
        let url = &self.url.0;
        if url.is_empty() {
            // Nothing else matters.
        } else if !known.iter().any(|scheme| url.starts_with(scheme)) {
            // Whatever it is, it may be a secret: it is not repeated.
            let reason = "must start with redis://, rediss:// (TLS) or unix://, or be empty for PostgreSQL's NOTIFY";
            problems.add("hints", "url", reason);
        } else if let Some(reason) = misread(url) {
            problems.add("hints", "url", reason);
        } else if !has_a_database(url) {
            let reason = "what stands behind the host must be the number of a database, or nothing";
            problems.add("hints", "url", reason);
        } else if is_on_sqlite {
            let reason = "is for several nodes on one PostgreSQL, and this one is on SQLite: set database.url as well, or leave it out";
            problems.add("hints", "url", reason);
        }
        // Nothing that a pattern of channels would read as more than itself.
        let is_plain = |it: char| it.is_ascii_alphanumeric() || "-_.:".contains(it);
        if self.prefix.len() > PREFIX || !self.prefix.chars().all(is_plain) {
            let reason = format!("must be at most {PREFIX} letters, digits or any of -_.:");
            problems.add("hints", "prefix", reason);
        }
    }
}

/// Whether the path of a Redis' URL is a database of it; of a socket's it is the file.
fn has_a_database(url: &str) -> bool {
    let behind = url.split_once("://").map_or("", |(_, rest)| rest);
    let path = behind.split_once('/').map_or("", |(_, path)| path);
    let number = path.split('?').next().unwrap_or_default();
    url.starts_with("unix:") || number.is_empty() || number.parse::<u32>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(url: &str, prefix: &str, is_on_sqlite: bool) -> Vec<String> {
        let config = HintsConfig {
            url: HiddenUrl(url.into()),
            prefix: prefix.into(),
        };
        let mut problems = Problems::default();
        config.check(&mut problems, is_on_sqlite);
        let told = problems.0.into_iter();
        told.map(|it| format!("{}: {}", it.path.join("."), it.reason))
            .collect()
    }

    #[test]
    fn redis_is_named_by_a_url_and_only_beside_postgresql() {
        for url in ["", "redis://r", "rediss://:s3cret@r:6380/0", "unix:///r"] {
            assert_eq!(problems(url, "fleet:7", false), [""; 0], "{url}");
        }
        assert_eq!(problems("", "", true), [""; 0]);
        for url in ["http://s3cret", "s3cret", "redis:/s3cret"] {
            let told = problems(url, "", false);
            assert!(told[0].starts_with("hints.url: must start"), "{told:?}");
            assert!(!told[0].contains("s3cret"), "{told:?}");
        }
        // The Redis behind it would be away for ever.
        for url in [
            "redis://u:s3cret/x@r:1",
            "redis://r/s3cret",
            "redis://r:s3cret",
        ] {
            let told = problems(url, "", false);
            let [told] = &told[..] else {
                panic!("{url}: {told:?}")
            };
            assert!(
                told.starts_with("hints.url: ") && !told.contains("s3cret"),
                "{told}"
            );
        }
        let told = problems("redis://:s3cret@r", "", true);
        assert!(told[0].contains("database.url"), "{told:?}");
        assert!(!told[0].contains("s3cret"), "{told:?}");
    }

    #[test]
    fn a_prefix_is_no_pattern() {
        for prefix in ["a*", "a?", "[a]", "a b", "é", &"a".repeat(65)] {
            let told = problems("", prefix, false);
            assert!(told[0].starts_with("hints.prefix:"), "{prefix}: {told:?}");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        let config = HintsConfig {
            url: HiddenUrl("rediss://fleet:s3cret@redis:6379".into()),
            prefix: String::new(),
        };
        assert!(!format!("{config:?}").contains("s3cret"));
        let shown = toml::to_string(&config).unwrap();
        assert!(
            shown.contains("rediss://fleet:********@redis:6379"),
            "{shown}"
        );
    }
}
