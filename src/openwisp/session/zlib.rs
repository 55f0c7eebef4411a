//! zlib's format with a bound, for data that may be a bomb.

use flate2::{Decompress, FlushDecompress, Status};

use super::{SessionError, bounded};

/// What compressed data of Python's zlib begins with, at any level.
pub(super) const FIRST_BYTE: u8 = 0x78;

/// How much is decompressed at a time.
const CHUNK_BYTES: usize = 16 * 1024;

/// The data without its compression, at most as much as a session may have.
pub(super) fn inflated(data: &[u8]) -> Result<Vec<u8>, SessionError> {
    const DAMAGED: SessionError = SessionError::Unreadable("its compressed data is damaged");
    let mut stream = Decompress::new(true);
    let mut inflated = Vec::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut rest = data;
    loop {
        let (read, written) = (stream.total_in(), stream.total_out());
        let status = stream
            .decompress(rest, &mut chunk, FlushDecompress::None)
            .map_err(|_| DAMAGED)?;
        let moved = |from: u64, to: u64| usize::try_from(to - from).map_err(|_| DAMAGED);
        let (read, written) = (
            moved(read, stream.total_in())?,
            moved(written, stream.total_out())?,
        );
        rest = rest.get(read..).ok_or(DAMAGED)?;
        inflated.extend_from_slice(chunk.get(..written).ok_or(DAMAGED)?);
        bounded(&inflated)?;
        match status {
            Status::StreamEnd if rest.is_empty() => return Ok(inflated),
            Status::Ok if read > 0 || written > 0 => {}
            // Cut off, or followed by something else.
            Status::StreamEnd | Status::Ok | Status::BufError => return Err(DAMAGED),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;

    use super::super::MOST_BYTES;
    use super::*;

    fn deflated(data: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn what_was_compressed_comes_back_up_to_the_bound() {
        for length in [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, MOST_BYTES] {
            let data: Vec<u8> = (0..=255).cycle().take(length).collect();
            assert!(inflated(&deflated(&data)).unwrap() == data, "{length}");
        }
    }

    #[test]
    fn a_bomb_ends_at_the_bound() {
        let bomb = deflated(&vec![0; 20 * MOST_BYTES]);
        assert!(bomb.len() < MOST_BYTES);
        assert_eq!(inflated(&bomb).unwrap_err().label(), "too_large");
    }

    #[test]
    fn damaged_data_is_refused() {
        let data = deflated(b"some words and some more words");
        for length in 0..data.len() {
            let cut = inflated(&data[..length]);
            assert_eq!(cut.unwrap_err().label(), "unreadable", "{length}");
        }
        let more = [&*data, b"more"].concat();
        assert_eq!(inflated(&more).unwrap_err().label(), "unreadable");
        let mut flipped = data.clone();
        *flipped.last_mut().unwrap() ^= 1;
        assert_eq!(inflated(&flipped).unwrap_err().label(), "unreadable");
    }
}
