//! `fleetwire key`: what secrets are encrypted with.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use clap::Subcommand;
use serde_json::json;

use super::context::Context;
use crate::store::{Key, Store};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Encrypt all secrets anew, with a new key
    ///
    /// Where the key lies in the data directory (SQLite without `secrets.key`), a new one takes its
    /// place, and a server that runs goes on with it. Where it is configured, the new one comes from a
    /// file, and has to be configured on every node afterwards.
    #[command(after_help = "\
Examples:
  fleetwire key rotate
  (umask 077; openssl rand -hex 32 > new.key) && fleetwire key rotate --new-key-file new.key")]
    Rotate {
        /// A file with the new key, 64 hexadecimal digits
        #[arg(long, value_name = "FILE")]
        new_key_file: Option<PathBuf>,
    },
    /// Print the fingerprint of the key, which tells it from others without giving it away
    Show,
}

pub(crate) async fn run(command: &Command, context: &Context) -> anyhow::Result<()> {
    let store = context.open_store().await?;
    match command {
        Command::Show => {
            let fingerprint = store.check_key().await?;
            context.output.object(&json!({"fingerprint": fingerprint}))
        }
        Command::Rotate { new_key_file } => rotate(&store, new_key_file.as_deref(), context).await,
    }
}

async fn rotate(store: &Store, file: Option<&Path>, context: &Context) -> anyhow::Result<()> {
    let output = context.output;
    // First of all: with another key than the database's, nothing can be opened.
    let old = store.check_key().await?;
    let is_configured = !context.load_config()?.secrets.key.is_empty();
    let new = match file {
        Some(file) => Some(read(file)?),
        None if is_configured => bail!(
            "the key is configured (secrets.key): write a new one to a file, as `openssl rand -hex \
             32 > FILE` does, and pass it with --new-key-file"
        ),
        None => None,
    };
    let is_same = |key: &Key| key.fingerprint() == old;
    ensure!(
        !new.as_ref().is_some_and(is_same),
        "that is the key that is in use"
    );
    let fingerprint = store.rotate_key(new).await?;
    if output.is_json() {
        return output.object(&json!({"fingerprint": fingerprint}));
    }
    let next = if is_configured {
        "\nnow set secrets.key (FLEETWIRE_SECRETS__KEY) to the new key on every node and restart \
         them: until then they can use no credential"
    } else {
        ""
    };
    output.done(&format!(
        "all secrets are encrypted with a new key ({fingerprint}){next}"
    ))
}

fn read(file: &Path) -> anyhow::Result<Key> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("cannot read the new key {}", file.display()))?;
    text.parse()
        .with_context(|| format!("cannot use the new key {}", file.display()))
}
