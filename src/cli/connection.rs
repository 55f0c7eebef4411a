//! `fleetwire connection`: a device's use of a credential.

use std::collections::HashMap;

use anyhow::ensure;
use clap::{ArgGroup, Args, Subcommand};
use serde_json::{Value, json};

use super::context::Context;
use super::pages::all_rows;
use super::{find, output::Output, parse};
use crate::event::{CredentialId, DeviceId};
use crate::store::{Connection, ConnectionChange, Device, NewConnection, Scope, Store};

/// What a list of connections shows of each.
const COLUMNS: [&str; 6] = [
    "id",
    "device",
    "credential",
    "is_enabled",
    "is_working",
    "last_attempt",
];

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Let a device use a credential, so that commands can run on it
    #[command(after_help = "\
Example:
  fleetwire device set \"Bus 1\" --address 10.0.0.17
  fleetwire connection add \"Bus 1\" routers
  fleetwire run \"Bus 1\" -- uptime

A device with several connections is tried with each of them, in the order of their making.")]
    Add {
        /// Id or name of the device
        device: String,
        /// Id or name of the credential; one of the device's own organization
        credential: String,
        /// Do not use it yet
        #[arg(long)]
        disabled: bool,
    },
    /// List connections, in the order in which they are tried
    List {
        /// Only those of this device
        #[arg(long, value_name = "DEVICE")]
        device: Option<String>,
    },
    /// Show one connection: whether it works, and the host key that the device has shown
    Show {
        /// Its id, or a device that has no other
        connection: String,
    },
    /// Change a connection
    #[command(after_help = "\
Example:
  fleetwire connection set \"Bus 1\" --forget-host-key     the router was replaced on purpose")]
    Set(Set),
    /// Remove a connection; the commands that used it stay
    Remove {
        /// Its id, or a device that has no other
        connection: String,
    },
}

#[derive(Args, Debug)]
#[command(override_usage = "fleetwire connection set <CONNECTION> <CHANGE>...")]
#[command(group(ArgGroup::new("change").required(true).multiple(true)))]
pub(crate) struct Set {
    /// Its id, or a device that has no other
    connection: String,
    /// Use it
    #[arg(long, group = "change", conflicts_with = "disable")]
    enable: bool,
    /// Do not use it
    #[arg(long, group = "change")]
    disable: bool,
    /// Another credential of the same organization
    #[arg(long, value_name = "CREDENTIAL", group = "change")]
    credential: Option<String>,
    /// Accept and remember whatever host key the device shows next
    #[arg(long, group = "change")]
    forget_host_key: bool,
}

pub(crate) async fn run(command: &Command, context: &Context) -> anyhow::Result<()> {
    let store = context.open_store().await?;
    let output = context.output;
    let connection = match command {
        Command::List { device } => {
            let device = match device {
                Some(device) => Some(find::device(&store, device).await?.id),
                None => None,
            };
            let mut rows: Vec<_> = all(&store, device).await?.iter().map(shown).collect();
            name_devices_and_credentials(&store, output, &mut rows).await?;
            return output.list(rows, &COLUMNS);
        }
        Command::Remove { connection } => {
            let Connection { id, .. } = find::connection(&store, connection).await?;
            store.remove_connection(id).await?;
            return output.done(&format!("removed the connection {id}"));
        }
        Command::Add {
            device,
            credential,
            disabled,
        } => {
            let device = find::device(&store, device).await?;
            let new = NewConnection {
                credential: credential_for(&store, &device, credential).await?,
                device: device.id,
                is_enabled: !disabled,
            };
            store.add_connection(new).await?
        }
        Command::Show { connection } => find::connection(&store, connection).await?,
        Command::Set(set) => change(&store, set).await?,
    };
    let mut object = shown(&connection);
    name_devices_and_credentials(&store, output, std::slice::from_mut(&mut object)).await?;
    output.object(&object)
}

async fn change(store: &Store, set: &Set) -> anyhow::Result<Connection> {
    let Connection { id, device, .. } = find::connection(store, &set.connection).await?;
    let credential = match &set.credential {
        Some(credential) => {
            let device = store.device(device, &Scope::All).await?;
            Some(credential_for(store, &device, credential).await?)
        }
        None => None,
    };
    let change = ConnectionChange {
        credential,
        is_enabled: parse::switch(set.enable, set.disable),
        forget_host_key: set.forget_host_key,
    };
    Ok(store.change_connection(id, change).await?)
}

/// A credential that the device may use.
async fn credential_for(
    store: &Store,
    device: &Device,
    text: &str,
) -> anyhow::Result<CredentialId> {
    let found = find::credential_of(store, device.organization, text).await?;
    ensure!(
        found.organization == device.organization,
        "the credential \"{}\" belongs to another organization than the device \"{}\"",
        found.name,
        device.name
    );
    Ok(found.id)
}

async fn all(store: &Store, device: Option<DeviceId>) -> anyhow::Result<Vec<Connection>> {
    Ok(all_rows(async |page| store.connections(device, page).await).await?)
}

fn shown(connection: &Connection) -> Value {
    json!({
        "id": connection.id,
        "device": connection.device,
        "credential": connection.credential,
        "is_enabled": connection.is_enabled,
        "is_working": connection.is_working,
        "failure_reason": connection.failure_reason,
        "last_attempt": connection.last_attempt,
        "host_key": connection.host_key,
        "created": connection.created,
        "modified": connection.modified,
    })
}

/// Writes names in place of ids: programs want ids, people do not.
async fn name_devices_and_credentials(
    store: &Store,
    output: Output,
    rows: &mut [Value],
) -> anyhow::Result<()> {
    if output.is_json() {
        return Ok(());
    }
    let mut known: HashMap<String, String> = HashMap::new();
    for row in rows {
        for field in ["device", "credential"] {
            let id = row[field].as_str().unwrap_or_default().to_owned();
            if !known.contains_key(&id) {
                let name = match field {
                    "device" => store.device(id.parse()?, &Scope::All).await?.name,
                    _ => store.credential(id.parse()?, &Scope::All).await?.name,
                };
                known.insert(id.clone(), name);
            }
            row[field] = known[&id].clone().into();
        }
    }
    Ok(())
}
