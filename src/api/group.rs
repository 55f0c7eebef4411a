//! Groups of users, which all tenants share.

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
use super::user_body::permissions;
use crate::access::administration::{may_change_group, may_make_group};
use crate::access::{Action, Model, PermissionSet};
use crate::app::App;
use crate::event::GroupId;
use crate::store::{FieldErrors, Group, GroupChange, StoreError};

/// A group as it is answered: OpenWISP's fields, with permissions by their names.
#[derive(Serialize, ToSchema)]
#[schema(as = Group, description = "A named set of permissions.")]
struct GroupAnswer<'a> {
    id: GroupId,
    name: &'a str,
    /// What its users may.
    permissions: Vec<String>,
}

/// What a group is made of.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field: this says what may be there")]
struct GroupBody {
    /// Unique.
    #[schema(min_length = 1, max_length = 150)]
    name: String,
    /// By their names, such as `geo.view_location`.
    #[schema(nullable = false, examples(json!(["geo.view_location"])))]
    permissions: Option<Vec<String>>,
}

impl<'a> From<&'a Group> for GroupAnswer<'a> {
    fn from(group: &'a Group) -> Self {
        Self {
            id: group.id,
            name: &group.name,
            permissions: group.permissions.iter().map(ToString::to_string).collect(),
        }
    }
}

/// Lists groups, by name.
///
/// All tenants share them.
#[utoipa::path(
    get,
    path = "/api/v1/users/group/",
    tag = "Groups",
    params(PageQuery),
    responses((status = 200, body = PageAnswer<GroupAnswer>)),
    security(("user" = ["openwisp_users.view_group"]))
)]
pub async fn list_groups(
    State(app): State<Arc<App>>,
    requester: Requester,
    mut listing: Listing,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::View, Model::Group)?;
    let page = listing.page(ROWS)?;
    let groups = app.store.group_page(page).await?;
    let answer: PageAnswer<GroupAnswer> = listing.answer(page, &groups)?;
    Ok(Json(answer).into_response())
}

/// Makes a group.
///
/// Of permissions that the user holds.
#[utoipa::path(
    post,
    path = "/api/v1/users/group/",
    tag = "Groups",
    request_body(content = GroupBody, example = json!({"name": "Dispatchers", "permissions": ["geo.view_location"]})),
    responses((status = 201, body = GroupAnswer)),
    security(("user" = ["openwisp_users.add_group"]))
)]
pub async fn create_group(
    State(app): State<Arc<App>>,
    requester: Requester,
    body: UnreadBody,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::Add, Model::Group)?;
    let (name, gives) = group_body(&body.object().await?, Mode::Whole)?;
    // Read as required, so it is there.
    let (name, gives) = (name.unwrap_or_default(), gives.unwrap_or_default());
    let desk = requester.administer(&app).await?;
    may_make_group(desk.requester(), gives)?;
    let group = desk.add_group(&name, gives).await?;
    Ok((StatusCode::CREATED, Json(GroupAnswer::from(&group))).into_response())
}

/// Reads a group.
#[utoipa::path(
    get,
    path = "/api/v1/users/group/{id}/",
    tag = "Groups",
    responses((status = 200, body = GroupAnswer)),
    security(("user" = ["openwisp_users.view_group"]))
)]
pub async fn get_group(
    State(app): State<Arc<App>>,
    PathId(id): PathId<GroupId>,
    requester: Requester,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::View, Model::Group)?;
    let group = app.store.group(id).await?;
    Ok(Json(GroupAnswer::from(&group)).into_response())
}

/// Changes a group.
///
/// The name must be there, the permissions may be left as they are. All its users must be such as the one
/// who asks may administer, and all that it gives be held.
#[utoipa::path(
    put,
    path = "/api/v1/users/group/{id}/",
    tag = "Groups",
    request_body(content = GroupBody, example = json!({"name": "Dispatchers", "permissions": ["geo.view_location"]})),
    responses((status = 200, body = GroupAnswer)),
    security(("user" = ["openwisp_users.change_group"]))
)]
pub async fn update_group(
    State(app): State<Arc<App>>,
    PathId(id): PathId<GroupId>,
    requester: Requester,
    body: UnreadBody,
) -> Result<impl IntoResponse, ApiError> {
    change_group(&app, id, &requester, body, Mode::Whole).await
}

/// Changes a group in part.
#[utoipa::path(
    patch,
    path = "/api/v1/users/group/{id}/",
    tag = "Groups",
    request_body(content = GroupBody, example = json!({"name": "Dispatchers", "permissions": ["geo.view_location"]})),
    responses((status = 200, body = GroupAnswer)),
    security(("user" = ["openwisp_users.change_group"]))
)]
pub async fn patch_group(
    State(app): State<Arc<App>>,
    PathId(id): PathId<GroupId>,
    requester: Requester,
    body: UnreadBody,
) -> Result<impl IntoResponse, ApiError> {
    change_group(&app, id, &requester, body, Mode::Partial).await
}

async fn change_group(
    app: &App,
    id: GroupId,
    requester: &Requester,
    body: UnreadBody,
    mode: Mode,
) -> Result<impl IntoResponse + use<>, ApiError> {
    requester.require(Action::Change, Model::Group)?;
    app.store.group(id).await?;
    let (name, gives) = group_body(&body.object().await?, mode)?;
    let mut desk = requester.administer(app).await?;
    let before = desk.group(id).await?.ok_or(StoreError::NotFound("Group"))?;
    let after = gives.unwrap_or(before);
    let users = desk.people_of(id).await?;
    may_change_group(desk.requester(), Action::Change, before, after, &users)?;
    let change = GroupChange {
        name,
        add_permissions: after.without(before).iter().collect(),
        remove_permissions: before.without(after).iter().collect(),
    };
    let group = desk.change_group(id, &change).await?;
    app.leases.rights_changed();
    Ok(Json(GroupAnswer::from(&group)).into_response())
}

/// Removes a group.
///
/// Its users lose what it gave.
#[utoipa::path(
    delete,
    path = "/api/v1/users/group/{id}/",
    tag = "Groups",
    responses((status = 204)),
    security(("user" = ["openwisp_users.delete_group"]))
)]
pub async fn delete_group(
    State(app): State<Arc<App>>,
    PathId(id): PathId<GroupId>,
    requester: Requester,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::Delete, Model::Group)?;
    let mut desk = requester.administer(&app).await?;
    let gives = desk.group(id).await?.ok_or(StoreError::NotFound("Group"))?;
    let users = desk.people_of(id).await?;
    may_change_group(desk.requester(), Action::Delete, gives, gives, &users)?;
    desk.remove_group(id).await?;
    app.leases.rights_changed();
    Ok(StatusCode::NO_CONTENT)
}

fn group_body(
    object: &Object,
    mode: Mode,
) -> Result<(Option<String>, Option<PermissionSet>), FieldErrors> {
    let mut fields = Fields::new(object, mode);
    let name = fields.required_text("name");
    let gives = permissions(&mut fields, "permissions");
    fields.finish()?;
    Ok((name, gives))
}
