//! Private keys that PKCS#8 encrypts (RFC 5958, RFC 8018): `ENCRYPTED PRIVATE KEY`.
//!
//! What it costs to try a passphrase stands in the key's own file, which anybody may have written.
//! So it is read first, and what nobody needs is refused.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use pkcs8::der::{Decode, ErrorKind};
use pkcs8::pkcs5::pbes2::Kdf;
use pkcs8::pkcs5::{self, EncryptionScheme};
use pkcs8::{EncryptedPrivateKeyInfoRef, SecretDocument};

use super::key::KeyError;

/// Rounds of PBKDF2 that a passphrase may cost. OpenSSL makes 2048 unless told otherwise; 600,000
/// are advised.
const MOST_ROUNDS: u32 = 1_000_000;

/// scrypt's N at most. OpenSSL takes 2^14 unless told otherwise.
const MOST_COST: u64 = 1 << 17;

/// Bytes of memory that scrypt may go through.
const MOST_MEMORY: u64 = 64 * 1024 * 1024;

/// The key in `body`, what stands between the lines of dashes.
pub(super) fn decrypt(body: &str, passphrase: &str) -> Result<SecretDocument, KeyError> {
    let base64: String = body.split_whitespace().collect();
    let der = BASE64_STANDARD
        .decode(base64)
        .map_err(|error| KeyError::Damaged(error.to_string()))?;
    let encrypted = EncryptedPrivateKeyInfoRef::from_der(&der).map_err(|error| {
        if matches!(error.kind(), ErrorKind::OidUnknown { .. }) {
            return KeyError::Encryption;
        }
        KeyError::Damaged(error.to_string())
    })?;
    check_cost(&encrypted.encryption_algorithm)?;
    encrypted.decrypt(passphrase).map_err(|error| match error {
        pkcs8::Error::EncryptedPrivateKey(
            pkcs5::Error::UnsupportedAlgorithm { .. }
            | pkcs5::Error::NoPbes1CryptSupport
            | pkcs5::Error::AlgorithmParametersInvalid { .. },
        ) => KeyError::Encryption,
        // Whatever a wrong passphrase makes of the bytes.
        _ => KeyError::WrongPassphrase,
    })
}

fn check_cost(scheme: &EncryptionScheme) -> Result<(), KeyError> {
    let parameters = scheme.pbes2().ok_or(KeyError::Encryption)?;
    let is_affordable = match &parameters.kdf {
        Kdf::Pbkdf2(pbkdf2) => pbkdf2.iteration_count <= MOST_ROUNDS,
        Kdf::Scrypt(scrypt) => {
            let cost = scrypt.cost_parameter;
            // Nothing else is scrypt (RFC 7914, section 2), and 0 is more than the library can take.
            if !cost.is_power_of_two() {
                return Err(KeyError::Encryption);
            }
            let (size, parallel) = (scrypt.block_size.into(), scrypt.parallelization.into());
            let memory = [cost, size, parallel]
                .into_iter()
                .fold(128, u64::saturating_mul);
            cost <= MOST_COST && memory <= MOST_MEMORY
        }
        _ => return Err(KeyError::Encryption),
    };
    is_affordable.then_some(()).ok_or(KeyError::TooCostly)
}
