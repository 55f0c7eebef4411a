//! The room of all that knows Django: OpenWISP's tables, its sessions, its users and its channel layer.
//!
//! [`import`] reads what an OpenWISP has, for the store to bring in, its [`password`]s among it. The rest
//! is the gateway's, beside an OpenWISP that goes on: [`settings`] are what the operator has set,
//! [`hosts`] whose pages may come; [`directory`] says who a [`session`] or token proves and what the
//! [`tables`] let that user see; [`feed`] brings to the hub what the channel [`layer`] tells. [`check`]
//! looks at all of it before anybody relies on it.

pub mod check;
pub mod directory;
pub mod feed;
mod geometry;
pub mod hosts;
pub mod import;
pub mod layer;
pub mod password;
mod redis_server;
pub mod session;
pub mod settings;
pub mod tables;
