//! `fleetwire credential`: SSH login data. What is secret in it goes in and never comes out.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::{ArgGroup, Args, Subcommand};
use serde_json::{Value, json};

use super::context::Context;
use super::organization::name_for_people;
use super::pages::all_rows;
use super::{find, output, parse, stdin};
use crate::command::ssh::{KeyError, open_private_key};
use crate::store::{
    Credential, CredentialChange, CredentialFilter, LoginSecret, NewCredential, Scope, Store,
};

/// What a list of credentials shows of each.
const COLUMNS: [&str; 6] = ["id", "name", "organization", "username", "port", "kind"];

/// Far more than a private key takes; a file that is longer is read no further.
const KEY_LIMIT_BYTES: u64 = 64 * 1024;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a credential
    #[command(after_help = "\
Examples:
  fleetwire credential add routers --org \"Metro Transit\" --username root --password-stdin < FILE
  fleetwire credential add routers --org \"Metro Transit\" --username root \\
    --private-key ~/.ssh/fleet_ed25519
  fleetwire connection add \"Bus 1\" routers

The password or key is encrypted in the database and never shown again.")]
    Add(Add),
    /// List credentials, newest first
    List {
        /// Only those of this organization
        #[arg(long, value_name = "ORG")]
        org: Option<String>,
    },
    /// Show one credential (not its secret)
    Show {
        /// Id or name
        credential: String,
    },
    /// Change a credential; commands that begin from then on use it as it is then
    Set(Set),
    /// Remove a credential, and all connections that use it
    Remove {
        /// Id or name
        credential: String,
    },
}

/// What logs in.
#[derive(Args, Debug)]
struct Secret {
    /// Log in with the password in the first line of standard input
    #[arg(long, conflicts_with_all = ["private_key", "passphrase_stdin"])]
    password_stdin: bool,
    /// Log in with this private key: Ed25519, ECDSA or RSA, in OpenSSH or PEM form
    #[arg(long, value_name = "FILE")]
    private_key: Option<PathBuf>,
    /// Open the private key with the passphrase in the first line of standard input
    #[arg(long, requires = "private_key")]
    passphrase_stdin: bool,
}

#[derive(Args, Debug)]
#[command(group(ArgGroup::new("secret").required(true).args(["password_stdin", "private_key"])))]
pub(crate) struct Add {
    /// Its name
    name: String,
    /// The organization that it belongs to
    #[arg(long, value_name = "ORG")]
    org: String,
    /// Who logs in
    #[arg(long, value_name = "U")]
    username: String,
    #[command(flatten)]
    secret: Secret,
    /// Where the SSH server listens, unless a device's address names another port [default: 22]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Allow algorithms that only old SSH servers need; they are weak
    #[arg(long)]
    old_algorithms: bool,
}

#[derive(Args, Debug)]
#[command(override_usage = "fleetwire credential set <CREDENTIAL> <CHANGE>...")]
#[command(group(ArgGroup::new("change").required(true).multiple(true).args([
    "name", "username", "password_stdin", "private_key", "port", "old_algorithms",
    "no_old_algorithms",
])))]
pub(crate) struct Set {
    /// Id or name
    credential: String,
    /// A new name
    #[arg(long)]
    name: Option<String>,
    /// Who logs in
    #[arg(long, value_name = "U")]
    username: Option<String>,
    #[command(flatten)]
    secret: Secret,
    /// Where the SSH server listens, unless a device's address names another port
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Allow algorithms that only old SSH servers need; they are weak
    #[arg(long, conflicts_with = "no_old_algorithms")]
    old_algorithms: bool,
    /// Do not allow them
    #[arg(long)]
    no_old_algorithms: bool,
}

pub(crate) async fn run(command: &Command, context: &Context) -> anyhow::Result<()> {
    let store = context.open_store().await?;
    let output = context.output;
    let credential = match command {
        Command::List { org } => {
            let credentials = all(&store, org.as_deref()).await?;
            let mut rows: Vec<_> = credentials.iter().map(shown).collect();
            name_for_people(&store, output, &mut rows).await?;
            return output.list(rows, &COLUMNS);
        }
        Command::Remove { credential } => {
            let Credential { id, name, .. } = find::credential(&store, credential).await?;
            store.remove_credential(id).await?;
            return output.done(&format!("removed the credential \"{name}\" ({id})"));
        }
        Command::Add(add) => make(&store, add).await?,
        Command::Show { credential } => find::credential(&store, credential).await?,
        Command::Set(set) => change(&store, set).await?,
    };
    let mut object = shown(&credential);
    name_for_people(&store, output, std::slice::from_mut(&mut object)).await?;
    output.object(&object)
}

async fn make(store: &Store, add: &Add) -> anyhow::Result<Credential> {
    let new = NewCredential {
        name: add.name.clone(),
        organization: Some(find::organization(store, &add.org).await?.id),
        username: add.username.clone(),
        port: add.port.map(i64::from),
        secret: add.secret.read()?,
        old_algorithms: add.old_algorithms,
    };
    Ok(store.add_credential(&new).await?)
}

async fn all(store: &Store, org: Option<&str>) -> anyhow::Result<Vec<Credential>> {
    let organization = match org {
        Some(org) => Some(find::organization(store, org).await?.id),
        None => None,
    };
    let filter = CredentialFilter {
        organization,
        ..CredentialFilter::default()
    };
    Ok(all_rows(async |page| store.credentials(&Scope::All, &filter, page).await).await?)
}

async fn change(store: &Store, set: &Set) -> anyhow::Result<Credential> {
    let Credential { id, .. } = find::credential(store, &set.credential).await?;
    let change = CredentialChange {
        name: set.name.clone(),
        username: set.username.clone(),
        port: set.port.map(i64::from),
        secret: set.secret.read()?,
        old_algorithms: parse::switch(set.old_algorithms, set.no_old_algorithms),
    };
    Ok(store.change_credential(id, &change).await?)
}

impl Secret {
    /// What the options name. Read last, when all names are known to be right, so that nobody types a
    /// password in vain.
    fn read(&self) -> anyhow::Result<Option<LoginSecret>> {
        if self.password_stdin {
            return Ok(Some(LoginSecret::Password(stdin::secret("password")?)));
        }
        let Some(file) = &self.private_key else {
            return Ok(None);
        };
        let pem = read_key(file)?;
        let passphrase = if self.passphrase_stdin {
            Some(stdin::secret("passphrase")?)
        } else {
            None
        };
        let key = open_private_key(&pem, passphrase.as_deref()).map_err(|error| {
            let hint = match error {
                KeyError::PassphraseNeeded => "; pass it with --passphrase-stdin",
                _ => "",
            };
            anyhow!("{}: {error}{hint}", file.display())
        })?;
        // What the device's authorized_keys must hold can be told by it.
        let public = key.public;
        output::note(&format!(
            "the key is {} {}",
            public.algorithm, public.fingerprint
        ));
        Ok(Some(key.secret))
    }
}

fn read_key(file: &Path) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    File::open(file)
        .and_then(|open| open.take(KEY_LIMIT_BYTES).read_to_end(&mut bytes))
        .with_context(|| format!("cannot read the private key {}", file.display()))?;
    // What is no text may still be told apart, such as the form of Dropbear.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn shown(credential: &Credential) -> Value {
    json!({
        "id": credential.id,
        "name": credential.name,
        "organization": credential.organization,
        "username": credential.username,
        "port": credential.port,
        "kind": credential.kind,
        "old_algorithms": credential.old_algorithms,
        "created": credential.created,
        "modified": credential.modified,
    })
}
