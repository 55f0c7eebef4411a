//! Groups: named sets of permissions. `Operator` and `Administrator` are there from the start.

use uuid::Uuid;

use super::db::on_pool;
use super::transaction::on_write;
use super::{FieldErrors, Store, StoreError};
use crate::access::Permission;
use crate::event::GroupId;

const NAME: usize = 150;

/// A group and what it gives.
#[derive(Clone, Debug)]
pub struct Group {
    /// Identifier.
    pub id: GroupId,
    /// Unique name.
    pub name: String,
    /// What its users may.
    pub permissions: Vec<Permission>,
}

/// What is to be altered; `None` and empty leave things as they are.
#[derive(Clone, Debug, Default)]
pub struct GroupChange {
    /// Unique name.
    pub name: Option<String>,
    /// To give.
    pub add_permissions: Vec<Permission>,
    /// To take.
    pub remove_permissions: Vec<Permission>,
}

#[derive(sqlx::FromRow)]
struct GroupRow {
    id: GroupId,
    name: String,
}

impl Store {
    /// Makes a group.
    ///
    /// # Errors
    /// When the name is not acceptable or taken.
    pub async fn add_group(
        &self,
        name: &str,
        permissions: &[Permission],
    ) -> Result<Group, StoreError> {
        check(name)?;
        let id = GroupId::random();
        let mut write = self.write().await?;
        let added = on_write!(write, connection => {
            sqlx::query("INSERT INTO groups (id, name) VALUES ($1, $2)")
                .bind(id)
                .bind(name)
                .execute(connection)
                .await
                .map(|_| ())
        });
        added.map_err(taken)?;
        write.permit(GIVE_GROUP, id.0, permissions).await?;
        write.audit("add", "Group", id.0, name).await?;
        write.commit().await?;
        self.group(id).await
    }

    /// By id or name.
    ///
    /// # Errors
    /// When none fits.
    pub async fn find_group(&self, id_or_name: &str) -> Result<Group, StoreError> {
        let found: Vec<GroupRow> = on_pool!(self, pool => {
            sqlx::query_as("SELECT id, name FROM groups WHERE id = $1 OR name = $2")
                .bind(Uuid::parse_str(id_or_name).ok())
                .bind(id_or_name)
                .fetch_all(pool)
                .await?
        });
        let row = StoreError::only("group", id_or_name, found)?;
        self.with_permissions(row).await
    }

    /// All, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn groups(&self) -> Result<Vec<Group>, StoreError> {
        let rows: Vec<GroupRow> = on_pool!(self, pool => {
            sqlx::query_as("SELECT id, name FROM groups ORDER BY name").fetch_all(pool).await?
        });
        let mut groups = Vec::new();
        for row in rows {
            groups.push(self.with_permissions(row).await?);
        }
        Ok(groups)
    }

    /// Alters a group.
    ///
    /// # Errors
    /// When it does not exist, or the name is not acceptable or taken.
    pub async fn change_group(
        &self,
        id: GroupId,
        change: &GroupChange,
    ) -> Result<Group, StoreError> {
        if let Some(name) = &change.name {
            check(name)?;
        }
        let mut write = self.write().await?;
        let changed = on_write!(write, connection => {
            sqlx::query("UPDATE groups SET name = COALESCE($2, name) WHERE id = $1")
                .bind(id)
                .bind(&change.name)
                .execute(connection)
                .await
                .map(|done| done.rows_affected())
        });
        if changed.map_err(taken)? == 0 {
            return Err(StoreError::NotFound("Group"));
        }
        write
            .permit(GIVE_GROUP, id.0, &change.add_permissions)
            .await?;
        write
            .permit(TAKE_GROUP, id.0, &change.remove_permissions)
            .await?;
        let name = write.name_of("SELECT name FROM groups WHERE id = $1", id.0);
        let name = name.await?;
        write.audit("change", "Group", id.0, &name).await?;
        write.commit().await?;
        self.group(id).await
    }

    /// Removes a group; its users lose what it gave.
    ///
    /// # Errors
    /// When it does not exist.
    pub async fn remove_group(&self, id: GroupId) -> Result<(), StoreError> {
        self.remove(
            "Group",
            "DELETE FROM groups WHERE id = $1 RETURNING name",
            id.0,
        )
        .await
    }

    async fn group(&self, id: GroupId) -> Result<Group, StoreError> {
        self.find_group(&id.to_string()).await
    }

    async fn with_permissions(&self, row: GroupRow) -> Result<Group, StoreError> {
        let names: Vec<String> = on_pool!(self, pool => {
            sqlx::query_scalar(
                "SELECT permission FROM group_permission WHERE group_id = $1 ORDER BY permission",
            )
            .bind(row.id)
            .fetch_all(pool)
            .await?
        });
        Ok(Group {
            id: row.id,
            name: row.name,
            permissions: known(&names),
        })
    }
}

pub(super) const GIVE_GROUP: &str =
    "INSERT INTO group_permission (group_id, permission) VALUES ($1, $2) ON CONFLICT DO NOTHING";
pub(super) const TAKE_GROUP: &str =
    "DELETE FROM group_permission WHERE group_id = $1 AND permission = $2";

/// The permissions behind stored names. A name that this version does not know gives nothing.
pub(super) fn known(names: &[String]) -> Vec<Permission> {
    names.iter().filter_map(|name| name.parse().ok()).collect()
}

pub(super) fn check(name: &str) -> Result<(), FieldErrors> {
    let mut errors = FieldErrors::default();
    errors.check_name("name", name, NAME);
    errors.into_result()
}

pub(super) fn taken(error: sqlx::Error) -> StoreError {
    let reason = "A group with this name exists already.";
    StoreError::from(error).unique(&[("name", "name", reason)])
}
