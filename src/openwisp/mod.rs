//! The room of all that knows Django: OpenWISP's sessions, its users and its channel layer.
//!
//! So far it reads [`password`]s. What is ready for the rest: the seams
//! [`Directory`](crate::access::Directory) and [`Source`](crate::hub::Source).

pub mod password;
