//! Tenants that are imported.

use serde_json::json;

use super::super::StoreError;
use super::super::organization::{NewOrganization, Organization, OrganizationChange};
use super::super::transaction::on_write;
use super::ImportKind;
use super::merge::{Fields, Merge, fields};
use super::run::{Head, Imported, Run};
use crate::event::{OrganizationId, Timestamp};
use crate::store::columns::select;

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
    /// Free text.
    pub description: String,
    /// Or empty.
    pub email: String,
    /// Or empty.
    pub url: String,
    /// When it was made.
    pub created: Timestamp,
}

impl Imported for ImportedOrganization {
    const KIND: ImportKind = ImportKind::Organizations;

    fn head(&self) -> Head<'_> {
        Head {
            id: self.id.0,
            name: &self.name,
            made: Some(("organization", self.created)),
            needs: Vec::new(),
        }
    }

    fn there(&self) -> Fields {
        fields(json!({
            "name": self.name,
            "slug": self.slug,
            "is_active": self.is_active,
            "description": self.description,
            "email": self.email,
            "url": self.url,
        }))
    }

    async fn here(&self, run: &mut Run) -> Result<Option<Fields>, StoreError> {
        let found: Option<Organization> = on_write!(run.write, connection => {
            sqlx::query_as(select!(organization, "WHERE id = $1"))
                .bind(self.id)
                .fetch_optional(connection)
                .await?
        });
        // Its own fields, by the same names.
        Ok(found.map(|row| fields(json!(row))))
    }

    async fn make(&self, run: &mut Run) -> Result<(), StoreError> {
        let new = NewOrganization {
            name: self.name.clone(),
            slug: Some(self.slug.clone()),
            is_active: Some(self.is_active),
            description: self.description.clone(),
            email: self.email.clone(),
            url: self.url.clone(),
        };
        run.write.add_organization(self.id, &new).await?;
        Ok(())
    }

    async fn alter(&self, run: &mut Run, merge: &Merge<'_>) -> Result<(), StoreError> {
        let change = OrganizationChange {
            name: merge.take("name"),
            slug: merge.take("slug"),
            is_active: merge.take("is_active"),
            description: merge.take("description"),
            email: merge.take("email"),
            url: merge.take("url"),
        };
        run.write.change_organization(self.id, &change).await?;
        Ok(())
    }
}
