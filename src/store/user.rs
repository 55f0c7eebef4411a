//! Users as they are kept: accounts, passwords, permissions, memberships.

use uuid::Uuid;

use super::db::on_pool;
use super::group::known;
use super::transaction::{Write, on_write};
use super::{FieldErrors, Store, StoreError};
use crate::access::Permission;
use crate::event::{GroupId, OrganizationId, Timestamp, UserId};

const USERNAME: usize = 150;
const EMAIL: usize = 254;

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

/// A user to be made.
#[derive(Clone, Debug, Default)]
pub struct NewAccount {
    /// The name used to log in.
    pub username: String,
    /// Or empty.
    pub email: String,
    /// Argon2id in PHC form; `None` for a user who cannot log in with a password.
    pub password_hash: Option<String>,
    /// May use what is for staff.
    pub is_staff: bool,
    /// May everything.
    pub is_superuser: bool,
    /// When the account ends by itself.
    pub expires: Option<Timestamp>,
    /// To give directly.
    pub permissions: Vec<Permission>,
    /// To join.
    pub groups: Vec<GroupId>,
    /// To manage.
    pub manages: Vec<OrganizationId>,
    /// To be a plain member of.
    pub member_of: Vec<OrganizationId>,
}

/// What is to be altered; `None` and empty leave things as they are. One transaction.
#[derive(Clone, Debug, Default)]
pub struct AccountChange {
    /// The name used to log in.
    pub username: Option<String>,
    /// Or empty.
    pub email: Option<String>,
    /// A new password: counts `password_version` up, which ends every session of the user.
    pub password_hash: Option<String>,
    /// Whether the user counts.
    pub is_active: Option<bool>,
    /// May use what is for staff.
    pub is_staff: Option<bool>,
    /// May everything.
    pub is_superuser: Option<bool>,
    /// `Some(None)` lets the account last.
    pub expires: Option<Option<Timestamp>>,
    /// To give directly.
    pub add_permissions: Vec<Permission>,
    /// To take back.
    pub remove_permissions: Vec<Permission>,
    /// To join.
    pub add_groups: Vec<GroupId>,
    /// To leave.
    pub remove_groups: Vec<GroupId>,
    /// Becomes manager (a member becomes manager too).
    pub add_manages: Vec<OrganizationId>,
    /// Ends the management and with it the membership.
    pub remove_manages: Vec<OrganizationId>,
    /// Becomes a plain member (a manager becomes a plain member).
    pub add_member: Vec<OrganizationId>,
    /// Ends a plain membership.
    pub remove_member: Vec<OrganizationId>,
}

/// A user who has shown the password of that version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proved {
    /// Who.
    pub user: UserId,
    /// Which password: another one may have been set since.
    pub password_version: i64,
}

/// What checking a password needs.
#[derive(Clone, Debug)]
pub struct PasswordRecord {
    /// What showing the password proves.
    pub proves: Proved,
    /// PHC string; empty when the user has no password.
    pub password_hash: String,
}

#[derive(sqlx::FromRow)]
struct UserRow {
    id: UserId,
    username: String,
    email: String,
    password_hash: String,
    is_active: bool,
    is_staff: bool,
    is_superuser: bool,
    expires: Option<Timestamp>,
    created: Timestamp,
    modified: Timestamp,
}

impl Store {
    /// Makes a user.
    ///
    /// # Errors
    /// When a field is not acceptable, the name is taken, or a group or organization is not there.
    pub async fn add_user(&self, new: &NewAccount) -> Result<Account, StoreError> {
        check(Some(&new.username), Some(&new.email))?;
        let id = UserId::random();
        let mut write = self.write().await?;
        let added = on_write!(write, connection => {
            sqlx::query(
                "INSERT INTO users (id, username, email, password_hash, password_version, is_active,
                     is_staff, is_superuser, expires, created, modified)
                 VALUES ($1, $2, $3, $4, 1, TRUE, $5, $6, $7, $8, $8)",
            )
            .bind(id)
            .bind(&new.username)
            .bind(&new.email)
            .bind(new.password_hash.as_deref().unwrap_or_default())
            .bind(new.is_staff)
            .bind(new.is_superuser)
            .bind(new.expires)
            .bind(Timestamp::now())
            .execute(connection)
            .await
            .map(|_| ())
        });
        added.map_err(taken)?;
        write.permit(GIVE_USER, id.0, &new.permissions).await?;
        write
            .relate(JOIN_GROUP, id, new.groups.iter().map(|group| group.0))
            .await?;
        write
            .relate(JOIN_AS_MEMBER, id, new.member_of.iter().map(|org| org.0))
            .await?;
        write
            .relate(JOIN_AS_MANAGER, id, new.manages.iter().map(|org| org.0))
            .await?;
        write.audit("add", "User", id.0, &new.username).await?;
        write.commit().await?;
        self.find_user(&id.to_string()).await
    }

    /// By id or user name.
    ///
    /// # Errors
    /// When none fits.
    pub async fn find_user(&self, id_or_name: &str) -> Result<Account, StoreError> {
        let found: Vec<UserRow> = on_pool!(self, pool => {
            sqlx::query_as("SELECT * FROM users WHERE id = $1 OR username = $2")
                .bind(Uuid::parse_str(id_or_name).ok())
                .bind(id_or_name)
                .fetch_all(pool)
                .await?
        });
        let row = StoreError::only("user", id_or_name, found)?;
        self.account(row).await
    }

    /// All, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn users(&self) -> Result<Vec<Account>, StoreError> {
        let rows: Vec<UserRow> = on_pool!(self, pool => {
            sqlx::query_as("SELECT * FROM users ORDER BY username").fetch_all(pool).await?
        });
        let mut accounts = Vec::new();
        for row in rows {
            accounts.push(self.account(row).await?);
        }
        Ok(accounts)
    }

    /// Alters a user.
    ///
    /// # Errors
    /// As [`Store::add_user`], or when the user does not exist.
    pub async fn change_user(
        &self,
        id: UserId,
        change: &AccountChange,
    ) -> Result<Account, StoreError> {
        check(change.username.as_deref(), change.email.as_deref())?;
        let mut write = self.write().await?;
        if write.update_user(id, change).await? == 0 {
            return Err(StoreError::NotFound("User"));
        }
        if change.password_hash.is_some() {
            write.end_logins(id).await?;
        }
        write
            .permit(GIVE_USER, id.0, &change.add_permissions)
            .await?;
        write
            .permit(TAKE_USER, id.0, &change.remove_permissions)
            .await?;
        write
            .relate(
                JOIN_GROUP,
                id,
                change.add_groups.iter().map(|group| group.0),
            )
            .await?;
        write
            .relate(
                LEAVE_GROUP,
                id,
                change.remove_groups.iter().map(|group| group.0),
            )
            .await?;
        write
            .relate(
                LEAVE_AS_MANAGER,
                id,
                change.remove_manages.iter().map(|org| org.0),
            )
            .await?;
        write
            .relate(
                LEAVE_AS_MEMBER,
                id,
                change.remove_member.iter().map(|org| org.0),
            )
            .await?;
        write
            .relate(
                JOIN_AS_MEMBER,
                id,
                change.add_member.iter().map(|org| org.0),
            )
            .await?;
        write
            .relate(
                JOIN_AS_MANAGER,
                id,
                change.add_manages.iter().map(|org| org.0),
            )
            .await?;
        let name = write.name_of("SELECT username FROM users WHERE id = $1", id.0);
        let name = name.await?;
        write.audit("change", "User", id.0, &name).await?;
        write.commit().await?;
        self.find_user(&id.to_string()).await
    }

    /// Removes a user with sessions and tokens.
    ///
    /// # Errors
    /// When the user does not exist.
    pub async fn remove_user(&self, id: UserId) -> Result<(), StoreError> {
        self.remove(
            "User",
            "DELETE FROM users WHERE id = $1 RETURNING username",
            id.0,
        )
        .await
    }

    /// What checks the password of `username`; `None` also for inactive and expired users.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn password_of(&self, username: &str) -> Result<Option<PasswordRecord>, StoreError> {
        let found: Option<(UserId, i64, String)> = on_pool!(self, pool => {
            sqlx::query_as(
                "SELECT id, password_version, password_hash FROM users
                 WHERE username = $1 AND is_active AND (expires IS NULL OR expires > $2)",
            )
            .bind(username)
            .bind(Timestamp::now())
            .fetch_optional(pool)
            .await?
        });
        Ok(
            found.map(|(user, password_version, password_hash)| PasswordRecord {
                proves: Proved {
                    user,
                    password_version,
                },
                password_hash,
            }),
        )
    }

    async fn account(&self, row: UserRow) -> Result<Account, StoreError> {
        let names: Vec<String> = on_pool!(self, pool => {
            sqlx::query_scalar(
                "SELECT permission FROM user_permission WHERE user_id = $1 ORDER BY permission",
            )
            .bind(row.id)
            .fetch_all(pool)
            .await?
        });
        let groups: Vec<(GroupId, String)> = on_pool!(self, pool => {
            sqlx::query_as(
                "SELECT groups.id, groups.name FROM groups
                 JOIN group_user ON group_user.group_id = groups.id
                 WHERE group_user.user_id = $1 ORDER BY groups.name",
            )
            .bind(row.id)
            .fetch_all(pool)
            .await?
        });
        let organizations: Vec<(OrganizationId, bool)> = on_pool!(self, pool => {
            sqlx::query_as(
                "SELECT organization_id, manages FROM organization_user WHERE user_id = $1
                 ORDER BY organization_id",
            )
            .bind(row.id)
            .fetch_all(pool)
            .await?
        });
        let of = |manages| {
            let matching = organizations
                .iter()
                .filter(move |(_, manager)| *manager == manages);
            matching.map(|(id, _)| *id).collect()
        };
        Ok(Account {
            permissions: known(&names),
            groups,
            manages: of(true),
            member_of: of(false),
            id: row.id,
            username: row.username,
            email: row.email,
            is_active: row.is_active,
            is_staff: row.is_staff,
            is_superuser: row.is_superuser,
            expires: row.expires,
            created: row.created,
            modified: row.modified,
            has_password: !row.password_hash.is_empty(),
        })
    }
}

impl Write {
    /// Updates the user's own row; the number of rows that were.
    pub(super) async fn update_user(
        &mut self,
        id: UserId,
        change: &AccountChange,
    ) -> Result<u64, StoreError> {
        let updated = on_write!(self, connection => {
            sqlx::query(
                "UPDATE users SET username = COALESCE($2, username), email = COALESCE($3, email),
                     password_version =
                         password_version + CASE WHEN $4 IS NULL THEN 0 ELSE 1 END,
                     password_hash = COALESCE($4, password_hash),
                     is_active = COALESCE($5, is_active), is_staff = COALESCE($6, is_staff),
                     is_superuser = COALESCE($7, is_superuser),
                     expires = CASE WHEN $8 THEN $9 ELSE expires END, modified = $10
                 WHERE id = $1",
            )
            .bind(id)
            .bind(&change.username)
            .bind(&change.email)
            .bind(&change.password_hash)
            .bind(change.is_active)
            .bind(change.is_staff)
            .bind(change.is_superuser)
            .bind(change.expires.is_some())
            .bind(change.expires.flatten())
            .bind(Timestamp::now())
            .execute(connection)
            .await
            .map(|done| done.rows_affected())
        });
        updated.map_err(taken)
    }

    /// What the old password had opened ends with it; tokens made otherwise stay.
    pub(super) async fn end_logins(&mut self, user: UserId) -> Result<(), StoreError> {
        for sql in [
            "DELETE FROM session WHERE user_id = $1",
            "DELETE FROM token WHERE user_id = $1 AND by_login",
        ] {
            on_write!(self, connection => {
                sqlx::query(sql).bind(user).execute(connection).await.map(|_| ())?;
            });
        }
        Ok(())
    }

    /// Runs `sql` for the owner and each of the permissions.
    pub(super) async fn permit(
        &mut self,
        sql: &'static str,
        owner: Uuid,
        permissions: &[Permission],
    ) -> Result<(), StoreError> {
        for permission in permissions {
            on_write!(self, connection => {
                sqlx::query(sql)
                    .bind(owner)
                    .bind(permission.to_string())
                    .execute(connection)
                    .await
                    .map(|_| ())?;
            });
        }
        Ok(())
    }

    /// Runs `sql` for the user and each of the others.
    pub(super) async fn relate(
        &mut self,
        sql: &'static str,
        user: UserId,
        others: impl Iterator<Item = Uuid>,
    ) -> Result<(), StoreError> {
        for other in others {
            on_write!(self, connection => {
                sqlx::query(sql).bind(user).bind(other).execute(connection).await.map(|_| ())?;
            });
        }
        Ok(())
    }
}

pub(super) const GIVE_USER: &str =
    "INSERT INTO user_permission (user_id, permission) VALUES ($1, $2) ON CONFLICT DO NOTHING";
pub(super) const TAKE_USER: &str =
    "DELETE FROM user_permission WHERE user_id = $1 AND permission = $2";
pub(super) const JOIN_GROUP: &str =
    "INSERT INTO group_user (user_id, group_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
pub(super) const LEAVE_GROUP: &str = "DELETE FROM group_user WHERE user_id = $1 AND group_id = $2";
pub(super) const JOIN_AS_MANAGER: &str =
    "INSERT INTO organization_user (user_id, organization_id, manages) VALUES ($1, $2, TRUE)
     ON CONFLICT (user_id, organization_id) DO UPDATE SET manages = TRUE";
pub(super) const JOIN_AS_MEMBER: &str =
    "INSERT INTO organization_user (user_id, organization_id, manages) VALUES ($1, $2, FALSE)
     ON CONFLICT (user_id, organization_id) DO UPDATE SET manages = FALSE";
const LEAVE_AS_MANAGER: &str =
    "DELETE FROM organization_user WHERE user_id = $1 AND organization_id = $2 AND manages";
const LEAVE_AS_MEMBER: &str =
    "DELETE FROM organization_user WHERE user_id = $1 AND organization_id = $2 AND NOT manages";

pub(super) fn check(username: Option<&str>, email: Option<&str>) -> Result<(), FieldErrors> {
    let mut errors = FieldErrors::default();
    if let Some(username) = username {
        errors.check_name("username", username, USERNAME);
        if username.trim() != username {
            // Who logs in has it cut off.
            errors.add("username", "A user name has no blanks around it.");
        }
    }
    if let Some(email) = email {
        errors.check_text("email", email, EMAIL);
    }
    errors.into_result()
}

pub(super) fn taken(error: sqlx::Error) -> StoreError {
    let reason = "A user with that username already exists.";
    StoreError::from(error).unique(&[("username", "username", reason)])
}
