//! Who logs in, and with what.

use std::time::Duration;

pub use crate::store::LoginSecret;

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

/// How long a device may take to let us in.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// From the resolution of the name to the end of the key exchange.
    pub connect: Duration,
    /// For the authentication.
    pub authentication: Duration,
}
