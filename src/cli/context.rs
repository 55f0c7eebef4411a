//! What the global options mean: which configuration, which database, which form of output.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::Context as _;

use super::Global;
use super::output::Output;
use crate::config::{Config, environment};
use crate::store::{Engine, Store};

/// The file that is read when `--config` names none, in the data directory.
const FILE: &str = "fleetwire.toml";

/// The global options, and what was opened by them.
pub(crate) struct Context {
    config: Option<PathBuf>,
    data_dir: PathBuf,
    /// Where results go.
    pub(crate) output: Output,
    opened: OnceLock<Store>,
}

impl Context {
    pub(crate) fn new(global: Global) -> Self {
        Self {
            config: global.config,
            data_dir: global.data_dir,
            output: Output::new(global.json),
            opened: OnceLock::new(),
        }
    }

    /// The directory of what the server keeps.
    pub(crate) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// The configuration in force.
    pub(crate) fn load_config(&self) -> Result<Config, crate::config::ConfigError> {
        let default = self.data_dir.join(FILE);
        let file = match &self.config {
            Some(file) => Some(file.as_path()),
            None if default.exists() => Some(default.as_path()),
            None => None,
        };
        Config::load(file, environment())
    }

    /// The configuration without what the data directory says: for a server of its own.
    pub(crate) fn load_named_config(&self) -> Result<Config, crate::config::ConfigError> {
        Config::load(self.config.as_deref(), environment())
    }

    /// The database that `config` names.
    pub(crate) fn engine(&self, config: &Config) -> Engine {
        if config.database.url.is_empty() {
            Engine::Sqlite {
                directory: self.data_dir.clone(),
            }
        } else {
            Engine::Postgres {
                url: config.database.url.clone(),
            }
        }
    }

    /// What to call that database in a message.
    pub(crate) fn database_name(&self, config: &Config) -> String {
        if config.database.url.is_empty() {
            format!("the SQLite database in {}", self.data_dir.display())
        } else {
            config.database.redacted_url()
        }
    }

    /// The database, open and migrated.
    pub(crate) async fn open_store(&self) -> anyhow::Result<Store> {
        let config = self.load_config()?;
        let store = Store::open(&self.engine(&config))
            .await
            .with_context(|| format!("cannot open {}", self.database_name(&config)))?;
        Ok(self.opened.get_or_init(|| store).clone())
    }

    /// Takes leave of the database, if it was opened.
    pub(crate) async fn close(&self) {
        if let Some(store) = self.opened.get() {
            store.close().await;
        }
    }
}
