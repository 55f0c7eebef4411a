//! The SSH client: one connection for one command, bounded in time and memory whatever the device
//! does.
//!
//! [`connect`] makes of an [`Address`](crate::event::Address) and a [`Login`] a [`Session`]: TCP, key exchange, the check
//! of the host key, authentication. [`Session::exec`] makes of it an [`Execute`], whose
//! [`next`](Execute::next) tells what [happens](Happening). It knows no database and no
//! configuration, and what it cannot do it says in one line, an [`SshError`].

mod algorithms;
mod authenticate;
mod connect;
mod error;
mod execute;
mod key;
mod link;
mod login;
mod pkcs8;
mod session;
mod short_scalar;
#[cfg(test)]
mod tests;

pub use connect::connect;
pub use error::{Phase, SshError};
pub use execute::{Execute, Happening, Stream};
pub use key::{KeyError, OpenedKey, PublicKeyInfo, open_private_key};
pub use login::{Login, LoginSecret, Timeouts};
pub use session::Session;
