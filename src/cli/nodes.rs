//! `fleetwire nodes`: the processes that serve this database.

use clap::Subcommand;

use super::context::Context;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the nodes that serve this database, and those that ended without taking leave
    #[command(after_help = "\
A node says every 5 seconds that it is there; IS_ALIVE is false after 15 seconds without. SOCKETS and
COMMANDS are what it had when it was SEEN last.")]
    List,
}

pub(crate) async fn run(command: &Command, context: &Context) -> anyhow::Result<()> {
    let Command::List = command;
    let store = context.open_store().await?;
    let nodes = store.nodes().await?;
    let rows = nodes
        .iter()
        .map(serde_json::to_value)
        .collect::<Result<_, _>>()?;
    context.output.list(
        rows,
        &[
            "id", "name", "version", "is_alive", "seen", "sockets", "commands",
        ],
    )
}
