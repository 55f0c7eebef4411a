//! fleetwire: the live channel of a network.

pub mod access;
pub mod api;
pub mod app;
pub mod cli;
pub mod config;
pub mod console;
pub mod event;
pub mod hub;
pub mod ingest;
pub mod server;
pub mod socket;
pub mod store;
pub mod telemetry;
