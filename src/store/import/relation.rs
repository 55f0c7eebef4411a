//! Relations of two things: those that are gone there, or relate others there now, go here before the
//! rest of their kind comes.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::super::StoreError;
use super::super::transaction::{Write, on_write};
use super::ImportKind;
use super::merge::{Fields, uuid};
use super::run::Run;

/// The two things that are related.
type Ends = [Option<Uuid>; 2];

struct Relation {
    kind: ImportKind,
    ends: [&'static str; 2],
    /// Of so many of its ends there is one here at most; the other end of it may change.
    found_by: usize,
    /// Says that it is here, and what the first end is called.
    named: &'static str,
    remove: &'static str,
}

const RELATIONS: [Relation; 3] = [
    Relation {
        kind: ImportKind::Memberships,
        ends: ["user", "organization"],
        found_by: 2,
        named: "SELECT username FROM users JOIN organization_user ON user_id = users.id
             WHERE user_id = $1 AND organization_id = $2",
        remove: "DELETE FROM organization_user WHERE user_id = $1 AND organization_id = $2",
    },
    Relation {
        kind: ImportKind::Connections,
        ends: ["device", "credentials"],
        found_by: 1,
        named: "SELECT device.name FROM device JOIN connection ON device_id = device.id
             WHERE device_id = $1 AND credential_id = $2",
        remove: "DELETE FROM connection WHERE device_id = $1 AND credential_id = $2",
    },
    Relation {
        kind: ImportKind::DeviceLocations,
        ends: ["device", "location"],
        found_by: 1,
        named: "SELECT device.name FROM device JOIN device_location ON device_id = device.id
             WHERE device_id = $1 AND location_id = $2",
        remove: "DELETE FROM device_location WHERE device_id = $1 AND location_id = $2",
    },
];

impl Relation {
    fn ends(&self, fields: &Fields) -> Ends {
        self.ends.map(|end| uuid(fields, end))
    }
}

impl Run {
    /// Removes what is here of relations that were imported once, and are gone there or relate others
    /// there now. One that was made again there, under another id, stays.
    pub async fn clear_relations(
        &mut self,
        kind: ImportKind,
        there: &[(Uuid, Fields)],
    ) -> Result<(), StoreError> {
        let Some(relation) = RELATIONS.iter().find(|it| it.kind == kind) else {
            return Ok(());
        };
        let there: Vec<(Uuid, Ends)> = there
            .iter()
            .map(|(id, fields)| (*id, relation.ends(fields)))
            .collect();
        let now: BTreeMap<Uuid, Ends> = there.iter().copied().collect();
        let by_ends: BTreeMap<Ends, Uuid> = there.iter().map(|(id, ends)| (*ends, *id)).collect();
        for (id, fields) in self.remembered_of(kind) {
            let ends = relation.ends(&fields);
            let found_by = |ends: &Ends| ends[..relation.found_by].to_vec();
            let is_gone = !self.has_seen(id);
            let is_other = now
                .get(&id)
                .is_some_and(|now| found_by(now) != found_by(&ends));
            if !is_gone && !is_other {
                continue;
            }
            let stays = match by_ends.get(&ends) {
                Some(&again) if kind == ImportKind::Connections => {
                    self.write.rename_connection(id, again).await?
                }
                other => other.is_some(),
            };
            if !stays {
                self.unrelate(relation, id, ends).await?;
            }
            if is_gone {
                self.write.forget(id).await?;
            }
        }
        Ok(())
    }

    async fn unrelate(
        &mut self,
        relation: &Relation,
        id: Uuid,
        [one, other]: Ends,
    ) -> Result<(), StoreError> {
        let name: Option<String> = on_write!(self.write, connection => {
            sqlx::query_scalar(relation.named)
                .bind(one)
                .bind(other)
                .fetch_optional(connection)
                .await?
        });
        let Some(name) = name else {
            return Ok(());
        };
        on_write!(self.write, connection => {
            sqlx::query(relation.remove)
                .bind(one)
                .bind(other)
                .execute(connection)
                .await
                .map(|_| ())?;
        });
        let kind = relation.kind;
        self.write.audit("delete", kind.model(), id, &name).await?;
        self.count(kind).removed += 1;
        Ok(())
    }
}

impl Write {
    /// Gives the connection that is here the id that it has there now, with all that it knows of its
    /// device. `false` if there is none, or both are here.
    async fn rename_connection(&mut self, was: Uuid, is: Uuid) -> Result<bool, StoreError> {
        let both: Vec<Uuid> = on_write!(self, connection => {
            sqlx::query_scalar("SELECT id FROM connection WHERE id IN ($1, $2)")
                .bind(was)
                .bind(is)
                .fetch_all(connection)
                .await?
        });
        if both != [was] {
            return Ok(false);
        }
        on_write!(self, connection => {
            // As where it is removed and made again: what ran over it names none any more.
            sqlx::query("UPDATE command SET connection_id = NULL WHERE connection_id = $1")
                .bind(was)
                .execute(&mut *connection)
                .await?;
            sqlx::query("UPDATE connection SET id = $2 WHERE id = $1")
                .bind(was)
                .bind(is)
                .execute(connection)
                .await
                .map(|_| ())?;
        });
        Ok(true)
    }
}
