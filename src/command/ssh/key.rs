//! Private keys as operators paste them.

use russh::keys::pkcs8::decode_pkcs8;
use russh::keys::ssh_key::{Kdf, LineEnding};
use russh::keys::{Error, HashAlg, PrivateKey, decode_secret_key};

use super::login::LoginSecret;
use super::pkcs8;
use super::short_scalar;

/// The largest private key read, in bytes: RSA with 16384 bits takes 13 KiB.
const LARGEST: usize = 32 * 1024;

/// Rounds of bcrypt that a passphrase may cost. `ssh-keygen` makes 16 or 24 unless told otherwise.
const MOST_ROUNDS: u32 = 100;

/// What may be told of a private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKeyInfo {
    /// For example `ssh-ed25519`.
    pub algorithm: String,
    /// As `ssh-keygen -l` shows it: `SHA256:...`.
    pub fingerprint: String,
}

/// A private key that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedKey {
    /// What may be told of it.
    pub public: PublicKeyInfo,
    /// The key without its passphrase, to be sealed: what the passphrase costs is paid once, and not
    /// for each command.
    pub secret: LoginSecret,
}

/// Why a private key cannot be used. No variant repeats anything of the key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// There is no private key in the text.
    #[error("this is no private key in OpenSSH or PEM form")]
    NoKey,
    /// The text is a public key.
    #[error("this is a public key: the private one is needed")]
    Public,
    /// The text is a key file of Dropbear.
    #[error(
        "this key is in Dropbear's own form: convert it with \
         `dropbearconvert dropbear openssh KEY NEW`"
    )]
    Dropbear,
    /// It is larger than any key is.
    #[error("a private key has at most {LARGEST} bytes")]
    TooLarge,
    /// It is encrypted, and no passphrase was given.
    #[error("the private key is encrypted: its passphrase is needed")]
    PassphraseNeeded,
    /// It is encrypted with something else.
    #[error("the passphrase does not open the private key")]
    WrongPassphrase,
    /// It is encrypted in a way that is not known here.
    #[error(
        "the private key is encrypted in a way that is not supported: give it another passphrase \
         with `ssh-keygen -p -f KEY`, which writes OpenSSH's form"
    )]
    Encryption,
    /// To open it takes more time or memory than is given to it.
    #[error(
        "the private key takes too much time or memory to decrypt: give it another passphrase \
         with `ssh-keygen -p -f KEY`"
    )]
    TooCostly,
    /// A kind of key that is not known here, such as DSA or one inside a security key.
    #[error("keys of this kind are not supported: use Ed25519, ECDSA or RSA")]
    Kind,
    /// One in 256 of ECDSA keys, encrypted.
    #[error(
        "this ECDSA key cannot be opened in OpenSSH's form: give it another one with \
         `ssh-keygen -p -m PKCS8 -f KEY`"
    )]
    ShortScalar,
    /// The text is damaged.
    #[error("the private key cannot be read: {0}")]
    Damaged(String),
}

/// Opens a private key. It may take a while: an encrypted one is meant to.
///
/// # Errors
/// When it cannot be used.
pub fn open_private_key(pem: &str, passphrase: Option<&str>) -> Result<OpenedKey, KeyError> {
    let key = read_private_key(pem, passphrase)?;
    let pem = if passphrase.is_some() {
        let opened = key.to_openssh(LineEnding::LF);
        let opened = opened.map_err(|error| KeyError::Damaged(error.to_string()))?;
        opened.as_str().to_owned()
    } else {
        pem.to_owned()
    };
    Ok(OpenedKey {
        public: PublicKeyInfo {
            algorithm: key.algorithm().to_string(),
            fingerprint: key.fingerprint(HashAlg::Sha256).to_string(),
        },
        secret: LoginSecret::PrivateKey {
            pem,
            passphrase: None,
        },
    })
}

/// The key of a text.
pub(super) fn read_private_key(
    text: &str,
    passphrase: Option<&str>,
) -> Result<PrivateKey, KeyError> {
    if text.len() > LARGEST {
        return Err(KeyError::TooLarge);
    }
    // Pasted text comes indented and with the line ends of any system.
    let pem: String = text
        .lines()
        .map(|line| line.trim().to_owned() + "\n")
        .collect();
    let passphrase = passphrase.filter(|it| !it.is_empty());
    let Some(block) = Block::find(&pem) else {
        return Err(without_label(text));
    };
    let pem = block.text;
    // What reads the text behind us may not find another key in it than the one that is checked.
    if block.body.contains("-----BEGIN ") {
        return Err(KeyError::Damaged("its last line is missing".to_owned()));
    }
    let is_old_encryption = pem.contains("\nProc-Type: 4,ENCRYPTED");
    match block.label {
        "OPENSSH PRIVATE KEY" => return read_openssh(&block, passphrase),
        "ENCRYPTED PRIVATE KEY" => {
            let passphrase = passphrase.ok_or(KeyError::PassphraseNeeded)?;
            let key = pkcs8::decrypt(block.body, passphrase)?;
            return decode_pkcs8(key.as_bytes(), None).map_err(unusable);
        }
        "RSA PRIVATE KEY" if is_old_encryption && pem.contains("\nDEK-Info: AES-128-CBC,") => {
            let passphrase = passphrase.ok_or(KeyError::PassphraseNeeded)?;
            // Whatever a wrong passphrase makes of the bytes.
            return decode_secret_key(pem, Some(passphrase)).map_err(|_| KeyError::WrongPassphrase);
        }
        "RSA PRIVATE KEY" | "EC PRIVATE KEY" if is_old_encryption => {
            return Err(KeyError::Encryption);
        }
        "RSA PRIVATE KEY" | "EC PRIVATE KEY" | "PRIVATE KEY" => {}
        "DSA PRIVATE KEY" => return Err(KeyError::Kind),
        other if other.contains("PUBLIC KEY") => return Err(KeyError::Public),
        _ => return Err(KeyError::NoKey),
    }
    decode_secret_key(pem, None).map_err(unusable)
}

fn unusable(error: Error) -> KeyError {
    match error {
        Error::UnknownAlgorithm(_) | Error::UnsupportedKeyType { .. } => KeyError::Kind,
        other => KeyError::Damaged(other.to_string()),
    }
}

fn read_openssh(block: &Block, passphrase: Option<&str>) -> Result<PrivateKey, KeyError> {
    use russh::keys::ssh_key::Error;
    let damaged = |error: Error| match error {
        Error::AlgorithmUnknown | Error::AlgorithmUnsupported { .. } => KeyError::Kind,
        other => KeyError::Damaged(other.to_string()),
    };
    let key = match PrivateKey::from_openssh(block.text) {
        Err(Error::Encoding(_)) if let Some(padded) = short_scalar::padded(block.body) => {
            PrivateKey::from_openssh(padded)
        }
        read => read,
    };
    let key = key.map_err(damaged)?;
    if !key.is_encrypted() {
        return Ok(key);
    }
    let passphrase = passphrase.ok_or(KeyError::PassphraseNeeded)?;
    match key.kdf() {
        Kdf::Bcrypt { rounds, .. } if *rounds <= MOST_ROUNDS => {}
        Kdf::Bcrypt { .. } => return Err(KeyError::TooCostly),
        _ => return Err(KeyError::Encryption),
    }
    key.decrypt(passphrase).map_err(|error| match error {
        Error::AlgorithmUnknown | Error::AlgorithmUnsupported { .. } => KeyError::Kind,
        // The passphrase is right: what it opened is not as long as it should be.
        Error::Encoding(_) => KeyError::ShortScalar,
        _ => KeyError::WrongPassphrase,
    })
}

/// The first block of dashes in a text, and what it says it is.
struct Block<'a> {
    /// With both its lines of dashes.
    text: &'a str,
    /// What stands between `-----BEGIN ` and `-----`.
    label: &'a str,
    /// Between the lines of dashes.
    body: &'a str,
}

impl<'a> Block<'a> {
    fn find(pem: &'a str) -> Option<Self> {
        let mut at = 0;
        let mut begun = None;
        for line in pem.split_inclusive('\n') {
            let start = at;
            at += line.len();
            let line = line.trim_end();
            match begun {
                None => {
                    let label = line.strip_prefix("-----BEGIN ");
                    let label = label.and_then(|rest| rest.strip_suffix("-----"));
                    begun = label.map(|label| (start, at, label));
                }
                Some((first, body, label)) if line.starts_with("-----END ") => {
                    return Some(Self {
                        text: &pem[first..at],
                        label,
                        body: &pem[body..start],
                    });
                }
                Some(_) => {}
            }
        }
        let (first, body, label) = begun?;
        Some(Self {
            text: &pem[first..],
            label,
            body: &pem[body..],
        })
    }
}

/// What a text is that has no `-----BEGIN` line.
fn without_label(text: &str) -> KeyError {
    const KINDS: [&str; 4] = ["ssh-rsa", "ssh-dss", "ssh-ed25519", "ecdsa-sha2-"];
    let start: String = text.trim_start().chars().take(24).collect();
    if KINDS.iter().any(|kind| start.starts_with(kind)) {
        return KeyError::Public;
    }
    // The name of the kind behind its length in four bytes, as they are or in base64.
    if KINDS.iter().any(|kind| start.contains(kind)) || start.starts_with("AAAA") {
        return KeyError::Dropbear;
    }
    KeyError::NoKey
}
