//! `fleetwire config`: what is configured, and whether it can be.

use clap::Subcommand;
use serde_json::{Map, json};
use toml::Value;

use super::context::Context;
use super::output;
use crate::config::{Config, ConfigError, DEFAULT_FILE};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Read the configuration and say "ok", or name every mistake with its file and line
    Check,
    /// Print the file with every key, its meaning and its default
    #[command(after_help = "\
Example:
  fleetwire config default > fleetwire-data/fleetwire.toml")]
    Default,
    /// List the environment variables that override the file, with the values in force
    Env {
        /// As `fleetwire gateway` has them: docker-openwisp's variables count as well
        #[arg(long)]
        gateway: bool,
    },
}

pub(crate) fn run(command: &Command, context: &Context) -> anyhow::Result<()> {
    let output = context.output;
    match command {
        Command::Check => {
            check(context)?;
            if output.is_json() {
                return output::print_json(&json!({"ok": true}));
            }
            output.done("ok")
        }
        Command::Default if output.is_json() => {
            output::print_json(&serde_json::to_value(Config::default())?)
        }
        Command::Default => output::print(DEFAULT_FILE),
        Command::Env { gateway } => {
            let config = if *gateway {
                context.load_config_beside_openwisp()?
            } else {
                context.load_config()?
            };
            let variables = config.variables();
            if output.is_json() {
                let mut object = Map::new();
                for (name, value) in variables {
                    object.insert(name, serde_json::to_value(value)?);
                }
                return output::print_json(&object.into());
            }
            for (name, value) in variables {
                output.done(&format!("{name}={}", written(&value)))?;
            }
            Ok(())
        }
    }
}

/// Each mistake on a line of its own; the last is the error.
fn check(context: &Context) -> anyhow::Result<()> {
    let Err(error) = context.load_config() else {
        return Ok(());
    };
    if let ConfigError::Mistakes(mistakes) = &error
        && let [most @ .., last] = mistakes.as_slice()
    {
        for mistake in most {
            output::note(&mistake.to_string());
        }
        anyhow::bail!("{last}");
    }
    Err(error.into())
}

/// A value as a shell takes it.
fn written(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items = items.iter().map(|item| item.as_str().unwrap_or_default());
            items.collect::<Vec<_>>().join(",")
        }
        other => other.to_string(),
    };
    super::parse::quoted(&text)
}
