//! Locations.

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::db::{fetch_page, on_pool};
use super::transaction::{Write, on_write};
use super::{FieldErrors, Page, Paged, Scope, Store, StoreError};
use crate::event::{
    DeviceId, Event, LocationId, LocationMoved, LocationType, OrganizationId, Point, Timestamp,
};

/// The most characters of a name.
pub(super) const NAME: usize = 75;

const ADDRESS: usize = 256;

/// A location's row.
#[derive(Clone, Debug)]
pub struct Location {
    /// Identifier.
    pub id: LocationId,
    /// Whose.
    pub organization: OrganizationId,
    /// Its name.
    pub name: String,
    /// Street address, or empty.
    pub address: String,
    /// Outdoor or indoor.
    pub kind: LocationType,
    /// Whether it moves.
    pub is_mobile: bool,
    /// Where it is; only a mobile location can be without.
    pub geometry: Option<Point>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was altered last.
    pub modified: Timestamp,
    /// When its geometry was updated last, with the same coordinates too; 1970 where that was never.
    pub moved: Timestamp,
    /// Count of updates.
    pub version: i64,
    /// How many devices are at it.
    pub device_count: i64,
}

/// A location to be made.
#[derive(Clone, Debug, Default)]
pub struct NewLocation {
    /// Whose; must be given.
    pub organization: Option<OrganizationId>,
    /// Its name.
    pub name: String,
    /// Street address, or empty.
    pub address: String,
    /// Outdoor or indoor.
    pub kind: LocationType,
    /// Whether it moves.
    pub is_mobile: bool,
    /// Where it is; only a mobile location can be without.
    pub geometry: Option<Point>,
    /// A device to put there, in the same transaction.
    pub device: Option<DeviceId>,
}

/// What is to be altered; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct LocationChange {
    /// Another organization, if no device holds it in the old one.
    pub organization: Option<OrganizationId>,
    /// Its name.
    pub name: Option<String>,
    /// Street address, or empty.
    pub address: Option<String>,
    /// Outdoor or indoor.
    pub kind: Option<LocationType>,
    /// Whether it moves.
    pub is_mobile: Option<bool>,
    /// `Some(Some(_))` is an update of the geometry, with the same coordinates too;
    /// `Some(None)` clears it (only a mobile location can be without).
    pub geometry: Option<Option<Point>>,
}

/// Which locations a list shows.
#[derive(Clone, Debug, Default)]
pub struct LocationFilter {
    /// Only this organization's.
    pub organization: Option<OrganizationId>,
    /// Only the organization's with this slug.
    pub organization_slug: Option<String>,
    /// Only those that move, or do not.
    pub is_mobile: Option<bool>,
    /// Only outdoor or indoor ones.
    pub kind: Option<LocationType>,
    /// Only those with a geometry (the GeoJSON list).
    pub with_geometry: bool,
}

/// The columns of [`LocationRow`], for RETURNING and SELECT.
pub(super) const COLUMNS: &str = "location.id, location.organization_id, location.name, \
    location.address, location.type, location.is_mobile, location.longitude, location.latitude, \
    location.created, location.modified, location.version, location.moved_version, \
    location.fleet_version, location.moved, location.fleet_moved";

#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct LocationRow {
    pub id: LocationId,
    pub organization_id: OrganizationId,
    pub name: String,
    pub address: String,
    pub r#type: LocationType,
    pub is_mobile: bool,
    pub longitude: Option<f64>,
    pub latitude: Option<f64>,
    pub created: Timestamp,
    pub modified: Timestamp,
    pub version: i64,
    pub moved_version: i64,
    pub fleet_version: i64,
    pub moved: Timestamp,
    pub fleet_moved: Timestamp,
}

impl LocationRow {
    /// What is stored was checked when it was written: out of range it cannot be.
    pub fn geometry(&self) -> Option<Point> {
        Point::new(self.longitude?, self.latitude?).ok()
    }

    /// The event of the row's last move, if it has a geometry.
    pub fn moved(&self) -> Option<LocationMoved> {
        Some(LocationMoved {
            geometry: self.geometry()?,
            id: self.id,
            organization: self.organization_id,
            name: self.name.clone(),
            address: self.address.clone(),
            kind: self.r#type,
            is_mobile: self.is_mobile,
            moved_version: self.moved_version,
            fleet_version: self.fleet_version,
        })
    }

    pub fn into_location(self, device_count: i64) -> Location {
        Location {
            geometry: self.geometry(),
            id: self.id,
            organization: self.organization_id,
            name: self.name,
            address: self.address,
            kind: self.r#type,
            is_mobile: self.is_mobile,
            created: self.created,
            modified: self.modified,
            moved: self.moved,
            version: self.version,
            device_count,
        }
    }
}

/// A row and how many devices are at it.
#[derive(sqlx::FromRow)]
struct CountedRow {
    #[sqlx(flatten)]
    row: LocationRow,
    device_count: i64,
}

const DEVICE_COUNT: &str = "(SELECT count(*) FROM device_location \
    WHERE device_location.location_id = location.id) AS device_count";

impl Store {
    /// Makes a location. Its first geometry counts as an update of it.
    ///
    /// # Errors
    /// When a field is not acceptable.
    pub async fn add_location(&self, new: &NewLocation) -> Result<Location, StoreError> {
        let mut errors = FieldErrors::default();
        errors.check_name("name", &new.name, NAME);
        errors.check_text("address", &new.address, ADDRESS);
        check_geometry(&mut errors, new.is_mobile, new.geometry);
        if new.organization.is_none() {
            errors.add("organization", "This field is required.");
        }
        errors.into_result()?;
        let mut write = self.write().await?;
        write.existing_organization(new.organization).await?;
        let row = write.insert_location(LocationId::random(), new).await?;
        if let Some(device) = new.device {
            write.put_device_at(device, row.id).await?;
        }
        write.moved_if_located(&row);
        let id = row.id;
        write.audit("add", "Location", id.0, &row.name).await?;
        write.commit().await?;
        self.location(id, &Scope::All).await
    }

    /// One location of those that the caller may see.
    ///
    /// # Errors
    /// When there is none.
    pub async fn location(&self, id: LocationId, scope: &Scope) -> Result<Location, StoreError> {
        let sql = format!("SELECT {COLUMNS}, {DEVICE_COUNT} FROM location WHERE id = $1");
        let found: Option<CountedRow> = on_pool!(self, pool => {
            sqlx::query_as(AssertSqlSafe(sql)).bind(id).fetch_optional(pool).await?
        });
        found
            .filter(|found| scope.contains(found.row.organization_id))
            .map(CountedRow::into_location)
            .ok_or(StoreError::NotFound("Location"))
    }

    /// By id, or by a name that no other location has.
    ///
    /// # Errors
    /// When none or several fit.
    pub async fn find_location(&self, id_or_name: &str) -> Result<Location, StoreError> {
        let sql =
            format!("SELECT {COLUMNS}, {DEVICE_COUNT} FROM location WHERE id = $1 OR name = $2");
        let found: Vec<CountedRow> = on_pool!(self, pool => {
            sqlx::query_as(AssertSqlSafe(sql))
                .bind(Uuid::parse_str(id_or_name).ok())
                .bind(id_or_name)
                .fetch_all(pool)
                .await?
        });
        StoreError::only("location", id_or_name, found).map(CountedRow::into_location)
    }

    /// A page of the locations that the caller may see, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn locations(
        &self,
        scope: &Scope,
        filter: &LocationFilter,
        page: Page,
    ) -> Result<Paged<Location>, StoreError> {
        const FILTER: &str = "FROM location
            JOIN organization ON organization.id = location.organization_id
            WHERE ($2 IS NULL OR location.organization_id = $2)
                AND ($3 IS NULL OR organization.slug = $3)
                AND ($4 IS NULL OR location.is_mobile = $4)
                AND ($5 IS NULL OR location.type = $5)
                AND (NOT $6 OR location.longitude IS NOT NULL)";
        const ORDER: &str = "ORDER BY location.created DESC, location.id LIMIT $7 OFFSET $8";
        let in_scope = scope.condition(self.db(), "location.organization_id");
        let count = format!("SELECT count(*) {FILTER} AND {in_scope}");
        let select = format!("SELECT {COLUMNS}, {DEVICE_COUNT} {FILTER} AND {in_scope} {ORDER}");
        let kind = filter.kind.map(|kind| kind.to_string());
        let found: Paged<CountedRow> = fetch_page!(
            self,
            scope,
            page,
            count,
            select,
            filter.organization,
            &filter.organization_slug,
            filter.is_mobile,
            &kind,
            filter.with_geometry
        );
        Ok(Paged {
            count: found.count,
            rows: found
                .rows
                .into_iter()
                .map(CountedRow::into_location)
                .collect(),
        })
    }

    /// Alters a location.
    ///
    /// # Errors
    /// When it does not exist or a field is not acceptable.
    pub async fn change_location(
        &self,
        id: LocationId,
        change: &LocationChange,
    ) -> Result<Location, StoreError> {
        self.change_location_for(id, change, None).await
    }

    /// Alters a location and puts `device`, if any, at it: both or neither.
    ///
    /// # Errors
    /// As [`Store::change_location`] and [`Store::set_device_location`].
    pub async fn change_location_for(
        &self,
        id: LocationId,
        change: &LocationChange,
        device: Option<DeviceId>,
    ) -> Result<Location, StoreError> {
        change.check()?;
        let mut write = self.write().await?;
        if let Some(device) = device {
            write.lock_device(device).await?;
        }
        let row = write.alter_location(id, change).await?;
        if let Some(device) = device {
            write.put_device_at(device, id).await?;
        }
        write.audit("change", "Location", id.0, &row.name).await?;
        write.commit().await?;
        self.location(id, &Scope::All).await
    }

    /// Removes a location; the devices that were at it are at none.
    ///
    /// # Errors
    /// When it does not exist.
    pub async fn remove_location(&self, id: LocationId) -> Result<(), StoreError> {
        self.remove(
            "Location",
            "DELETE FROM location WHERE id = $1 RETURNING name",
            id.0,
        )
        .await
    }
}

impl CountedRow {
    fn into_location(self) -> Location {
        self.row.into_location(self.device_count)
    }
}

impl Write {
    /// Inserts a location's row; a geometry in it is its first update.
    pub(super) async fn insert_location(
        &mut self,
        id: LocationId,
        new: &NewLocation,
    ) -> Result<LocationRow, StoreError> {
        let change = self.change().await?;
        let now = Timestamp::now();
        let moved = new.geometry.map(|_| 1);
        let fleet = moved.filter(|_| new.is_mobile);
        let moment = |version: Option<i64>| version.map_or(Timestamp(0), |_| now);
        let sql = format!(
            "INSERT INTO location (id, organization_id, name, address, type, is_mobile, longitude,
                 latitude, created, modified, version, change, moved_version, moved,
                 fleet_version, fleet_moved)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, 1, $10, $11, $12, $13, $14)
             RETURNING {COLUMNS}"
        );
        Ok(on_write!(self, connection => {
            sqlx::query_as(AssertSqlSafe(sql))
                .bind(id)
                .bind(new.organization)
                .bind(&new.name)
                .bind(&new.address)
                .bind(new.kind)
                .bind(new.is_mobile)
                .bind(new.geometry.map(Point::longitude))
                .bind(new.geometry.map(Point::latitude))
                .bind(now)
                .bind(change)
                .bind(moved.unwrap_or(0))
                .bind(moment(moved))
                .bind(fleet.unwrap_or(0))
                .bind(moment(fleet))
                .fetch_one(connection)
                .await?
        }))
    }

    /// Alters a location's row; the change was checked before. A geometry in it is told of.
    pub(super) async fn alter_location(
        &mut self,
        id: LocationId,
        change: &LocationChange,
    ) -> Result<LocationRow, StoreError> {
        let before = self.lock_location(id).await?;
        if change.organization.is_some() {
            let organization = self.existing_organization(change.organization).await?;
            if organization != before.organization_id && self.devices_at(id).await? > 0 {
                let reason = "A location that devices are at cannot change its organization.";
                return Err(FieldErrors::one("organization", reason).into());
            }
        }
        let mut errors = FieldErrors::default();
        let geometry = change.geometry.unwrap_or_else(|| before.geometry());
        check_geometry(
            &mut errors,
            change.is_mobile.unwrap_or(before.is_mobile),
            geometry,
        );
        errors.into_result()?;
        let row = self.update_location(&before, change, geometry).await?;
        if change.geometry.is_some() {
            self.moved_if_located(&row);
        }
        Ok(row)
    }

    /// The row as it is, kept so until the commit.
    async fn lock_location(&mut self, id: LocationId) -> Result<LocationRow, StoreError> {
        let lock = self.row_lock();
        let sql = format!("SELECT {COLUMNS} FROM location WHERE id = $1 {lock}");
        let found = on_write!(self, connection => {
            sqlx::query_as(AssertSqlSafe(sql)).bind(id).fetch_optional(connection).await?
        });
        found.ok_or(StoreError::NotFound("Location"))
    }

    async fn devices_at(&mut self, id: LocationId) -> Result<i64, StoreError> {
        Ok(on_write!(self, connection => {
            sqlx::query_scalar("SELECT count(*) FROM device_location WHERE location_id = $1")
                .bind(id)
                .fetch_one(connection)
                .await?
        }))
    }

    /// Updates a locked row. Only a change that holds the geometry moves it; that counts for the
    /// fleet if the location is mobile before or after.
    async fn update_location(
        &mut self,
        before: &LocationRow,
        change: &LocationChange,
        geometry: Option<Point>,
    ) -> Result<LocationRow, StoreError> {
        let stamp = self.change().await?;
        let now = Timestamp::now();
        let is_mobile = change.is_mobile.unwrap_or(before.is_mobile);
        let moves = change.geometry.flatten().is_some();
        let counts = moves && (before.is_mobile || is_mobile);
        let sql = format!(
            "UPDATE location SET organization_id = $2, name = $3, address = $4, type = $5,
                 is_mobile = $6, longitude = $7, latitude = $8, modified = $9, change = $10,
                 version = version + 1,
                 moved_version = CASE WHEN $11 THEN version + 1 ELSE moved_version END,
                 moved = CASE WHEN $11 THEN $9 ELSE moved END,
                 fleet_version = CASE WHEN $12 THEN version + 1 ELSE fleet_version END,
                 fleet_moved = CASE WHEN $12 THEN $9 ELSE fleet_moved END
             WHERE id = $1 RETURNING {COLUMNS}"
        );
        Ok(on_write!(self, connection => {
            sqlx::query_as(AssertSqlSafe(sql))
                .bind(before.id)
                .bind(change.organization.unwrap_or(before.organization_id))
                .bind(change.name.as_ref().unwrap_or(&before.name))
                .bind(change.address.as_ref().unwrap_or(&before.address))
                .bind(change.kind.unwrap_or(before.r#type))
                .bind(is_mobile)
                .bind(geometry.map(Point::longitude))
                .bind(geometry.map(Point::latitude))
                .bind(now)
                .bind(stamp)
                .bind(moves)
                .bind(counts)
                .fetch_one(connection)
                .await?
        }))
    }

    /// Tells of the row's move at the commit, if it has a geometry.
    pub(super) fn moved_if_located(&mut self, row: &LocationRow) {
        if let Some(moved) = row.moved() {
            self.tell(Event::LocationMoved(moved));
        }
    }
}

impl LocationChange {
    /// Whether the values can be right, whatever location they are for: so that who has found other
    /// errors already can tell these with them.
    ///
    /// # Errors
    /// What is wrong with which field.
    pub fn check(&self) -> Result<(), FieldErrors> {
        let mut errors = FieldErrors::default();
        if let Some(name) = &self.name {
            errors.check_name("name", name, NAME);
        }
        errors.check_text(
            "address",
            self.address.as_deref().unwrap_or_default(),
            ADDRESS,
        );
        errors.into_result()
    }
}

pub(super) fn check_geometry(errors: &mut FieldErrors, is_mobile: bool, geometry: Option<Point>) {
    if !is_mobile && geometry.is_none() {
        errors.add(
            "geometry",
            "A location that is not mobile needs a geometry.",
        );
    }
}
