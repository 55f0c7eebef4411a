//! Organizations, groups, users, and what they may.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::database::{Database, Row};
use super::{ReadError, in_part, made_of};
use crate::access::Permission;
use crate::event::{GroupId, OrganizationId, Timestamp, UserId};
use crate::openwisp::password::phc_string;
use crate::store::{
    Import, ImportKind, ImportedGroup, ImportedMembership, ImportedOrganization, ImportedUser,
};

const USER: &str = "openwisp_users_user";

/// What each owner of permissions is given: the names that fleetwire knows, and a count of the others.
type Given = BTreeMap<String, (Vec<String>, usize)>;

pub(super) async fn read(database: &mut Database, import: &mut Import) -> Result<(), ReadError> {
    read_organizations(database, import).await?;
    let permissions = permissions(database).await?;
    read_groups(database, import, &permissions).await?;
    read_users(database, import, &permissions).await?;
    read_memberships(database, import).await
}

async fn read_organizations(database: &mut Database, import: &mut Import) -> Result<(), ReadError> {
    let columns = [
        "id",
        "name",
        "slug",
        "is_active",
        "description",
        "email",
        "url",
        "created",
    ];
    for row in database
        .rows("openwisp_users_organization", &columns)
        .await?
    {
        import.organizations.push(ImportedOrganization {
            id: OrganizationId(row.uuid("id")?),
            name: row.text("name").to_owned(),
            slug: row.text("slug").to_owned(),
            is_active: row.flag("is_active")?,
            description: row.text("description").to_owned(),
            email: row.text("email").to_owned(),
            url: row.text("url").to_owned(),
            created: row.instant("created")?,
        });
    }
    Ok(())
}

/// The names of all permissions there, by their numbers.
async fn permissions(database: &mut Database) -> Result<BTreeMap<String, String>, ReadError> {
    let mut apps = BTreeMap::new();
    for row in database
        .rows("django_content_type", &["id", "app_label"])
        .await?
    {
        apps.insert(row.text("id").to_owned(), row.text("app_label").to_owned());
    }
    let mut names = BTreeMap::new();
    let columns = ["id", "content_type_id", "codename"];
    for row in database.rows("auth_permission", &columns).await? {
        let app = apps
            .get(row.text("content_type_id"))
            .map_or("", String::as_str);
        names.insert(
            row.text("id").to_owned(),
            format!("{app}.{}", row.text("codename")),
        );
    }
    Ok(names)
}

/// What a table of permissions gives to those whom `owner` names.
async fn given(
    database: &mut Database,
    table: &'static str,
    owner: &'static str,
    names: &BTreeMap<String, String>,
) -> Result<Given, ReadError> {
    let mut all = Given::new();
    for row in database.rows(table, &[owner, "permission_id"]).await? {
        let (known, others) = all.entry(row.text(owner).to_owned()).or_default();
        match names.get(row.text("permission_id")) {
            Some(name) if name.parse::<Permission>().is_ok() => known.push(name.clone()),
            _ => *others += 1,
        }
    }
    for (known, _) in all.values_mut() {
        known.sort_unstable();
    }
    Ok(all)
}

/// Takes what is given to one, and tells how much of it is not known.
fn take(
    given: &mut Given,
    owner: &str,
    import: &mut Import,
    kind: ImportKind,
    name: &str,
) -> Vec<String> {
    let (known, others) = given.remove(owner).unwrap_or_default();
    if others > 0 {
        let reason = format!("without its permissions for what only OpenWISP has ({others})");
        import.remarks.push(in_part(kind, name, reason));
    }
    known
}

/// OpenWISP numbers its groups.
fn group_id(source: Uuid, number: &str) -> GroupId {
    GroupId(made_of(&["group", &source.to_string(), number]))
}

async fn read_groups(
    database: &mut Database,
    import: &mut Import,
    names: &BTreeMap<String, String>,
) -> Result<(), ReadError> {
    let mut given = given(database, "auth_group_permissions", "group_id", names).await?;
    for row in database.rows("auth_group", &["id", "name"]).await? {
        let (number, name) = (row.text("id"), row.text("name"));
        let permissions = take(&mut given, number, import, ImportKind::Groups, name);
        import.groups.push(ImportedGroup {
            id: group_id(import.source, number),
            name: name.to_owned(),
            permissions,
        });
    }
    Ok(())
}

async fn read_users(
    database: &mut Database,
    import: &mut Import,
    names: &BTreeMap<String, String>,
) -> Result<(), ReadError> {
    let table = "openwisp_users_user_user_permissions";
    let mut given = given(database, table, "user_id", names).await?;
    let mut groups: BTreeMap<String, Vec<Uuid>> = BTreeMap::new();
    let columns = ["user_id", "group_id"];
    for row in database
        .rows("openwisp_users_user_groups", &columns)
        .await?
    {
        let group = group_id(import.source, row.text("group_id"));
        groups
            .entry(row.text("user_id").to_owned())
            .or_default()
            .push(group.0);
    }
    let mut columns = vec![
        "id",
        "username",
        "email",
        "first_name",
        "last_name",
        "password",
        "is_active",
        "is_staff",
        "is_superuser",
        "date_joined",
    ];
    // Of later releases.
    for column in ["expiration_date", "password_updated"] {
        if database.has_column(USER, column).await? {
            columns.push(column);
        }
    }
    for row in database.rows(USER, &columns).await? {
        let (id, username) = (row.text("id"), row.text("username"));
        let kind = ImportKind::Users;
        let permissions = take(&mut given, id, import, kind, username);
        let password_hash = phc_string(row.text("password"));
        if password_hash.is_none() {
            let reason = without_password(row.text("password"));
            import.remarks.push(in_part(kind, username, reason));
        }
        import.users.push(ImportedUser {
            id: UserId(row.uuid("id")?),
            username: username.to_owned(),
            email: row.text("email").to_owned(),
            first_name: row.text("first_name").to_owned(),
            last_name: row.text("last_name").to_owned(),
            password_hash: password_hash.unwrap_or_default(),
            password_updated: row.optional("password_updated").map(str::to_owned),
            is_active: row.flag("is_active")?,
            is_staff: row.flag("is_staff")?,
            is_superuser: row.flag("is_superuser")?,
            expires: expires(&row)?,
            permissions,
            groups: groups.remove(id).unwrap_or_default(),
            created: row.instant("date_joined")?,
        });
    }
    Ok(())
}

/// Why a user comes without a password. Of the hash only the name of a known algorithm is told: what
/// is no hash may be anything.
fn without_password(hash: &str) -> String {
    const ALGORITHMS: [&str; 7] = [
        "argon2",
        "bcrypt",
        "bcrypt_sha256",
        "md5",
        "pbkdf2_sha1",
        "pbkdf2_sha256",
        "scrypt",
    ];
    if hash.is_empty() || hash.starts_with('!') {
        return "has no password there, and none here".to_owned();
    }
    let known = ALGORITHMS
        .iter()
        .find(|name| hash.split('$').next() == Some(name));
    let algorithm = known.unwrap_or(&"something unknown");
    format!("without the password, whose hash ({algorithm}) cannot be checked here: set a new one")
}

/// An account counts to the end of its last day: here, that of UTC.
fn expires(row: &Row) -> Result<Option<Timestamp>, ReadError> {
    const DAY_S: i64 = 24 * 60 * 60;
    let Some(day) = row.optional("expiration_date") else {
        return Ok(None);
    };
    let midnight = format!("{day}T00:00:00Z").parse::<Timestamp>();
    let midnight = midnight.map_err(|_| row.wrong("expiration_date"))?;
    Ok(Some(midnight.plus_seconds(DAY_S)))
}

async fn read_memberships(database: &mut Database, import: &mut Import) -> Result<(), ReadError> {
    let names: BTreeMap<UserId, String> = import
        .users
        .iter()
        .map(|user| (user.id, user.username.clone()))
        .collect();
    let columns = ["id", "user_id", "organization_id", "is_admin"];
    for row in database
        .rows("openwisp_users_organizationuser", &columns)
        .await?
    {
        let user = UserId(row.uuid("user_id")?);
        import.memberships.push(ImportedMembership {
            id: row.uuid("id")?,
            user,
            username: names.get(&user).cloned().unwrap_or_default(),
            organization: OrganizationId(row.uuid("organization_id")?),
            manages: row.flag("is_admin")?,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::without_password;

    #[test]
    fn what_cannot_be_a_password_here_is_told_without_repeating_it() {
        for (hash, clue) in [
            ("", "no password there"),
            ("!Yz8xJ2", "no password there"),
            ("argon2$argon2id$v=19$s3cret", "(argon2)"),
            ("pbkdf2_sha256$s3cret", "(pbkdf2_sha256)"),
            ("s3cret", "(something unknown)"),
            ("s3cret$s3cret", "(something unknown)"),
        ] {
            let reason = without_password(hash);
            assert!(
                reason.contains(clue) && !reason.contains("s3cret"),
                "{reason}"
            );
        }
    }
}
