//! Secrets on standard input, so that they stand in no list of processes and in no history.

use std::io::BufRead;

use anyhow::{Context as _, ensure};

/// More than anybody types, and little enough to hash.
const LIMIT_BYTES: u64 = 4096;

/// The first line of standard input without its end: a secret that is called `what`.
pub(crate) fn secret(what: &str) -> anyhow::Result<String> {
    first_line(std::io::stdin().lock(), what)
}

fn first_line(input: impl BufRead, what: &str) -> anyhow::Result<String> {
    let mut line = String::new();
    input
        .take(LIMIT_BYTES + 2)
        .read_line(&mut line)
        .with_context(|| format!("cannot read the {what} from standard input"))?;
    let secret = line.strip_suffix('\n').unwrap_or(&line);
    let secret = secret.strip_suffix('\r').unwrap_or(secret);
    ensure!(
        !secret.is_empty(),
        "the {what} on standard input is empty; write it as the first line, e.g. \
         `fleetwire ... --{what}-stdin < FILE`"
    );
    ensure!(
        secret.len() as u64 <= LIMIT_BYTES,
        "the {what} is longer than {LIMIT_BYTES} bytes"
    );
    Ok(secret.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_the_first_line_without_its_end() {
        for (input, secret) in [
            ("secret\n", "secret"),
            ("secret\r\nmore\n", "secret"),
            (" spaces stay \n", " spaces stay "),
            ("no end", "no end"),
        ] {
            assert_eq!(first_line(input.as_bytes(), "password").unwrap(), secret);
        }
    }

    #[test]
    fn an_empty_or_endless_secret_is_refused() {
        for input in ["", "\nsecret\n", &"x".repeat(5000)] {
            assert!(first_line(input.as_bytes(), "password").is_err());
        }
    }
}
