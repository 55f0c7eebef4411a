//! fleetwire: the live channel of a network.
//!
//! What is committed is pushed to whoever may see it: commit, then event, then hub, then socket.
//! `ARCHITECTURE.md` walks through the rooms; this page lists them in the order of that way.

pub mod event;

pub mod api;
pub mod command;
pub mod nodes;
pub mod openwisp;
pub mod store;

pub mod ingest;
pub mod redis_host;

pub mod hub;

pub mod access;
pub mod socket;

pub mod app;
pub mod gateway;
pub mod server;

pub mod cli;
pub mod config;
pub mod console;
pub mod telemetry;
