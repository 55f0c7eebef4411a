//! Fernet, as `symmetric_encryption_keys` of a channel layer means it
//! (<https://github.com/fernet/spec/blob/master/Spec.md>): AES-128-CBC, and HMAC-SHA256 over all of it.

use aes::Aes128;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

const VERSION: u8 = 0x80;
const HEAD: usize = 1 + 8 + 16;
const SIGNATURE: usize = 32;
const BLOCK: usize = 16;

/// Keys, of which any may have encrypted a message.
pub(super) struct Keys(Vec<Key>);

struct Key {
    signing: [u8; 16],
    encryption: [u8; 16],
}

/// Why a token is not opened.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FernetError {
    #[error("it is not encrypted, and gateway.channel_encryption_keys is set")]
    NotEncrypted,
    #[error("no key of gateway.channel_encryption_keys fits")]
    NoKeyFits,
    #[error("it is encrypted wrongly")]
    Malformed,
    #[error(
        "it was encrypted {0} seconds ago: do the clocks of this machine and of OpenWISP's differ?"
    )]
    NotOfNow(i64),
}

impl Keys {
    /// Keys made of texts as `channels_redis` makes them: by their SHA-256.
    pub(super) fn new(texts: &[String]) -> Self {
        let keys = texts.iter().map(|text| {
            let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
            let mut key = Key {
                signing: [0; 16],
                encryption: [0; 16],
            };
            key.signing.copy_from_slice(&digest[..16]);
            key.encryption.copy_from_slice(&digest[16..]);
            key
        });
        Self(keys.collect())
    }

    /// What `token` holds. With `valid_s` it must not be older than so many seconds before `now_s`, nor
    /// younger than so many after it.
    ///
    /// # Errors
    /// With why not. Nothing is decrypted before a key's signature was found to be right.
    pub(super) fn open(
        &self,
        token: &[u8],
        now_s: i64,
        valid_s: Option<i64>,
    ) -> Result<Vec<u8>, FernetError> {
        let mut bytes = URL_SAFE
            .decode(token)
            .map_err(|_| FernetError::NotEncrypted)?;
        if bytes.first() != Some(&VERSION) {
            return Err(FernetError::NotEncrypted);
        }
        let text = bytes.len().saturating_sub(HEAD + SIGNATURE);
        if text == 0 || !text.is_multiple_of(BLOCK) {
            return Err(FernetError::Malformed);
        }
        let (signed, signature) = bytes.split_at(HEAD + text);
        let fits = self.0.iter().find(|key| key.signed(signed, signature));
        let key = fits.ok_or(FernetError::NoKeyFits)?;
        let age_s = now_s.saturating_sub(seconds(&bytes));
        if valid_s.is_some_and(|valid_s| age_s > valid_s || age_s < -valid_s) {
            return Err(FernetError::NotOfNow(age_s));
        }
        let (head, rest) = bytes.split_at_mut(HEAD);
        let cipher = cbc::Decryptor::<Aes128>::new_from_slices(&key.encryption, &head[9..])
            .map_err(|_| FernetError::Malformed)?;
        let opened = cipher
            .decrypt_padded::<Pkcs7>(&mut rest[..text])
            .map_err(|_| FernetError::Malformed)?;
        Ok(opened.to_owned())
    }
}

impl Key {
    /// Whether this key made the signature; compared in constant time.
    fn signed(&self, signed: &[u8], signature: &[u8]) -> bool {
        let Ok(mac) = Hmac::<Sha256>::new_from_slice(&self.signing) else {
            return false;
        };
        mac.chain_update(signed).verify_slice(signature).is_ok()
    }
}

/// When a token was made, in seconds since 1970.
fn seconds(bytes: &[u8]) -> i64 {
    let seconds = bytes[1..9]
        .iter()
        .fold(0_u64, |seconds, byte| seconds << 8 | u64::from(*byte));
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Made with MultiFernet of Python's `cryptography` 50, by `make_fernet` of channels_redis.
    const AT: i64 = 1_795_477_050;
    const TOKEN: &str = "gAAAAABrBM46AAECAwQFBgcICQoLDA0OD-Bgkn3gY-UDfULIXuU-AcDbgt3Sq0wCMdxboH2nIJ2yiGKqVfORY7_1YwQS9f5ofw==";
    const OF_OLDER_KEY: &str = "gAAAAABrBM41AAECAwQFBgcICQoLDA0OD0v7xIeulptIfueLZZiPRrdBk0qXg1SNifgHItCmuGHyUAVVrnGgMyZYF9Lt7JBhl9Z_mmCFQZKPXCcr-1eEWTs=";

    fn keys(texts: &[&str]) -> Keys {
        Keys::new(&texts.iter().map(|&text| text.into()).collect::<Vec<_>>())
    }

    #[test]
    fn tokens_of_python_are_opened_by_any_of_the_keys() {
        let keys = keys(&["new secret", "clé d'hier"]);
        let open = |token: &str| keys.open(token.as_bytes(), AT, Some(70));
        assert_eq!(open(TOKEN).unwrap(), b"\x81\xa4type\xa4test");
        assert_eq!(open(OF_OLDER_KEY).unwrap(), b"sixteen bytes ok");
    }

    #[test]
    fn a_changed_token_is_never_opened() {
        let keys = keys(&["new secret"]);
        let bytes = URL_SAFE.decode(TOKEN).unwrap();
        for at in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[at / 8] ^= 1 << (at % 8);
            let opened = keys.open(URL_SAFE.encode(&changed).as_bytes(), AT, None);
            assert!(opened.is_err(), "bit {at}");
        }
        for length in 0..bytes.len() {
            let cut = URL_SAFE.encode(&bytes[..length]);
            assert!(keys.open(cut.as_bytes(), AT, None).is_err(), "{length}");
        }
    }

    #[test]
    fn another_key_and_what_is_no_token_are_told_apart() {
        let open = |token: &[u8]| keys(&["another"]).open(token, AT, None);
        assert_eq!(open(TOKEN.as_bytes()), Err(FernetError::NoKeyFits));
        assert_eq!(
            open(b"\x81\xa4type\xa4test"),
            Err(FernetError::NotEncrypted)
        );
        assert_eq!(open(b""), Err(FernetError::NotEncrypted));
        assert_eq!(open(b"gA=="), Err(FernetError::Malformed));
    }

    #[test]
    fn age_counts_where_a_time_to_live_does() {
        let keys = keys(&["new secret"]);
        let open = |now, valid| keys.open(TOKEN.as_bytes(), now, valid).is_ok();
        assert!(open(AT + 130, Some(130)) && open(AT - 130, Some(130)));
        assert!(!open(AT + 131, Some(130)) && !open(AT - 131, Some(130)));
        assert!(open(AT + 1_000_000, None));
    }
}
