//! The configuration: one commented file, overlaid by the environment, read nowhere else.
//!
//! Keys are the fields below; `FLEETWIRE_SECTION__KEY` overrides `key` of `[section]`. The unit of
//! a number stands in its name.

use std::net::SocketAddr;

use ipnet::IpNet;
use serde::Deserialize;

/// Everything that an operator may set.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub server: ServerConfig,
    pub database: DatabaseConfig,
    pub login: LoginConfig,
    pub socket: SocketConfig,
    pub lease: LeaseConfig,
    pub ingest: IngestConfig,
    pub metrics: MetricsConfig,
    pub log: LogConfig,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    pub listen: SocketAddr,
    /// Proxies whose `X-Forwarded-For`, `-Proto` and `-Host` are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Origins accepted beside the server's own, e.g. `https://console.example.org`.
    pub allowed_origins: Vec<String>,
    pub body_limit_bytes: usize,
    pub header_timeout_s: u64,
    pub drain_s: u64,
}

#[derive(Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseConfig {
    /// `postgres://…`, or empty for SQLite in the data directory. May hold a password: not printed.
    pub url: String,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoginConfig {
    pub cookie_name: String,
    pub session_hours: u32,
    /// Failed attempts for one user name before further ones are refused for a while.
    pub attempts_per_user: u32,
    pub attempts_per_address: u32,
    pub attempts_window_s: u64,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SocketConfig {
    pub outbox_bytes: usize,
    pub ping_s: u64,
    pub idle_s: u64,
    /// How fast what a client sends is read (and thrown away).
    pub inbound_bytes_per_second: usize,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LeaseConfig {
    pub check_ms: u64,
    pub grace_s: u64,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IngestConfig {
    pub tail_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsConfig {
    /// Address of the Prometheus listener; empty for none.
    pub listen: String,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// `text` or `json`.
    pub format: LogFormat,
    /// A filter as of tracing's EnvFilter: `info`, `fleetwire=debug`.
    pub level: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

impl std::fmt::Debug for DatabaseConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DatabaseConfig").field("url", &"…").finish()
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8000)),
            trusted_proxies: Vec::new(),
            allowed_origins: Vec::new(),
            body_limit_bytes: 1024 * 1024,
            header_timeout_s: 10,
            drain_s: 10,
        }
    }
}

impl Default for LoginConfig {
    fn default() -> Self {
        Self {
            cookie_name: "sessionid".into(),
            session_hours: 336,
            attempts_per_user: 10,
            attempts_per_address: 50,
            attempts_window_s: 300,
        }
    }
}

impl Default for SocketConfig {
    fn default() -> Self {
        Self {
            outbox_bytes: 256 * 1024,
            ping_s: 20,
            idle_s: 30,
            inbound_bytes_per_second: 16 * 1024 * 1024,
        }
    }
}

impl Default for LeaseConfig {
    fn default() -> Self {
        Self { check_ms: 2000, grace_s: 60 }
    }
}

impl Default for IngestConfig {
    fn default() -> Self {
        Self { tail_ms: 250 }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".into() }
    }
}
