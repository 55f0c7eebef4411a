//! The outside tests: the real program, over real sockets, as its clients meet it.
//!
//! One test program, so that linking is paid once; `cargo test --test outside wire` runs one file.

#![expect(
    clippy::unwrap_used,
    clippy::too_many_lines,
    reason = "tests: a panic is how one fails, and a story told in one piece reads better"
)]

mod architecture;
mod clients;
mod conformance;
mod durability;
mod rest;
mod support;
mod wire;
