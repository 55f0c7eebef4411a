//! Bytes of one stream, made text.

/// Turns bytes into text piece by piece, with the outcome that [`String::from_utf8_lossy`] has for
/// the whole. A character that is cut by the end of a piece is held back until the rest comes.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The beginning of a character: at most three bytes.
    tail: Vec<u8>,
}

impl Decoder {
    /// The text that is certain by now. Invalid bytes and U+0000, which PostgreSQL does not store,
    /// become U+FFFD.
    pub fn decode(&mut self, bytes: &[u8]) -> String {
        let mut joined = std::mem::take(&mut self.tail);
        joined.extend_from_slice(bytes);
        let mut text = String::with_capacity(joined.len());
        let mut rest = joined.as_slice();
        loop {
            let error = match std::str::from_utf8(rest) {
                Ok(valid) => {
                    push(&mut text, valid);
                    return text;
                }
                Err(error) => error,
            };
            let (valid, behind) = rest.split_at(error.valid_up_to());
            push(&mut text, &String::from_utf8_lossy(valid));
            let Some(invalid) = error.error_len() else {
                self.tail = behind.to_vec();
                return text;
            };
            text.push(char::REPLACEMENT_CHARACTER);
            rest = &behind[invalid..];
        }
    }

    /// What is left when nothing more comes.
    pub fn finish(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.tail)).into_owned()
    }
}

fn push(text: &mut String, valid: &str) {
    let visible = |it| match it {
        '\0' => char::REPLACEMENT_CHARACTER,
        it => it,
    };
    text.extend(valid.chars().map(visible));
}

#[cfg(test)]
mod tests {
    use super::super::pieces::{each_cut, pieces};
    use super::*;

    const SAMPLES: [&[u8]; 8] = [
        b"",
        b"plain\r\n",
        "żółć € 😀\n".as_bytes(),
        b"\xff\xfe half \xe2\x82 euro \xf0\x9f\x98",
        b"\xe2\x82",
        b"\xf0\x80\x80\x41\xc0\xaf\xed\xa0\x80",
        b"\xf0\x9f\xe2\x82\xac\xf0\x9f\x98\x80\x80",
        b"a\0b\0",
    ];

    fn whole(bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).replace('\0', "\u{fffd}")
    }

    fn decoded<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, expected: &str) -> String {
        let mut decoder = Decoder::default();
        let mut text = String::new();
        for piece in pieces {
            text += &decoder.decode(piece);
            assert!(expected.starts_with(&text), "{text:?} of {expected:?}");
            assert!(decoder.tail.len() <= 3);
        }
        text + &decoder.finish()
    }

    #[test]
    fn any_split_gives_the_text_of_the_whole() {
        for sample in SAMPLES {
            let expected = whole(sample);
            for (left, right) in each_cut(sample) {
                assert_eq!(decoded([left, right], &expected), expected);
            }
            assert_eq!(decoded(sample.chunks(1), &expected), expected);
        }
    }

    #[test]
    fn random_bytes_in_random_pieces_do_too() {
        for seed in 0..500 {
            // Bytes that meet in valid and nearly valid sequences.
            let (bytes, pieces) = pieces(
                seed,
                b"a\0\n\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xff\xed\xa0",
            );
            let expected = whole(&bytes);
            assert_eq!(
                decoded(pieces.iter().map(Vec::as_slice), &expected),
                expected,
                "seed {seed}"
            );
        }
    }
}
