//! Users as they are written: accounts, passwords, permissions, memberships.

use uuid::Uuid;

use super::db::on_pool;
use super::transaction::{Write, on_write};
use super::{Account, FieldErrors, Scope, Store, StoreError};
use crate::access::{Permission, Person};
use crate::event::{GroupId, OrganizationId, Timestamp, UserId};

const USERNAME: usize = 150;
const NAME: usize = 150;

/// A user to be made.
#[derive(Clone, Default)]
pub struct NewAccount {
    /// The name used to log in.
    pub username: String,
    /// Or empty; nobody else's.
    pub email: String,
    /// Or empty.
    pub first_name: String,
    /// Or empty.
    pub last_name: String,
    /// Argon2id in PHC form; `None` for a user who cannot log in with a password.
    pub password_hash: Option<String>,
    /// Whether the user counts; `None` for yes.
    pub is_active: Option<bool>,
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
#[derive(Clone, Default)]
pub struct AccountChange {
    /// The name used to log in.
    pub username: Option<String>,
    /// Or empty; nobody else's.
    pub email: Option<String>,
    /// Or empty.
    pub first_name: Option<String>,
    /// Or empty.
    pub last_name: Option<String>,
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
#[derive(Clone)]
pub struct PasswordRecord {
    /// What showing the password proves.
    pub proves: Proved,
    /// PHC string; empty when the user has no password.
    pub password_hash: String,
}

impl Store {
    /// Makes a user.
    ///
    /// # Errors
    /// When a field is not acceptable, the name or the e-mail address is taken, or a group or
    /// organization is not there.
    pub async fn add_user(&self, new: &NewAccount) -> Result<Account, StoreError> {
        let mut write = self.write_people().await?;
        let id = UserId::random();
        write.add_user(id, new).await?;
        write.commit().await?;
        self.user(id, &Scope::All).await
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
        let mut write = self.write_people().await?;
        write.change_user(id, change).await?;
        write.commit().await?;
        self.user(id, &Scope::All).await
    }

    /// Removes a user with sessions and tokens.
    ///
    /// # Errors
    /// When the user does not exist.
    pub async fn remove_user(&self, id: UserId) -> Result<(), StoreError> {
        let mut write = self.write_people().await?;
        write.remove_user(id).await?;
        write.commit().await
    }

    /// What checks the password of the user of this name or, where it is nobody's, of the one user of
    /// this e-mail address, in whatever case; `None` also for inactive and expired users.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn password_of(&self, username: &str) -> Result<Option<PasswordRecord>, StoreError> {
        let found: Option<(UserId, i64, String)> = on_pool!(self, pool => {
            sqlx::query_as(
                "SELECT id, password_version, password_hash FROM users
                 WHERE (username = $1 OR (email <> '' AND lower(email) = lower($1)
                         AND NOT EXISTS (SELECT 1 FROM users AS other
                             WHERE other.username = $1 OR (other.id <> users.id
                                 AND lower(other.email) = lower($1)))))
                     AND is_active AND (expires IS NULL OR expires > $2)",
            )
            .bind(username)
            .bind(self.instant())
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
}

impl Write {
    /// Makes a user of this id.
    pub(super) async fn add_user(
        &mut self,
        id: UserId,
        new: &NewAccount,
    ) -> Result<(), StoreError> {
        let change = AccountChange {
            username: Some(new.username.clone()),
            email: Some(new.email.clone()),
            first_name: Some(new.first_name.clone()),
            last_name: Some(new.last_name.clone()),
            add_permissions: new.permissions.clone(),
            add_groups: new.groups.clone(),
            add_manages: new.manages.clone(),
            add_member: new.member_of.clone(),
            ..AccountChange::default()
        };
        change.check()?;
        self.check_free(id, &change).await?;
        on_write!(self, connection => {
            sqlx::query(
                "INSERT INTO users (id, username, email, first_name, last_name, password_hash,
                     password_version, is_active, is_staff, is_superuser, expires, created, modified)
                 VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $8, $9, $10, $11, $11)",
            )
            .bind(id)
            .bind(&new.username)
            .bind(&new.email)
            .bind(&new.first_name)
            .bind(&new.last_name)
            .bind(new.password_hash.as_deref().unwrap_or_default())
            .bind(new.is_active.unwrap_or(true))
            .bind(new.is_staff)
            .bind(new.is_superuser)
            .bind(new.expires)
            .bind(self.store.instant())
            .execute(connection)
            .await
            .map(|_| ())?;
        });
        self.give_and_take(id, &change).await?;
        self.audit("add", "User", id.0, &new.username).await
    }

    /// Alters a user.
    pub(super) async fn change_user(
        &mut self,
        id: UserId,
        change: &AccountChange,
    ) -> Result<(), StoreError> {
        change.check()?;
        self.check_free(id, change).await?;
        if self.update_user(id, change).await? == 0 {
            return Err(StoreError::NotFound("User"));
        }
        if change.password_hash.is_some() {
            self.end_logins(id).await?;
        }
        self.give_and_take(id, change).await?;
        let name = self.name_of("SELECT username FROM users WHERE id = $1", id.0);
        let name = name.await?;
        self.audit("change", "User", id.0, &name).await
    }

    /// Removes a user with sessions and tokens.
    pub(super) async fn remove_user(&mut self, id: UserId) -> Result<(), StoreError> {
        let sql = "DELETE FROM users WHERE id = $1 RETURNING username";
        self.remove("User", sql, id.0).await
    }

    /// What two users cannot both have. Nobody else writes meanwhile.
    async fn check_free(&mut self, id: UserId, change: &AccountChange) -> Result<(), StoreError> {
        let taken: Vec<(String, String)> = on_write!(self, connection => {
            sqlx::query_as(
                "SELECT username, email FROM users
                 WHERE id <> $1 AND (username = $2 OR (email = $3 AND email <> ''))",
            )
            .bind(id)
            .bind(&change.username)
            .bind(&change.email)
            .fetch_all(connection)
            .await?
        });
        let mut errors = FieldErrors::default();
        if taken
            .iter()
            .any(|(name, _)| Some(name) == change.username.as_ref())
        {
            errors.add("username", "A user with that username already exists.");
        }
        let is_given = |email: &String| !email.is_empty() && Some(email) == change.email.as_ref();
        if taken.iter().any(|(_, email)| is_given(email)) {
            errors.add("email", "user with this email address already exists.");
        }
        Ok(errors.into_result()?)
    }

    /// Updates the user's own row; the number of rows that were.
    async fn update_user(&mut self, id: UserId, change: &AccountChange) -> Result<u64, StoreError> {
        Ok(on_write!(self, connection => {
            sqlx::query(
                "UPDATE users SET username = COALESCE($2, username), email = COALESCE($3, email),
                     password_version =
                         password_version + CASE WHEN $4 IS NULL THEN 0 ELSE 1 END,
                     password_hash = COALESCE($4, password_hash),
                     is_active = COALESCE($5, is_active), is_staff = COALESCE($6, is_staff),
                     is_superuser = COALESCE($7, is_superuser),
                     expires = CASE WHEN $8 THEN $9 ELSE expires END, modified = $10,
                     first_name = COALESCE($11, first_name), last_name = COALESCE($12, last_name)
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
            .bind(self.store.instant())
            .bind(&change.first_name)
            .bind(&change.last_name)
            .execute(connection)
            .await?
            .rows_affected()
        }))
    }

    /// Permissions, groups and memberships.
    async fn give_and_take(
        &mut self,
        id: UserId,
        change: &AccountChange,
    ) -> Result<(), StoreError> {
        self.permit(GIVE_USER, id.0, &change.add_permissions)
            .await?;
        self.permit(TAKE_USER, id.0, &change.remove_permissions)
            .await?;
        let groups = |groups: &[GroupId]| groups.iter().map(|id| id.0).collect::<Vec<_>>();
        let places = |places: &[OrganizationId]| places.iter().map(|id| id.0).collect::<Vec<_>>();
        for (sql, others) in [
            (JOIN_GROUP, groups(&change.add_groups)),
            (LEAVE_GROUP, groups(&change.remove_groups)),
            (LEAVE_AS_MANAGER, places(&change.remove_manages)),
            (LEAVE_AS_MEMBER, places(&change.remove_member)),
            (JOIN_AS_MEMBER, places(&change.add_member)),
            (JOIN_AS_MANAGER, places(&change.add_manages)),
        ] {
            self.relate(sql, id, &others).await?;
        }
        Ok(())
    }

    /// What the old password had opened ends with it; tokens made otherwise stay.
    async fn end_logins(&mut self, user: UserId) -> Result<(), StoreError> {
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
        others: &[Uuid],
    ) -> Result<(), StoreError> {
        for other in others {
            on_write!(self, connection => {
                sqlx::query(sql).bind(user).bind(other).execute(connection).await.map(|_| ())?;
            });
        }
        Ok(())
    }
}

const GIVE_USER: &str =
    "INSERT INTO user_permission (user_id, permission) VALUES ($1, $2) ON CONFLICT DO NOTHING";
const TAKE_USER: &str = "DELETE FROM user_permission WHERE user_id = $1 AND permission = $2";
const JOIN_GROUP: &str =
    "INSERT INTO group_user (user_id, group_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
const LEAVE_GROUP: &str = "DELETE FROM group_user WHERE user_id = $1 AND group_id = $2";
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

impl AccountChange {
    /// What makes `after` of `before`.
    #[must_use]
    pub fn between(before: &Person, after: &Person) -> Self {
        fn changed<T: PartialEq + Clone>(before: &T, after: &T) -> Option<T> {
            (before != after).then(|| after.clone())
        }
        let (was, is) = (&before.profile, &after.profile);
        let missing = |one: &Person, other: &Person| {
            let groups = one.groups.keys().copied();
            groups.filter(|id| !other.groups.contains_key(id)).collect()
        };
        // Where the place in an organization is `manages` in one and another, or none, in the other.
        let places = |one: &Person, other: &Person, manages: bool| {
            let places = one.memberships.iter();
            places
                .filter(|(id, place)| {
                    **place == manages && other.memberships.get(id) != Some(*place)
                })
                .map(|(id, _)| *id)
                .collect()
        };
        Self {
            username: changed(&was.username, &is.username),
            email: changed(&was.email, &is.email),
            first_name: changed(&was.first_name, &is.first_name),
            last_name: changed(&was.last_name, &is.last_name),
            password_hash: None,
            is_active: changed(&before.is_active, &after.is_active),
            is_staff: changed(&before.is_staff, &after.is_staff),
            is_superuser: changed(&before.is_superuser, &after.is_superuser),
            expires: changed(&before.expires, &after.expires),
            add_permissions: after
                .permissions
                .without(before.permissions)
                .iter()
                .collect(),
            remove_permissions: before
                .permissions
                .without(after.permissions)
                .iter()
                .collect(),
            add_groups: missing(after, before),
            remove_groups: missing(before, after),
            add_manages: places(after, before, true),
            remove_manages: places(before, after, true),
            add_member: places(after, before, false),
            remove_member: places(before, after, false),
        }
    }

    /// Whether the values can be right, whichever user they are for.
    ///
    /// # Errors
    /// What is wrong with which field.
    pub fn check(&self) -> Result<(), FieldErrors> {
        let mut errors = FieldErrors::default();
        if let Some(username) = &self.username {
            errors.check_name("username", username, USERNAME);
            if username.trim() != username {
                // Who logs in has it cut off.
                errors.add("username", "A user name has no blanks around it.");
            }
        }
        if let Some(email) = &self.email {
            errors.check_email("email", email);
        }
        for (field, name) in [
            ("first_name", &self.first_name),
            ("last_name", &self.last_name),
        ] {
            errors.check_text(field, name.as_deref().unwrap_or_default(), NAME);
        }
        errors.into_result()
    }
}
