//! Organizations: the tenants.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::body::{Object, UnreadBody};
use super::error::ApiError;
use super::field::{Fields, Mode};
use super::identity::{PathId, Requester};
use super::page::{Listing, PageAnswer, PageQuery, ROWS};
use crate::access::administration::may_organize;
use crate::access::{Action, Model};
use crate::app::App;
use crate::event::{OrganizationId, Timestamp};
use crate::store::{FieldErrors, NewOrganization, Organization, OrganizationChange, StoreError};

/// An organization as it is answered: OpenWISP's fields in its order.
#[derive(Serialize, ToSchema)]
#[schema(as = Organization, description = "A tenant.")]
struct OrganizationAnswer<'a> {
    id: OrganizationId,
    name: &'a str,
    /// One that is not counts for nothing.
    is_active: bool,
    /// What it is found by in filters.
    slug: &'a str,
    description: &'a str,
    email: &'a str,
    url: &'a str,
    created: Timestamp,
    modified: Timestamp,
}

/// What an organization is made of. OpenWISP's `owner` is accepted and not kept.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field: this says what may be there")]
struct OrganizationBody {
    /// Unique.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// Unique; made of the name when it is not given. For superusers to change.
    #[schema(min_length = 1, max_length = 200, nullable = false)]
    slug: Option<String>,
    /// For superusers to change.
    #[schema(nullable = false)]
    is_active: Option<bool>,
    #[schema(nullable = false)]
    description: Option<String>,
    #[schema(nullable = false)]
    email: Option<String>,
    #[schema(nullable = false)]
    url: Option<String>,
}

impl<'a> From<&'a Organization> for OrganizationAnswer<'a> {
    fn from(organization: &'a Organization) -> Self {
        Self {
            id: organization.id,
            name: &organization.name,
            is_active: organization.is_active,
            slug: &organization.slug,
            description: &organization.description,
            email: &organization.email,
            url: &organization.url,
            created: organization.created,
            modified: organization.modified,
        }
    }
}

/// Lists organizations.
///
/// Those that the user manages.
#[utoipa::path(
    get,
    path = "/api/v1/users/organization/",
    tag = "Organizations",
    params(PageQuery),
    responses((status = 200, body = PageAnswer<OrganizationAnswer>)),
    security(("user" = ["openwisp_users.view_organization"]))
)]
pub async fn list_organizations(
    State(app): State<Arc<App>>,
    requester: Requester,
    mut listing: Listing,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::View, Model::Organization)?;
    let page = listing.page(ROWS)?;
    let organizations = app
        .store
        .organization_page(&requester.scope(), page)
        .await?;
    let answer: PageAnswer<OrganizationAnswer> = listing.answer(page, &organizations)?;
    Ok(Json(answer).into_response())
}

/// Makes an organization.
#[utoipa::path(
    post,
    path = "/api/v1/users/organization/",
    tag = "Organizations",
    request_body(content = OrganizationBody, example = json!({"name": "Metro Transit", "description": "Buses and trams"})),
    responses((status = 201, body = OrganizationAnswer)),
    security(("user" = ["superuser"]))
)]
pub async fn create_organization(
    State(app): State<Arc<App>>,
    requester: Requester,
    body: UnreadBody,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::Add, Model::Organization)?;
    may_organize(&requester.user, Action::Add, true)?;
    let change = organization_change(&body.object().await?, Mode::Whole)?;
    let new = NewOrganization {
        // Read as required, so it is there.
        name: change.name.unwrap_or_default(),
        slug: change.slug,
        is_active: change.is_active,
        description: change.description.unwrap_or_default(),
        email: change.email.unwrap_or_default(),
        url: change.url.unwrap_or_default(),
    };
    let desk = requester.administer(&app).await?;
    may_organize(desk.requester(), Action::Add, true)?;
    let organization = desk.add_organization(&new).await?;
    let answer = OrganizationAnswer::from(&organization);
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// Reads an organization.
#[utoipa::path(
    get,
    path = "/api/v1/users/organization/{id}/",
    tag = "Organizations",
    responses((status = 200, body = OrganizationAnswer)),
    security(("user" = ["openwisp_users.view_organization"]))
)]
pub async fn get_organization(
    State(app): State<Arc<App>>,
    PathId(id): PathId<OrganizationId>,
    requester: Requester,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::View, Model::Organization)?;
    let organization = seen(&app, id, &requester).await?;
    Ok(Json(OrganizationAnswer::from(&organization)).into_response())
}

/// Changes an organization.
///
/// The name must be there, the rest may be left as it is.
#[utoipa::path(
    put,
    path = "/api/v1/users/organization/{id}/",
    tag = "Organizations",
    request_body(content = OrganizationBody, example = json!({"name": "Metro Transit", "description": "Buses and trams"})),
    responses((status = 200, body = OrganizationAnswer)),
    security(("user" = ["openwisp_users.change_organization"]))
)]
pub async fn update_organization(
    State(app): State<Arc<App>>,
    PathId(id): PathId<OrganizationId>,
    requester: Requester,
    body: UnreadBody,
) -> Result<impl IntoResponse, ApiError> {
    change_organization(&app, id, &requester, body, Mode::Whole).await
}

/// Changes an organization in part.
#[utoipa::path(
    patch,
    path = "/api/v1/users/organization/{id}/",
    tag = "Organizations",
    request_body(content = OrganizationBody, example = json!({"name": "Metro Transit", "description": "Buses and trams"})),
    responses((status = 200, body = OrganizationAnswer)),
    security(("user" = ["openwisp_users.change_organization"]))
)]
pub async fn patch_organization(
    State(app): State<Arc<App>>,
    PathId(id): PathId<OrganizationId>,
    requester: Requester,
    body: UnreadBody,
) -> Result<impl IntoResponse, ApiError> {
    change_organization(&app, id, &requester, body, Mode::Partial).await
}

async fn change_organization(
    app: &App,
    id: OrganizationId,
    requester: &Requester,
    body: UnreadBody,
    mode: Mode,
) -> Result<impl IntoResponse + use<>, ApiError> {
    requester.require(Action::Change, Model::Organization)?;
    seen(app, id, requester).await?;
    let mut change = organization_change(&body.object().await?, mode)?;
    let mut desk = requester.administer(app).await?;
    let before = desk.organization(id).await?;
    let before = before.filter(|_| desk.requester().manages(id));
    let before = before.ok_or(StoreError::NotFound("Organization"))?;
    // What was read may be sent back.
    change.is_active = change.is_active.filter(|sent| *sent != before.is_active);
    change.slug = change.slug.filter(|sent| *sent != before.slug);
    let is_tenancy = change.is_active.is_some() || change.slug.is_some();
    may_organize(desk.requester(), Action::Change, is_tenancy)?;
    let organization = desk.change_organization(id, &change).await?;
    app.leases.rights_changed();
    Ok(Json(OrganizationAnswer::from(&organization)).into_response())
}

/// Removes an organization, with all that belongs to it.
///
/// Superusers alone find one to remove.
#[utoipa::path(
    delete,
    path = "/api/v1/users/organization/{id}/",
    tag = "Organizations",
    responses((status = 204)),
    security(("user" = ["openwisp_users.delete_organization"]))
)]
pub async fn delete_organization(
    State(app): State<Arc<App>>,
    PathId(id): PathId<OrganizationId>,
    requester: Requester,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::Delete, Model::Organization)?;
    seen(&app, id, &requester).await?;
    let desk = requester.administer(&app).await?;
    may_organize(desk.requester(), Action::Delete, true)?;
    desk.remove_organization(id).await?;
    app.leases.rights_changed();
    Ok(StatusCode::NO_CONTENT)
}

/// One organization of those that the requester manages.
async fn seen(
    app: &App,
    id: OrganizationId,
    requester: &Requester,
) -> Result<Organization, ApiError> {
    if !requester.user.manages(id) {
        return Err(ApiError::no_match("Organization"));
    }
    Ok(app.store.organization(id).await?)
}

pub(super) fn organization_change(
    object: &Object,
    mode: Mode,
) -> Result<OrganizationChange, FieldErrors> {
    let mut fields = Fields::new(object, mode);
    let change = OrganizationChange {
        name: fields.required_text("name"),
        slug: fields.text_that_says_something("slug"),
        is_active: fields.boolean("is_active"),
        description: fields.text("description"),
        email: fields.text("email"),
        url: fields.text("url"),
    };
    fields.refuse_too(change.check());
    fields.finish()?;
    Ok(change)
}
