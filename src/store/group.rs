//! Groups: named sets of permissions. `Operator` and `Administrator` are there from the start.

use uuid::Uuid;

use super::db::on_pool;
use super::transaction::{Write, on_write};
use super::{FieldErrors, Page, Paged, Store, StoreError};
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
        let mut write = self.write_people().await?;
        let id = GroupId::random();
        write.add_group(id, name, permissions).await?;
        write.commit().await?;
        self.group(id).await
    }

    /// One group.
    ///
    /// # Errors
    /// When there is none.
    pub async fn group(&self, id: GroupId) -> Result<Group, StoreError> {
        let found: Option<GroupRow> = on_pool!(self, pool => {
            sqlx::query_as("SELECT id, name FROM groups WHERE id = $1")
                .bind(id)
                .fetch_optional(pool)
                .await?
        });
        let mut groups = self.with_permissions(found.into_iter().collect()).await?;
        groups.pop().ok_or(StoreError::NotFound("Group"))
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
        let GroupRow { id, .. } = StoreError::only("group", id_or_name, found)?;
        self.group(id).await
    }

    /// All, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn groups(&self) -> Result<Vec<Group>, StoreError> {
        let rows: Vec<GroupRow> = on_pool!(self, pool => {
            sqlx::query_as("SELECT id, name FROM groups ORDER BY name").fetch_all(pool).await?
        });
        self.with_permissions(rows).await
    }

    /// A page of all groups, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn group_page(&self, page: Page) -> Result<Paged<Group>, StoreError> {
        let (count, rows) = on_pool!(self, pool => (
            sqlx::query_scalar("SELECT count(*) FROM groups").fetch_one(pool).await?,
            sqlx::query_as("SELECT id, name FROM groups ORDER BY name LIMIT $1 OFFSET $2")
                .bind(i64::from(page.size))
                .bind(page.offset())
                .fetch_all(pool)
                .await?,
        ));
        Ok(Paged {
            count,
            rows: self.with_permissions(rows).await?,
        })
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
        let mut write = self.write_people().await?;
        write.change_group(id, change).await?;
        write.commit().await?;
        self.group(id).await
    }

    /// Removes a group; its users lose what it gave.
    ///
    /// # Errors
    /// When it does not exist.
    pub async fn remove_group(&self, id: GroupId) -> Result<(), StoreError> {
        let mut write = self.write_people().await?;
        write.remove_group(id).await?;
        write.commit().await
    }

    /// What the groups give, in one query however many they are.
    async fn with_permissions(&self, rows: Vec<GroupRow>) -> Result<Vec<Group>, StoreError> {
        let ids: Vec<Uuid> = rows.iter().map(|row| row.id.0).collect();
        let select = "SELECT group_id, permission FROM group_permission WHERE group_id";
        let given: Vec<(GroupId, String)> = self.for_ids(select, None, &ids).await?;
        let groups = rows.into_iter().map(|row| {
            let of_group = given.iter().filter(|(group, _)| *group == row.id);
            // A name that this version does not know gives nothing.
            let mut permissions: Vec<Permission> =
                of_group.filter_map(|(_, name)| name.parse().ok()).collect();
            permissions.sort_by_key(ToString::to_string);
            Group {
                id: row.id,
                name: row.name,
                permissions,
            }
        });
        Ok(groups.collect())
    }
}

impl Write {
    /// Makes a group of this id.
    pub(super) async fn add_group(
        &mut self,
        id: GroupId,
        name: &str,
        permissions: &[Permission],
    ) -> Result<(), StoreError> {
        check(name)?;
        let added = on_write!(self, connection => {
            sqlx::query("INSERT INTO groups (id, name) VALUES ($1, $2)")
                .bind(id)
                .bind(name)
                .execute(connection)
                .await
                .map(|_| ())
        });
        added.map_err(taken)?;
        self.permit(GIVE_GROUP, id.0, permissions).await?;
        self.audit("add", "Group", id.0, name).await
    }

    /// Alters a group.
    pub(super) async fn change_group(
        &mut self,
        id: GroupId,
        change: &GroupChange,
    ) -> Result<(), StoreError> {
        if let Some(name) = &change.name {
            check(name)?;
        }
        let changed = on_write!(self, connection => {
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
        self.permit(GIVE_GROUP, id.0, &change.add_permissions)
            .await?;
        self.permit(TAKE_GROUP, id.0, &change.remove_permissions)
            .await?;
        let name = self.name_of("SELECT name FROM groups WHERE id = $1", id.0);
        let name = name.await?;
        self.audit("change", "Group", id.0, &name).await
    }

    /// Removes a group; its users lose what it gave.
    pub(super) async fn remove_group(&mut self, id: GroupId) -> Result<(), StoreError> {
        let sql = "DELETE FROM groups WHERE id = $1 RETURNING name";
        self.remove("Group", sql, id.0).await
    }
}

const GIVE_GROUP: &str =
    "INSERT INTO group_permission (group_id, permission) VALUES ($1, $2) ON CONFLICT DO NOTHING";
const TAKE_GROUP: &str = "DELETE FROM group_permission WHERE group_id = $1 AND permission = $2";

fn check(name: &str) -> Result<(), FieldErrors> {
    let mut errors = FieldErrors::default();
    errors.check_name("name", name, NAME);
    errors.into_result()
}

fn taken(error: sqlx::Error) -> StoreError {
    let reason = "group with this name already exists.";
    StoreError::from(error).unique(&[("name", "name", reason)])
}
