//! `[database]`: which database, and keeping its password to itself.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

use super::check::Problems;
use super::secrets::MASK;

/// Where the data is.
#[derive(Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseConfig {
    /// `postgres://…`, or empty for `SQLite` in the data directory. May hold a password: neither
    /// `Debug` nor `Serialize` give it away.
    #[serde(serialize_with = "serialize_redacted")]
    pub url: String,
}

impl DatabaseConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        let known = ["postgres://", "postgresql://"];
        if !self.url.is_empty() && !known.iter().any(|scheme| self.url.starts_with(scheme)) {
            // Whatever it is, it may be a secret: it is not repeated.
            problems.add(
                "database",
                "url",
                "must start with postgres:// or postgresql://, or be empty for SQLite in the data \
                 directory",
            );
        } else if let Some(reason) = misread(&self.url) {
            problems.add("database", "url", reason);
        }
    }

    /// The URL with its passwords masked: what may be shown.
    #[must_use]
    pub fn redacted_url(&self) -> String {
        redact(&self.url)
    }
}

impl fmt::Debug for DatabaseConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseConfig")
            .field("url", &self.redacted_url())
            .finish()
    }
}

fn serialize_redacted<S: Serializer>(url: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&redact(url))
}

/// Why the place that a URL names cannot be read, if it cannot. Most often a password has a character in it that ends
/// the name of the host. Whatever it is, it may be a secret: it is not repeated.
pub(super) fn misread(url: &str) -> Option<&'static str> {
    let (_, rest) = url.split_once("://")?;
    let (authority, behind) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let place = authority.rsplit_once('@').map_or(authority, |(_, it)| it);
    // Colons within brackets are those of an IPv6 address.
    let host_and_port = place.rsplit_once(']').map_or(place, |(_, port)| port);
    let port = host_and_port.rsplit_once(':').map_or("", |(_, port)| port);
    let is_port = port.is_empty() || port.parse::<u16>().is_ok();
    let path = behind.split('?').next().unwrap_or_default();
    (!is_port || path.contains('@')).then_some(
        "cannot be read as a URL: within a user name or a password, / ? # and @ are written %2F, %3F, %23 \
         and %40; and a port is a number up to 65535",
    )
}

/// Masks what may be a password in `url`: that of the user, and parameters whose names say so. What
/// is no URL, or where an `@` leaves it open what is a password, is masked as a whole.
pub(super) fn redact(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return if url.is_empty() {
            String::new()
        } else {
            MASK.to_owned()
        };
    };
    let before_last_at = rest.rsplit_once('@').map_or("", |(before, _)| before);
    if before_last_at.contains(['?', '@']) {
        return format!("{scheme}://{MASK}");
    }
    let (user, rest) = match rest.split_once('@') {
        Some((user, rest)) => match user.split_once(':') {
            Some((name, _)) => (format!("{name}:{MASK}@"), rest),
            None => (format!("{user}@"), rest),
        },
        None => (String::new(), rest),
    };
    let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let mut shown = format!("{scheme}://{user}{place}");
    for (index, parameter) in parameters
        .split('&')
        .filter(|text| !text.is_empty())
        .enumerate()
    {
        shown.push(if index == 0 { '?' } else { '&' });
        match parameter.split_once('=') {
            Some((name, _)) if name.to_ascii_lowercase().contains("pass") => {
                shown.push_str(name);
                shown.push('=');
                shown.push_str(MASK);
            }
            _ => shown.push_str(parameter),
        }
    }
    shown
}

/// Masks the password of every URL inside a longer text, such as another library's error message.
pub(super) fn redact_within(text: &str) -> String {
    text.split_inclusive(char::is_whitespace)
        .map(|word| {
            if word.contains("://")
                && (word.contains('@') || word.to_ascii_lowercase().contains("pass"))
            {
                redact(word)
            } else {
                word.to_owned()
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_that_no_library_can_read_is_refused_before_anything_is_connected() {
        for url in [
            "postgres://a:s3cret/w@h/x",
            "postgres://a:s3cret?w@h/x",
            "postgres://a:12/s3cret@h:1/x",
            "postgres://a:12#s3cret@h",
            "postgres://a:p@h:99999/x",
        ] {
            let mut problems = Problems::default();
            DatabaseConfig { url: url.into() }.check(&mut problems);
            let [problem] = &problems.0[..] else {
                panic!("{url}")
            };
            assert!(problem.reason.starts_with("cannot be read"), "{url}");
            assert!(!problem.reason.contains("s3cret"), "{url}");
        }
        for url in [
            "postgres://h",
            "postgres://a:p%2Fw@h:5432/x?sslmode=require",
            "postgres://a@%2Frun%2Fpostgresql/x",
            "postgres://a:p@[::1]:5432/x",
            "postgres://a:p@[::1]/x?password=s3@cret",
            "postgres:///x?host=/run/postgresql",
        ] {
            assert_eq!(misread(url), None, "{url}");
        }
    }

    #[test]
    fn no_form_of_a_password_is_shown() {
        for (url, shown) in [
            ("", ""),
            (
                "postgres://fleet:s3cret@db:5432/fleetwire",
                "postgres://fleet:********@db:5432/fleetwire",
            ),
            (
                "postgres://fleet:s3@cret@db/fleetwire",
                "postgres://********",
            ),
            (
                "postgres://fleet:s3/c?ret@db/fleetwire",
                "postgres://********",
            ),
            (
                "postgres://db/fleetwire?password=s3@cret",
                "postgres://********",
            ),
            (
                "postgres://fleet@db/x?password=s3@cret",
                "postgres://********",
            ),
            ("postgres://db:5432/x?password=@cret", "postgres://********"),
            (
                "postgres://fleet@db/fleetwire",
                "postgres://fleet@db/fleetwire",
            ),
            (
                "postgres://db/fleetwire?sslmode=require&password=s3cret",
                "postgres://db/fleetwire?sslmode=require&password=********",
            ),
            // Redis' clients have another word for it.
            (
                "unix:///redis.sock?db=1&user=fleet&pass=s3cret",
                "unix:///redis.sock?db=1&user=fleet&pass=********",
            ),
            ("s3cret", "********"),
        ] {
            let config = DatabaseConfig { url: url.into() };
            assert_eq!(config.redacted_url(), shown);
            assert!(!format!("{config:?}").contains("cret"), "{config:?}");
            assert!(!toml::to_string(&config).unwrap().contains("cret"));
        }
    }
}
