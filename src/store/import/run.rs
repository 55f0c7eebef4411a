//! One import: a transaction, what was imported before, and what became of each thing.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::super::transaction::{Write, on_write};
use super::super::{Store, StoreError};
use super::memory::{Remembered, SECRET};
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
    /// What was made in this import, or has lost its relations in it.
    anew: BTreeSet<(ImportKind, Uuid)>,
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
            anew: BTreeSet::new(),
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
        if T::KIND.is_relation() {
            let there = rows.iter().map(|row| (row.head().id, row.there()));
            let there: Vec<(Uuid, Fields)> = there.collect();
            self.clear_relations(T::KIND, &there).await?;
        }
        let mut refused = Vec::new();
        for row in rows {
            let mut needs = row.head().needs.into_iter();
            if let Some((kind, _)) = needs.find(|need| self.left_out.contains(need)) {
                let reason = format!("it belongs to one of the {kind} that are left out");
                self.leave_out_row(row, reason).await?;
            } else if self.try_one(row).await?.is_err() {
                refused.push(row);
            }
        }
        for row in refused {
            if let Err(reason) = self.try_one(row).await? {
                self.take_in_part(row, reason).await?;
            }
        }
        self.follow_the_gone(T::KIND).await
    }

    /// Brings one thing in, or answers with the reason why not.
    async fn try_one<T: Imported>(&mut self, row: &T) -> Result<Result<(), String>, StoreError> {
        self.write.savepoint("SAVEPOINT thing").await?;
        let done = self.one(row).await;
        let settled = self.write.settle(done).await?;
        Ok(settled.map(|outcome| {
            let count = self.count(T::KIND);
            match outcome {
                Outcome::New => count.new += 1,
                Outcome::Changed => count.changed += 1,
                Outcome::Unchanged => count.unchanged += 1,
            }
            if matches!(outcome, Outcome::New) {
                self.made_anew(T::KIND, row.head().id);
            }
        }))
    }

    async fn one<T: Imported>(&mut self, row: &T) -> Result<Outcome, StoreError> {
        let Head { id, made, .. } = row.head();
        let (there, here) = (row.there(), row.here(self).await?);
        let base = self.base(id).cloned();
        let is_known = base.as_ref() == Some(&there);
        let outcome = match here {
            None if is_known && T::KIND.is_relation() && !self.is_anew(row) => {
                // It was removed here.
                Outcome::Unchanged
            }
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
            self.remember(row, &there).await?;
        }
        Ok(outcome)
    }

    /// Brings of a thing that is here, and that cannot become what it is there, the fields that can: a
    /// right that was taken away there goes, whatever stands in the way of the rest.
    async fn take_in_part<T: Imported>(
        &mut self,
        row: &T,
        reason: String,
    ) -> Result<(), StoreError> {
        let Head { id, name, .. } = row.head();
        let Some(here) = row.here(self).await? else {
            return self.leave_out_row(row, reason).await;
        };
        let there = row.there();
        let mut taken = self.base(id).unwrap_or(&here).clone();
        let (mut is_changed, mut refused) = (false, Vec::new());
        for (field, value) in &there {
            let mut next = taken.clone();
            next.insert(field.clone(), value.clone());
            let merge = Merge {
                base: Some(&taken),
                there: &next,
                here: &here,
            };
            if merge.is_needed() {
                self.write.savepoint("SAVEPOINT thing").await?;
                let done = row.alter(self, &merge).await;
                if let Err(reason) = self.write.settle(done).await? {
                    refused.push(reason);
                    continue;
                }
                is_changed = true;
            }
            taken = next;
        }
        // What was refused is remembered as it was, to be tried again.
        if self.apply && taken.get(SECRET) == there.get(SECRET) {
            self.remember(row, &taken).await?;
        }
        let count = self.count(T::KIND);
        if is_changed {
            count.changed += 1;
        } else {
            count.unchanged += 1;
        }
        if !refused.is_empty() {
            let reason = format!("without the change of {}", refused.join("; "));
            self.remark(T::KIND, name, Matter::InPart, reason);
        }
        Ok(())
    }

    async fn remember<T: Imported>(&mut self, row: &T, fields: &Fields) -> Result<(), StoreError> {
        let (id, model, secret) = (row.head().id, T::KIND.model(), row.secret());
        self.write
            .remember(self.source, id, model, fields, secret.as_deref())
            .await
    }

    /// A thing as it was there at the last import.
    pub fn base(&self, id: Uuid) -> Option<&Fields> {
        self.remembered.get(&id).map(|known| &known.fields)
    }

    /// All of a kind that were imported once.
    pub fn remembered_of(&self, kind: ImportKind) -> Vec<(Uuid, Fields)> {
        self.remembered
            .iter()
            .filter(|(_, it)| it.model == kind.model())
            .map(|(id, it)| (*id, it.fields.clone()))
            .collect()
    }

    /// Whether a thing is there.
    pub fn has_seen(&self, id: Uuid) -> bool {
        self.seen.contains(&id)
    }

    /// Notes that a thing has lost the relations that it had here: all that it has there are brought.
    pub fn made_anew(&mut self, kind: ImportKind, id: Uuid) {
        self.anew.insert((kind, id));
    }

    fn is_anew<T: Imported>(&self, row: &T) -> bool {
        row.head().needs.iter().any(|need| self.anew.contains(need))
    }

    pub fn count(&mut self, kind: ImportKind) -> &mut ImportCount {
        self.counts.entry(kind).or_default()
    }

    /// Tells of the things of this kind that were imported once, and are not there any more.
    async fn follow_the_gone(&mut self, kind: ImportKind) -> Result<(), StoreError> {
        if kind.is_relation() {
            return Ok(());
        }
        for (id, _) in self.remembered_of(kind) {
            if self.has_seen(id) {
                continue;
            }
            if let Some(name) = self.write.still_here(kind, id).await? {
                let reason = "it is no longer there; it is kept here until it is removed".into();
                self.remark(kind, &name, Matter::Gone, reason);
            } else {
                self.write.forget(id).await?;
            }
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

    pub fn found_group(&mut self, there: Uuid, here: GroupId) {
        self.groups.insert(there, here);
    }

    /// Notes in the audit log what was done with a thing, where what did it does not.
    pub async fn note<T: Imported>(&mut self, action: &str, row: &T) -> Result<(), StoreError> {
        let Head { id, name, .. } = row.head();
        self.write.audit(action, T::KIND.model(), id, name).await
    }

    async fn leave_out_row<T: Imported>(
        &mut self,
        row: &T,
        reason: String,
    ) -> Result<(), StoreError> {
        let Head { id, name, .. } = row.head();
        if self.is_anew(row) {
            // It was not removed here by anybody: it comes when it can.
            self.write.forget(id).await?;
        }
        self.leave_out(T::KIND, id, name, reason);
        Ok(())
    }

    fn leave_out(&mut self, kind: ImportKind, id: Uuid, name: &str, reason: String) {
        self.left_out.insert((kind, id));
        self.count(kind).left_out += 1;
        self.remark(kind, name, Matter::LeftOut, reason);
    }

    pub fn remark(&mut self, kind: ImportKind, name: &str, matter: Matter, reason: String) {
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

impl Write {
    /// Begins, forgets or keeps what may have to be undone.
    async fn savepoint(&mut self, sql: &'static str) -> Result<(), StoreError> {
        on_write!(self, connection => {
            sqlx::query(sql).execute(connection).await.map(|_| ())?;
        });
        Ok(())
    }

    /// Ends what a savepoint began: kept, or undone with the reason for which it was refused.
    async fn settle<T>(
        &mut self,
        done: Result<T, StoreError>,
    ) -> Result<Result<T, String>, StoreError> {
        let settled = match done {
            Ok(done) => Ok(done),
            Err(reason @ (StoreError::Invalid(_) | StoreError::NotFound(_))) => {
                self.savepoint("ROLLBACK TO SAVEPOINT thing").await?;
                Err(reason.to_string())
            }
            Err(error) => return Err(error),
        };
        self.savepoint("RELEASE SAVEPOINT thing").await?;
        Ok(settled)
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
    ) -> Result<Option<String>, StoreError> {
        let Some((_, sql)) = NAMED.iter().find(|(it, _)| *it == kind) else {
            return Ok(None);
        };
        Ok(on_write!(self, connection => {
            sqlx::query_scalar(*sql).bind(id).fetch_optional(connection).await?
        }))
    }
}
