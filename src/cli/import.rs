//! `fleetwire import`: what another system has, brought over.

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::context::Context;
use super::output;
use crate::command::ssh::open_private_key;
use crate::config::DatabaseConfig;
use crate::openwisp::import::{Location, read};
use crate::store::{Import, ImportKind, ImportReport, LeftOut, LoginSecret};

const EXAMPLES: &str = "\
Examples:
  fleetwire import openwisp --database /opt/openwisp2/db.sqlite3           what would be done
  fleetwire import openwisp --database /opt/openwisp2/db.sqlite3 --apply   do it
  FLEETWIRE_OPENWISP_DATABASE=postgres://reader:PASSWORD@db/openwisp fleetwire import openwisp

It only reads OpenWISP's database. Repeated, it brings what has changed there since, and leaves alone
what was changed here.";

const COUNTS: [&str; 6] = ["kind", "new", "changed", "unchanged", "removed", "left_out"];
const REMARKS: [&str; 4] = ["kind", "name", "matter", "reason"];

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Organizations, users, devices, SSH logins and locations of an OpenWISP
    Openwisp(Openwisp),
}

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Openwisp {
    /// OpenWISP's database: the URL of PostGIS (postgres), or the file of SpatiaLite. Other users of the
    /// machine can see what is on the command line: a password is better in the variable
    #[arg(
        long,
        value_name = "URL",
        env = "FLEETWIRE_OPENWISP_DATABASE",
        hide_env_values = true
    )]
    database: String,
    /// Do it; without this it is only told what would be done
    #[arg(long)]
    apply: bool,
}

pub(crate) async fn run(command: &Command, context: &Context) -> anyhow::Result<()> {
    let Command::Openwisp(openwisp) = command;
    let location: Location = openwisp.database.parse()?;
    let mut import = read(&location)
        .await
        .with_context(|| format!("cannot read {}", shown(&location)))?;
    leave_out_unusable_keys(&mut import);
    let store = context.make_store().await?;
    let report = store.import(import, openwisp.apply).await?;
    tell(&report, openwisp.apply, context)
}

/// The database as it may be shown.
fn shown(location: &Location) -> String {
    match location {
        Location::Sqlite(path) => path.display().to_string(),
        Location::Postgres(url) => DatabaseConfig { url: url.clone() }.redacted_url(),
    }
}

/// A private key that no login could use is refused, as everywhere.
fn leave_out_unusable_keys(import: &mut Import) {
    let credentials = std::mem::take(&mut import.credentials);
    for credential in credentials {
        let checked = match &credential.secret {
            LoginSecret::PrivateKey { pem, .. } => open_private_key(pem, None).map(|_| ()),
            LoginSecret::Password(_) => Ok(()),
        };
        match checked {
            Ok(()) => import.credentials.push(credential),
            Err(error) => import.left_out.push(LeftOut {
                kind: ImportKind::Credentials,
                id: credential.id.0,
                name: credential.name,
                reason: error.to_string(),
            }),
        }
    }
}

fn tell(report: &ImportReport, applied: bool, context: &Context) -> anyhow::Result<()> {
    let counts: Vec<Value> = report
        .counts
        .iter()
        .map(|(kind, count)| {
            json!({
                "kind": kind.to_string(),
                "new": count.new,
                "changed": count.changed,
                "unchanged": count.unchanged,
                "removed": count.removed,
                "left_out": count.left_out,
            })
        })
        .collect();
    let remarks: Vec<Value> = report
        .remarks
        .iter()
        .map(|remark| {
            json!({
                "kind": remark.kind.to_string(),
                "name": remark.name,
                "matter": remark.matter,
                "reason": remark.reason,
            })
        })
        .collect();
    let output = context.output;
    if output.is_json() {
        return output::print_json(&json!({
            "applied": applied,
            "counts": counts,
            "remarks": remarks,
        }));
    }
    output.list(counts, &COUNTS)?;
    if !remarks.is_empty() {
        output.done("")?;
        output.list(remarks, &REMARKS)?;
    }
    if !applied {
        output::note("nothing was written: repeat it with --apply to do it");
    }
    Ok(())
}
