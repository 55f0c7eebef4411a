//! `[secrets]`: the key that SSH secrets are encrypted with, never shown.

use std::fmt;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::check::Problems;

/// What stands where a secret was, in all that is shown.
pub const MASK: &str = "********";

/// Hexadecimal digits of a key: 256 bits.
const KEY_DIGITS: usize = 64;

/// A text with so many hexadecimal digits in a row may be a key, or most of one.
const TELLING_DIGITS: usize = 24;

const FORM: &str = "must be 64 hexadecimal digits, as `openssl rand -hex 32` prints them, or empty \
     on SQLite for a key in the data directory";

/// What secrets are encrypted with.
#[derive(Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SecretsConfig {
    /// 64 hexadecimal digits, or empty for a key in a file of the data directory. Neither `Debug` nor
    /// `Serialize` give it away.
    #[serde(deserialize_with = "text", serialize_with = "serialize_masked")]
    pub key: String,
}

impl SecretsConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        let is_digit = |letter: char| letter.is_ascii_hexdigit();
        let is_key = self.key.len() == KEY_DIGITS && self.key.chars().all(is_digit);
        if !self.key.is_empty() && !is_key {
            problems.add("secrets", "key", FORM);
        }
    }
}

impl fmt::Debug for SecretsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretsConfig")
            .field("key", &masked(&self.key))
            .finish()
    }
}

fn masked(key: &str) -> &'static str {
    if key.is_empty() { "" } else { MASK }
}

fn serialize_masked<S: Serializer>(key: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(masked(key))
}

/// A text; of anything else the reader's own message would repeat the value.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Given {
        Text(String),
        Other(IgnoredAny),
    }
    match Given::deserialize(deserializer)? {
        Given::Text(text) => Ok(text.trim().to_owned()),
        Given::Other(_) => Err(serde::de::Error::custom(FORM)),
    }
}

/// Masks what may be a key inside a longer text: it may stand anywhere by mistake.
pub(super) fn mask_keys_within(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let digits = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
        if digits >= TELLING_DIGITS {
            shown.push_str(MASK);
        } else {
            shown.push_str(&rest[..digits.max(first.len_utf8())]);
        }
        rest = &rest[digits.max(first.len_utf8())..];
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";

    #[test]
    fn no_form_of_the_key_is_shown() {
        let config = SecretsConfig { key: KEY.into() };
        assert_eq!(format!("{config:?}"), "SecretsConfig { key: \"********\" }");
        assert_eq!(toml::to_string(&config).unwrap(), "key = \"********\"\n");
        let empty = SecretsConfig::default();
        assert_eq!(toml::to_string(&empty).unwrap(), "key = \"\"\n");
        assert_eq!(
            mask_keys_within(&format!("già \"{KEY}\" and deadbeef{}", &KEY[..30])),
            "già \"********\" and ********"
        );
        assert_eq!(
            mask_keys_within("a face, 127.0.0.1: é"),
            "a face, 127.0.0.1: é"
        );
    }

    #[test]
    fn a_key_is_64_hexadecimal_digits() {
        for (key, is_good) in [
            (KEY, true),
            ("", true),
            (&KEY[1..], false),
            (&"g".repeat(64), false),
            (&"é".repeat(32), false),
        ] {
            let mut problems = Problems::default();
            SecretsConfig { key: key.into() }.check(&mut problems);
            assert_eq!(problems.0.is_empty(), is_good, "{key}");
        }
    }
}
