//! `fleetwire backup`: a copy of the SQLite database while the server runs.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use serde_json::json;

use super::context::Context;
use crate::store::back_up;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  fleetwire backup --data-dir /var/lib/fleetwire /backup/fleetwire-2026-11-24.db
  fleetwire backup \"/backup/fleetwire-$(date --utc +%FT%H%M).db\"

The server may run and write meanwhile: the copy is the state of one moment, and holds all that was
acknowledged before. The key of the secrets is not in it: keep that as well, in another place. To restore,
put the copy into an empty data directory as fleetwire.db, the key beside it as secret.key, and start.

A PostgreSQL database is backed up by its own tools (pg_dump).")]
pub(crate) struct Backup {
    /// The new file; one that is there is not overwritten
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(crate) async fn run(backup: &Backup, context: &Context) -> anyhow::Result<()> {
    let config = context.load_config()?;
    if !config.database.url.is_empty() {
        bail!(
            "the database is {}: back it up with PostgreSQL's own tools, as `pg_dump --format=custom \
             --file=FILE URL` does, and keep secrets.key as well",
            config.database.redacted_url()
        );
    }
    let copied = back_up(context.data_dir(), &backup.file).await?;
    let key = copied.key_file.filter(|_| config.secrets.key.is_empty());
    if context.output.is_json() {
        return context.output.object(&json!({
            "file": backup.file,
            "bytes": copied.bytes,
            "key_file": key,
        }));
    }
    let keep = match key {
        Some(file) => format!(
            "its secrets open only with the key in {}: keep a copy of that as well, in another place",
            file.display()
        ),
        None if config.secrets.key.is_empty() => "there are no secrets in it yet".to_owned(),
        None => {
            "its secrets open only with the key that is configured (secrets.key): keep that as well"
                .to_owned()
        }
    };
    context.output.done(&format!(
        "{} holds the database ({} bytes)\n{keep}",
        backup.file.display(),
        copied.bytes
    ))
}
