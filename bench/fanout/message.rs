//! What is published: the message of a location that moved, with a number that says which one it is.

use std::ops::Range;

/// Where the number stands, and its length: fixed, so that it is found without parsing.
const PREFIX: &[u8] = br#"{"id":"93b9b41c-26b1-4807-91f7-699786c9a2d9","name":"vehicle "#;
const NUMBER: Range<usize> = PREFIX.len()..PREFIX.len() + 10;

const SUFFIX: &[u8] =
    br#"","type":"outdoor","is_mobile":true,"geometry":{"type":"Point","coordinates":[12.512124,41.898903]}}"#;

/// Bytes of a WebSocket's frame around it (RFC 6455, section 5.2: up to 64 KiB, unmasked).
pub const HEADER: usize = 4;

/// Appends message `number`, which makes a frame of `frame` bytes: the address fills it up.
pub fn append(bytes: &mut Vec<u8>, number: usize, frame: usize) {
    let begin = bytes.len();
    bytes.extend_from_slice(PREFIX);
    bytes.extend_from_slice(format!("{number:010}\",\"address\":\"").as_bytes());
    bytes.resize(begin + frame - HEADER - SUFFIX.len(), b'x');
    bytes.extend_from_slice(SUFFIX);
}

/// Which message this is, if it is one.
pub fn number(message: &[u8]) -> Option<usize> {
    std::str::from_utf8(message.get(NUMBER)?).ok()?.parse().ok()
}
