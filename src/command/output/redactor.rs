//! Secrets, kept out of what is shown.

use std::fmt;

use crate::config::MASK;

/// Replaces secrets in a text that comes in pieces, with the outcome that it would have for the
/// whole: from the left, of several secrets that begin in one place the longest. The end of a piece
/// that may become a secret is held back, so that what was given out stays true.
#[derive(Default)]
pub struct Redactor {
    /// Longest first; none is empty.
    secrets: Vec<String>,
    held: String,
}

/// So many characters of a secret tell of it; fewer stand at the end of many a text by chance.
const TELLING: usize = 4;

impl fmt::Debug for Redactor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Redactor")
            .field("secrets", &self.secrets.len())
            .finish_non_exhaustive()
    }
}

impl Redactor {
    /// Keeps these texts back. Empty ones are ignored.
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        let mut secrets: Vec<String> = secrets.into_iter().filter(|it| !it.is_empty()).collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.dedup();
        Self {
            secrets,
            held: String::new(),
        }
    }

    /// The text that is certain by now.
    pub fn redact(&mut self, text: &str) -> String {
        if self.secrets.is_empty() {
            return text.to_owned();
        }
        self.held.push_str(text);
        self.take(begins_one)
    }

    /// What is left when nothing more comes. The beginning of a secret there is one that was cut off.
    pub fn finish(&mut self) -> String {
        let mut text = self.take(|rest, secrets| {
            rest.chars().nth(TELLING - 1).is_some() && begins_one(rest, secrets)
        });
        if !std::mem::take(&mut self.held).is_empty() {
            text.push_str(MASK);
        }
        text
    }

    /// Gives out what was held, up to the first place from where the rest is to be kept back.
    fn take(&mut self, is_kept: impl Fn(&str, &[String]) -> bool) -> String {
        let held = std::mem::take(&mut self.held);
        let longest = self.secrets.first().map_or(0, String::len);
        let mut text = String::with_capacity(held.len());
        let mut rest = held.as_str();
        while let Some(first) = rest.chars().next() {
            // A longer secret may begin where a shorter one stands.
            if rest.len() < longest && is_kept(rest, &self.secrets) {
                break;
            }
            let secret = self.secrets.iter().find(|it| rest.starts_with(it.as_str()));
            if let Some(secret) = secret {
                text.push_str(MASK);
                rest = &rest[secret.len()..];
            } else {
                text.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
        rest.clone_into(&mut self.held);
        text
    }
}

/// Whether `rest` is the beginning of a secret, and not all of it.
fn begins_one(rest: &str, secrets: &[String]) -> bool {
    secrets
        .iter()
        .any(|secret| secret.len() > rest.len() && secret.starts_with(rest))
}

#[cfg(test)]
mod tests {
    use super::super::pieces::pieces;
    use super::*;

    fn redacted(secrets: &[&str], text: &str) -> String {
        let mut redactor = Redactor::new(secrets.iter().map(|it| (*it).to_owned()));
        redactor.redact(text) + &redactor.finish()
    }

    #[test]
    fn each_occurrence_is_masked() {
        assert_eq!(redacted(&["s3cret"], "s3cret"), MASK);
        assert_eq!(
            redacted(&["s3cret"], "is s3crets3cret?"),
            "is ****************?"
        );
        assert_eq!(redacted(&["ö"], "schön"), "sch********n");
        assert_eq!(redacted(&["", "x"], "axb"), "a********b");
        assert_eq!(redacted(&[], "text"), "text");
    }

    #[test]
    fn of_two_secrets_the_longer_is_masked() {
        assert_eq!(redacted(&["abc", "abcdef"], "abcdef"), MASK);
        assert_eq!(redacted(&["abc", "abcdef"], "abcdeg"), "********deg");
        assert_eq!(redacted(&["aa"], "aaa"), "********a");
    }

    #[test]
    fn only_what_may_become_a_secret_is_held_back() {
        let mut redactor = Redactor::new(["secret".to_owned()]);
        assert_eq!(redactor.redact("see s"), "see ");
        assert_eq!(redactor.redact("ec"), "");
        assert_eq!(redactor.redact("ret sec"), "******** ");
        assert_eq!(redactor.finish(), "sec");
        assert_eq!(redactor.finish(), "");
    }

    #[test]
    fn a_secret_that_is_cut_off_is_masked_as_far_as_it_goes() {
        assert_eq!(redacted(&["secret"], "a secre"), "a ********");
        assert_eq!(redacted(&["secret"], "a sec"), "a sec");
        assert_eq!(redacted(&["söcret"], "söcr"), MASK);
        assert_eq!(redacted(&["secret", "sec"], "secr"), MASK);
    }

    #[test]
    fn random_text_in_random_pieces_is_masked_as_a_whole() {
        let secrets = ["ab", "aab", "abba", "b", "aaaa"];
        for seed in 0..2000 {
            let (bytes, pieces) = pieces(seed, b"aab\n");
            let some = &secrets[usize::try_from(seed).unwrap() % 4..];
            let expected = redacted(some, std::str::from_utf8(&bytes).unwrap());
            let mut redactor = Redactor::new(some.iter().map(|it| (*it).to_owned()));
            let mut text = String::new();
            for piece in pieces {
                text += &redactor.redact(std::str::from_utf8(&piece).unwrap());
                assert!(expected.starts_with(&text), "seed {seed}");
            }
            text += &redactor.finish();
            assert_eq!(text, expected, "seed {seed}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let redactor = Redactor::new(["s3cret".to_owned()]);
        assert!(!format!("{redactor:?}").contains("s3cret"));
    }
}
