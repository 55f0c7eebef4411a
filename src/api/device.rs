//! Devices.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::StatusCode;
use serde::Serialize;

use super::body::{Object, UnreadBody};
use super::error::ApiError;
use super::field::{Fields, Mode};
use super::identity::{PathId, Requester};
use super::page::{Listing, PageAnswer, ROWS};
use crate::access::{Action, Model, User};
use crate::app::App;
use crate::event::{DeviceId, OrganizationId, Timestamp};
use crate::store::{Device, DeviceChange, DeviceFilter, FieldErrors, NewDevice, StoreError};

/// A device as it is answered: the fields of OpenWISP's that are kept, in its order, and behind
/// them what is ours.
#[derive(Serialize)]
pub struct DeviceAnswer<'a> {
    id: DeviceId,
    name: &'a str,
    organization: OrganizationId,
    mac_address: Option<&'a str>,
    key: &'a str,
    last_ip: Option<&'a str>,
    management_ip: Option<&'a str>,
    notes: &'a str,
    created: Timestamp,
    modified: Timestamp,
    addresses: &'a [String],
    is_active: bool,
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

/// `GET device/`.
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

/// `POST device/`.
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

/// `GET device/{id}/`.
pub async fn get_device(
    State(app): State<Arc<App>>,
    PathId(id): PathId<DeviceId>,
    requester: Requester,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::View, Model::Device)?;
    let device = app.store.device(id, &requester.scope()).await?;
    Ok(Json(DeviceAnswer::from(&device)).into_response())
}

/// `PUT device/{id}/`: what is required must be there, the rest may be left as it is.
pub async fn update_device(
    State(app): State<Arc<App>>,
    PathId(id): PathId<DeviceId>,
    requester: Requester,
    body: UnreadBody,
) -> Result<impl IntoResponse, ApiError> {
    change_device(&app, id, &requester, body, Mode::Whole).await
}

/// `PATCH device/{id}/`.
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

/// `DELETE device/{id}/`. The location that it was at stays.
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

/// Ours: gives the device a new key; the old one proves nothing any more.
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

/// `POST device/{id}/activate/`: commands may run on it again.
pub async fn activate_device(
    State(app): State<Arc<App>>,
    PathId(id): PathId<DeviceId>,
    requester: Requester,
) -> Result<impl IntoResponse, ApiError> {
    set_active(&app, id, &requester, true).await
}

/// `POST device/{id}/deactivate/`: no command runs on it any more.
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

fn new_device(object: &Object, user: &User) -> Result<NewDevice, FieldErrors> {
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
