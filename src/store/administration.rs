//! Administration: a write transaction over people in which somebody is asked whether they may.
//!
//! From its beginning to its end nobody else writes to what rights come from, so that the policy
//! decides over what is there at the commit: the rights of the one who asks, too.

use std::collections::{BTreeMap, HashMap};

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::columns::{columns, select};
use super::transaction::{Write, on_write};
use super::{
    Account, AccountChange, Group, GroupChange, NewAccount, NewOrganization, Organization,
    OrganizationChange, Scope, Store, StoreError,
};
use crate::access::{PermissionSet, Person, Profile, User};
use crate::event::{GroupId, OrganizationId, Timestamp, UserId};

/// A write transaction over people; dropped without one of the methods that end it, nothing was
/// written.
pub struct Administration {
    write: Write,
    requester: User,
}

/// A user's row and what hangs on it, as this transaction sees them.
struct Found {
    row: Row,
    permissions: PermissionSet,
    groups: BTreeMap<GroupId, PermissionSet>,
    /// Whether the user manages it, and whether it is active.
    places: BTreeMap<OrganizationId, (bool, bool)>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: UserId,
    username: String,
    email: String,
    first_name: String,
    last_name: String,
    password_version: i64,
    is_active: bool,
    is_staff: bool,
    is_superuser: bool,
    expires: Option<Timestamp>,
}

/// What follows a column that is to be the user `$1`, or one of the users of the group `$1`.
const ONE: &str = "= $1";
const OF_GROUP: &str = "IN (SELECT user_id FROM group_user WHERE group_id = $1)";

impl Store {
    /// Begins to administer as `requester`.
    ///
    /// # Errors
    /// When there is no such user any more, or none that counts.
    pub async fn administer(&self, requester: UserId) -> Result<Administration, StoreError> {
        let mut write = self.write_people().await?;
        let found = write.people(ONE, requester.0).await?;
        let requester = found
            .into_iter()
            .find_map(|found| found.user(self.instant()));
        let requester = requester.ok_or(StoreError::NotFound("User"))?;
        Ok(Administration { write, requester })
    }
}

impl Administration {
    /// Who asks, with the rights of this moment.
    #[must_use]
    pub fn requester(&self) -> &User {
        &self.requester
    }

    /// Who a change is about.
    ///
    /// # Errors
    /// When there is no such user.
    pub async fn person(&mut self, id: UserId) -> Result<Person, StoreError> {
        let found = self.write.people(ONE, id.0).await?;
        let person = found.into_iter().next().map(Found::person);
        person.ok_or(StoreError::NotFound("User"))
    }

    /// Everybody in a group.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn people_of(&mut self, group: GroupId) -> Result<Vec<Person>, StoreError> {
        let found = self.write.people(OF_GROUP, group.0).await?;
        Ok(found.into_iter().map(Found::person).collect())
    }

    /// What a group gives; `None` if there is no such group.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn group(&mut self, id: GroupId) -> Result<Option<PermissionSet>, StoreError> {
        let is_there: Option<i32> = on_write!(self.write, connection => {
            sqlx::query_scalar("SELECT 1 FROM groups WHERE id = $1")
                .bind(id)
                .fetch_optional(connection)
                .await?
        });
        if is_there.is_none() {
            return Ok(None);
        }
        let names: Vec<String> = on_write!(self.write, connection => {
            sqlx::query_scalar("SELECT permission FROM group_permission WHERE group_id = $1")
                .bind(id)
                .fetch_all(connection)
                .await?
        });
        Ok(Some(set(names.iter().map(String::as_str))))
    }

    /// An organization as it is now; `None` if there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn organization(
        &mut self,
        id: OrganizationId,
    ) -> Result<Option<Organization>, StoreError> {
        Ok(on_write!(self.write, connection => {
            sqlx::query_as(select!(organization, "WHERE id = $1"))
                .bind(id)
                .fetch_optional(connection)
                .await?
        }))
    }

    /// Whether somebody else is a superuser who lasts.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_superuser_besides(&mut self, id: UserId) -> Result<bool, StoreError> {
        let found: Option<i32> = on_write!(self.write, connection => {
            sqlx::query_scalar(
                "SELECT 1 FROM users
                 WHERE id <> $1 AND is_superuser AND is_active AND expires IS NULL LIMIT 1",
            )
            .bind(id)
            .fetch_optional(connection)
            .await?
        });
        Ok(found.is_some())
    }

    /// Makes a user.
    ///
    /// # Errors
    /// As [`Store::add_user`].
    pub async fn add_user(mut self, new: &NewAccount) -> Result<Account, StoreError> {
        let id = UserId::random();
        self.write.add_user(id, new).await?;
        self.commit().await?.user(id, &Scope::All).await
    }

    /// Alters a user.
    ///
    /// # Errors
    /// As [`Store::change_user`].
    pub async fn change_user(
        mut self,
        id: UserId,
        change: &AccountChange,
    ) -> Result<Account, StoreError> {
        self.write.change_user(id, change).await?;
        self.commit().await?.user(id, &Scope::All).await
    }

    /// Removes a user.
    ///
    /// # Errors
    /// As [`Store::remove_user`].
    pub async fn remove_user(mut self, id: UserId) -> Result<(), StoreError> {
        self.write.remove_user(id).await?;
        self.commit().await.map(|_| ())
    }

    /// Makes a group.
    ///
    /// # Errors
    /// As [`Store::add_group`].
    pub async fn add_group(
        mut self,
        name: &str,
        gives: PermissionSet,
    ) -> Result<Group, StoreError> {
        let permissions: Vec<_> = gives.iter().collect();
        let id = GroupId::random();
        self.write.add_group(id, name, &permissions).await?;
        self.commit().await?.group(id).await
    }

    /// Alters a group.
    ///
    /// # Errors
    /// As [`Store::change_group`].
    pub async fn change_group(
        mut self,
        id: GroupId,
        change: &GroupChange,
    ) -> Result<Group, StoreError> {
        self.write.change_group(id, change).await?;
        self.commit().await?.group(id).await
    }

    /// Removes a group.
    ///
    /// # Errors
    /// As [`Store::remove_group`].
    pub async fn remove_group(mut self, id: GroupId) -> Result<(), StoreError> {
        self.write.remove_group(id).await?;
        self.commit().await.map(|_| ())
    }

    /// Makes an organization.
    ///
    /// # Errors
    /// As [`Store::add_organization`].
    pub async fn add_organization(
        mut self,
        new: &NewOrganization,
    ) -> Result<Organization, StoreError> {
        let id = OrganizationId::random();
        let added = self.write.add_organization(id, new).await?;
        self.commit().await.map(|_| added)
    }

    /// Alters an organization.
    ///
    /// # Errors
    /// As [`Store::change_organization`].
    pub async fn change_organization(
        mut self,
        id: OrganizationId,
        change: &OrganizationChange,
    ) -> Result<Organization, StoreError> {
        let changed = self.write.change_organization(id, change).await?;
        self.commit().await.map(|_| changed)
    }

    /// Removes an organization.
    ///
    /// # Errors
    /// As [`Store::remove_organization`].
    pub async fn remove_organization(mut self, id: OrganizationId) -> Result<(), StoreError> {
        self.write.remove_organization(id).await?;
        self.commit().await.map(|_| ())
    }

    async fn commit(self) -> Result<Store, StoreError> {
        let store = self.write.store().clone();
        self.write.commit().await?;
        Ok(store)
    }
}

impl Found {
    fn bare(row: Row) -> Self {
        Self {
            row,
            permissions: PermissionSet::default(),
            groups: BTreeMap::new(),
            places: BTreeMap::new(),
        }
    }

    fn person(self) -> Person {
        let manages = |(id, (manages, _))| (id, manages);
        Person {
            id: self.row.id,
            profile: Profile {
                username: self.row.username,
                email: self.row.email,
                first_name: self.row.first_name,
                last_name: self.row.last_name,
            },
            is_active: self.row.is_active,
            is_staff: self.row.is_staff,
            is_superuser: self.row.is_superuser,
            expires: self.row.expires,
            permissions: self.permissions,
            groups: self.groups,
            memberships: self.places.into_iter().map(manages).collect(),
        }
    }

    /// As the policy sees who asks: `None` for who counts for nothing now.
    fn user(self, now: Timestamp) -> Option<User> {
        let row = self.row;
        let is_over = row.expires.is_some_and(|expires| expires <= now);
        if !row.is_active || is_over {
            return None;
        }
        let of = |wanted: bool| {
            let places = self.places.iter();
            places
                .filter(|(_, (manages, is_active))| *is_active && *manages == wanted)
                .map(|(id, _)| *id)
                .collect()
        };
        Some(User {
            id: row.id,
            username: row.username,
            is_superuser: row.is_superuser,
            is_staff: row.is_staff,
            permissions: self
                .groups
                .values()
                .copied()
                .fold(self.permissions, PermissionSet::with),
            manages: of(true),
            member_of: of(false),
            password_version: row.password_version,
        })
    }
}

impl Write {
    /// The users whose id is `among` those that `id` means, in a few queries however many they are.
    async fn people(&mut self, among: &'static str, id: Uuid) -> Result<Vec<Found>, StoreError> {
        let rows: Vec<Row> = self
            .select(
                format!("SELECT {} FROM users WHERE id {among}", columns!(users)),
                id,
            )
            .await?;
        let mut people: HashMap<UserId, Found> = rows
            .into_iter()
            .map(|row| (row.id, Found::bare(row)))
            .collect();
        let given: Vec<(UserId, String)> = self
            .select(
                format!("SELECT user_id, permission FROM user_permission WHERE user_id {among}"),
                id,
            )
            .await?;
        for (user, name) in given {
            if let Some(found) = people.get_mut(&user) {
                found.permissions = found.permissions.with(set([name.as_str()]));
            }
        }
        // A group that gives nothing is one, too.
        let joined: Vec<(UserId, GroupId, Option<String>)> = self
            .select(
                format!(
                    "SELECT group_user.user_id, group_user.group_id, permission FROM group_user
                 LEFT JOIN group_permission ON group_permission.group_id = group_user.group_id
                 WHERE group_user.user_id {among}"
                ),
                id,
            )
            .await?;
        for (user, group, name) in joined {
            if let Some(found) = people.get_mut(&user) {
                let permissions = found.groups.entry(group).or_default();
                *permissions = permissions.with(set(name.as_deref()));
            }
        }
        let places: Vec<(UserId, OrganizationId, bool, bool)> = self
            .select(
                format!(
                    "SELECT user_id, organization_id, manages, organization.is_active
                 FROM organization_user JOIN organization ON organization.id = organization_id
                 WHERE user_id {among}"
                ),
                id,
            )
            .await?;
        for (user, organization, manages, is_active) in places {
            if let Some(found) = people.get_mut(&user) {
                found.places.insert(organization, (manages, is_active));
            }
        }
        Ok(people.into_values().collect())
    }

    /// Runs a query whose one parameter is an id.
    async fn select<T>(&mut self, sql: String, id: Uuid) -> Result<Vec<T>, StoreError>
    where
        T: Send + Unpin,
        T: for<'r> sqlx::FromRow<'r, sqlx::sqlite::SqliteRow>,
        T: for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow>,
    {
        Ok(on_write!(self, connection => {
            sqlx::query_as(AssertSqlSafe(sql)).bind(id).fetch_all(connection).await?
        }))
    }
}

/// The permissions of these names. A name that this version does not know gives nothing.
fn set<'a>(names: impl IntoIterator<Item = &'a str>) -> PermissionSet {
    names
        .into_iter()
        .filter_map(|name| name.parse().ok())
        .collect()
}
