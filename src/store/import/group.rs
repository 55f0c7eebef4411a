//! Groups that are imported. One of the same name here is taken for the same if it gives the same.

use serde_json::json;

use super::super::StoreError;
use super::super::group::GroupChange;
use super::super::transaction::{Write, on_write};
use super::merge::{Fields, Merge, fields, uuid};
use super::run::{Head, Imported, Run};
use super::{ImportKind, Matter};
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

/// A group there, and the one here that it is or becomes.
pub(super) struct FoundGroup<'a> {
    there: &'a ImportedGroup,
    here: GroupId,
    /// What it is called if it is made.
    name: String,
}

impl Run {
    /// Finds the groups here that are those there.
    pub async fn find_groups<'a>(
        &mut self,
        groups: &'a [ImportedGroup],
    ) -> Result<Vec<FoundGroup<'a>>, StoreError> {
        let mut found = Vec::new();
        for there in groups {
            let here = self.group_known(there.id);
            let group = if self.write.group_row(Some(here), "").await?.is_some() {
                FoundGroup {
                    there,
                    here,
                    name: there.name.clone(),
                }
            } else {
                self.find_group(there, groups).await?
            };
            found.push(group);
        }
        Ok(found)
    }

    /// The group here that one there became at an earlier import.
    fn group_known(&self, there: GroupId) -> GroupId {
        let here = self.base(there.0).and_then(|base| uuid(base, "here"));
        here.map_or(there, GroupId)
    }

    /// A group here is the one of its name there only if it gives the same: else users would get, by
    /// the other's name, what nobody gave them.
    async fn find_group<'a>(
        &mut self,
        there: &'a ImportedGroup,
        groups: &[ImportedGroup],
    ) -> Result<FoundGroup<'a>, StoreError> {
        let found = |here, name| FoundGroup { there, here, name };
        let Some(id) = self.write.group_row(None, &there.name).await? else {
            return Ok(found(there.id, there.name.clone()));
        };
        // It is another of theirs, and may get another name yet.
        if groups.iter().any(|other| self.group_known(other.id) == id) {
            return Ok(found(there.id, there.name.clone()));
        }
        let given = self.write.permissions_of_group(id).await?;
        let mut permissions = there.permissions.clone();
        permissions.sort_unstable();
        if given == permissions {
            return Ok(found(id, there.name.clone()));
        }
        let mut name = format!("{} (openwisp)", there.name);
        let mut number = 2;
        while self.write.group_row(None, &name).await?.is_some() {
            name = format!("{} (openwisp {number})", there.name);
            number += 1;
        }
        let reason = format!("made as \"{name}\": the group of its name here gives other rights");
        self.remark(ImportKind::Groups, &there.name, Matter::InPart, reason);
        Ok(found(there.id, name))
    }
}

impl Imported for FoundGroup<'_> {
    const KIND: ImportKind = ImportKind::Groups;

    fn head(&self) -> Head<'_> {
        Head {
            id: self.there.id.0,
            name: &self.there.name,
            made: None,
            needs: Vec::new(),
        }
    }

    fn there(&self) -> Fields {
        fields(json!({
            "name": self.there.name,
            "permissions": self.there.permissions,
            "here": self.here,
        }))
    }

    async fn here(&self, run: &mut Run) -> Result<Option<Fields>, StoreError> {
        let name: Option<String> = on_write!(run.write, connection => {
            sqlx::query_scalar("SELECT name FROM groups WHERE id = $1")
                .bind(self.here)
                .fetch_optional(connection)
                .await?
        });
        let Some(name) = name else {
            return Ok(None);
        };
        run.found_group(self.there.id.0, self.here);
        let permissions = run.write.permissions_of_group(self.here).await?;
        Ok(Some(fields(json!({
            "name": name,
            "permissions": permissions,
            "here": self.here,
        }))))
    }

    async fn make(&self, run: &mut Run) -> Result<(), StoreError> {
        let permissions = known(&self.there.permissions);
        run.write
            .add_group(self.here, &self.name, &permissions)
            .await?;
        run.found_group(self.there.id.0, self.here);
        Ok(())
    }

    async fn alter(&self, run: &mut Run, merge: &Merge<'_>) -> Result<(), StoreError> {
        let (given, taken) = merge.difference::<String>("permissions");
        let change = GroupChange {
            name: merge.take("name"),
            add_permissions: known(&given),
            remove_permissions: known(&taken),
        };
        run.write.change_group(self.here, &change).await
    }
}

impl Write {
    /// The group of this id or name.
    async fn group_row(
        &mut self,
        id: Option<GroupId>,
        name: &str,
    ) -> Result<Option<GroupId>, StoreError> {
        Ok(on_write!(self, connection => {
            sqlx::query_scalar("SELECT id FROM groups WHERE id = $1 OR name = $2")
                .bind(id)
                .bind(name)
                .fetch_optional(connection)
                .await?
        }))
    }

    /// Names of the permissions that a group gives, in order.
    async fn permissions_of_group(&mut self, id: GroupId) -> Result<Vec<String>, StoreError> {
        let mut given: Vec<String> = on_write!(self, connection => {
            sqlx::query_scalar("SELECT permission FROM group_permission WHERE group_id = $1")
                .bind(id)
                .fetch_all(connection)
                .await?
        });
        given.sort_unstable();
        Ok(given)
    }
}

/// The permissions of these names.
pub(super) fn known(names: &[String]) -> Vec<Permission> {
    names.iter().filter_map(|name| name.parse().ok()).collect()
}
