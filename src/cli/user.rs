//! `fleetwire user`: who may log in, and what they may.

use clap::{ArgGroup, Args, Subcommand};
use serde_json::{Value, json};

use super::context::Context;
use super::organization::name_for_people;
use super::parse::{self, Expiry};
use super::{find, output, stdin};
use crate::access::{Permission, password};
use crate::event::GroupId;
use crate::store::{Account, AccountChange, NewAccount, Store};

/// What a list of users shows of each.
const COLUMNS: [&str; 7] = [
    "id",
    "username",
    "is_active",
    "is_staff",
    "is_superuser",
    "groups",
    "manages",
];

const EXAMPLES: &str = "\
Examples:
  fleetwire user add root --superuser --password-stdin < password.txt
  fleetwire user add anna --password-stdin --staff --group Operator --manages \"Metro Transit\"
  fleetwire user add map --staff --permission geo.view_location --manages metro-transit

Who is to watch sockets is staff, manages the organization and holds geo.view_location (for
locations; the groups Operator and Administrator give it) or add, change and delete of
config.*_device (for commands). A superuser may everything.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a user
    #[command(after_help = EXAMPLES)]
    Add(Add),
    /// List all users
    List,
    /// Show one user
    Show {
        /// Id or name
        user: String,
    },
    /// Change a user; open sockets follow within seconds
    #[command(after_help = "\
Examples:
  fleetwire user set anna --password-stdin        ends all sessions of hers
  fleetwire user set anna --remove-manages \"Metro Transit\" --inactive")]
    Set(Box<Set>),
    /// Remove a user with all tokens and sessions
    Remove {
        /// Id or name
        user: String,
    },
}

/// What `add` and `set` both take.
#[derive(Args, Debug)]
struct Rights {
    /// Read the password from the first line of standard input
    #[arg(long)]
    password_stdin: bool,
    /// E-mail address
    #[arg(long, value_name = "E")]
    email: Option<String>,
    /// First name
    #[arg(long, value_name = "NAME")]
    first_name: Option<String>,
    /// Last name
    #[arg(long, value_name = "NAME")]
    last_name: Option<String>,
    /// May everything, everywhere
    #[arg(long)]
    superuser: bool,
    /// Is staff, as sockets ask for
    #[arg(long)]
    staff: bool,
    /// A permission to give, such as `geo.view_location`; may be repeated
    #[arg(long = "permission", value_name = "P", value_parser = parse::permission)]
    permissions: Vec<Permission>,
    /// A group to join; may be repeated
    #[arg(long = "group", value_name = "G")]
    groups: Vec<String>,
    /// An organization to manage; may be repeated
    #[arg(long, value_name = "ORG")]
    manages: Vec<String>,
    /// An organization to belong to without managing it; may be repeated
    #[arg(long, value_name = "ORG")]
    member: Vec<String>,
    /// When the account ends: a date (its first moment, UTC), an ISO 8601 date and time, or never
    #[arg(long, value_name = "DATE", value_parser = parse::expiry)]
    expires: Option<Expiry>,
}

#[derive(Args, Debug)]
pub(crate) struct Add {
    /// The name to log in with
    name: String,
    #[command(flatten)]
    rights: Rights,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
#[derive(Args, Debug)]
#[command(override_usage = "fleetwire user set <USER> <CHANGE>...")]
#[command(group(ArgGroup::new("change").required(true).multiple(true).args([
    "password_stdin", "email", "first_name", "last_name", "superuser", "staff", "permissions",
    "groups", "manages", "member", "expires", "username", "active", "inactive", "no_superuser",
    "no_staff", "remove_permissions", "remove_groups", "remove_manages", "remove_member",
])))]
pub(crate) struct Set {
    /// Id or name
    user: String,
    #[command(flatten)]
    rights: Rights,
    /// A new name to log in with
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// May log in again
    #[arg(long, conflicts_with = "inactive")]
    active: bool,
    /// May not log in any more; sockets close, nothing is removed
    #[arg(long)]
    inactive: bool,
    /// Is no superuser any more
    #[arg(long, conflicts_with = "superuser")]
    no_superuser: bool,
    /// Is no staff any more
    #[arg(long, conflicts_with = "staff")]
    no_staff: bool,
    /// A permission to take away (one given to the user, not to a group); may be repeated
    #[arg(long = "remove-permission", value_name = "P", value_parser = parse::permission)]
    remove_permissions: Vec<Permission>,
    /// A group to leave; may be repeated
    #[arg(long = "remove-group", value_name = "G")]
    remove_groups: Vec<String>,
    /// An organization to manage no more, nor belong to; may be repeated
    #[arg(long, value_name = "ORG")]
    remove_manages: Vec<String>,
    /// An organization to belong to no more; may be repeated
    #[arg(long, value_name = "ORG")]
    remove_member: Vec<String>,
}

pub(crate) async fn run(command: &Command, context: &Context) -> anyhow::Result<()> {
    let store = match command {
        Command::Add(_) => context.make_store().await?,
        _ => context.open_store().await?,
    };
    let output = context.output;
    let account = match command {
        Command::List => {
            let mut rows: Vec<_> = store.users().await?.iter().map(shown).collect();
            name_for_people(&store, output, &mut rows).await?;
            return output.list(rows, &COLUMNS);
        }
        Command::Remove { user } => {
            let Account { id, username, .. } = find::user(&store, user).await?;
            store.remove_user(id).await?;
            return output.done(&format!("removed the user \"{username}\" ({id})"));
        }
        Command::Add(add) => make(&store, add).await?,
        Command::Show { user } => find::user(&store, user).await?,
        Command::Set(set) => change(&store, set).await?,
    };
    if matches!(command, Command::Add(_)) && !account.has_password {
        output::note(
            "this user has no password and so cannot log in; tokens work (`fleetwire token add`)",
        );
    }
    let mut object = shown(&account);
    name_for_people(&store, output, std::slice::from_mut(&mut object)).await?;
    output.object(&object)
}

async fn make(store: &Store, add: &Add) -> anyhow::Result<Account> {
    let rights = &add.rights;
    let new = NewAccount {
        username: add.name.clone(),
        email: rights.email.clone().unwrap_or_default(),
        first_name: rights.first_name.clone().unwrap_or_default(),
        last_name: rights.last_name.clone().unwrap_or_default(),
        is_active: None,
        is_staff: rights.staff,
        is_superuser: rights.superuser,
        expires: rights.expires.and_then(Expiry::instant),
        permissions: rights.permissions.clone(),
        groups: groups(store, &rights.groups).await?,
        manages: find::organizations(store, &rights.manages).await?,
        member_of: find::organizations(store, &rights.member).await?,
        password_hash: hash_from_stdin(rights)?,
    };
    Ok(store.add_user(&new).await?)
}

async fn change(store: &Store, set: &Set) -> anyhow::Result<Account> {
    let Account { id, .. } = find::user(store, &set.user).await?;
    let rights = &set.rights;
    let change = AccountChange {
        username: set.username.clone(),
        email: rights.email.clone(),
        first_name: rights.first_name.clone(),
        last_name: rights.last_name.clone(),
        is_active: parse::switch(set.active, set.inactive),
        is_staff: parse::switch(rights.staff, set.no_staff),
        is_superuser: parse::switch(rights.superuser, set.no_superuser),
        expires: rights.expires.map(Expiry::instant),
        add_permissions: rights.permissions.clone(),
        remove_permissions: set.remove_permissions.clone(),
        add_groups: groups(store, &rights.groups).await?,
        remove_groups: groups(store, &set.remove_groups).await?,
        add_manages: find::organizations(store, &rights.manages).await?,
        remove_manages: find::organizations(store, &set.remove_manages).await?,
        add_member: find::organizations(store, &rights.member).await?,
        remove_member: find::organizations(store, &set.remove_member).await?,
        password_hash: hash_from_stdin(rights)?,
    };
    Ok(store.change_user(id, &change).await?)
}

async fn groups(store: &Store, texts: &[String]) -> anyhow::Result<Vec<GroupId>> {
    let mut ids = Vec::with_capacity(texts.len());
    for text in texts {
        ids.push(find::group(store, text).await?.id);
    }
    Ok(ids)
}

/// The hash of the password on standard input, if it was asked for. Asked last, when all names are
/// known to be right, so that nobody types a password in vain.
fn hash_from_stdin(rights: &Rights) -> anyhow::Result<Option<String>> {
    if !rights.password_stdin {
        return Ok(None);
    }
    let password = stdin::secret("password")?;
    Ok(Some(password::hash_blocking(&password)?))
}

fn shown(account: &Account) -> Value {
    json!({
        "id": account.id,
        "username": account.username,
        "email": account.email,
        "first_name": account.first_name,
        "last_name": account.last_name,
        "is_active": account.is_active,
        "is_staff": account.is_staff,
        "is_superuser": account.is_superuser,
        "expires": account.expires,
        "permissions": account.permissions.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "groups": account.groups.iter().map(|(_, name)| name).collect::<Vec<_>>(),
        "manages": account.manages,
        "member_of": account.member_of,
        "has_password": account.has_password,
        "created": account.created,
        "modified": account.modified,
    })
}
