//! Signatures as `django.core.signing` makes them: `payload:time:signature`.
//!
//! The payload is JSON in the URL's base64 without padding, compressed with zlib where it begins with a dot;
//! the time is the second of signing in base 62; the signature is an HMAC-SHA256 in the same base64.
//! Nothing of it is decoded before the signature was found right.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use super::{SessionError, bounded, zlib};

/// What was signed with a key of ours.
#[derive(Clone, Copy)]
pub struct Signed<'a> {
    /// In base64, perhaps after a dot.
    payload: &'a str,
    /// When it was signed, in seconds since 1970.
    pub second: i64,
}

/// Checks the signature by each of the keys, in a time that does not tell where it differs.
///
/// # Errors
/// Where no key made it, or where what one did make is not of this form.
pub fn verified<'a>(
    text: &'a str,
    salt: &str,
    keys: &[String],
) -> Result<Signed<'a>, SessionError> {
    bounded(text.as_bytes())?;
    let (value, signature) = text.rsplit_once(':').ok_or(SessionError::Signature)?;
    let salt = format!("{salt}signer");
    let is_ours = keys.iter().fold(Choice::from(0), |any, key| {
        let ours = URL_SAFE_NO_PAD.encode(hmac(&salt, key, value.as_bytes()));
        any | ours.as_bytes().ct_eq(signature.as_bytes())
    });
    if !bool::from(is_ours) {
        return Err(SessionError::Signature);
    }
    Signed::new(value)
}

impl<'a> Signed<'a> {
    /// Takes apart what a signature was found right for.
    ///
    /// # Errors
    /// Where it has no time.
    pub fn new(value: &'a str) -> Result<Self, SessionError> {
        const NO_TIME: SessionError = SessionError::Unreadable("it has no time of signing");
        let (payload, time) = value.rsplit_once(':').ok_or(NO_TIME)?;
        let second = number(time).ok_or(NO_TIME)?;
        Ok(Self { payload, second })
    }

    /// The payload without base64 and compression.
    ///
    /// # Errors
    /// Where it is neither, or too large.
    pub fn content(&self) -> Result<Vec<u8>, SessionError> {
        let compressed = self.payload.strip_prefix('.');
        let content = URL_SAFE_NO_PAD
            .decode(compressed.unwrap_or(self.payload))
            .map_err(|_| SessionError::Unreadable("its base64 is damaged"))?;
        if compressed.is_some() {
            return zlib::inflated(&content);
        }
        Ok(content)
    }
}

/// Django's `salted_hmac` with SHA-256: of each salt and secret a key of its own.
pub(super) fn hmac(salt: &str, secret: &str, message: &[u8]) -> [u8; 32] {
    let key = Sha256::new().chain_update(salt).chain_update(secret);
    // A key that is shorter than a block is filled up with zeros, says RFC 2104.
    let mut block = [0; 64];
    block[..32].copy_from_slice(&key.finalize());
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// A number in base 62: digits, then capitals, then small letters.
fn number(text: &str) -> Option<i64> {
    let (digits, sign) = match text.strip_prefix('-') {
        Some(digits) => (digits, -1),
        None => (text, 1),
    };
    if digits.is_empty() {
        return None;
    }
    let number = digits.bytes().try_fold(0_i64, |number, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'A'..=b'Z' => digit - b'A' + 10,
            b'a'..=b'z' => digit - b'a' + 36,
            _ => return None,
        };
        number.checked_mul(62)?.checked_add(i64::from(digit))
    })?;
    Some(sign * number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_numbers_in_base_62() {
        for (text, expected) in [
            ("0", Some(0)),
            ("z", Some(61)),
            ("10", Some(62)),
            ("-A", Some(-10)),
            ("1xVdcb", Some(1_795_477_133)),
            ("", None),
            ("-", None),
            ("1_0", None),
            ("ä", None),
            ("zzzzzzzzzzzz", None),
        ] {
            assert_eq!(number(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_signed_has_a_time() {
        for text in ["", "eyJ4IjoxfQ", "eyJ4IjoxfQ:", "eyJ4IjoxfQ:-", ":?"] {
            assert_eq!(
                Signed::new(text).err().unwrap().label(),
                "unreadable",
                "{text}"
            );
        }
    }
}
