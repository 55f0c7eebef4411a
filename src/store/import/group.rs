//! Groups that are imported. One of the same name here is taken for the same.

use serde_json::json;
use uuid::Uuid;

use super::super::StoreError;
use super::super::group::{GIVE_GROUP, TAKE_GROUP, check, known, taken};
use super::super::transaction::on_write;
use super::ImportKind;
use super::merge::{Fields, Merge, fields};
use super::run::{Imported, Run};
use crate::event::{GroupId, Timestamp};

/// A group there.
#[derive(Clone, Debug)]
pub struct ImportedGroup {
    /// Identifier; the group's here may be another.
    pub id: GroupId,
    /// Unique.
    pub name: String,
    /// Names of the permissions that it gives.
    pub permissions: Vec<String>,
}

impl Imported for ImportedGroup {
    const KIND: ImportKind = ImportKind::Groups;
    const TABLE: Option<&'static str> = None;

    fn id(&self) -> Uuid {
        self.id.0
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn created(&self) -> Timestamp {
        Timestamp(0)
    }

    fn needs(&self) -> Vec<(ImportKind, Uuid)> {
        Vec::new()
    }

    fn there(&self) -> Fields {
        fields(json!({"name": self.name, "permissions": self.permissions}))
    }

    async fn here(&self, run: &mut Run) -> Result<Option<Fields>, StoreError> {
        let found: Option<(GroupId, String)> = on_write!(run.write, connection => {
            sqlx::query_as(
                "SELECT id, name FROM groups WHERE id = $1 OR name = $2
                 ORDER BY CASE WHEN id = $1 THEN 0 ELSE 1 END LIMIT 1",
            )
            .bind(self.id)
            .bind(&self.name)
            .fetch_optional(connection)
            .await?
        });
        let Some((id, name)) = found else {
            return Ok(None);
        };
        run.found_group(self.id.0, id);
        let permissions: Vec<String> = on_write!(run.write, connection => {
            sqlx::query_scalar("SELECT permission FROM group_permission WHERE group_id = $1")
                .bind(id)
                .fetch_all(connection)
                .await?
        });
        Ok(Some(fields(
            json!({"name": name, "permissions": permissions}),
        )))
    }

    async fn make(&self, run: &mut Run) -> Result<(), StoreError> {
        check(&self.name)?;
        let made = on_write!(run.write, connection => {
            sqlx::query("INSERT INTO groups (id, name) VALUES ($1, $2)")
                .bind(self.id)
                .bind(&self.name)
                .execute(connection)
                .await
                .map(|_| ())
        });
        made.map_err(taken)?;
        run.found_group(self.id.0, self.id);
        run.write
            .permit(GIVE_GROUP, self.id.0, &known(&self.permissions))
            .await
    }

    async fn alter(&self, run: &mut Run, merge: &Merge<'_>) -> Result<(), StoreError> {
        let id = run.group_here(self.id.0);
        if let Some(name) = merge.take::<String>("name") {
            check(&name)?;
            let altered = on_write!(run.write, connection => {
                sqlx::query("UPDATE groups SET name = $2 WHERE id = $1")
                    .bind(id)
                    .bind(name)
                    .execute(connection)
                    .await
                    .map(|_| ())
            });
            altered.map_err(taken)?;
        }
        let (added, removed) = merge.difference::<String>("permissions");
        run.write.permit(GIVE_GROUP, id.0, &known(&added)).await?;
        run.write.permit(TAKE_GROUP, id.0, &known(&removed)).await
    }
}
