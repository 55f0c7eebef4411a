//! `fleetwire sockets`: who has a socket open, on all nodes.

use std::time::Duration;

use anyhow::ensure;
use clap::{Args, Subcommand};
use ipnet::IpNet;
use serde_json::json;

use super::context::Context;
use super::output::{Output, note};
use super::{find, parse};
use crate::access::{Endpoint, SocketFilter};
use crate::event::SocketId;
use crate::store::{NodeReply, Store};

/// Said where there is nobody to ask.
const NOBODY: &str = "no node runs on this database";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List open sockets of all nodes, those first that have been open for the longest
    #[command(after_help = "\
Examples:
  fleetwire sockets list --user anna
  fleetwire sockets list --address 10.0.0.0/8 --limit 1000

WAITING_BYTES is what a socket's client has not taken yet: one that stays large is a slow reader.")]
    List {
        #[command(flatten)]
        which: Which,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 100)]
        #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
    },
    /// Close open sockets of all nodes, over five seconds
    ///
    /// Their clients are told that they may come back later (1013). Whoever is to stay away loses a right,
    /// or the log-in (`fleetwire session remove`, `fleetwire token remove`), which closes the sockets by
    /// itself.
    #[command(after_help = "\
Examples:
  fleetwire sockets close 4d1f0c7a-9b3e-8a52-8000-000000000017
  fleetwire sockets close --user anna --endpoint device_commands
  fleetwire sockets close --address 10.0.0.17")]
    Close {
        /// Its id, as `sockets list` shows it
        id: Option<SocketId>,
        #[command(flatten)]
        which: Which,
        /// Every open socket
        #[arg(long, conflicts_with_all = ["id", "user", "org", "endpoint", "address"])]
        all: bool,
    },
}

/// Which sockets are meant; several options narrow each other.
#[derive(Args, Debug)]
pub(crate) struct Which {
    /// Only those of this user
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Only those about this organization's devices and locations; the feed of all is none
    #[arg(long, value_name = "ORG")]
    org: Option<String>,
    /// Only those opened at this endpoint
    #[arg(long, value_name = "device_commands|location|locations")]
    endpoint: Option<Endpoint>,
    /// Only those of clients at this address, or in this network
    #[arg(long, value_name = "A", value_parser = parse::network)]
    address: Option<IpNet>,
}

impl Which {
    async fn filter(&self, store: &Store) -> anyhow::Result<SocketFilter> {
        let user = match &self.user {
            Some(text) => Some(find::user(store, text).await?.id),
            None => None,
        };
        let organization = match &self.org {
            Some(text) => Some(find::organization(store, text).await?.id),
            None => None,
        };
        Ok(SocketFilter {
            id: None,
            user,
            organization,
            endpoint: self.endpoint,
            address: self.address,
        })
    }
}

pub(crate) async fn run(command: &Command, context: &Context) -> anyhow::Result<()> {
    let store = context.open_store().await?;
    let grace = context.load_config()?.lease.grace();
    match command {
        Command::List { which, limit } => {
            let filter = which.filter(&store).await?;
            list(&store, &filter, *limit, grace, context.output).await
        }
        Command::Close { id, which, all } => {
            let filter = SocketFilter {
                id: *id,
                ..which.filter(&store).await?
            };
            ensure!(
                *all || !filter.is_empty(),
                "name the sockets: an id, --user, --org, --endpoint or --address; or --all"
            );
            close(&store, &filter, grace, context.output).await
        }
    }
}

async fn list(
    store: &Store,
    filter: &SocketFilter,
    most: u32,
    grace: Duration,
    output: Output,
) -> anyhow::Result<()> {
    let list = store.open_sockets(filter, most, grace).await?;
    for trouble in troubles(&list.nodes) {
        note(&trouble);
    }
    if list.nodes.is_empty() {
        note(NOBODY);
    }
    let listed = list.sockets.len() as u64;
    if list.count > listed {
        note(&format!(
            "{listed} of {} are listed: see --limit",
            list.count
        ));
    }
    let rows = list
        .sockets
        .iter()
        .map(serde_json::to_value)
        .collect::<Result<_, _>>()?;
    output.list(
        rows,
        &[
            "id",
            "node_name",
            "username",
            "address",
            "endpoint",
            "resource",
            "opened",
            "waiting_bytes",
        ],
    )
}

async fn close(
    store: &Store,
    filter: &SocketFilter,
    grace: Duration,
    output: Output,
) -> anyhow::Result<()> {
    let closed = store.close_sockets(filter, grace).await?;
    let count = closed.count;
    if closed.nodes.is_empty() {
        note(NOBODY);
    }
    if output.is_json() {
        output.object(&json!({ "count": count }))?;
    } else {
        let s = if count == 1 { "" } else { "s" };
        output.done(&format!("closing {count} socket{s}"))?;
    }
    // What was not closed is no success.
    let troubles: Vec<String> = troubles(&closed.nodes).collect();
    ensure!(troubles.is_empty(), troubles.join("; "));
    if let Some(id) = filter.id {
        ensure!(
            count > 0,
            "there is no such socket {id}; `fleetwire sockets list` shows what is there"
        );
    }
    Ok(())
}

/// What is to be said of nodes whose sockets are not among the others.
fn troubles(nodes: &[NodeReply]) -> impl Iterator<Item = String> + '_ {
    nodes.iter().filter_map(|node| {
        let trouble = node.trouble.as_deref()?;
        Some(format!("the node {} ({}): {trouble}", node.name, node.id))
    })
}
