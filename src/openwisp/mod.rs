//! The room of all that knows Django: OpenWISP's tables, its sessions, its users and its channel layer.
//!
//! [`import`] reads what an OpenWISP has, for the store to bring in. What is ready for the rest: the
//! seams [`Directory`](crate::access::Directory) and [`Source`](crate::hub::Source).

pub mod import;
