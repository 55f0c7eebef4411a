//! Tenants that are imported.

use serde_json::json;
use uuid::Uuid;

use super::super::organization::{check, taken};
use super::super::transaction::on_write;
use super::super::{FieldErrors, StoreError};
use super::ImportKind;
use super::merge::{Fields, Merge, fields};
use super::run::{Imported, Run};
use crate::event::{OrganizationId, Timestamp};

const SLUG: usize = 200;

/// A tenant there.
#[derive(Clone, Debug)]
pub struct ImportedOrganization {
    /// Identifier.
    pub id: OrganizationId,
    /// Unique here.
    pub name: String,
    /// For filters; unique.
    pub slug: String,
    /// An inactive one counts for nothing.
    pub is_active: bool,
    /// When it was made.
    pub created: Timestamp,
}

impl Imported for ImportedOrganization {
    const KIND: ImportKind = ImportKind::Organizations;
    const TABLE: Option<&'static str> = Some("organization");

    fn id(&self) -> Uuid {
        self.id.0
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn created(&self) -> Timestamp {
        self.created
    }

    fn needs(&self) -> Vec<(ImportKind, Uuid)> {
        Vec::new()
    }

    fn there(&self) -> Fields {
        shown(&self.name, &self.slug, self.is_active)
    }

    async fn here(&self, run: &mut Run) -> Result<Option<Fields>, StoreError> {
        let found: Option<(String, String, bool)> = on_write!(run.write, connection => {
            sqlx::query_as("SELECT name, slug, is_active FROM organization WHERE id = $1")
                .bind(self.id)
                .fetch_optional(connection)
                .await?
        });
        Ok(found.map(|(name, slug, is_active)| shown(&name, &slug, is_active)))
    }

    async fn make(&self, run: &mut Run) -> Result<(), StoreError> {
        check(&self.name)?;
        check_slug(&self.slug)?;
        let made = on_write!(run.write, connection => {
            sqlx::query(
                "INSERT INTO organization (id, name, slug, is_active, created, modified)
                 VALUES ($1, $2, $3, $4, $5, $5)",
            )
            .bind(self.id)
            .bind(&self.name)
            .bind(&self.slug)
            .bind(self.is_active)
            .bind(Timestamp::now())
            .execute(connection)
            .await
            .map(|_| ())
        });
        made.map_err(taken)
    }

    async fn alter(&self, run: &mut Run, merge: &Merge<'_>) -> Result<(), StoreError> {
        let (name, slug) = (merge.take::<String>("name"), merge.take::<String>("slug"));
        check(name.as_deref().unwrap_or(&self.name))?;
        check_slug(slug.as_deref().unwrap_or(&self.slug))?;
        let altered = on_write!(run.write, connection => {
            sqlx::query(
                "UPDATE organization SET name = COALESCE($2, name), slug = COALESCE($3, slug),
                     is_active = COALESCE($4, is_active), modified = $5 WHERE id = $1",
            )
            .bind(self.id)
            .bind(name)
            .bind(slug)
            .bind(merge.take::<bool>("is_active"))
            .bind(Timestamp::now())
            .execute(connection)
            .await
            .map(|_| ())
        });
        altered.map_err(taken)
    }
}

fn shown(name: &str, slug: &str, is_active: bool) -> Fields {
    fields(json!({"name": name, "slug": slug, "is_active": is_active}))
}

fn check_slug(slug: &str) -> Result<(), FieldErrors> {
    let mut errors = FieldErrors::default();
    errors.check_name("slug", slug, SLUG);
    errors.into_result()
}
