//! `fleetwire location`: places, and where vehicles are now.

use clap::{ArgGroup, Args, Subcommand};
use serde_json::{Value, json};

use super::context::Context;
use super::organization::name_for_people;
use super::pages::all_rows;
use super::{find, parse};
use crate::event::{LocationType, Point};
use crate::store::{Location, LocationChange, LocationFilter, NewLocation, Scope, Store};

/// What a list of locations shows of each.
const COLUMNS: [&str; 6] = [
    "id",
    "name",
    "organization",
    "type",
    "is_mobile",
    "geometry",
];

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a location
    #[command(after_help = "\
Examples:
  fleetwire location add Depot --org \"Metro Transit\" --point -3.7,40.4 --address \"Calle Mayor 1\"
  fleetwire location add \"Bus 1\" --org \"Metro Transit\" --mobile --device \"Bus 1\"

A vehicle needs no location made for it: its first report of coordinates makes one.")]
    Add(Add),
    /// List locations, newest first
    List {
        /// Only those of this organization
        #[arg(long, value_name = "ORG")]
        org: Option<String>,
        /// Only those that move
        #[arg(long)]
        mobile: bool,
    },
    /// Show one location
    Show {
        /// Id or name
        location: String,
    },
    /// Change a location; a new point reaches open sockets, also while the server runs
    #[command(after_help = "\
Example:
  fleetwire location set \"Bus 1\" --point -3.7,40.4")]
    Set(Set),
    /// Remove a location
    Remove {
        /// Id or name
        location: String,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Add {
    /// Its name
    name: String,
    /// The organization that it belongs to
    #[arg(long, value_name = "ORG")]
    org: String,
    /// It moves: a vehicle
    #[arg(long)]
    mobile: bool,
    /// outdoor or indoor
    #[arg(long = "type", value_name = "TYPE", default_value = "outdoor")]
    kind: LocationType,
    /// Street address
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    address: String,
    /// Where it is, in degrees (WGS 84); may be left out for what moves
    #[arg(long, value_name = "LON,LAT", value_parser = parse::point, allow_hyphen_values = true)]
    point: Option<Point>,
    /// A device to put there
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
}

#[derive(Args, Debug)]
#[command(override_usage = "fleetwire location set <LOCATION> <CHANGE>...")]
#[command(group(ArgGroup::new("change").required(true).multiple(true)))]
pub(crate) struct Set {
    /// Id or name
    location: String,
    /// A new name
    #[arg(long, group = "change")]
    name: Option<String>,
    /// The organization that it belongs to from now on
    #[arg(long, value_name = "ORG", group = "change")]
    org: Option<String>,
    /// It moves from now on
    #[arg(long, group = "change", conflicts_with = "no_mobile")]
    mobile: bool,
    /// It stays where it is from now on
    #[arg(long, group = "change")]
    no_mobile: bool,
    /// outdoor or indoor
    #[arg(long = "type", value_name = "TYPE", group = "change")]
    kind: Option<LocationType>,
    /// Street address
    #[arg(long, value_name = "TEXT", group = "change")]
    address: Option<String>,
    /// Where it is now, in degrees (WGS 84)
    #[arg(long, value_name = "LON,LAT", value_parser = parse::point, allow_hyphen_values = true)]
    #[arg(group = "change")]
    point: Option<Point>,
    /// A device to put there
    #[arg(long, value_name = "DEVICE", group = "change")]
    device: Option<String>,
}

pub(crate) async fn run(command: &Command, context: &Context) -> anyhow::Result<()> {
    let store = context.open_store().await?;
    let output = context.output;
    let location = match command {
        Command::List { org, mobile } => {
            let locations = all(&store, org.as_deref(), *mobile).await?;
            let mut rows: Vec<_> = locations.iter().map(shown).collect();
            name_for_people(&store, output, &mut rows).await?;
            return output.list(rows, &COLUMNS);
        }
        Command::Remove { location } => {
            let Location { id, name, .. } = find::location(&store, location).await?;
            store.remove_location(id).await?;
            return output.done(&format!("removed the location \"{name}\" ({id})"));
        }
        Command::Add(add) => make(&store, add).await?,
        Command::Show { location } => find::location(&store, location).await?,
        Command::Set(set) => change(&store, set).await?,
    };
    let mut object = shown(&location);
    name_for_people(&store, output, std::slice::from_mut(&mut object)).await?;
    output.object(&object)
}

async fn make(store: &Store, add: &Add) -> anyhow::Result<Location> {
    anyhow::ensure!(
        add.mobile || add.point.is_some(),
        "a location that does not move needs a place: pass --point LON,LAT, or --mobile"
    );
    let new = NewLocation {
        organization: Some(find::organization(store, &add.org).await?.id),
        name: add.name.clone(),
        address: add.address.clone(),
        kind: add.kind,
        is_mobile: add.mobile,
        geometry: add.point,
        device: match &add.device {
            Some(device) => Some(find::device(store, device).await?.id),
            None => None,
        },
    };
    Ok(store.add_location(&new).await?)
}

async fn all(store: &Store, org: Option<&str>, mobile: bool) -> anyhow::Result<Vec<Location>> {
    let organization = match org {
        Some(org) => Some(find::organization(store, org).await?.id),
        None => None,
    };
    let filter = LocationFilter {
        organization,
        is_mobile: mobile.then_some(true),
        ..LocationFilter::default()
    };
    Ok(all_rows(async |page| store.locations(&Scope::All, &filter, page).await).await?)
}

async fn change(store: &Store, set: &Set) -> anyhow::Result<Location> {
    let Location { id, .. } = find::location(store, &set.location).await?;
    let device = match &set.device {
        Some(device) => Some(find::device(store, device).await?.id),
        None => None,
    };
    let change = LocationChange {
        organization: match &set.org {
            Some(org) => Some(find::organization(store, org).await?.id),
            None => None,
        },
        name: set.name.clone(),
        address: set.address.clone(),
        kind: set.kind,
        is_mobile: parse::switch(set.mobile, set.no_mobile),
        geometry: set.point.map(Some),
    };
    Ok(store.change_location_for(id, &change, device).await?)
}

fn shown(location: &Location) -> Value {
    json!({
        "id": location.id,
        "organization": location.organization,
        "name": location.name,
        "type": location.kind,
        "is_mobile": location.is_mobile,
        "address": location.address,
        "geometry": location.geometry,
        "device_count": location.device_count,
        "created": location.created,
        "modified": location.modified,
    })
}
