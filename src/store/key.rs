//! The key that secrets are sealed with, and what goes wrong with keys.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};
use uuid::Uuid;

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
const FINGERPRINT_BYTES: usize = 8;

/// Begins what is sealed: tells this form from later ones.
const FORM: u8 = 1;

/// 256 random bits, written as 64 hexadecimal digits.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; KEY_BYTES]);

/// Why secrets cannot be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// PostgreSQL, and no key configured.
    #[error(
        "secrets.key is not set: several nodes may share this PostgreSQL database, so the key that \
         secrets are encrypted with must be configured; make one with `openssl rand -hex 32`"
    )]
    NotSet,
    /// A text that is no key.
    #[error("a key is 64 hexadecimal digits, as `openssl rand -hex 32` prints them")]
    Malformed,
    /// The database was encrypted with a key whose file is gone.
    #[error("the file of the key that secrets are encrypted with is gone: restore {}", path.display())]
    Missing {
        /// Where it was.
        path: PathBuf,
    },
    /// The key's file cannot be read or written.
    #[error("the key's file {} cannot be used: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// Another key than the one of the database.
    #[error(
        "the key is not the one that this database's secrets are encrypted with (the database's \
         has the fingerprint {wanted}, this one {given}): configure that one as secrets.key"
    )]
    Mismatch {
        /// Of the database's key.
        wanted: String,
        /// Of ours.
        given: String,
    },
    /// What was sealed does not open: it was altered, or belongs elsewhere.
    #[error("an encrypted secret is damaged; set it anew")]
    Damaged,
}

impl Key {
    /// A new one, from the system's source of secrets.
    #[must_use]
    pub fn random() -> Self {
        Self(rand::random())
    }

    /// Recognizes the key without giving it away.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        hexadecimal(&self.short_digest())
    }

    /// As it is written in its file.
    pub(super) fn text(&self) -> String {
        hexadecimal(&self.0)
    }

    /// A key for another purpose that this one gives nothing away of, and is not given away by.
    #[must_use]
    pub fn derived(&self, purpose: &str) -> Self {
        let digest = Sha256::new_with_prefix("fleetwire key for ")
            .chain_update(purpose)
            .chain_update([0])
            .chain_update(self.0);
        Self(digest.finalize().into())
    }

    fn short_digest(&self) -> [u8; FINGERPRINT_BYTES] {
        let mut digest = Sha256::new_with_prefix("fleetwire key fingerprint");
        digest.update(self.0);
        let mut short = [0; FINGERPRINT_BYTES];
        short.copy_from_slice(&digest.finalize()[..FINGERPRINT_BYTES]);
        short
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&self.0.into())
    }

    /// Encrypts `plain`, to be opened only as what belongs to `owner`: form, fingerprint, nonce,
    /// cipher text.
    ///
    /// # Errors
    /// When there is more than the cipher takes, which is 256 GiB.
    pub fn seal(&self, plain: &[u8], owner: Uuid) -> Result<Vec<u8>, KeyError> {
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let payload = Payload {
            msg: plain,
            aad: owner.as_bytes(),
        };
        let sealed = self
            .cipher()
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| KeyError::Damaged)?;
        Ok([&[FORM], &self.short_digest()[..], &nonce, &sealed].concat())
    }

    /// Decrypts what [`Key::seal`] made for the same `owner`.
    ///
    /// # Errors
    /// When this key did not, or not for this owner.
    pub fn open(&self, sealed: &[u8], owner: Uuid) -> Result<Vec<u8>, KeyError> {
        let rest = sealed
            .strip_prefix(&[FORM])
            .and_then(|rest| rest.get(FINGERPRINT_BYTES..))
            .ok_or(KeyError::Damaged)?;
        let (nonce, text) = rest
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or(KeyError::Damaged)?;
        let payload = Payload {
            msg: text,
            aad: owner.as_bytes(),
        };
        self.cipher()
            .decrypt(&XNonce::from(*nonce), payload)
            .map_err(|_| KeyError::Damaged)
    }
}

/// The fingerprint of the key that sealed this.
pub(super) fn fingerprint_of(sealed: &[u8]) -> Result<String, KeyError> {
    sealed
        .strip_prefix(&[FORM])
        .and_then(|rest| rest.get(..FINGERPRINT_BYTES))
        .map(hexadecimal)
        .ok_or(KeyError::Damaged)
}

impl FromStr for Key {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let text = text.trim().as_bytes();
        if text.len() != 2 * KEY_BYTES {
            return Err(KeyError::Malformed);
        }
        let mut key = [0; KEY_BYTES];
        for (byte, digits) in key.iter_mut().zip(text.chunks(2)) {
            let digit = |digit: u8| char::from(digit).to_digit(16);
            let (Some(high), Some(low)) = (digit(digits[0]), digit(digits[1])) else {
                return Err(KeyError::Malformed);
            };
            *byte = u8::try_from(high * 16 + low).map_err(|_| KeyError::Malformed)?;
        }
        Ok(Self(key))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.fingerprint())
    }
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    // Every handshake needs it: formatting each byte by itself takes a tenth of its time.
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or_default();
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_with_the_same_key_for_the_same_owner_only() {
        let (key, owner) = (Key::random(), Uuid::new_v4());
        let sealed = key.seal(b"s3cret", owner).unwrap();
        assert_eq!(key.open(&sealed, owner).unwrap(), b"s3cret");
        assert_eq!(fingerprint_of(&sealed).unwrap(), key.fingerprint());
        assert!(!sealed.windows(6).any(|part| part == b"s3cret"));
        assert!(key.open(&sealed, Uuid::new_v4()).is_err());
        assert!(Key::random().open(&sealed, owner).is_err());
        assert!(key.derived("hints").open(&sealed, owner).is_err());
        assert_ne!(key.derived("hints"), key.derived("else"));
        for at in [0, 9, 20, sealed.len() - 1] {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            let opened = key.open(&altered, owner);
            // Byte 9 is the nonce's first; the fingerprint itself only names the key.
            assert!(opened.is_err(), "byte {at}");
        }
        assert!(key.open(&sealed[..12], owner).is_err());
    }

    #[test]
    fn keys_read_back_from_their_text_and_hide_in_debug() {
        let key = Key::random();
        assert_eq!(format!(" {}\n", key.text()).parse::<Key>().unwrap(), key);
        assert!(!format!("{key:?}").contains(&key.text()));
        for text in ["", "00", &"g".repeat(64), &"é".repeat(32)] {
            assert!(text.parse::<Key>().is_err(), "{text}");
        }
    }
}
