//! `fleetwire group`: permissions that users share.

use clap::{ArgGroup, Subcommand};
use serde_json::{Value, json};

use super::context::Context;
use super::{find, parse};
use crate::access::Permission;
use crate::store::{Group, GroupChange};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a group
    #[command(after_help = "\
Example:
  fleetwire group add Viewers --permission geo.view_location --permission connection.view_command")]
    Add {
        /// Its name
        name: String,
        /// A permission that it gives, such as `geo.view_location`; may be repeated
        #[arg(long = "permission", value_name = "P", value_parser = parse::permission)]
        permissions: Vec<Permission>,
    },
    /// List all groups
    List,
    /// Show one group
    Show {
        /// Id or name
        group: String,
    },
    /// Change a group, and with it what its users may
    #[command(group(ArgGroup::new("change").required(true).multiple(true)))]
    Set {
        /// Id or name
        group: String,
        /// A new name
        #[arg(long, group = "change")]
        name: Option<String>,
        /// A permission to give; may be repeated
        #[arg(long = "permission", value_name = "P", value_parser = parse::permission)]
        #[arg(group = "change")]
        permissions: Vec<Permission>,
        /// A permission to take away; may be repeated
        #[arg(long = "remove-permission", value_name = "P", value_parser = parse::permission)]
        #[arg(group = "change")]
        remove_permissions: Vec<Permission>,
    },
    /// Remove a group; its users lose what it gave
    Remove {
        /// Id or name
        group: String,
    },
}

pub(crate) async fn run(command: &Command, context: &Context) -> anyhow::Result<()> {
    let store = match command {
        Command::Add { .. } => context.make_store().await?,
        _ => context.open_store().await?,
    };
    let output = context.output;
    match command {
        Command::Add { name, permissions } => {
            output.object(&shown(&store.add_group(name, permissions).await?))
        }
        Command::List => {
            let rows = store.groups().await?.iter().map(shown).collect();
            // What a group gives is too long for a table: `show` tells.
            output.list(rows, &["id", "name"])
        }
        Command::Show { group } => output.object(&shown(&find::group(&store, group).await?)),
        Command::Set {
            group,
            name,
            permissions,
            remove_permissions,
        } => {
            let Group { id, .. } = find::group(&store, group).await?;
            let change = GroupChange {
                name: name.clone(),
                add_permissions: permissions.clone(),
                remove_permissions: remove_permissions.clone(),
            };
            output.object(&shown(&store.change_group(id, &change).await?))
        }
        Command::Remove { group } => {
            let Group { id, name, .. } = find::group(&store, group).await?;
            store.remove_group(id).await?;
            output.done(&format!("removed the group \"{name}\" ({id})"))
        }
    }
}

fn shown(group: &Group) -> Value {
    json!({
        "id": group.id,
        "name": group.name,
        "permissions": group.permissions.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}
