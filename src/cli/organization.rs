//! `fleetwire org`: the tenants.

use clap::{ArgGroup, Args, Subcommand};
use serde_json::Value;

use super::context::Context;
use super::find;
use super::output::Output;
use crate::store::{NewOrganization, Organization, OrganizationChange, Store};

const EXAMPLES: &str = "\
Examples:
  fleetwire org set \"Metro Transit\" --name \"Metro Lines\"
  fleetwire org set metro-transit --inactive      nobody manages it any more; its sockets close";

/// What `add` and `set` both take.
#[derive(Args, Debug)]
pub(crate) struct About {
    /// What it is, in free text
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// E-mail address
    #[arg(long, value_name = "E")]
    email: Option<String>,
    /// Its page
    #[arg(long)]
    url: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make an organization
    Add {
        /// Its name; a slug for filters is made of it
        name: String,
        #[command(flatten)]
        about: About,
    },
    /// List all organizations
    List,
    /// Show one organization
    Show {
        /// Id, slug or name
        org: String,
    },
    /// Change an organization
    #[command(after_help = EXAMPLES)]
    #[command(group(ArgGroup::new("change").required(true).multiple(true).args([
        "name", "active", "inactive", "description", "email", "url",
    ])))]
    Set {
        /// Id, slug or name
        org: String,
        #[command(flatten)]
        about: About,
        /// A new name; a new slug is made of it
        #[arg(long)]
        name: Option<String>,
        /// It counts again
        #[arg(long, conflicts_with = "inactive")]
        active: bool,
        /// It counts for nothing: who manages it manages nothing, its devices are not heard
        #[arg(long)]
        inactive: bool,
    },
    /// Remove an organization with all its devices and locations
    Remove {
        /// Id, slug or name
        org: String,
    },
}

pub(crate) async fn run(command: &Command, context: &Context) -> anyhow::Result<()> {
    let store = match command {
        Command::Add { .. } => context.make_store().await?,
        _ => context.open_store().await?,
    };
    let output = context.output;
    match command {
        Command::Add { name, about } => {
            let new = NewOrganization {
                description: about.description.clone().unwrap_or_default(),
                email: about.email.clone().unwrap_or_default(),
                url: about.url.clone().unwrap_or_default(),
                ..name.into()
            };
            let added = store.add_organization(new).await?;
            output.object(&serde_json::to_value(added)?)
        }
        Command::List => {
            let all = store.organizations().await?;
            let rows = all
                .iter()
                .map(serde_json::to_value)
                .collect::<Result<_, _>>()?;
            output.list(rows, &["id", "name", "slug", "is_active"])
        }
        Command::Show { org } => {
            let organization = find::organization(&store, org).await?;
            output.object(&serde_json::to_value(organization)?)
        }
        Command::Set {
            org,
            about,
            name,
            active,
            inactive,
        } => {
            let Organization { id, .. } = find::organization(&store, org).await?;
            let change = OrganizationChange {
                name: name.clone(),
                slug: name.as_deref().map(Organization::slug_of),
                description: about.description.clone(),
                email: about.email.clone(),
                url: about.url.clone(),
                is_active: super::parse::switch(*active, *inactive),
            };
            let changed = store.change_organization(id, &change).await?;
            output.object(&serde_json::to_value(changed)?)
        }
        Command::Remove { org } => {
            let Organization { id, name, .. } = find::organization(&store, org).await?;
            store.remove_organization(id).await?;
            output.done(&format!("removed the organization \"{name}\" ({id})"))
        }
    }
}

/// The fields of other things that hold ids of organizations.
const REFERENCES: [&str; 3] = ["organization", "manages", "member_of"];

/// Writes names in place of the ids of organizations: programs want ids, people do not.
pub(crate) async fn name_for_people(
    store: &Store,
    output: Output,
    shown: &mut [Value],
) -> anyhow::Result<()> {
    if output.is_json() {
        return Ok(());
    }
    let known = store.organizations().await?;
    let name = |value: &mut Value| {
        let id = value.as_str().and_then(|text| text.parse().ok());
        if let Some(named) = known
            .iter()
            .find(|organization| Some(organization.id) == id)
        {
            *value = Value::String(named.name.clone());
        }
    };
    for object in shown.iter_mut().filter_map(Value::as_object_mut) {
        for reference in REFERENCES {
            match object.get_mut(reference) {
                Some(Value::Array(ids)) => ids.iter_mut().for_each(name),
                Some(id) => name(id),
                None => {}
            }
        }
    }
    Ok(())
}
