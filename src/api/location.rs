//! Locations, and which devices are at one.

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
use super::page::{Listing, LocationQuery, OrganizationQuery, PageAnswer, PageQuery, ROWS};
use crate::access::{Action, Model, User};
use crate::app::App;
use crate::event::{DeviceId, LocationId, LocationType, OrganizationId, Point, Timestamp};
use crate::store::{
    Device, DeviceFilter, FieldErrors, Location, LocationChange, LocationFilter, NewLocation,
};

/// What is said to who sends a floor plan.
pub const NO_FLOOR_PLANS: &str = "Floor plans are not kept here.";

/// A location as it is answered, in OpenWISP's order.
#[derive(Serialize, ToSchema)]
#[schema(as = Location, description = "A location.")]
struct LocationAnswer<'a> {
    id: LocationId,
    organization: OrganizationId,
    name: &'a str,
    #[serde(rename = "type")]
    kind: LocationType,
    is_mobile: bool,
    address: &'a str,
    /// Null for one that has not been anywhere yet.
    #[schema(required)]
    geometry: Option<Point>,
    created: Timestamp,
    modified: Timestamp,
    /// Always empty: there are none, but clients look for the field.
    #[schema(value_type = Vec<String>, max_items = 0)]
    floorplan: [(); 0],
}

impl<'a> From<&'a Location> for LocationAnswer<'a> {
    fn from(location: &'a Location) -> Self {
        Self {
            id: location.id,
            organization: location.organization,
            name: &location.name,
            kind: location.kind,
            is_mobile: location.is_mobile,
            address: &location.address,
            geometry: location.geometry,
            created: location.created,
            modified: location.modified,
            floorplan: [],
        }
    }
}

/// What a location is made of.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field: this says what may be there")]
struct LocationBody {
    /// One that the user manages.
    organization: OrganizationId,
    #[schema(min_length = 1, max_length = 75)]
    name: String,
    r#type: LocationType,
    /// Whether it moves; it does not unless told so.
    #[schema(nullable = false)]
    is_mobile: Option<bool>,
    #[schema(max_length = 256, nullable = false)]
    address: Option<String>,
    /// Sending it is an update of it and is pushed, also with the same coordinates. A location that is
    /// not mobile needs one.
    geometry: Option<Point>,
}

/// A device in the list of those at a location: without its key, as in OpenWISP.
#[derive(Serialize, ToSchema)]
#[schema(as = DeviceThere, description = "A device at a location.")]
struct DeviceThereAnswer<'a> {
    id: DeviceId,
    created: Timestamp,
    modified: Timestamp,
    name: &'a str,
    #[schema(required)]
    mac_address: Option<&'a str>,
    notes: &'a str,
    #[schema(required)]
    last_ip: Option<&'a str>,
    #[schema(required)]
    management_ip: Option<&'a str>,
    organization: OrganizationId,
    addresses: &'a [String],
}

impl<'a> From<&'a Device> for DeviceThereAnswer<'a> {
    fn from(device: &'a Device) -> Self {
        Self {
            id: device.id,
            created: device.created,
            modified: device.modified,
            name: &device.name,
            mac_address: device.mac_address.as_deref(),
            notes: &device.notes,
            last_ip: device.last_ip.as_deref(),
            management_ip: device.management_ip.as_deref(),
            organization: device.organization,
            addresses: &device.addresses,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = DevicesThere)]
struct DevicesThereAnswer<'a> {
    #[serde(flatten)]
    page: PageAnswer<DeviceThereAnswer<'a>>,
    /// Always false: there are none, but clients look for the field.
    has_floorplan: bool,
}

/// What a list of locations is filtered by; wrong filters are told when the page is asked for.
pub fn filter_of(listing: &mut Listing) -> LocationFilter {
    LocationFilter {
        organization: listing.organization(),
        organization_slug: listing.organization_slug(),
        is_mobile: listing.is_mobile(),
        kind: listing.location_type(),
        with_geometry: false,
    }
}

/// Lists locations.
#[utoipa::path(
    get,
    path = "/api/v1/controller/location/",
    tag = "Locations",
    params(PageQuery, OrganizationQuery, LocationQuery),
    responses((status = 200, body = PageAnswer<LocationAnswer>)),
    security(("user" = ["geo.view_location"]))
)]
pub async fn list_locations(
    State(app): State<Arc<App>>,
    requester: Requester,
    mut listing: Listing,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::View, Model::Location)?;
    let filter = filter_of(&mut listing);
    let page = listing.page(ROWS)?;
    let locations = app
        .store
        .locations(&requester.scope(), &filter, page)
        .await?;
    let answer: PageAnswer<LocationAnswer> = listing.answer(page, &locations)?;
    Ok(Json(answer).into_response())
}

/// Makes a location.
#[utoipa::path(
    post,
    path = "/api/v1/controller/location/",
    tag = "Locations",
    request_body(content = LocationBody, example = json!({"name": "Bus 1", "organization": "2f6d7a52-90cf-4f57-8cbe-6a3bb3f9d8b1", "type": "outdoor", "is_mobile": true, "geometry": {"type": "Point", "coordinates": [12.5, 41.9]}})),
    responses((status = 201, body = LocationAnswer)),
    security(("user" = ["geo.add_location"]))
)]
pub async fn create_location(
    State(app): State<Arc<App>>,
    requester: Requester,
    body: UnreadBody,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::Add, Model::Location)?;
    let object = body.object().await?;
    let change = location_change(&object, Some(&requester.user), Mode::Whole)?;
    let location = app
        .store
        .by(requester.actor())
        .add_location(&new_location(change))
        .await?;
    Ok((StatusCode::CREATED, Json(LocationAnswer::from(&location))).into_response())
}

/// Reads a location.
#[utoipa::path(
    get,
    path = "/api/v1/controller/location/{id}/",
    tag = "Locations",
    responses((status = 200, body = LocationAnswer)),
    security(("user" = ["geo.view_location"]))
)]
pub async fn get_location(
    State(app): State<Arc<App>>,
    PathId(id): PathId<LocationId>,
    requester: Requester,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::View, Model::Location)?;
    let location = app.store.location(id, &requester.scope()).await?;
    Ok(Json(LocationAnswer::from(&location)).into_response())
}

/// Changes a location.
///
/// What is required must be there, the rest may be left as it is.
#[utoipa::path(
    put,
    path = "/api/v1/controller/location/{id}/",
    tag = "Locations",
    request_body(content = LocationBody, example = json!({"name": "Bus 1", "organization": "2f6d7a52-90cf-4f57-8cbe-6a3bb3f9d8b1", "type": "outdoor", "is_mobile": true, "geometry": {"type": "Point", "coordinates": [12.5, 41.9]}})),
    responses((status = 200, body = LocationAnswer)),
    security(("user" = ["geo.change_location"]))
)]
pub async fn update_location(
    State(app): State<Arc<App>>,
    PathId(id): PathId<LocationId>,
    requester: Requester,
    body: UnreadBody,
) -> Result<impl IntoResponse, ApiError> {
    change_location(&app, id, &requester, body, Mode::Whole).await
}

/// Changes a location in part.
#[utoipa::path(
    patch,
    path = "/api/v1/controller/location/{id}/",
    tag = "Locations",
    request_body(content = LocationBody, example = json!({"geometry": {"type": "Point", "coordinates": [12.5, 41.9]}})),
    responses((status = 200, body = LocationAnswer)),
    security(("user" = ["geo.change_location"]))
)]
pub async fn patch_location(
    State(app): State<Arc<App>>,
    PathId(id): PathId<LocationId>,
    requester: Requester,
    body: UnreadBody,
) -> Result<impl IntoResponse, ApiError> {
    change_location(&app, id, &requester, body, Mode::Partial).await
}

async fn change_location(
    app: &App,
    id: LocationId,
    requester: &Requester,
    body: UnreadBody,
    mode: Mode,
) -> Result<impl IntoResponse + use<>, ApiError> {
    requester.require(Action::Change, Model::Location)?;
    let before = app.store.location(id, &requester.scope()).await?;
    let change = location_change(&body.object().await?, Some(&requester.user), mode)?;
    let location = app
        .store
        .by(requester.actor())
        .change_location(id, &change)
        .await?;
    if location.organization != before.organization {
        app.leases.rights_changed();
    }
    Ok(Json(LocationAnswer::from(&location)).into_response())
}

/// Removes a location.
///
/// The devices at it are nowhere then.
#[utoipa::path(
    delete,
    path = "/api/v1/controller/location/{id}/",
    tag = "Locations",
    responses((status = 204)),
    security(("user" = ["geo.delete_location"]))
)]
pub async fn delete_location(
    State(app): State<Arc<App>>,
    PathId(id): PathId<LocationId>,
    requester: Requester,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::Delete, Model::Location)?;
    app.store.location(id, &requester.scope()).await?;
    app.store.by(requester.actor()).remove_location(id).await?;
    // Whoever watched it has nothing to watch any more.
    app.leases.rights_changed();
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the devices at a location.
///
/// Without their keys.
#[utoipa::path(
    get,
    path = "/api/v1/controller/location/{id}/device/",
    tag = "Locations",
    params(PageQuery),
    responses((status = 200, body = DevicesThereAnswer)),
    security(("user" = ["config.view_device"]))
)]
pub async fn list_location_devices(
    State(app): State<Arc<App>>,
    PathId(id): PathId<LocationId>,
    requester: Requester,
    mut listing: Listing,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::View, Model::Device)?;
    let scope = requester.scope();
    app.store.location(id, &scope).await?;
    let page = listing.page(ROWS)?;
    let filter = DeviceFilter {
        location: Some(id),
        ..DeviceFilter::default()
    };
    let devices = app.store.devices(&scope, &filter, page).await?;
    let page = listing.answer(page, &devices)?;
    Ok(Json(DevicesThereAnswer {
        page,
        has_floorplan: false,
    })
    .into_response())
}

/// Reads a location. Without a `user` the organization is not asked for, but that of the device
/// that the location is for.
pub fn location_change(
    object: &Object,
    user: Option<&User>,
    mode: Mode,
) -> Result<LocationChange, FieldErrors> {
    let mut fields = Fields::new(object, mode);
    let change = LocationChange {
        organization: user.and_then(|user| fields.organization(user)),
        name: fields.required_text("name"),
        kind: fields.required_choice("type"),
        is_mobile: fields.boolean("is_mobile"),
        address: fields.text("address"),
        geometry: fields.geometry(),
    };
    fields.nothing_but_empty("floorplan", NO_FLOOR_PLANS);
    fields.refuse_too(change.check());
    fields.finish()?;
    Ok(change)
}

/// A new location of what was read as a whole.
pub fn new_location(change: LocationChange) -> NewLocation {
    NewLocation {
        organization: change.organization,
        // Read as required, so these are there.
        name: change.name.unwrap_or_default(),
        kind: change.kind.unwrap_or_default(),
        address: change.address.unwrap_or_default(),
        is_mobile: change.is_mobile.unwrap_or_default(),
        geometry: change.geometry.flatten(),
        device: None,
    }
}
