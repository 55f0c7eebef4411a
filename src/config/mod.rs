//! The configuration: one commented file, overlaid by the environment, read nowhere else.
//!
//! Keys are the fields of the sections; `FLEETWIRE_SECTION__KEY` overrides `key` of `[section]`.
//! The unit of a number stands in its name. `fleetwire.toml` beside this file holds every key with
//! its default and is what `fleetwire config default` prints.

mod audit;
mod batch;
mod check;
mod commands;
mod console;
mod database;
mod error;
mod gateway;
mod hints;
mod ingest;
mod lease;
mod limits;
mod load;
mod log;
mod login;
mod metrics;
mod secrets;
mod server;
mod socket;

pub use audit::AuditConfig;
pub use batch::BatchConfig;
pub use commands::{
    BUILT_IN_TYPES, CommandDefinition, CommandTemplate, CommandsConfig, InputSchema,
    InputSchemaError, TemplatePart,
};
pub use console::ConsoleConfig;
pub use database::DatabaseConfig;
pub use error::{ConfigError, Mistake, Origin};
pub use gateway::{GatewayConfig, Hidden, HiddenUrl};
pub use hints::HintsConfig;
pub use ingest::IngestConfig;
pub use lease::LeaseConfig;
pub use limits::LimitsConfig;
pub use load::environment;
pub use log::{LogConfig, LogFormat};
pub use login::LoginConfig;
pub use metrics::MetricsConfig;
pub use secrets::{MASK, SecretsConfig};
pub use server::ServerConfig;
pub use socket::SocketConfig;

use serde::{Deserialize, Serialize};

/// The file with every key, its comment and its default.
pub const DEFAULT_FILE: &str = include_str!("fleetwire.toml");

/// Everything that an operator may set. Serializing it is for showing: passwords and keys are masked.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The HTTP listener.
    pub server: ServerConfig,
    /// Where the data is.
    pub database: DatabaseConfig,
    /// What secrets are encrypted with.
    pub secrets: SecretsConfig,
    /// How much one user, one address or one device may have.
    pub limits: LimitsConfig,
    /// Logging in.
    pub login: LoginConfig,
    /// Open sockets.
    pub socket: SocketConfig,
    /// Re-checking the rights behind open sockets.
    pub lease: LeaseConfig,
    /// The tail of the database.
    pub ingest: IngestConfig,
    /// Hints between nodes.
    pub hints: HintsConfig,
    /// Commands on devices.
    pub commands: CommandsConfig,
    /// One command on many devices.
    pub batch: BatchConfig,
    /// The OpenWISP that `fleetwire gateway` stands beside.
    pub gateway: GatewayConfig,
    /// The web console.
    pub console: ConsoleConfig,
    /// The log of who did what.
    pub audit: AuditConfig,
    /// The listener for Prometheus.
    pub metrics: MetricsConfig,
    /// Logs.
    pub log: LogConfig,
}

impl Config {
    fn check(&self) -> check::Problems {
        let mut problems = check::Problems::default();
        self.server.check(&mut problems);
        self.database.check(&mut problems);
        self.secrets.check(&mut problems);
        self.limits.check(&mut problems);
        self.login.check(&mut problems);
        self.socket.check(&mut problems);
        self.lease.check(&mut problems);
        self.ingest.check(&mut problems);
        self.hints
            .check(&mut problems, self.database.url.is_empty());
        self.commands.check(&mut problems);
        self.batch.check(&mut problems);
        self.gateway.check(&mut problems);
        self.console.check(&mut problems);
        self.audit.check(&mut problems);
        self.metrics.check(&mut problems);
        self.log.check(&mut problems);
        problems
    }
}
