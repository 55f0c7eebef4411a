//! The outside tests: the real program, over real sockets, as its clients meet it.
//!
//! One test program, so that linking is paid once; `cargo test --test outside wire` runs one file.

#![expect(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "tests: a panic is how one fails, and a coordinate must come back as the very double \
              that was sent"
)]

mod architecture;
mod clients;
mod command_line;
mod commands;
mod conformance;
mod demo;
mod documents;
mod durability;
mod fuzz;
mod gateway;
mod guides;
mod import;
mod limits;
mod nodes;
mod operation;
mod packaging;
mod readiness;
mod reference;
mod rest;
mod sockets;
mod support;
mod wire;
