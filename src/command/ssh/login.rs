//! Who logs in, and with what.

use std::fmt;
use std::time::Duration;

/// The name and the proof that a device is shown.
#[derive(Clone, Debug)]
pub struct Login {
    /// The account on the device.
    pub username: String,
    /// What proves that it is ours.
    pub secret: LoginSecret,
    /// Whether algorithms are spoken that are broken by today's measure, and all that an old
    /// Dropbear has.
    pub old_algorithms: bool,
}

/// A password or a private key. `Debug` tells which, and no more.
#[derive(Clone)]
pub enum LoginSecret {
    /// For password and keyboard-interactive authentication.
    Password(String),
    /// For public key authentication.
    PrivateKey {
        /// In OpenSSH's, PKCS#1, PKCS#8 or SEC1 form.
        pem: String,
        /// What the key is encrypted with, if it is.
        passphrase: Option<String>,
    },
}

impl fmt::Debug for LoginSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Password(_) => "Password(..)",
            Self::PrivateKey { .. } => "PrivateKey(..)",
        })
    }
}

/// How long a device may take to let us in.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// From the resolution of the name to the end of the key exchange.
    pub connect: Duration,
    /// For the authentication.
    pub authentication: Duration,
}
