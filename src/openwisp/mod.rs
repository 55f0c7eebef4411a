//! The room of all that knows Django: OpenWISP's sessions, its users and its channel layer.
//!
//! Nothing is here yet. What is ready for it: the seams [`Directory`](crate::access::Directory)
//! and [`Source`](crate::hub::Source).
