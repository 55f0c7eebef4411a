//! One import: a transaction, what was imported before, and what became of each thing.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::super::transaction::{Write, on_write};
use super::super::{Store, StoreError};
use super::memory::Remembered;
use super::merge::{Fields, Merge};
use super::{Import, ImportCount, ImportKind, ImportRemark, ImportReport, Matter};
use crate::event::{GroupId, Timestamp};

/// What tells a thing from others, and what it depends on.
pub(super) struct Head<'a> {
    pub id: Uuid,
    pub name: &'a str,
    /// The table and time of what is listed by when it was made.
    pub made: Option<(&'static str, Timestamp)>,
    /// What it cannot be without.
    pub needs: Vec<(ImportKind, Uuid)>,
}

/// A thing that is brought in.
pub(super) trait Imported {
    const KIND: ImportKind;

    fn head(&self) -> Head<'_>;
    /// As it is there.
    fn there(&self) -> Fields;
    /// What is secret of it.
    fn secret(&self) -> Option<Vec<u8>> {
        None
    }
    /// As it is here.
    async fn here(&self, run: &mut Run) -> Result<Option<Fields>, StoreError>;
    async fn make(&self, run: &mut Run) -> Result<(), StoreError>;
    async fn alter(&self, run: &mut Run, merge: &Merge<'_>) -> Result<(), StoreError>;
}

/// What became of one thing.
enum Outcome {
    New,
    Changed,
    Unchanged,
}

pub(super) struct Run {
    pub write: Write,
    apply: bool,
    source: Uuid,
    remembered: BTreeMap<Uuid, Remembered>,
    /// What is there, taken or not.
    seen: BTreeSet<Uuid>,
    left_out: BTreeSet<(ImportKind, Uuid)>,
    /// A group's id there, and the one here.
    groups: BTreeMap<Uuid, GroupId>,
    counts: BTreeMap<ImportKind, ImportCount>,
    remarks: Vec<ImportRemark>,
}

impl Run {
    pub async fn begin(store: &Store, import: &Import, apply: bool) -> Result<Self, StoreError> {
        let mut write = store.write_people().await?;
        let remembered = write.remembered(import.source).await?;
        let mut run = Self {
            write,
            apply,
            source: import.source,
            remembered,
            seen: BTreeSet::new(),
            left_out: BTreeSet::new(),
            groups: BTreeMap::new(),
            counts: BTreeMap::new(),
            remarks: Vec::new(),
        };
        for left in &import.left_out {
            run.seen.insert(left.id);
            run.leave_out(left.kind, left.id, &left.name, left.reason.clone());
        }
        run.remarks.extend(import.remarks.iter().cloned());
        Ok(run)
    }

    /// Whether what is written will stay; a trial needs no secrets sealed.
    pub fn is_applied(&self) -> bool {
        self.apply
    }

    /// Brings the things of one kind in. One that another one stands in the way of is tried again
    /// behind the others: that one may have given way.
    pub async fn bring<T: Imported>(&mut self, rows: &[T]) -> Result<(), StoreError> {
        self.seen.extend(rows.iter().map(|row| row.head().id));
        let mut refused = Vec::new();
        for row in rows {
            if self.try_one(row).await?.is_some() {
                refused.push(row);
            }
        }
        for row in refused {
            if let Some(reason) = self.try_one(row).await? {
                let Head { id, name, .. } = row.head();
                self.leave_out(T::KIND, id, name, reason);
            }
        }
        self.follow_the_gone(T::KIND).await
    }

    /// Brings one thing in, or answers with the reason why not.
    async fn try_one<T: Imported>(&mut self, row: &T) -> Result<Option<String>, StoreError> {
        let mut needs = row.head().needs.into_iter();
        let missing = needs.find(|need| self.left_out.contains(need));
        if let Some((kind, _)) = missing {
            return Ok(Some(format!(
                "it belongs to one of the {kind} that are left out"
            )));
        }
        self.write.savepoint("SAVEPOINT thing").await?;
        let done = match self.one(row).await {
            Ok(outcome) => {
                let count = self.counts.entry(T::KIND).or_default();
                match outcome {
                    Outcome::New => count.new += 1,
                    Outcome::Changed => count.changed += 1,
                    Outcome::Unchanged => count.unchanged += 1,
                }
                None
            }
            Err(reason @ (StoreError::Invalid(_) | StoreError::NotFound(_))) => {
                self.write.savepoint("ROLLBACK TO SAVEPOINT thing").await?;
                Some(reason.to_string())
            }
            Err(error) => return Err(error),
        };
        self.write.savepoint("RELEASE SAVEPOINT thing").await?;
        Ok(done)
    }

    async fn one<T: Imported>(&mut self, row: &T) -> Result<Outcome, StoreError> {
        let Head { id, made, .. } = row.head();
        let (there, here) = (row.there(), row.here(self).await?);
        let base = self.remembered.get(&id).map(|known| known.fields.clone());
        let is_known = base.as_ref() == Some(&there);
        let outcome = match here {
            None => {
                row.make(self).await?;
                if let Some((table, created)) = made {
                    self.write.date(table, id, created).await?;
                }
                Outcome::New
            }
            Some(here) => {
                let merge = Merge {
                    base: base.as_ref(),
                    there: &there,
                    here: &here,
                };
                if merge.is_needed() {
                    row.alter(self, &merge).await?;
                    Outcome::Changed
                } else {
                    Outcome::Unchanged
                }
            }
        };
        if self.apply && !is_known {
            let (source, secret) = (self.source, row.secret());
            self.write
                .remember(source, id, T::KIND.model(), &there, secret.as_deref())
                .await?;
        }
        Ok(outcome)
    }

    /// Things of this kind that were imported once, and are not there any more.
    async fn follow_the_gone(&mut self, kind: ImportKind) -> Result<(), StoreError> {
        let of_kind = self
            .remembered
            .iter()
            .filter(|(_, it)| it.model == kind.model());
        let gone: Vec<(Uuid, Fields)> = of_kind
            .filter(|(id, _)| !self.seen.contains(id))
            .map(|(id, it)| (*id, it.fields.clone()))
            .collect();
        for (id, fields) in gone {
            let name = self.write.still_here(kind, id, &fields).await?;
            match name {
                Some(name) if kind.is_relation() => {
                    self.write.unrelate(kind, &fields).await?;
                    self.write.audit("delete", kind.model(), id, &name).await?;
                    self.counts.entry(kind).or_default().removed += 1;
                }
                Some(name) => {
                    let reason =
                        "it is no longer there; it is kept here until it is removed".into();
                    self.remark(kind, &name, Matter::Gone, reason);
                    continue;
                }
                None => {}
            }
            self.write.forget(id).await?;
        }
        Ok(())
    }

    /// The groups here of those there; what is left out gives nothing.
    pub fn groups_here(&self, there: &[Uuid]) -> Vec<Uuid> {
        let mut here: Vec<Uuid> = there
            .iter()
            .filter_map(|id| self.groups.get(id))
            .map(|id| id.0)
            .collect();
        here.sort_unstable();
        here
    }

    /// The group here that is the one there.
    pub fn group_here(&self, there: Uuid) -> GroupId {
        self.groups.get(&there).copied().unwrap_or(GroupId(there))
    }

    pub fn found_group(&mut self, there: Uuid, here: GroupId) {
        self.groups.insert(there, here);
    }

    /// Notes in the audit log what was done with a thing, where what did it does not.
    pub async fn note<T: Imported>(&mut self, action: &str, row: &T) -> Result<(), StoreError> {
        let Head { id, name, .. } = row.head();
        self.write.audit(action, T::KIND.model(), id, name).await
    }

    fn leave_out(&mut self, kind: ImportKind, id: Uuid, name: &str, reason: String) {
        self.left_out.insert((kind, id));
        self.counts.entry(kind).or_default().left_out += 1;
        self.remark(kind, name, Matter::LeftOut, reason);
    }

    fn remark(&mut self, kind: ImportKind, name: &str, matter: Matter, reason: String) {
        self.remarks.push(ImportRemark {
            kind,
            name: name.to_owned(),
            matter,
            reason,
        });
    }

    /// Keeps what was brought in, or none of it.
    pub async fn end(mut self) -> Result<ImportReport, StoreError> {
        if self.apply {
            self.write.commit().await?;
        }
        self.remarks.sort_by_key(|remark| remark.kind);
        let count = |kind| (kind, self.counts.get(&kind).copied().unwrap_or_default());
        Ok(ImportReport {
            counts: ImportKind::ALL.map(count).to_vec(),
            remarks: self.remarks,
        })
    }
}

/// What says that a thing is here, by its id, and what it is called.
const NAMED: [(ImportKind, &str); 6] = [
    (
        ImportKind::Organizations,
        "SELECT name FROM organization WHERE id = $1",
    ),
    (ImportKind::Groups, "SELECT name FROM groups WHERE id = $1"),
    (
        ImportKind::Users,
        "SELECT username FROM users WHERE id = $1",
    ),
    (ImportKind::Devices, "SELECT name FROM device WHERE id = $1"),
    (
        ImportKind::Credentials,
        "SELECT name FROM credential WHERE id = $1",
    ),
    (
        ImportKind::Locations,
        "SELECT name FROM location WHERE id = $1",
    ),
];

/// The same of a relation, by the two things that it relates.
const RELATED: [(ImportKind, [&str; 2], &str, &str); 3] = [
    (
        ImportKind::Memberships,
        ["user", "organization"],
        "SELECT username FROM users JOIN organization_user ON user_id = users.id
         WHERE user_id = $1 AND organization_id = $2",
        "DELETE FROM organization_user WHERE user_id = $1 AND organization_id = $2",
    ),
    (
        ImportKind::Connections,
        ["device", "credentials"],
        "SELECT device.name FROM device JOIN connection ON device_id = device.id
         WHERE device_id = $1 AND credential_id = $2",
        "DELETE FROM connection WHERE device_id = $1 AND credential_id = $2",
    ),
    (
        ImportKind::DeviceLocations,
        ["device", "location"],
        "SELECT device.name FROM device JOIN device_location ON device_id = device.id
         WHERE device_id = $1 AND location_id = $2",
        "DELETE FROM device_location WHERE device_id = $1 AND location_id = $2",
    ),
];

impl Write {
    /// Begins, forgets or keeps what may have to be undone.
    async fn savepoint(&mut self, sql: &'static str) -> Result<(), StoreError> {
        on_write!(self, connection => {
            sqlx::query(sql).execute(connection).await.map(|_| ())?;
        });
        Ok(())
    }

    /// Keeps the time that a thing was made at: lists are ordered by it.
    async fn date(&mut self, table: &str, id: Uuid, created: Timestamp) -> Result<(), StoreError> {
        let sql = format!("UPDATE {table} SET created = $2 WHERE id = $1");
        on_write!(self, connection => {
            sqlx::query(AssertSqlSafe(sql))
                .bind(id)
                .bind(created)
                .execute(connection)
                .await
                .map(|_| ())?;
        });
        Ok(())
    }

    /// What a thing is called that was imported once; `None` if it is not here any more.
    async fn still_here(
        &mut self,
        kind: ImportKind,
        id: Uuid,
        fields: &Fields,
    ) -> Result<Option<String>, StoreError> {
        let named = NAMED.iter().find(|(it, _)| *it == kind);
        if let Some((_, sql)) = named {
            return Ok(on_write!(self, connection => {
                sqlx::query_scalar(*sql).bind(id).fetch_optional(connection).await?
            }));
        }
        let related = RELATED.iter().find(|(it, ..)| *it == kind);
        let Some((_, ends, sql, _)) = related else {
            return Ok(None);
        };
        let [one, other] = ends.map(|end| uuid(fields, end));
        Ok(on_write!(self, connection => {
            sqlx::query_scalar(*sql).bind(one).bind(other).fetch_optional(connection).await?
        }))
    }

    /// Removes a relation.
    async fn unrelate(&mut self, kind: ImportKind, fields: &Fields) -> Result<(), StoreError> {
        let related = RELATED.iter().find(|(it, ..)| *it == kind);
        if let Some((_, ends, _, sql)) = related {
            let [one, other] = ends.map(|end| uuid(fields, end));
            on_write!(self, connection => {
                sqlx::query(*sql).bind(one).bind(other).execute(connection).await.map(|_| ())?;
            });
        }
        Ok(())
    }
}

fn uuid(fields: &Fields, field: &str) -> Option<Uuid> {
    fields.get(field)?.as_str()?.parse().ok()
}
