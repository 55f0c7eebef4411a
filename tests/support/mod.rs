//! What the outside tests stand on: the real program in a process of its own, and clients that
//! speak to it as the world does.
//!
//! - [`Server`]: `fleetwire serve` on a data directory (SQLite) or a fresh PostgreSQL database, and
//!   its command line.
//! - [`Database`]: what is in its database, past the server.
//! - [`Client`]: REST as nobody, as a browser's session or with a token.
//! - [`Socket`]: a WebSocket client; [`Raw`]: bytes on a TCP connection, for what no client sends.
//! - [`openwisp`]: a real OpenWISP, databases of it to import, and whole ones of a test's own.
//! - [`Gateway`]: `fleetwire gateway` beside such a one.
//! - [`Nginx`] and [`Haproxy`]: real ones, in front of them.
//! - [`Redis`]: a real Redis, or its like.
//! - [`ssh`]: SSH servers, the devices that commands run on.
//! - [`Seed`]: organizations, users, devices and locations made by the command line.
//! - [`eventually`]: waits for a condition. Nothing here sleeps to let something happen; that
//!   *nothing* happened is shown by a later event that does arrive.

mod database;
mod gateway;
mod haproxy;
mod http;
mod limits;
mod nginx;
pub mod openwisp;
mod postgres;
mod process;
mod raw;
mod redis;
mod seed;
mod server;
mod socket;
pub mod ssh;
mod wait;

pub use database::Database;
pub use gateway::Gateway;
pub use haproxy::Haproxy;
pub use http::{Answer, Client, value_of};
pub use limits::allow_open_files;
pub use nginx::Nginx;
pub use postgres::{OwnPostgres, Straggler};
pub use raw::{Head, Raw, RawFrame, frame};
pub use redis::Redis;
pub use seed::{Device, PASSWORD, Seed};
pub use server::{Engine, Server, Surroundings, free_address};
pub use socket::{Heard, Socket};
pub use wait::{eventually, within};

use serde_json::{Value, json};

/// What a request shows to prove who sends it.
#[derive(Clone, Debug, PartialEq)]
pub enum Credential {
    Nobody,
    /// The value of the session cookie.
    Cookie(String),
    /// The token of an `Authorization: Bearer` header.
    Token(String),
}

impl Credential {
    /// The header that carries it.
    pub fn header(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Nobody => None,
            Self::Cookie(value) => Some(("cookie", format!("sessionid={value}"))),
            Self::Token(token) => Some(("authorization", format!("Bearer {token}"))),
        }
    }
}

/// A GeoJSON Point.
pub fn point(longitude: f64, latitude: f64) -> Value {
    json!({"type": "Point", "coordinates": [longitude, latitude]})
}

/// What a device PUTs to report where it is.
pub fn feature(longitude: f64, latitude: f64) -> Value {
    json!({"type": "Feature", "geometry": point(longitude, latitude)})
}

/// The longitude and latitude of a message.
pub fn coordinates(message: &Value) -> (f64, f64) {
    let pair = &message["geometry"]["coordinates"];
    match (pair[0].as_f64(), pair[1].as_f64()) {
        (Some(longitude), Some(latitude)) => (longitude, latitude),
        _ => panic!("no coordinates in {message}"),
    }
}

/// The path of a location's socket.
pub fn location_path(id: &str) -> String {
    format!("/ws/loci/location/{id}/")
}

/// The path of a device's command socket.
pub fn command_path(id: &str) -> String {
    format!("/ws/controller/device/{id}/command")
}

/// The path of the organization-wide location feed.
pub const FLEET: &str = "/ws/loci/location/";
