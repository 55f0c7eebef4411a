//! Organizations: the tenants.

use uuid::Uuid;

use super::columns::{columns, select};
use super::db::{fetch_page, on_pool};
use super::transaction::{Write, on_write};
use super::{FieldErrors, Page, Paged, Scope, Store, StoreError};
use crate::event::{OrganizationId, Timestamp, UserId};

/// As many characters as OpenWISP allows.
const NAME: usize = 200;
const DESCRIPTION: usize = 10_000;

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
    /// Free text.
    pub description: String,
    /// Or empty.
    pub email: String,
    /// Or empty.
    pub url: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it was altered last.
    pub modified: Timestamp,
}

/// A user's place in an organization that counts.
#[derive(Clone, Debug, serde::Serialize, sqlx::FromRow)]
pub struct Place {
    /// The organization's identifier.
    pub id: OrganizationId,
    /// Its name.
    pub name: String,
    /// Its slug.
    pub slug: String,
    /// Whether the user manages it.
    pub is_manager: bool,
}

/// An organization to be made.
#[derive(Clone, Debug, Default)]
pub struct NewOrganization {
    /// Unique name.
    pub name: String,
    /// Unique; `None` makes one of the name.
    pub slug: Option<String>,
    /// Whether it counts; `None` for yes.
    pub is_active: Option<bool>,
    /// Free text.
    pub description: String,
    /// Or empty.
    pub email: String,
    /// Or empty.
    pub url: String,
}

impl From<&str> for NewOrganization {
    fn from(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }
}

impl From<&String> for NewOrganization {
    fn from(name: &String) -> Self {
        name.as_str().into()
    }
}

/// What is to be altered; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct OrganizationChange {
    /// Unique name.
    pub name: Option<String>,
    /// Unique.
    pub slug: Option<String>,
    /// Whether it counts.
    pub is_active: Option<bool>,
    /// Free text.
    pub description: Option<String>,
    /// Or empty.
    pub email: Option<String>,
    /// Or empty.
    pub url: Option<String>,
}

impl Store {
    /// Makes an organization; a name alone will do.
    ///
    /// # Errors
    /// When a field is not acceptable, or the name or slug is taken.
    pub async fn add_organization(
        &self,
        new: impl Into<NewOrganization>,
    ) -> Result<Organization, StoreError> {
        let new = new.into();
        let mut write = self.write_people().await?;
        let added = write
            .add_organization(OrganizationId::random(), &new)
            .await?;
        write.commit().await?;
        Ok(added)
    }

    /// One organization.
    ///
    /// # Errors
    /// When there is none.
    pub async fn organization(&self, id: OrganizationId) -> Result<Organization, StoreError> {
        let found = on_pool!(self, pool => {
            sqlx::query_as(select!(organization, "WHERE id = $1"))
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
            sqlx::query_as(select!(organization, "WHERE id = $1 OR name = $2 OR slug = $2"))
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
            sqlx::query_as(select!(organization, "ORDER BY name")).fetch_all(pool).await?
        }))
    }

    /// The active organizations that a user belongs to, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn places_of(&self, user: UserId) -> Result<Vec<Place>, StoreError> {
        Ok(on_pool!(self, pool => {
            sqlx::query_as(
                "SELECT id, name, slug, manages AS is_manager FROM organization
                 JOIN organization_user ON organization_id = id
                 WHERE user_id = $1 AND is_active ORDER BY name",
            )
            .bind(user)
            .fetch_all(pool)
            .await?
        }))
    }

    /// A page of the organizations in scope, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn organization_page(
        &self,
        scope: &Scope,
        page: Page,
    ) -> Result<Paged<Organization>, StoreError> {
        let from = format!(
            "FROM organization WHERE {}",
            scope.condition(self.db(), "id")
        );
        let count = format!("SELECT count(*) {from}");
        let select = format!(
            "SELECT {} {from} ORDER BY created DESC, id LIMIT $2 OFFSET $3",
            columns!(organization)
        );
        Ok(fetch_page!(self, scope, page, count, select,))
    }

    /// Alters an organization.
    ///
    /// # Errors
    /// As [`Store::add_organization`], or when it does not exist.
    pub async fn change_organization(
        &self,
        id: OrganizationId,
        change: &OrganizationChange,
    ) -> Result<Organization, StoreError> {
        let mut write = self.write_people().await?;
        let changed = write.change_organization(id, change).await?;
        write.commit().await?;
        Ok(changed)
    }

    /// Removes an organization with all that belongs to it: devices, locations, memberships.
    ///
    /// # Errors
    /// When it does not exist.
    pub async fn remove_organization(&self, id: OrganizationId) -> Result<(), StoreError> {
        let mut write = self.write_people().await?;
        write.remove_organization(id).await?;
        write.commit().await
    }

    /// Deletes the row that `sql` names by its id; `sql` returns what it was called.
    pub(super) async fn remove(
        &self,
        model: &'static str,
        sql: &'static str,
        id: Uuid,
    ) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        write.remove(model, sql, id).await?;
        write.commit().await
    }
}

impl Write {
    /// Makes an organization of this id.
    pub(super) async fn add_organization(
        &mut self,
        id: OrganizationId,
        new: &NewOrganization,
    ) -> Result<Organization, StoreError> {
        let change = OrganizationChange {
            name: Some(new.name.clone()),
            slug: new.slug.clone(),
            is_active: new.is_active,
            description: Some(new.description.clone()),
            email: Some(new.email.clone()),
            url: Some(new.url.clone()),
        };
        change.check()?;
        let added: Result<Organization, _> = on_write!(self, connection => {
            sqlx::query_as(concat!(
                "INSERT INTO organization (id, name, slug, is_active, description, email, url,
                     created, modified)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) RETURNING ",
                columns!(organization)
            ))
            .bind(id)
            .bind(&new.name)
            .bind(new.slug.clone().unwrap_or_else(|| Organization::slug_of(&new.name)))
            .bind(new.is_active.unwrap_or(true))
            .bind(&new.description)
            .bind(&new.email)
            .bind(&new.url)
            .bind(self.store.instant())
            .fetch_one(connection)
            .await
        });
        let added = added.map_err(|error| taken(error, new.slug.is_some()))?;
        self.audit("add", "Organization", added.id.0, &new.name)
            .await?;
        Ok(added)
    }

    /// Alters an organization.
    pub(super) async fn change_organization(
        &mut self,
        id: OrganizationId,
        change: &OrganizationChange,
    ) -> Result<Organization, StoreError> {
        change.check()?;
        let changed: Result<Option<Organization>, _> = on_write!(self, connection => {
            sqlx::query_as(concat!(
                "UPDATE organization SET name = COALESCE($2, name), slug = COALESCE($3, slug),
                     is_active = COALESCE($4, is_active), modified = $5,
                     description = COALESCE($6, description), email = COALESCE($7, email),
                     url = COALESCE($8, url)
                 WHERE id = $1 RETURNING ",
                columns!(organization)
            ))
            .bind(id)
            .bind(&change.name)
            .bind(&change.slug)
            .bind(change.is_active)
            .bind(self.store.instant())
            .bind(&change.description)
            .bind(&change.email)
            .bind(&change.url)
            .fetch_optional(connection)
            .await
        });
        let changed = changed
            .map_err(|error| taken(error, change.slug.is_some()))?
            .ok_or(StoreError::NotFound("Organization"))?;
        self.audit("change", "Organization", id.0, &changed.name)
            .await?;
        Ok(changed)
    }

    /// Removes an organization with all that belongs to it.
    pub(super) async fn remove_organization(
        &mut self,
        id: OrganizationId,
    ) -> Result<(), StoreError> {
        let sql = "DELETE FROM organization WHERE id = $1 RETURNING name";
        self.remove("Organization", sql, id.0).await
    }

    /// Deletes the row that `sql` names by its id; `sql` returns what it was called.
    pub(super) async fn remove(
        &mut self,
        model: &'static str,
        sql: &'static str,
        id: Uuid,
    ) -> Result<(), StoreError> {
        let removed: Option<String> = on_write!(self, connection => {
            sqlx::query_scalar(sql).bind(id).fetch_optional(connection).await?
        });
        let name = removed.ok_or(StoreError::NotFound(model))?;
        self.end_results_of_removed().await?;
        self.audit("delete", model, id, &name).await
    }
}

impl OrganizationChange {
    /// Whether the values can be right, whichever organization they are for.
    ///
    /// # Errors
    /// What is wrong with which field.
    pub fn check(&self) -> Result<(), FieldErrors> {
        let mut errors = FieldErrors::default();
        if let Some(name) = &self.name {
            errors.check_name("name", name, NAME);
        }
        if let Some(slug) = &self.slug {
            errors.check_name("slug", slug, NAME);
            let is_allowed = |letter: char| letter.is_alphanumeric() || "-_".contains(letter);
            if !slug.chars().all(is_allowed) {
                let reason = "Enter a valid \"slug\" consisting of letters, numbers, underscores or \
                     hyphens.";
                errors.add("slug", reason);
            }
        }
        errors.check_text(
            "description",
            self.description.as_deref().unwrap_or_default(),
            DESCRIPTION,
        );
        errors.check_email("email", self.email.as_deref().unwrap_or_default());
        errors.check_url("url", self.url.as_deref().unwrap_or_default());
        errors.into_result()
    }
}

/// A slug that was not asked for was made of the name: then that is what has to be another.
fn taken(error: sqlx::Error, is_slug_given: bool) -> StoreError {
    let name = "An organization with this name exists already.";
    let slug = if is_slug_given {
        (
            "slug",
            "slug",
            "organization with this slug already exists.",
        )
    } else {
        ("slug", "name", name)
    };
    StoreError::from(error).unique(&[("name", "name", name), slug])
}

impl Organization {
    /// The slug that a name makes: letters and digits in lower case, hyphens between; as Django's
    /// `slugify`, but keeping letters beyond ASCII.
    #[must_use]
    pub fn slug_of(name: &str) -> String {
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_lower_case_words() {
        let slug = Organization::slug_of;
        assert_eq!(slug("Metro  Transit (Nord)"), "metro-transit-nord");
        assert_eq!(slug("Vía Ñandú"), "vía-ñandú");
        assert_eq!(slug("…"), "…");
    }
}
