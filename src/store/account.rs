//! Accounts: users as they are kept, with all that hangs on them.

use std::collections::HashMap;

use uuid::Uuid;

use super::columns::{columns, select};
use super::db::{fetch_page, on_pool};
use super::{Page, Paged, Scope, Store, StoreError};
use crate::access::Permission;
use crate::event::{GroupId, OrganizationId, Timestamp, UserId};

/// A user's row with all that hangs on it, active or not: for administration. What the policy
/// sees is [`crate::access::User`].
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts about a user, each a column of its own"
)]
pub struct Account {
    /// Identifier.
    pub id: UserId,
    /// The name used to log in.
    pub username: String,
    /// Or empty.
    pub email: String,
    /// Or empty.
    pub first_name: String,
    /// Or empty.
    pub last_name: String,
    /// An inactive user counts for nothing.
    pub is_active: bool,
    /// May use what is for staff.
    pub is_staff: bool,
    /// May everything.
    pub is_superuser: bool,
    /// When the account ends by itself.
    pub expires: Option<Timestamp>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was altered last.
    pub modified: Timestamp,
    /// Given directly.
    pub permissions: Vec<Permission>,
    /// Groups, with their names.
    pub groups: Vec<(GroupId, String)>,
    /// Organizations that the user manages.
    pub manages: Vec<OrganizationId>,
    /// Organizations of which the user is a plain member.
    pub member_of: Vec<OrganizationId>,
    /// Whether the user can log in with a password.
    pub has_password: bool,
}

impl Account {
    /// Without the places in organizations that are out of scope: those are others' to know.
    #[must_use]
    pub fn within(mut self, scope: &Scope) -> Self {
        self.manages.retain(|id| scope.contains(*id));
        self.member_of.retain(|id| scope.contains(*id));
        self
    }
}

/// Which users a list shows.
#[derive(Clone, Debug, Default)]
pub struct UserFilter {
    /// Only those who belong to this organization.
    pub organization: Option<OrganizationId>,
}

#[derive(sqlx::FromRow)]
struct UserRow {
    id: UserId,
    username: String,
    email: String,
    first_name: String,
    last_name: String,
    password_hash: String,
    is_active: bool,
    is_staff: bool,
    is_superuser: bool,
    expires: Option<Timestamp>,
    created: Timestamp,
    modified: Timestamp,
}

impl Store {
    /// By id or user name.
    ///
    /// # Errors
    /// When none fits.
    pub async fn find_user(&self, id_or_name: &str) -> Result<Account, StoreError> {
        let found: Vec<UserRow> = on_pool!(self, pool => {
            sqlx::query_as(select!(users, "WHERE id = $1 OR username = $2"))
                .bind(Uuid::parse_str(id_or_name).ok())
                .bind(id_or_name)
                .fetch_all(pool)
                .await?
        });
        let row = StoreError::only("user", id_or_name, found)?;
        self.account(row).await
    }

    /// One user of those that the caller may see: who belongs to an organization in scope and is no
    /// superuser.
    ///
    /// # Errors
    /// When there is none.
    pub async fn user(&self, id: UserId, scope: &Scope) -> Result<Account, StoreError> {
        let found: Option<UserRow> = on_pool!(self, pool => {
            sqlx::query_as(select!(users, "WHERE id = $1")).bind(id).fetch_optional(pool).await?
        });
        let account = self
            .account(found.ok_or(StoreError::NotFound("User"))?)
            .await?;
        let account = account.within(scope);
        let is_placed = !account.manages.is_empty() || !account.member_of.is_empty();
        let is_seen = match scope {
            Scope::All => true,
            Scope::Organizations(_) => is_placed && !account.is_superuser,
        };
        if is_seen {
            Ok(account)
        } else {
            Err(StoreError::NotFound("User"))
        }
    }

    /// All, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn users(&self) -> Result<Vec<Account>, StoreError> {
        let rows: Vec<UserRow> = on_pool!(self, pool => {
            sqlx::query_as(select!(users, "ORDER BY username")).fetch_all(pool).await?
        });
        self.accounts(rows).await
    }

    /// A page of the users that the caller may see, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_page(
        &self,
        scope: &Scope,
        filter: &UserFilter,
        page: Page,
    ) -> Result<Paged<Account>, StoreError> {
        let in_scope = scope.condition(self.db(), "place.organization_id");
        let of_scope = scope.condition(self.db(), "organization_id");
        let seen = match scope {
            Scope::All => in_scope,
            Scope::Organizations(_) => format!(
                "NOT users.is_superuser AND EXISTS (SELECT 1 FROM organization_user AS place
                     WHERE place.user_id = users.id AND {in_scope})"
            ),
        };
        let from = format!(
            "FROM users WHERE {seen} AND ($2 IS NULL OR EXISTS (SELECT 1 FROM organization_user
                 WHERE user_id = users.id AND organization_id = $2 AND {of_scope}))"
        );
        let count = format!("SELECT count(*) {from}");
        let select = format!(
            "SELECT {} {from} ORDER BY users.created DESC, users.id LIMIT $3 OFFSET $4",
            columns!(users)
        );
        let paged: Paged<UserRow> =
            fetch_page!(self, scope, page, count, select, filter.organization);
        let accounts = self.accounts(paged.rows).await?.into_iter();
        Ok(Paged {
            count: paged.count,
            rows: accounts.map(|account| account.within(scope)).collect(),
        })
    }

    async fn account(&self, row: UserRow) -> Result<Account, StoreError> {
        let mut accounts = self.accounts(vec![row]).await?;
        // One row, one account.
        accounts.pop().ok_or(StoreError::NotFound("User"))
    }

    /// What hangs on the rows, in one query each, however many they are.
    async fn accounts(&self, rows: Vec<UserRow>) -> Result<Vec<Account>, StoreError> {
        let ids: Vec<Uuid> = rows.iter().map(|row| row.id.0).collect();
        let select = "SELECT user_id, permission FROM user_permission WHERE user_id";
        let mut permissions: HashMap<UserId, Vec<Permission>> = HashMap::new();
        let given: Vec<(UserId, String)> = self.for_ids(select, None, &ids).await?;
        for (user, name) in given {
            // A name that this version does not know gives nothing.
            permissions
                .entry(user)
                .or_default()
                .extend(name.parse::<Permission>().ok());
        }
        let select = "SELECT user_id, groups.id, groups.name FROM group_user
             JOIN groups ON groups.id = group_id WHERE user_id";
        let mut groups: HashMap<UserId, Vec<(GroupId, String)>> = HashMap::new();
        let joined: Vec<(UserId, GroupId, String)> = self.for_ids(select, None, &ids).await?;
        for (user, id, name) in joined {
            groups.entry(user).or_default().push((id, name));
        }
        let select =
            "SELECT user_id, organization_id, manages FROM organization_user WHERE user_id";
        let mut places: HashMap<UserId, Vec<(OrganizationId, bool)>> = HashMap::new();
        let found: Vec<(UserId, OrganizationId, bool)> = self.for_ids(select, None, &ids).await?;
        for (user, organization, manages) in found {
            places
                .entry(user)
                .or_default()
                .push((organization, manages));
        }
        let accounts = rows.into_iter().map(|row| {
            let id = row.id;
            row.with(
                permissions.remove(&id).unwrap_or_default(),
                groups.remove(&id).unwrap_or_default(),
                &places.remove(&id).unwrap_or_default(),
            )
        });
        Ok(accounts.collect())
    }
}

impl UserRow {
    fn with(
        self,
        mut permissions: Vec<Permission>,
        mut groups: Vec<(GroupId, String)>,
        places: &[(OrganizationId, bool)],
    ) -> Account {
        permissions.sort_by_key(ToString::to_string);
        groups.sort_by(|(_, one), (_, other)| one.cmp(other));
        let of = |manages: bool| {
            let matching = places.iter().filter(|(_, manager)| *manager == manages);
            let mut ids: Vec<OrganizationId> = matching.map(|(id, _)| *id).collect();
            ids.sort_unstable();
            ids
        };
        Account {
            permissions,
            groups,
            manages: of(true),
            member_of: of(false),
            id: self.id,
            username: self.username,
            email: self.email,
            first_name: self.first_name,
            last_name: self.last_name,
            is_active: self.is_active,
            is_staff: self.is_staff,
            is_superuser: self.is_superuser,
            expires: self.expires,
            created: self.created,
            modified: self.modified,
            has_password: !self.password_hash.is_empty(),
        }
    }
}
