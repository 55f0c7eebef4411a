//! fleetwire: the live channel of a network.

#![allow(unused, missing_docs)]
pub mod access;
pub mod config;
pub mod event;
pub mod hub;
pub mod ingest;
pub mod telemetry;
pub mod store;
pub mod cli {
    pub fn main() -> std::process::ExitCode {
        todo!()
    }
}
