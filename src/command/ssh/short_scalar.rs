//! ECDSA keys whose private number is short.
//!
//! OpenSSH writes it without leading zeros (`PROTOCOL.key`, an `mpint` of RFC 4251), so that of every
//! 256 P-256 keys one has fewer than 32 bytes. The library that reads keys refuses those.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

const MAGIC: &[u8] = b"openssh-key-v1\0";
const BEGIN: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\n";
const END: &str = "-----END OPENSSH PRIVATE KEY-----\n";
/// Bytes of base64 a line, as OpenSSH writes it.
const LINE: usize = 70;
/// Bytes of a private number of P-256.
const SCALAR: usize = 32;
/// What the private part of an unencrypted key is padded to.
const BLOCK: usize = 8;

/// The same key with its number at full length; `None` where that is not what is wrong with it, or
/// where it is encrypted.
pub(super) fn padded(body: &str) -> Option<String> {
    let base64: String = body.split_whitespace().collect();
    let bytes = BASE64_STANDARD.decode(base64).ok()?;
    let mut rest = bytes.strip_prefix(MAGIC)?;
    let (cipher, kdf, options) = (string(&mut rest)?, string(&mut rest)?, string(&mut rest)?);
    let keys = take(&mut rest, 4)?;
    let (public, private) = (string(&mut rest)?, string(&mut rest)?);
    if cipher != b"none" || keys != [0, 0, 0, 1] || !rest.is_empty() {
        return None;
    }
    let private = padded_private(private)?;
    let mut key = MAGIC.to_vec();
    for text in [cipher, kdf, options] {
        append(&mut key, text);
    }
    key.extend_from_slice(keys);
    append(&mut key, public);
    append(&mut key, &private);
    Some(pem(&key))
}

fn padded_private(private: &[u8]) -> Option<Vec<u8>> {
    let mut rest = private;
    let checks = take(&mut rest, 8)?;
    let (kind, curve, point) = (string(&mut rest)?, string(&mut rest)?, string(&mut rest)?);
    let (scalar, comment) = (string(&mut rest)?, string(&mut rest)?);
    if kind != b"ecdsa-sha2-nistp256" || scalar.len() >= SCALAR {
        return None;
    }
    let mut full = [0; SCALAR];
    full[SCALAR - scalar.len()..].copy_from_slice(scalar);
    let mut padded = checks.to_vec();
    for text in [kind, curve, point, &full, comment] {
        append(&mut padded, text);
    }
    let missing = padded.len().next_multiple_of(BLOCK) - padded.len();
    padded.extend((1..=u8::MAX).take(missing));
    Some(padded)
}

fn pem(key: &[u8]) -> String {
    let mut pem = BEGIN.to_owned();
    for (at, letter) in BASE64_STANDARD.encode(key).chars().enumerate() {
        if at > 0 && at % LINE == 0 {
            pem.push('\n');
        }
        pem.push(letter);
    }
    pem + "\n" + END
}

/// The next text, behind its length in four bytes.
fn string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take(rest, 4)?.try_into().ok()?;
    take(rest, usize::try_from(u32::from_be_bytes(length)).ok()?)
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}

fn append(key: &mut Vec<u8>, text: &[u8]) {
    // Parts of a key that was read: far below 4 GiB.
    let length = u32::try_from(text.len()).unwrap_or_default();
    key.extend_from_slice(&length.to_be_bytes());
    key.extend_from_slice(text);
}
