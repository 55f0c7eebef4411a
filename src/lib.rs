//! fleetwire: the live channel of a network.

#![allow(unused, missing_docs)]
pub mod access;
pub mod app;
pub mod cli;
pub mod config;
pub mod event;
pub mod server;
pub mod store;
