//! `fleetwire device`: what reports coordinates with a key of its own, and what commands run on.

use clap::{ArgGroup, Args, Subcommand};
use serde_json::{Value, json};

use super::context::Context;
use super::organization::name_for_people;
use super::pages::all_rows;
use super::{find, parse};
use crate::store::{Device, DeviceChange, DeviceFilter, NewDevice, Scope, Store};

/// What a list of devices shows of each; the key is a secret.
const COLUMNS: [&str; 6] = [
    "id",
    "name",
    "organization",
    "mac_address",
    "addresses",
    "is_active",
];

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a device and print the key that it authenticates itself with
    #[command(after_help = "\
Example:
  fleetwire device add \"Bus 1\" --org \"Metro Transit\"
  curl -X PUT -H 'Content-Type: application/json' \\
    -d '{\"type\":\"Feature\",\"geometry\":{\"type\":\"Point\",\"coordinates\":[12.49,41.9]}}' \\
    'http://127.0.0.1:8000/api/v1/controller/device/ID/coordinates/?key=KEY'")]
    Add(Add),
    /// List devices, newest first
    List {
        /// Only those of this organization
        #[arg(long, value_name = "ORG")]
        org: Option<String>,
    },
    /// Show one device
    Show {
        /// Id or name
        device: String,
    },
    /// Change a device
    Set(Set),
    /// Remove a device; the location that it was at stays
    Remove {
        /// Id or name
        device: String,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Add {
    /// Its name
    name: String,
    /// The organization that it belongs to
    #[arg(long, value_name = "ORG")]
    org: String,
    /// Host to reach it at; may be repeated, tried in order
    #[arg(long = "address", value_name = "HOST")]
    addresses: Vec<String>,
    /// MAC address, such as 00:11:22:33:44:55
    #[arg(long, value_name = "MAC")]
    mac: Option<String>,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
#[derive(Args, Debug)]
#[command(override_usage = "fleetwire device set <DEVICE> <CHANGE>...")]
#[command(group(ArgGroup::new("change").required(true).multiple(true)))]
pub(crate) struct Set {
    /// Id or name
    device: String,
    /// A new name
    #[arg(long, group = "change")]
    name: Option<String>,
    /// The organization that it belongs to from now on
    #[arg(long, value_name = "ORG", group = "change")]
    org: Option<String>,
    /// Host to reach it at, in place of all that it had; may be repeated, tried in order
    #[arg(long = "address", value_name = "HOST", group = "change")]
    addresses: Vec<String>,
    /// No hosts to reach it at
    #[arg(long, group = "change", conflicts_with = "addresses")]
    no_address: bool,
    /// MAC address
    #[arg(long, value_name = "MAC", group = "change")]
    mac: Option<String>,
    /// No MAC address
    #[arg(long, group = "change", conflicts_with = "mac")]
    no_mac: bool,
    /// Let commands run on it again
    #[arg(long, group = "change", conflicts_with = "deactivate")]
    activate: bool,
    /// Let no new commands run on it
    #[arg(long, group = "change")]
    deactivate: bool,
    /// Give it a new random key; the old one ends
    #[arg(long, group = "change")]
    regenerate_key: bool,
}

pub(crate) async fn run(command: &Command, context: &Context) -> anyhow::Result<()> {
    let store = context.open_store().await?;
    let output = context.output;
    let device = match command {
        Command::List { org } => {
            let devices = all(&store, org.as_deref()).await?;
            let mut rows: Vec<_> = devices.iter().map(shown).collect();
            name_for_people(&store, output, &mut rows).await?;
            return output.list(rows, &COLUMNS);
        }
        Command::Remove { device } => {
            let Device { id, name, .. } = find::device(&store, device).await?;
            store.remove_device(id).await?;
            return output.done(&format!("removed the device \"{name}\" ({id})"));
        }
        Command::Add(add) => make(&store, add).await?,
        Command::Show { device } => find::device(&store, device).await?,
        Command::Set(set) => change(&store, set).await?,
    };
    let mut object = shown(&device);
    name_for_people(&store, output, std::slice::from_mut(&mut object)).await?;
    output.object(&object)
}

async fn make(store: &Store, add: &Add) -> anyhow::Result<Device> {
    let new = NewDevice {
        name: add.name.clone(),
        organization: Some(find::organization(store, &add.org).await?.id),
        mac_address: add.mac.clone(),
        addresses: add.addresses.clone(),
        ..NewDevice::default()
    };
    Ok(store.add_device(&new).await?)
}

async fn all(store: &Store, org: Option<&str>) -> anyhow::Result<Vec<Device>> {
    let organization = match org {
        Some(org) => Some(find::organization(store, org).await?.id),
        None => None,
    };
    let filter = DeviceFilter {
        organization,
        ..DeviceFilter::default()
    };
    Ok(all_rows(async |page| store.devices(&Scope::All, &filter, page).await).await?)
}

async fn change(store: &Store, set: &Set) -> anyhow::Result<Device> {
    let Device { id, .. } = find::device(store, &set.device).await?;
    let organization = match &set.org {
        Some(org) => Some(find::organization(store, org).await?.id),
        None => None,
    };
    let has_addresses = set.no_address || !set.addresses.is_empty();
    let change = DeviceChange {
        name: set.name.clone(),
        organization,
        mac_address: match &set.mac {
            Some(mac) => Some(Some(mac.clone())),
            None => set.no_mac.then_some(None),
        },
        addresses: has_addresses.then(|| set.addresses.clone()),
        is_active: parse::switch(set.activate, set.deactivate),
        ..DeviceChange::default()
    };
    let changed = store.change_device(id, &change).await?;
    if set.regenerate_key {
        return Ok(store.regenerate_device_key(id).await?);
    }
    Ok(changed)
}

fn shown(device: &Device) -> Value {
    json!({
        "id": device.id,
        "name": device.name,
        "organization": device.organization,
        "mac_address": device.mac_address,
        "key": device.key,
        "last_ip": device.last_ip,
        "management_ip": device.management_ip,
        "notes": device.notes,
        "addresses": device.addresses,
        "is_active": device.is_active,
        "created": device.created,
        "modified": device.modified,
    })
}
