//! fleetwire: the live channel of a network.

#![allow(unused, missing_docs)]
pub mod access;
pub mod app;
pub mod config;
pub mod event;
pub mod store;
pub mod cli {
    pub fn main() -> std::process::ExitCode {
        todo!()
    }
}
