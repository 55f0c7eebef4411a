//! Devices.

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
use super::page::{Listing, OrganizationQuery, PageAnswer, PageQuery, ROWS};
use crate::access::{Action, Model, User};
use crate::app::App;
use crate::event::{DeviceId, OrganizationId, Timestamp};
use crate::store::{Device, DeviceChange, DeviceFilter, FieldErrors, NewDevice, StoreError};

/// A device as it is answered: the fields of OpenWISP's that are kept, in its order, and behind
/// them what is ours.
#[derive(Serialize, ToSchema)]
#[schema(as = Device, description = "A device.")]
pub struct DeviceAnswer<'a> {
    id: DeviceId,
    name: &'a str,
    organization: OrganizationId,
    #[schema(required)]
    mac_address: Option<&'a str>,
    /// What the device authenticates itself with.
    key: &'a str,
    /// The address that it was last heard from.
    #[schema(required)]
    last_ip: Option<&'a str>,
    /// Where it is tried first.
    #[schema(required)]
    management_ip: Option<&'a str>,
    notes: &'a str,
    created: Timestamp,
    modified: Timestamp,
    /// Where it is tried after `management_ip` and before `last_ip`, in this order.
    addresses: &'a [String],
    /// Whether commands may run on it.
    is_active: bool,
}

/// What a device is made of. Other fields of OpenWISP's (`group`, `model`, `os`, `system`, `config`) are
/// accepted and not kept.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field: this says what may be there")]
struct DeviceBody {
    /// Unique in the organization.
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    /// One that the user manages.
    organization: OrganizationId,
    /// Unique in the organization.
    mac_address: Option<String>,
    /// Made when it is not given.
    #[schema(pattern = "^[A-Za-z0-9._-]{16,64}$", nullable = false)]
    key: Option<String>,
    /// An IPv4 or IPv6 address.
    last_ip: Option<String>,
    /// An IPv4 or IPv6 address.
    management_ip: Option<String>,
    #[schema(max_length = 10_000, nullable = false)]
    notes: Option<String>,
    /// Hosts to reach the device at; one may name a port (`host:22`, `[IPv6]:22`).
    #[schema(max_items = 16, nullable = false)]
    addresses: Option<Vec<String>>,
    /// Whether commands may run on it; they may unless told otherwise.
    #[schema(nullable = false)]
    is_active: Option<bool>,
}

impl<'a> From<&'a Device> for DeviceAnswer<'a> {
    fn from(device: &'a Device) -> Self {
        Self {
            id: device.id,
            name: &device.name,
            organization: device.organization,
            mac_address: device.mac_address.as_deref(),
            key: &device.key,
            last_ip: device.last_ip.as_deref(),
            management_ip: device.management_ip.as_deref(),
            notes: &device.notes,
            created: device.created,
            modified: device.modified,
            addresses: &device.addresses,
            is_active: device.is_active,
        }
    }
}

/// Lists devices.
#[utoipa::path(
    get,
    path = "/api/v1/controller/device/",
    tag = "Devices",
    params(PageQuery, OrganizationQuery),
    responses((status = 200, body = PageAnswer<DeviceAnswer>)),
    security(("user" = ["config.view_device"]))
)]
pub async fn list_devices(
    State(app): State<Arc<App>>,
    requester: Requester,
    mut listing: Listing,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::View, Model::Device)?;
    let filter = DeviceFilter {
        organization: listing.organization(),
        organization_slug: listing.organization_slug(),
        location: None,
    };
    let page = listing.page(ROWS)?;
    let devices = app.store.devices(&requester.scope(), &filter, page).await?;
    let answer: PageAnswer<DeviceAnswer> = listing.answer(page, &devices)?;
    Ok(Json(answer).into_response())
}

/// Makes a device.
#[utoipa::path(
    post,
    path = "/api/v1/controller/device/",
    tag = "Devices",
    request_body(content = DeviceBody, example = json!({"name": "Bus 1", "organization": "2f6d7a52-90cf-4f57-8cbe-6a3bb3f9d8b1", "mac_address": "00:11:22:33:44:55", "addresses": ["10.0.0.17"]})),
    responses((status = 201, body = DeviceAnswer)),
    security(("user" = ["config.add_device"]))
)]
pub async fn create_device(
    State(app): State<Arc<App>>,
    requester: Requester,
    body: UnreadBody,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::Add, Model::Device)?;
    let new = new_device(&body.object().await?, &requester.user)?;
    let device = app.store.by(requester.actor()).add_device(&new).await?;
    Ok((StatusCode::CREATED, Json(DeviceAnswer::from(&device))).into_response())
}

/// Reads a device.
#[utoipa::path(
    get,
    path = "/api/v1/controller/device/{id}/",
    tag = "Devices",
    responses((status = 200, body = DeviceAnswer)),
    security(("user" = ["config.view_device"]))
)]
pub async fn get_device(
    State(app): State<Arc<App>>,
    PathId(id): PathId<DeviceId>,
    requester: Requester,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::View, Model::Device)?;
    let device = app.store.device(id, &requester.scope()).await?;
    Ok(Json(DeviceAnswer::from(&device)).into_response())
}

/// Changes a device.
///
/// What is required must be there, the rest may be left as it is.
#[utoipa::path(
    put,
    path = "/api/v1/controller/device/{id}/",
    tag = "Devices",
    request_body(content = DeviceBody, example = json!({"name": "Bus 1", "organization": "2f6d7a52-90cf-4f57-8cbe-6a3bb3f9d8b1", "mac_address": "00:11:22:33:44:55", "addresses": ["10.0.0.17"]})),
    responses((status = 200, body = DeviceAnswer)),
    security(("user" = ["config.change_device"]))
)]
pub async fn update_device(
    State(app): State<Arc<App>>,
    PathId(id): PathId<DeviceId>,
    requester: Requester,
    body: UnreadBody,
) -> Result<impl IntoResponse, ApiError> {
    change_device(&app, id, &requester, body, Mode::Whole).await
}

/// Changes a device in part.
#[utoipa::path(
    patch,
    path = "/api/v1/controller/device/{id}/",
    tag = "Devices",
    request_body(content = DeviceBody, example = json!({"notes": "the spare router"})),
    responses((status = 200, body = DeviceAnswer)),
    security(("user" = ["config.change_device"]))
)]
pub async fn patch_device(
    State(app): State<Arc<App>>,
    PathId(id): PathId<DeviceId>,
    requester: Requester,
    body: UnreadBody,
) -> Result<impl IntoResponse, ApiError> {
    change_device(&app, id, &requester, body, Mode::Partial).await
}

async fn change_device(
    app: &App,
    id: DeviceId,
    requester: &Requester,
    body: UnreadBody,
    mode: Mode,
) -> Result<impl IntoResponse + use<>, ApiError> {
    requester.require(Action::Change, Model::Device)?;
    let before = app.store.device(id, &requester.scope()).await?;
    let change = device_change(&body.object().await?, &requester.user, mode)?;
    let device = app
        .store
        .by(requester.actor())
        .change_device(id, &change)
        .await?;
    if device.organization != before.organization {
        app.leases.rights_changed();
    }
    Ok(Json(DeviceAnswer::from(&device)).into_response())
}

/// Removes a device.
///
/// Its connections and commands go with it; the location that it was at stays.
#[utoipa::path(
    delete,
    path = "/api/v1/controller/device/{id}/",
    tag = "Devices",
    responses((status = 204)),
    security(("user" = ["config.delete_device"]))
)]
pub async fn delete_device(
    State(app): State<Arc<App>>,
    PathId(id): PathId<DeviceId>,
    requester: Requester,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::Delete, Model::Device)?;
    app.store.device(id, &requester.scope()).await?;
    app.store.by(requester.actor()).remove_device(id).await?;
    // Whoever watched its commands has nothing to watch any more.
    app.leases.rights_changed();
    Ok(StatusCode::NO_CONTENT)
}

/// Gives a device a new key.
///
/// The old key proves nothing any more. Ours, not OpenWISP's.
#[utoipa::path(
    post,
    path = "/api/v1/controller/device/{id}/regenerate-key/",
    tag = "Devices",
    responses((status = 200, body = DeviceAnswer)),
    security(("user" = ["config.change_device"]))
)]
pub async fn regenerate_device_key(
    State(app): State<Arc<App>>,
    PathId(id): PathId<DeviceId>,
    requester: Requester,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::Change, Model::Device)?;
    app.store.device(id, &requester.scope()).await?;
    let device = app
        .store
        .by(requester.actor())
        .regenerate_device_key(id)
        .await?;
    Ok(Json(DeviceAnswer::from(&device)).into_response())
}

/// Lets commands run on a device again.
///
/// Ours, not OpenWISP's.
#[utoipa::path(
    post,
    path = "/api/v1/controller/device/{id}/activate/",
    tag = "Devices",
    responses((status = 200, body = DeviceAnswer)),
    security(("user" = ["config.change_device"]))
)]
pub async fn activate_device(
    State(app): State<Arc<App>>,
    PathId(id): PathId<DeviceId>,
    requester: Requester,
) -> Result<impl IntoResponse, ApiError> {
    set_active(&app, id, &requester, true).await
}

/// Takes a device out of service.
///
/// No command runs on it any more. Ours, not OpenWISP's.
#[utoipa::path(
    post,
    path = "/api/v1/controller/device/{id}/deactivate/",
    tag = "Devices",
    responses((status = 200, body = DeviceAnswer)),
    security(("user" = ["config.change_device"]))
)]
pub async fn deactivate_device(
    State(app): State<Arc<App>>,
    PathId(id): PathId<DeviceId>,
    requester: Requester,
) -> Result<impl IntoResponse, ApiError> {
    set_active(&app, id, &requester, false).await
}

async fn set_active(
    app: &App,
    id: DeviceId,
    requester: &Requester,
    is_active: bool,
) -> Result<impl IntoResponse + use<>, ApiError> {
    requester.require(Action::Change, Model::Device)?;
    app.store.device(id, &requester.scope()).await?;
    let change = DeviceChange {
        is_active: Some(is_active),
        ..DeviceChange::default()
    };
    let store = app.store.by(requester.actor());
    let device = store.change_device(id, &change).await?;
    Ok(Json(DeviceAnswer::from(&device)).into_response())
}

/// The device whose connections or commands a path is about. One that is not there for this user is
/// answered without its name, as OpenWISP does.
pub async fn device_on_the_way(
    app: &App,
    id: DeviceId,
    requester: &Requester,
) -> Result<Device, ApiError> {
    match app.store.device(id, &requester.scope()).await {
        Err(StoreError::NotFound(_)) => Err(ApiError::not_found()),
        found => Ok(found?),
    }
}

pub(super) fn new_device(object: &Object, user: &User) -> Result<NewDevice, FieldErrors> {
    let change = device_change(object, user, Mode::Whole)?;
    Ok(NewDevice {
        // Read as required, so it is there.
        name: change.name.unwrap_or_default(),
        organization: change.organization,
        mac_address: change.mac_address.flatten(),
        key: change.key,
        last_ip: change.last_ip.flatten(),
        management_ip: change.management_ip.flatten(),
        notes: change.notes.unwrap_or_default(),
        addresses: change.addresses.unwrap_or_default(),
        is_active: change.is_active,
    })
}

fn device_change(object: &Object, user: &User, mode: Mode) -> Result<DeviceChange, FieldErrors> {
    let mut fields = Fields::new(object, mode);
    let change = DeviceChange {
        name: fields.required_text("name"),
        organization: fields.organization(user),
        mac_address: fields.nullable_text("mac_address"),
        key: fields.text_that_says_something("key"),
        last_ip: fields.nullable_text("last_ip"),
        management_ip: fields.nullable_text("management_ip"),
        notes: fields.text("notes"),
        addresses: fields.texts("addresses"),
        is_active: fields.boolean("is_active"),
    };
    fields.refuse_too(change.check());
    fields.finish()?;
    Ok(change)
}
