//! Groups that are imported. One of the same name here is taken for the same.

use serde_json::json;

use super::super::StoreError;
use super::super::group::GroupChange;
use super::super::transaction::on_write;
use super::ImportKind;
use super::merge::{Fields, Merge, fields};
use super::run::{Head, Imported, Run};
use crate::access::Permission;
use crate::event::GroupId;

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

    fn head(&self) -> Head<'_> {
        Head {
            id: self.id.0,
            name: &self.name,
            made: None,
            needs: Vec::new(),
        }
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
        let permissions = known(&self.permissions);
        run.write
            .add_group(self.id, &self.name, &permissions)
            .await?;
        run.found_group(self.id.0, self.id);
        Ok(())
    }

    async fn alter(&self, run: &mut Run, merge: &Merge<'_>) -> Result<(), StoreError> {
        let id = run.group_here(self.id.0);
        let (given, taken) = merge.difference::<String>("permissions");
        let change = GroupChange {
            name: merge.take("name"),
            add_permissions: known(&given),
            remove_permissions: known(&taken),
        };
        run.write.change_group(id, &change).await
    }
}

/// The permissions of these names.
pub(super) fn known(names: &[String]) -> Vec<Permission> {
    names.iter().filter_map(|name| name.parse().ok()).collect()
}
