//! Bytes cut into pieces at random, for tests.

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

/// Up to 60 bytes of `alphabet`, and the same in pieces.
pub(super) fn pieces(seed: u64, alphabet: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>) {
    let mut random = SmallRng::seed_from_u64(seed);
    let length = random.random_range(0..=60);
    let bytes: Vec<u8> = (0..length)
        .map(|_| alphabet[random.random_range(0..alphabet.len())])
        .collect();
    let mut rest = bytes.as_slice();
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(random.random_range(0..=rest.len().min(7)));
        pieces.push(piece.to_vec());
        rest = behind;
    }
    (bytes, pieces)
}

/// The bytes cut in two, in each place.
pub(super) fn each_cut(bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    (0..=bytes.len()).map(|at| bytes.split_at(at))
}
