//! Room in the queue of commands: how many may wait for a device and for an organization.
//!
//! It is decided in the transaction that puts them there, and so that no other one decides about the same
//! devices or organizations at the same time: SQLite has one writer; on PostgreSQL a single command holds the
//! row of its device, and whoever counts for an organization holds a lock of that.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use sqlx::AssertSqlSafe;

use super::StoreError;
use super::db::{self, IdList};
use super::transaction::{Transaction, Write, on_write};
use crate::event::{DeviceId, OrganizationId};

/// The first key of PostgreSQL's locks of an organization's queue: "room" in ASCII.
const ROOM: i32 = 0x726f_6f6d;

/// How many commands may wait; 0 is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueLimits {
    /// For one device.
    pub device: u32,
    /// For all devices of one organization.
    pub organization: u32,
}

/// There is no room in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueueFull {
    /// So many wait for the device, which is as many as may.
    #[error(
        "{0} commands wait for this device, which is as many as may. Try again when some have ended."
    )]
    Device(u32),
    /// With what was asked for, more would wait for the organization than may.
    #[error(
        "{waiting} commands wait for devices of this organization; with {more} more they would be more \
         than {most}. Try again when some have ended."
    )]
    Organization {
        /// Those that wait.
        waiting: i64,
        /// Those asked for.
        more: i64,
        /// Those that may wait.
        most: u32,
    },
}

impl Write {
    /// Whether one more command may wait for the device, whose row is locked, and for its organization.
    pub(super) async fn check_room(
        &mut self,
        device: DeviceId,
        organization: OrganizationId,
        limits: QueueLimits,
    ) -> Result<(), StoreError> {
        if limits.device > 0 {
            // With the condition of an index of its own.
            let waiting: i64 = on_write!(self, connection => {
                sqlx::query_scalar(
                    "SELECT count(*) FROM (SELECT 1 FROM command WHERE device_id = $1
                         AND status IN ('queued', 'running') AND status = 'queued' LIMIT $2) AS waiting",
                )
                .bind(device)
                .bind(i64::from(limits.device))
                .fetch_one(connection)
                .await?
            });
            if waiting >= i64::from(limits.device) {
                return Err(QueueFull::Device(limits.device).into());
            }
        }
        self.check_room_of(&BTreeMap::from([(organization, 1)]), limits)
            .await
    }

    /// Whether so many more commands may wait for these organizations.
    pub(super) async fn check_room_of(
        &mut self,
        wanted: &BTreeMap<OrganizationId, i64>,
        limits: QueueLimits,
    ) -> Result<(), StoreError> {
        if limits.organization == 0 {
            return Ok(());
        }
        self.lock_room(wanted.keys().copied()).await?;
        for (organization, more) in wanted {
            let waiting: i64 = on_write!(self, connection => {
                sqlx::query_scalar(
                    "SELECT count(*) FROM (SELECT 1 FROM command WHERE organization_id = $1
                         AND status = 'queued' LIMIT $2) AS waiting",
                )
                .bind(organization)
                .bind(i64::from(limits.organization))
                .fetch_one(connection)
                .await?
            });
            if waiting + more > i64::from(limits.organization) {
                return Err(QueueFull::Organization {
                    waiting,
                    more: *more,
                    most: limits.organization,
                }
                .into());
            }
        }
        Ok(())
    }

    /// Of these devices, of these organizations, those for which no further command may wait.
    pub(super) async fn full_devices(
        &mut self,
        devices: &[DeviceId],
        organizations: BTreeSet<OrganizationId>,
        limits: QueueLimits,
    ) -> Result<HashSet<DeviceId>, StoreError> {
        if limits.device == 0 {
            return Ok(HashSet::new());
        }
        // Batches share the rows of devices.
        self.lock_room(organizations.into_iter()).await?;
        let among = db::among(self.store().db(), "$1");
        let sql = format!(
            "SELECT device_id FROM command WHERE device_id {among}
                 AND status IN ('queued', 'running') AND status = 'queued'
             GROUP BY device_id HAVING count(*) >= $2"
        );
        let ids = IdList(devices.iter().map(|id| id.0).collect());
        let full: Vec<DeviceId> = on_write!(self, connection => {
            sqlx::query_scalar(AssertSqlSafe(sql))
                .bind(ids)
                .bind(i64::from(limits.device))
                .fetch_all(connection)
                .await?
        });
        Ok(full.into_iter().collect())
    }

    /// Lets nobody else count for these organizations before the commit. Devices are locked before, never
    /// after, and these in one order by every node, so that none waits for another in a circle.
    async fn lock_room(
        &mut self,
        organizations: impl Iterator<Item = OrganizationId>,
    ) -> Result<(), StoreError> {
        let Transaction::Postgres(transaction) = &mut self.transaction else {
            return Ok(());
        };
        // Two that share a key wait for each other: seldom, and not for long.
        let keys: BTreeSet<i32> = organizations.map(key_of).collect();
        for key in keys {
            sqlx::query("SELECT pg_advisory_xact_lock($1, $2)")
                .bind(ROOM)
                .bind(key)
                .execute(&mut **transaction)
                .await?;
        }
        Ok(())
    }
}

fn key_of(organization: OrganizationId) -> i32 {
    let [a, b, c, d, ..] = *organization.0.as_bytes();
    i32::from_be_bytes([a, b, c, d])
}
