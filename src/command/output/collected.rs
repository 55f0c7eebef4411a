//! What a command has printed so far.

use super::decoder::Decoder;
use super::redactor::Redactor;
use crate::command::ssh::Stream;

/// The output of a command: both streams in the order of their arrival, as text, without secrets,
/// up to a limit. It only grows at its end, so that each snapshot is a prefix of the next.
#[derive(Debug)]
pub struct Collected {
    text: String,
    stdout: Decoder,
    stderr: Decoder,
    redactor: Redactor,
    limit: usize,
    /// Bytes that came after the limit; `None` before.
    dropped: Option<u64>,
}

impl Collected {
    /// Nothing yet. At most `limit` bytes are kept of what is printed, and none of `secrets`.
    pub fn new(limit: usize, secrets: impl IntoIterator<Item = String>) -> Self {
        Self {
            text: String::new(),
            stdout: Decoder::default(),
            stderr: Decoder::default(),
            redactor: Redactor::new(secrets),
            limit,
            dropped: None,
        }
    }

    /// What is certain by now.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Bytes that the device printed after the output was cut off.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.unwrap_or(0)
    }

    /// Takes what the device printed.
    pub fn push(&mut self, stream: Stream, bytes: &[u8]) {
        if let Some(dropped) = &mut self.dropped {
            *dropped += bytes.len() as u64;
            return;
        }
        let decoder = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        let certain = self.redactor.redact(&decoder.decode(bytes));
        self.append(&certain);
    }

    /// Takes in what was held back, when nothing more comes.
    pub fn finish(&mut self) {
        let tails = self.stdout.finish() + &self.stderr.finish();
        let certain = self.redactor.redact(&tails) + &self.redactor.finish();
        self.append(&certain);
    }

    /// Adds a last line of ours, on a line of its own, without a line end; the limit does not hold
    /// for it. What was held back comes before it.
    pub fn line(&mut self, line: &str) {
        self.finish();
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
        self.text.push_str(line);
    }

    fn append(&mut self, certain: &str) {
        if self.dropped.is_some() {
            return;
        }
        let room = self.limit.saturating_sub(self.text.len());
        if certain.len() <= room {
            self.text.push_str(certain);
            return;
        }
        let fits = certain.floor_char_boundary(room);
        self.text.push_str(&certain[..fits]);
        self.dropped = Some((certain.len() - fits) as u64);
        self.line(&format!("[output cut off at {} bytes]", self.limit));
    }
}

#[cfg(test)]
mod tests {
    use super::super::pieces::pieces;
    use super::*;

    fn of(limit: usize, secrets: &[&str]) -> Collected {
        Collected::new(limit, secrets.iter().map(|it| (*it).to_owned()))
    }

    #[test]
    fn both_streams_are_kept_in_the_order_of_arrival() {
        let mut output = of(100, &[]);
        output.push(Stream::Stdout, b"one\n");
        output.push(Stream::Stderr, b"two \xe2\x82");
        output.push(Stream::Stdout, b"three ");
        output.push(Stream::Stderr, b"\xac");
        assert_eq!(output.text(), "one\ntwo three €");
    }

    #[test]
    fn what_exceeds_the_limit_is_dropped_with_one_notice() {
        let mut output = of(6, &[]);
        output.push(Stream::Stdout, b"123456");
        assert_eq!(output.text(), "123456");
        output.push(Stream::Stdout, b"7");
        output.push(Stream::Stderr, b"89");
        assert_eq!(output.text(), "123456\n[output cut off at 6 bytes]");
        assert_eq!(output.dropped(), 3);
        output.line("exit code: 3");
        assert_eq!(
            output.text(),
            "123456\n[output cut off at 6 bytes]\nexit code: 3"
        );
    }

    #[test]
    fn no_character_is_cut() {
        let mut output = of(4, &[]);
        output.push(Stream::Stdout, "ab€".as_bytes());
        assert_eq!(output.text(), "ab\n[output cut off at 4 bytes]");
    }

    #[test]
    fn a_last_line_stands_alone() {
        let mut output = of(9, &[]);
        output.line("exit code: 3");
        assert_eq!(output.text(), "exit code: 3");
        let mut output = of(9, &[]);
        output.push(Stream::Stdout, b"text\n");
        output.line("exit code: 3");
        assert_eq!(output.text(), "text\nexit code: 3");
        let mut output = of(9, &[]);
        output.push(Stream::Stdout, b"half \xe2");
        output.line("timed out");
        assert_eq!(output.text(), "half \u{fffd}\ntimed out");
    }

    #[test]
    fn a_secret_is_masked_before_the_limit_can_cut_it() {
        let mut output = of(10, &["secret"]);
        output.push(Stream::Stdout, b"12345sec");
        assert_eq!(output.text(), "12345");
        output.push(Stream::Stdout, b"ret");
        assert_eq!(output.text(), "12345*****\n[output cut off at 10 bytes]");
    }

    #[test]
    fn random_output_in_random_pieces_only_grows() {
        for seed in 0..1000 {
            let (bytes, pieces) = pieces(seed, b"secret \xe2\x82\xac\0\n");
            let mut whole = of(40, &["secret", "e"]);
            whole.push(Stream::Stdout, &bytes);
            whole.finish();
            let mut output = of(40, &["secret", "e"]);
            for piece in pieces {
                let before = output.text().to_owned();
                output.push(Stream::Stdout, &piece);
                assert!(output.text().starts_with(&before), "seed {seed}");
            }
            output.finish();
            assert_eq!(output.text(), whole.text(), "seed {seed}");
        }
    }

    #[test]
    fn memory_is_bounded_whatever_is_printed() {
        let mut output = of(1000, &["y"]);
        for _ in 0..1000 {
            output.push(Stream::Stdout, &[b'y'; 1000]);
        }
        assert!(output.text.capacity() < 20_000);
        assert!(output.dropped() > 900_000);
    }
}
