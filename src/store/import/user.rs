//! Users that are imported, and their places in organizations.

use serde_json::{Value, json};
use uuid::Uuid;

use super::super::StoreError;
use super::super::transaction::{Write, on_write};
use super::super::user::{AccountChange, JOIN_AS_MANAGER, JOIN_AS_MEMBER, NewAccount};
use super::ImportKind;
use super::group::known;
use super::memory::digest;
use super::merge::{Fields, Merge, fields};
use super::run::{Head, Imported, Run};
use crate::event::{GroupId, OrganizationId, Timestamp, UserId};
use crate::store::columns::select;

/// A user there.
#[derive(Clone)]
pub struct ImportedUser {
    /// Identifier.
    pub id: UserId,
    /// The name used to log in.
    pub username: String,
    /// Or empty; nobody else's.
    pub email: String,
    /// Or empty.
    pub first_name: String,
    /// Or empty.
    pub last_name: String,
    /// In PHC form, of an algorithm that can be checked here; empty for none.
    pub password_hash: String,
    /// The day on which the password was set, where it is known.
    pub password_updated: Option<String>,
    /// An inactive user counts for nothing.
    pub is_active: bool,
    /// May use what is for staff.
    pub is_staff: bool,
    /// May everything.
    pub is_superuser: bool,
    /// When the account ends by itself.
    pub expires: Option<Timestamp>,
    /// Names of the permissions that are given directly.
    pub permissions: Vec<String>,
    /// Groups, by their ids there.
    pub groups: Vec<Uuid>,
    /// When it was made.
    pub created: Timestamp,
}

/// A user's place in an organization there.
#[derive(Clone, Debug)]
pub struct ImportedMembership {
    /// Identifier, there only.
    pub id: Uuid,
    /// Who.
    pub user: UserId,
    /// The user's name.
    pub username: String,
    /// Where.
    pub organization: OrganizationId,
    /// A manager, or else a plain member.
    pub manages: bool,
}

impl Imported for ImportedUser {
    const KIND: ImportKind = ImportKind::Users;

    fn head(&self) -> Head<'_> {
        Head {
            id: self.id.0,
            name: &self.username,
            made: Some(("users", self.created)),
            needs: Vec::new(),
        }
    }

    fn there(&self) -> Fields {
        fields(json!({
            "username": self.username,
            "email": self.email,
            "first_name": self.first_name,
            "last_name": self.last_name,
            // The hash is salted: its digest gives nothing away.
            "password": digest(self.password_hash.as_bytes()),
            "password_recipe": recipe(&self.password_hash),
            "password_updated": self.password_updated,
            "is_active": self.is_active,
            "is_staff": self.is_staff,
            "is_superuser": self.is_superuser,
            "expires": self.expires,
            "permissions": self.permissions,
            "groups": self.groups,
        }))
    }

    async fn here(&self, run: &mut Run) -> Result<Option<Fields>, StoreError> {
        let found: Option<UserRow> = on_write!(run.write, connection => {
            sqlx::query_as(select!(users, "WHERE id = $1"))
                .bind(self.id)
                .fetch_optional(connection)
                .await?
        });
        let Some(row) = found else {
            return Ok(None);
        };
        let permissions: Vec<String> = on_write!(run.write, connection => {
            sqlx::query_scalar("SELECT permission FROM user_permission WHERE user_id = $1")
                .bind(self.id)
                .fetch_all(connection)
                .await?
        });
        let groups: Vec<Uuid> = on_write!(run.write, connection => {
            sqlx::query_scalar("SELECT group_id FROM group_user WHERE user_id = $1")
                .bind(self.id)
                .fetch_all(connection)
                .await?
        });
        let there = self.there();
        let is_same = !row.password_hash.is_empty() && self.is_hashed_anew(run);
        let password = if is_same {
            there["password"].clone()
        } else {
            digest(row.password_hash.as_bytes())
        };
        Ok(Some(fields(json!({
            "username": row.username,
            "email": row.email,
            "first_name": row.first_name,
            "last_name": row.last_name,
            "password": password,
            "password_recipe": there["password_recipe"],
            "password_updated": there["password_updated"],
            "is_active": row.is_active,
            "is_staff": row.is_staff,
            "is_superuser": row.is_superuser,
            "expires": row.expires,
            "permissions": permissions,
            "groups": groups,
        }))))
    }

    async fn make(&self, run: &mut Run) -> Result<(), StoreError> {
        let new = NewAccount {
            username: self.username.clone(),
            email: self.email.clone(),
            first_name: self.first_name.clone(),
            last_name: self.last_name.clone(),
            password_hash: Some(self.password_hash.clone()),
            is_active: Some(self.is_active),
            is_staff: self.is_staff,
            is_superuser: self.is_superuser,
            expires: self.expires,
            permissions: known(&self.permissions),
            groups: self.groups.iter().copied().map(GroupId).collect(),
            ..NewAccount::default()
        };
        run.write.add_user(self.id, &new).await
    }

    async fn alter(&self, run: &mut Run, merge: &Merge<'_>) -> Result<(), StoreError> {
        let new_password = merge.take::<Value>("password").is_some();
        let (given, taken) = merge.difference::<String>("permissions");
        let (joined, left) = merge.difference("groups");
        let change = AccountChange {
            username: merge.take("username"),
            email: merge.take("email"),
            first_name: merge.take("first_name"),
            last_name: merge.take("last_name"),
            password_hash: new_password.then(|| self.password_hash.clone()),
            is_active: merge.take("is_active"),
            is_staff: merge.take("is_staff"),
            is_superuser: merge.take("is_superuser"),
            expires: merge.take("expires"),
            add_permissions: known(&given),
            remove_permissions: known(&taken),
            add_groups: joined,
            remove_groups: left,
            ..AccountChange::default()
        };
        run.write.change_user(self.id, &change).await
    }
}

impl ImportedUser {
    /// Whether the password is the one of the last import under a new hash: some systems hash with more
    /// rounds when they are updated, as soon as somebody logs in.
    fn is_hashed_anew(&self, run: &Run) -> bool {
        let there = self.there();
        let base = run.base(self.id.0);
        let is_same = |field| base.is_some_and(|base| base.get(field) == Some(&there[field]));
        let is_known = self.password_updated.is_some() && !self.password_hash.is_empty();
        is_known && is_same("password_updated") && !is_same("password_recipe")
    }
}

/// How a hash in PHC form is made: all but the salt and what comes out.
fn recipe(hash: &str) -> String {
    let mut parts = hash.rsplitn(3, '$').skip(1);
    let salt = parts.next().unwrap_or_default().len();
    format!("{} {salt}", parts.next().unwrap_or_default())
}

impl Imported for ImportedMembership {
    const KIND: ImportKind = ImportKind::Memberships;

    fn head(&self) -> Head<'_> {
        Head {
            id: self.id,
            name: &self.username,
            made: None,
            needs: vec![
                (ImportKind::Users, self.user.0),
                (ImportKind::Organizations, self.organization.0),
            ],
        }
    }

    fn there(&self) -> Fields {
        fields(json!({
            "user": self.user,
            "organization": self.organization,
            "manages": self.manages,
        }))
    }

    async fn here(&self, run: &mut Run) -> Result<Option<Fields>, StoreError> {
        let found: Option<bool> = on_write!(run.write, connection => {
            sqlx::query_scalar(
                "SELECT manages FROM organization_user WHERE user_id = $1 AND organization_id = $2",
            )
            .bind(self.user)
            .bind(self.organization)
            .fetch_optional(connection)
            .await?
        });
        Ok(found.map(|manages| {
            let mut here = self.there();
            here.insert("manages".to_owned(), manages.into());
            here
        }))
    }

    async fn make(&self, run: &mut Run) -> Result<(), StoreError> {
        self.join(&mut run.write).await?;
        run.note("add", self).await
    }

    async fn alter(&self, run: &mut Run, _: &Merge<'_>) -> Result<(), StoreError> {
        self.join(&mut run.write).await?;
        run.note("change", self).await
    }
}

impl ImportedMembership {
    async fn join(&self, write: &mut Write) -> Result<(), StoreError> {
        let sql = if self.manages {
            JOIN_AS_MANAGER
        } else {
            JOIN_AS_MEMBER
        };
        write.relate(sql, self.user, &[self.organization.0]).await
    }
}

#[derive(sqlx::FromRow)]
struct UserRow {
    username: String,
    email: String,
    first_name: String,
    last_name: String,
    password_hash: String,
    is_active: bool,
    is_staff: bool,
    is_superuser: bool,
    expires: Option<Timestamp>,
}
