//! The room of all that knows Django: OpenWISP's tables, its sessions, its users and its channel layer.
//!
//! So far [`import`] reads what an OpenWISP has, for the store to bring in, its [`password`]s among it.
//! What is ready for the rest: the seams [`Directory`](crate::access::Directory) and
//! [`Source`](crate::hub::Source).

pub mod hosts;
pub mod import;
pub mod password;
pub mod settings;
