//! What the global options mean: which configuration, which database, which form of output.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::Context as _;

use super::Global;
use super::output::Output;
use crate::command::Node;
use crate::config::{Config, environment};
use crate::store::{Actor, Engine, Store, StoreError, is_database_in};

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
        Config::load(self.file().as_deref(), environment())
    }

    /// The configuration in force for a server beside an OpenWISP, whose variables count as well.
    pub(crate) fn load_config_beside_openwisp(&self) -> Result<Config, crate::config::ConfigError> {
        Config::load_beside_openwisp(self.file().as_deref(), environment())
    }

    /// The file that `--config` names, else the one of the data directory if it is there.
    fn file(&self) -> Option<PathBuf> {
        let default = || Some(self.data_dir.join(FILE)).filter(|file| file.exists());
        self.config.clone().or_else(default)
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

    /// The database that is there, open and migrated, in the hands of who has this shell. Who looks, closes
    /// or removes and is told of no data directory would else look at a new, empty one and believe it.
    pub(crate) async fn open_store(&self) -> anyhow::Result<Store> {
        let config = self.load_config()?;
        if let Engine::Sqlite { directory } = self.engine(&config)
            && !is_database_in(&directory)
        {
            return Err(StoreError::NoDatabase(directory).into());
        }
        self.open(&config).await
    }

    /// The same, made where it is not there: for what begins one. Not where a node keeps its identity
    /// beside no database: it serves one elsewhere, which is the one that is meant.
    pub(crate) async fn make_store(&self) -> anyhow::Result<Store> {
        let config = self.load_config()?;
        if let Engine::Sqlite { directory } = self.engine(&config)
            && !is_database_in(&directory)
            && Node::is_kept_in(&directory)
        {
            return Err(StoreError::NoDatabase(directory).into());
        }
        self.open(&config).await
    }

    async fn open(&self, config: &Config) -> anyhow::Result<Store> {
        let store = Store::open(&self.engine(config))
            .await
            .with_context(|| format!("cannot open {}", self.database_name(config)))?;
        let store = store.by(Actor::CommandLine(login_name(environment())));
        // Kept first: whatever comes, it is closed in the end.
        let store = self.opened.get_or_init(|| store);
        if !config.secrets.key.is_empty() {
            store.use_key(config.secrets.key.parse().map_err(StoreError::Key)?);
        }
        Ok(store.clone())
    }

    /// Takes leave of the database, if it was opened.
    pub(crate) async fn close(&self) {
        if let Some(store) = self.opened.get() {
            store.close().await;
        }
    }
}

/// Who is at the command line, as the audit log names them: behind `sudo` the one who called it. The
/// variables are the caller's own word; whoever may write the database may write anything anyway.
fn login_name(environment: impl Iterator<Item = (String, String)>) -> String {
    let variables: HashMap<String, String> = environment.collect();
    ["SUDO_USER", "USER", "LOGNAME"]
        .iter()
        .filter_map(|name| variables.get(*name))
        .map(|value| value.trim())
        .find(|value| !value.is_empty())
        .map_or_else(
            || format!("uid {}", rustix::process::getuid().as_raw()),
            str::to_owned,
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_who_called_sudo_is_named() {
        let named = |variables: &[(&str, &str)]| {
            let owned = variables.iter();
            login_name(owned.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
        };
        let (sudo, user) = (("SUDO_USER", "ada"), ("USER", "root"));
        assert_eq!(named(&[user, sudo]), "ada");
        assert_eq!(named(&[("SUDO_USER", " "), user]), "root");
        assert_eq!(named(&[("LOGNAME", "bert")]), "bert");
        assert!(named(&[]).starts_with("uid "));
    }
}
