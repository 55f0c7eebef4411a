//! `fleetwire audit`: who did what.

use clap::Subcommand;

use super::context::Context;
use super::parse;
use crate::event::Timestamp;
use crate::store::AuditFilter;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List what was done, newest first
    #[command(after_help = "\
Examples:
  fleetwire audit list --since 2026-11-24
  fleetwire audit list --actor anna --limit 20
  fleetwire audit list --actor \"root (command line)\"

Entries are kept for audit.keep_days.")]
    List {
        /// Only what this user did; who was at the command line is called "NAME (command line)"
        #[arg(long, value_name = "A")]
        actor: Option<String>,
        /// Only what was done from this instant on: ISO 8601 or a date
        #[arg(long, value_name = "T", value_parser = parse::instant)]
        since: Option<Timestamp>,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 100)]
        #[arg(value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
}

pub(crate) async fn run(command: &Command, context: &Context) -> anyhow::Result<()> {
    let Command::List {
        actor,
        since,
        limit,
    } = command;
    let filter = AuditFilter {
        actor: actor.clone(),
        since: *since,
        most: *limit,
    };
    let store = context.open_store().await?;
    let entries = store.audit(&filter).await?;
    let rows = entries
        .iter()
        .map(serde_json::to_value)
        .collect::<Result<_, _>>()?;
    context.output.list(
        rows,
        &["moment", "actor", "action", "model", "name", "object"],
    )
}
