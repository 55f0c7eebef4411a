//! Coordinates that devices report: joined into groups, one multi-row statement and one commit a
//! group, each answered after that commit.
//!
//! A group is whatever came while the last commit was under way, so a lone report is not delayed
//! and a crowd shares its commits.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

use sqlx::{AssertSqlSafe, QueryBuilder, Sqlite};
use subtle::ConstantTimeEq;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::db::{self, ids, on_pool};
use super::location::{self, COLUMNS, LocationRow};
use super::transaction::{Transaction, Write, on_write};
use super::{Actor, Inner, Lane, NewLocation, Store, StoreError};
use crate::event::{DeviceId, LocationId, Point, Timestamp};

/// Reports that may wait for the writer; who comes beyond waits to be let in.
pub(super) const WAITING: usize = 4096;

/// The most reports in a group: a power of two, as statements are made for those sizes.
const GROUP: usize = 512;

/// A group that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// One report of a device.
#[derive(Clone)]
pub struct Report {
    /// Who reports.
    pub device: DeviceId,
    /// What the request showed; compared in constant time.
    pub key: String,
    /// Where the device is.
    pub geometry: Point,
    /// When the device was there. An older report never replaces a newer one; order is decided
    /// among the reports that carry a time.
    pub time: Option<Timestamp>,
}

/// Where a device is, as it is answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Coordinates {
    /// The location's name.
    pub name: String,
    /// Where it is.
    pub geometry: Point,
}

/// Why a report was not taken.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CoordinatesError {
    /// No such device, or not its key: not to be told apart.
    #[error("no device has this id and key")]
    Unauthenticated,
    /// The device's organization is inactive.
    #[error("the organization of this device is not active")]
    OrganizationInactive,
    /// The device was at no location yet (reading only).
    #[error("this device has not reported coordinates yet")]
    NoLocation,
    /// The database failed; one cause is shared by the whole group.
    #[error(transparent)]
    Store(#[from] Arc<StoreError>),
}

type Answer = Result<Coordinates, CoordinatesError>;

/// A report, and who waits for its answer.
pub(super) struct Waiting {
    report: Report,
    answer: oneshot::Sender<Answer>,
}

/// What is asked of the database about a reporting device.
#[derive(sqlx::FromRow)]
struct Reporter {
    id: DeviceId,
    name: String,
    key: String,
    is_active: bool,
    location_id: Option<LocationId>,
}

const REPORTER: &str = "SELECT device.id, device.name, device.key,
        organization.is_active, device_location.location_id
    FROM device JOIN organization ON organization.id = device.organization_id
    LEFT JOIN device_location ON device_location.device_id = device.id
    WHERE device.id";

impl Reporter {
    fn check(&self, key: &str) -> Result<(), CoordinatesError> {
        if !bool::from(self.key.as_bytes().ct_eq(key.as_bytes())) {
            return Err(CoordinatesError::Unauthenticated);
        }
        if !self.is_active {
            return Err(CoordinatesError::OrganizationInactive);
        }
        Ok(())
    }
}

impl Store {
    /// Stores a report and answers with the coordinates as they are after the commit. The first
    /// report of a device creates its mobile location, named after it.
    ///
    /// # Errors
    /// When the key is wrong, the organization inactive, or the database fails.
    pub async fn report_coordinates(&self, report: Report) -> Answer {
        let (answer, answered) = oneshot::channel();
        let sent = self.inner.reports.send(Waiting { report, answer }).await;
        let closed = || CoordinatesError::Store(Arc::new(sqlx::Error::PoolClosed.into()));
        sent.map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }

    /// Where the device is, for the device itself.
    ///
    /// # Errors
    /// When the key is wrong, the organization inactive, nothing was reported yet, or the
    /// database fails.
    pub async fn coordinates(&self, device: DeviceId, key: &str) -> Answer {
        let failed = |error: StoreError| CoordinatesError::Store(Arc::new(error));
        let reporter = self.reporter(device).await.map_err(failed)?;
        let reporter = reporter.ok_or(CoordinatesError::Unauthenticated)?;
        reporter.check(key)?;
        let location = self.device_location(device).await.map_err(failed)?;
        let located = location.and_then(|location| {
            Some(Coordinates {
                geometry: location.geometry?,
                name: location.name,
            })
        });
        located.ok_or(CoordinatesError::NoLocation)
    }

    async fn reporter(&self, device: DeviceId) -> Result<Option<Reporter>, StoreError> {
        let sql = format!("{REPORTER} = $1");
        Ok(on_pool!(self, pool => {
            sqlx::query_as(AssertSqlSafe(sql)).bind(device).fetch_optional(pool).await?
        }))
    }
}

/// The group writer: runs for as long as the store is open.
pub(super) async fn write_groups(store: Weak<Inner>, mut waiting: mpsc::Receiver<Waiting>) {
    let mut group = Vec::new();
    while waiting.recv_many(&mut group, GROUP).await > 0 {
        let Some(inner) = store.upgrade() else { return };
        let (reports, answers): (Vec<_>, Vec<_>) = group
            .drain(..)
            .map(|waiting| (waiting.report, waiting.answer))
            .unzip();
        let store = Store {
            inner,
            actor: Actor::Node,
            lane: Lane::Node,
        };
        let mut written = store.write_group_in_time(&reports).await;
        if written.as_ref().is_err_and(StoreError::is_deadlock) {
            written = store.write_group_in_time(&reports).await;
        }
        let results = match written {
            Ok(results) => results,
            Err(error) => {
                let error = Arc::new(error);
                vec![Err(CoordinatesError::Store(error)); reports.len()]
            }
        };
        for (answer, result) in answers.into_iter().zip(results) {
            // Who has gone meanwhile needs no answer.
            answer.send(result).ok();
        }
    }
}

impl Store {
    /// One group that hangs must not keep all others waiting.
    async fn write_group_in_time(&self, reports: &[Report]) -> Result<Vec<Answer>, StoreError> {
        let written = timeout(PATIENCE, self.write_group(reports)).await;
        written.unwrap_or_else(|_| Err(StoreError::late()))
    }

    /// Stores a group in one transaction and returns each report's answer, in order.
    async fn write_group(&self, reports: &[Report]) -> Result<Vec<Answer>, StoreError> {
        let mut write = self.write().await?;
        let mut answers = vec![Err(CoordinatesError::Unauthenticated); reports.len()];
        let reporters = write.reporters(reports).await?;
        let mut accepted = Vec::new();
        for (number, report) in reports.iter().enumerate() {
            let Some(reporter) = reporters.get(&report.device) else {
                continue;
            };
            match reporter.check(&report.key) {
                Ok(()) => accepted.push((number, reporter)),
                Err(error) => answers[number] = Err(error),
            }
        }
        let homes = write.homes(&accepted).await?;
        let mut rounds: Vec<(usize, LocationId)> = accepted
            .iter()
            .filter_map(|(number, reporter)| Some((*number, *homes.get(&reporter.id)?)))
            .collect();
        while !rounds.is_empty() {
            let mut taken = HashSet::new();
            let (round, later) = rounds
                .into_iter()
                .partition::<Vec<_>, _>(|(_, location)| taken.insert(*location));
            let rows = write.move_round(reports, &round).await?;
            for (number, location) in round {
                answers[number] = rows.get(&location).map_or_else(gone, answer);
            }
            rounds = later;
        }
        write.commit().await?;
        Ok(answers)
    }
}

fn answer(row: &LocationRow) -> Answer {
    let geometry = row.geometry().ok_or(CoordinatesError::NoLocation)?;
    Ok(Coordinates {
        name: row.name.clone(),
        geometry,
    })
}

/// The location was removed between our reading and our writing.
fn gone() -> Answer {
    let error = StoreError::from(sqlx::Error::RowNotFound);
    Err(CoordinatesError::Store(Arc::new(error)))
}

impl Write {
    async fn reporters(
        &mut self,
        reports: &[Report],
    ) -> Result<HashMap<DeviceId, Reporter>, StoreError> {
        let devices: Vec<uuid::Uuid> = reports.iter().map(|report| report.device.0).collect();
        let found: Vec<Reporter> = match &mut self.transaction {
            Transaction::Sqlite { transaction, .. } => {
                let sql = format!("{REPORTER} {}", db::SQLITE_AMONG);
                let query = sqlx::query_as(AssertSqlSafe(sql)).bind(ids(&devices));
                query.fetch_all(&mut **transaction).await?
            }
            Transaction::Postgres(transaction) => {
                let sql = format!("{REPORTER} {}", db::POSTGRES_AMONG);
                let query = sqlx::query_as(AssertSqlSafe(sql)).bind(devices);
                query.fetch_all(&mut **transaction).await?
            }
        };
        Ok(found
            .into_iter()
            .map(|reporter| (reporter.id, reporter))
            .collect())
    }

    /// The location of each reporter. Who has none gets a mobile one named after it, without a
    /// geometry: its first report moves it like every other.
    async fn homes(
        &mut self,
        reporters: &[(usize, &Reporter)],
    ) -> Result<HashMap<DeviceId, LocationId>, StoreError> {
        let mut homes = HashMap::new();
        // In the order of ids, so that nodes do not wait for each other in a circle.
        let mut homeless = BTreeMap::new();
        for (_, reporter) in reporters {
            match reporter.location_id {
                Some(location) => drop(homes.insert(reporter.id, location)),
                None => drop(homeless.insert(reporter.id, *reporter)),
            }
        }
        for (device, reporter) in homeless {
            if let Some(location) = self.home(reporter).await? {
                homes.insert(device, location);
            }
        }
        Ok(homes)
    }

    /// The location of a reporter that had none a moment ago; `None` if the device is gone.
    async fn home(&mut self, reporter: &Reporter) -> Result<Option<LocationId>, StoreError> {
        let Some(organization) = self.lock_device(reporter.id).await? else {
            return Ok(None);
        };
        // Another node may have made it before the device was locked.
        let made: Option<LocationId> = on_write!(self, connection => {
            sqlx::query_scalar("SELECT location_id FROM device_location WHERE device_id = $1")
                .bind(reporter.id)
                .fetch_optional(connection)
                .await?
        });
        if made.is_some() {
            return Ok(made);
        }
        let new = NewLocation {
            organization: Some(organization),
            name: reporter.name.chars().take(location::NAME).collect(),
            is_mobile: true,
            ..NewLocation::default()
        };
        let row = self.insert_location(LocationId::random(), &new).await?;
        self.put_device_at(reporter.id, row.id).await?;
        Ok(Some(row.id))
    }

    /// Moves each of a round's locations, all different, by one report; returns all their rows,
    /// also of those that a newer report had moved before.
    async fn move_round(
        &mut self,
        reports: &[Report],
        round: &[(usize, LocationId)],
    ) -> Result<HashMap<LocationId, LocationRow>, StoreError> {
        let change = self.change().await?;
        let moved = match &mut self.transaction {
            Transaction::Sqlite { transaction, .. } => {
                let mut query = sqlite_moves(reports, round, change, self.store.instant());
                query.build_query_as().fetch_all(&mut **transaction).await?
            }
            Transaction::Postgres(transaction) => {
                postgres_moves(&self.store, transaction, reports, round, change).await?
            }
        };
        for row in &moved {
            self.moved_if_located(row);
        }
        let mut rows: HashMap<LocationId, LocationRow> = moved
            .into_iter()
            .map(|row: LocationRow| (row.id, row))
            .collect();
        for (_, location) in round {
            if !rows.contains_key(location)
                && let Some(row) = self.location_row(*location).await?
            {
                rows.insert(*location, row);
            }
        }
        Ok(rows)
    }

    pub(super) async fn location_row(
        &mut self,
        id: LocationId,
    ) -> Result<Option<LocationRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM location WHERE id = $1");
        Ok(on_write!(self, connection => {
            sqlx::query_as(AssertSqlSafe(sql)).bind(id).fetch_optional(connection).await?
        }))
    }
}

/// What a report does to a row. `report` holds it, `change` and `now` are the first parameters.
const MOVE: &str = "UPDATE location SET longitude = report.longitude, latitude = report.latitude,
        reported = COALESCE(report.time, reported), change = $1, modified = $2,
        version = version + 1, moved_version = version + 1, moved = $2,
        fleet_version = CASE WHEN is_mobile THEN version + 1 ELSE fleet_version END,
        fleet_moved = CASE WHEN is_mobile THEN $2 ELSE fleet_moved END
    FROM ";

/// An older report never replaces a newer one.
const NEWER: &str = "WHERE location.id = report.id
        AND (report.time IS NULL OR reported IS NULL OR report.time >= reported)
    RETURNING ";

/// The statement has one of few sizes, filled up with rows of no location, so that few statements
/// are prepared.
fn sqlite_moves(
    reports: &[Report],
    round: &[(usize, LocationId)],
    change: i64,
    now: Timestamp,
) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new("WITH stamp (change, now) AS (VALUES (");
    query.push_bind(change).push(", ").push_bind(now);
    query.push("))");
    let rows = (0..round.len().next_power_of_two()).map(|row| round.get(row));
    query.push(", report (id, longitude, latitude, time) AS (");
    query.push_values(rows, |mut values, row| {
        let report = row.map(|(number, _)| &reports[*number]);
        values
            .push_bind(row.map(|(_, location)| *location))
            .push_bind(report.map(|report| report.geometry.longitude()))
            .push_bind(report.map(|report| report.geometry.latitude()))
            .push_bind(report.and_then(|report| report.time));
    });
    query.push(") ");
    query.push(
        MOVE.replace("$1", "stamp.change")
            .replace("$2", "stamp.now"),
    );
    query.push("report, stamp ").push(NEWER).push(COLUMNS);
    query
}

async fn postgres_moves(
    store: &Store,
    transaction: &mut sqlx::PgTransaction<'static>,
    reports: &[Report],
    round: &[(usize, LocationId)],
    change: i64,
) -> Result<Vec<LocationRow>, StoreError> {
    let locations: Vec<uuid::Uuid> = round.iter().map(|(_, location)| location.0).collect();
    // Locked in one order by every node, so that none waits for another in a circle.
    sqlx::query("SELECT id FROM location WHERE id = ANY($1) ORDER BY id FOR UPDATE")
        .bind(&locations)
        .execute(&mut **transaction)
        .await?;
    let of = |value: fn(&Report) -> f64| -> Vec<f64> {
        round
            .iter()
            .map(|(number, _)| value(&reports[*number]))
            .collect()
    };
    let times: Vec<Option<i64>> = round
        .iter()
        .map(|(number, _)| reports[*number].time.map(|time| time.0))
        .collect();
    let sql = format!(
        "{MOVE} unnest($3::uuid[], $4::float8[], $5::float8[], $6::bigint[])
             AS report (id, longitude, latitude, time) {NEWER} {COLUMNS}"
    );
    Ok(sqlx::query_as(AssertSqlSafe(sql))
        .bind(change)
        // Of after the wait for the locks: a move is stamped shortly before its commit.
        .bind(store.instant())
        .bind(locations)
        .bind(of(|report| report.geometry.longitude()))
        .bind(of(|report| report.geometry.latitude()))
        .bind(times)
        .fetch_all(&mut **transaction)
        .await?)
}
