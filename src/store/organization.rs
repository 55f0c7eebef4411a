//! Organizations: the tenants.

use uuid::Uuid;

use super::db::on_pool;
use super::transaction::on_write;
use super::{FieldErrors, Store, StoreError};
use crate::event::{OrganizationId, Timestamp};

/// As many characters as OpenWISP allows.
const NAME: usize = 200;

/// A tenant's row.
#[derive(Clone, Debug, serde::Serialize, sqlx::FromRow)]
pub struct Organization {
    /// Identifier.
    pub id: OrganizationId,
    /// Unique name.
    pub name: String,
    /// For filters; made of the name, unique.
    pub slug: String,
    /// An inactive one counts for nothing.
    pub is_active: bool,
    /// When it was made.
    pub created: Timestamp,
    /// When it was altered last.
    pub modified: Timestamp,
}

/// What is to be altered; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct OrganizationChange {
    /// Unique name.
    pub name: Option<String>,
    /// Whether it counts.
    pub is_active: Option<bool>,
}

impl Store {
    /// Makes an organization.
    ///
    /// # Errors
    /// When the name is not acceptable or taken.
    pub async fn add_organization(&self, name: &str) -> Result<Organization, StoreError> {
        check(name)?;
        let now = Timestamp::now();
        let mut write = self.write().await?;
        let added: Result<Organization, _> = on_write!(write, connection => {
            sqlx::query_as(
                "INSERT INTO organization (id, name, slug, is_active, created, modified)
                 VALUES ($1, $2, $3, TRUE, $4, $4) RETURNING *",
            )
            .bind(OrganizationId::random())
            .bind(name)
            .bind(slug(name))
            .bind(now)
            .fetch_one(connection)
            .await
        });
        let added = added.map_err(taken)?;
        write.audit("add", "Organization", added.id.0, name).await?;
        write.commit().await?;
        Ok(added)
    }

    /// One organization.
    ///
    /// # Errors
    /// When there is none.
    pub async fn organization(&self, id: OrganizationId) -> Result<Organization, StoreError> {
        let found = on_pool!(self, pool => {
            sqlx::query_as("SELECT * FROM organization WHERE id = $1")
                .bind(id)
                .fetch_optional(pool)
                .await?
        });
        found.ok_or(StoreError::NotFound("Organization"))
    }

    /// By id, slug or name.
    ///
    /// # Errors
    /// When none fits.
    pub async fn find_organization(&self, id_or_name: &str) -> Result<Organization, StoreError> {
        let found = on_pool!(self, pool => {
            sqlx::query_as("SELECT * FROM organization WHERE id = $1 OR name = $2 OR slug = $2")
                .bind(Uuid::parse_str(id_or_name).ok())
                .bind(id_or_name)
                .fetch_all(pool)
                .await?
        });
        StoreError::only("organization", id_or_name, found)
    }

    /// All, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn organizations(&self) -> Result<Vec<Organization>, StoreError> {
        Ok(on_pool!(self, pool => {
            sqlx::query_as("SELECT * FROM organization ORDER BY name").fetch_all(pool).await?
        }))
    }

    /// Alters an organization.
    ///
    /// # Errors
    /// When it does not exist, or the name is not acceptable or taken.
    pub async fn change_organization(
        &self,
        id: OrganizationId,
        change: &OrganizationChange,
    ) -> Result<Organization, StoreError> {
        if let Some(name) = &change.name {
            check(name)?;
        }
        let mut write = self.write().await?;
        let changed: Result<Option<Organization>, _> = on_write!(write, connection => {
            sqlx::query_as(
                "UPDATE organization SET name = COALESCE($2, name), slug = COALESCE($3, slug),
                     is_active = COALESCE($4, is_active), modified = $5
                 WHERE id = $1 RETURNING *",
            )
            .bind(id)
            .bind(&change.name)
            .bind(change.name.as_deref().map(slug))
            .bind(change.is_active)
            .bind(Timestamp::now())
            .fetch_optional(connection)
            .await
        });
        let changed = changed
            .map_err(taken)?
            .ok_or(StoreError::NotFound("Organization"))?;
        write
            .audit("change", "Organization", id.0, &changed.name)
            .await?;
        write.commit().await?;
        Ok(changed)
    }

    /// Removes an organization with all that belongs to it: devices, locations, memberships.
    ///
    /// # Errors
    /// When it does not exist.
    pub async fn remove_organization(&self, id: OrganizationId) -> Result<(), StoreError> {
        self.remove(
            "Organization",
            "DELETE FROM organization WHERE id = $1 RETURNING name",
            id.0,
        )
        .await
    }

    /// Deletes the row that `sql` names by its id; `sql` returns what it was called.
    pub(super) async fn remove(
        &self,
        model: &'static str,
        sql: &'static str,
        id: Uuid,
    ) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        let removed: Option<String> = on_write!(write, connection => {
            sqlx::query_scalar(sql).bind(id).fetch_optional(connection).await?
        });
        let name = removed.ok_or(StoreError::NotFound(model))?;
        write.audit("delete", model, id, &name).await?;
        write.commit().await
    }
}

pub(super) fn check(name: &str) -> Result<(), FieldErrors> {
    let mut errors = FieldErrors::default();
    errors.check_name("name", name, NAME);
    errors.into_result()
}

pub(super) fn taken(error: sqlx::Error) -> StoreError {
    let reason = "An organization with this name exists already.";
    StoreError::from(error).unique(&[("name", "name", reason), ("slug", "name", reason)])
}

/// Letters and digits in lower case, hyphens between: as Django's `slugify`, but keeping letters
/// beyond ASCII.
fn slug(name: &str) -> String {
    let words: Vec<String> = name
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    if words.is_empty() {
        name.to_owned()
    } else {
        words.join("-")
    }
}

#[cfg(test)]
mod tests {
    use super::slug;

    #[test]
    fn a_slug_is_lower_case_words() {
        assert_eq!(slug("Metro  Transit (Nord)"), "metro-transit-nord");
        assert_eq!(slug("Vía Ñandú"), "vía-ñandú");
        assert_eq!(slug("…"), "…");
    }
}
