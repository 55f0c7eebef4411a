//! Which location a device is at.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::body::{Object, UnreadBody, python_type};
use super::error::ApiError;
use super::field::{Fields, Mode, id, no_such_pk};
use super::geometry::Feature;
use super::identity::{PathId, Requester};
use super::location::{NO_FLOOR_PLANS, location_change, new_location};
use super::openapi;
use crate::access::{Action, Model};
use crate::app::App;
use crate::event::{DeviceId, LocationId, LocationType, Point};
use crate::store::{Device, FieldErrors, Location, NewLocation, StoreError};

/// OpenWISP's word for "this device is at this location".
const MODEL: &str = "DeviceLocation";

#[derive(Serialize, ToSchema)]
#[schema(as = DeviceLocation, description = "Which location a device is at.")]
struct DeviceLocationAnswer<'a> {
    location: Feature<LocationId, Properties<'a>>,
    /// Always null: there are none, but clients look for the fields.
    #[schema(schema_with = openapi::null)]
    floorplan: (),
    /// Always null.
    #[schema(schema_with = openapi::null)]
    indoor: (),
}

/// Which location a device is to be at.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field: this says what may be there")]
struct DeviceLocationBody {
    location: WantedLocationBody,
}

/// A location of the device's organization, or what the device's location is to be: flat, or as the
/// Feature that is answered.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "read field by field: this says what may be there")]
enum WantedLocationBody {
    Existing(LocationId),
    Flat(NestedLocationBody),
    Feature(NestedFeatureBody),
}

/// What a location is made of; it belongs to the organization of the device.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field: this says what may be there")]
struct NestedLocationBody {
    #[schema(min_length = 1, max_length = 75)]
    name: String,
    r#type: LocationType,
    #[schema(nullable = false)]
    is_mobile: Option<bool>,
    #[schema(max_length = 256, nullable = false)]
    address: Option<String>,
    /// A location that is not mobile needs one.
    geometry: Option<Point>,
}

/// The same as a GeoJSON Feature.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field: this says what may be there")]
struct NestedFeatureBody {
    geometry: Option<Point>,
    properties: NestedLocationBody,
}

#[derive(Serialize, ToSchema)]
#[schema(as = DeviceLocationProperties)]
struct Properties<'a> {
    #[serde(rename = "type")]
    kind: LocationType,
    is_mobile: bool,
    name: &'a str,
    address: &'a str,
}

fn answer(status: StatusCode, location: &Location) -> Response {
    let properties = Properties {
        kind: location.kind,
        is_mobile: location.is_mobile,
        name: &location.name,
        address: &location.address,
    };
    let location = Feature::new(location.id, location.geometry, properties);
    let answer = DeviceLocationAnswer {
        location,
        floorplan: (),
        indoor: (),
    };
    (status, Json(answer)).into_response()
}

/// Reads at which location a device is.
#[utoipa::path(
    get,
    path = "/api/v1/controller/device/{id}/location/",
    tag = "Locations",
    responses((status = 200, body = DeviceLocationAnswer)),
    security(("user" = ["geo.view_devicelocation"]))
)]
pub async fn get_device_location(
    State(app): State<Arc<App>>,
    PathId(device): PathId<DeviceId>,
    requester: Requester,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::View, Model::DeviceLocation)?;
    let (_, location) = present(&app, device, &requester).await?;
    Ok(answer(StatusCode::OK, &location))
}

/// Puts a device at a location.
///
/// At one that exists (by its identifier), or it alters the one that the device is at, or makes one
/// (`201`). Altering needs `geo.change_location` as well; making needs `geo.add_devicelocation` and
/// `geo.add_location`.
#[utoipa::path(
    put,
    path = "/api/v1/controller/device/{id}/location/",
    tag = "Locations",
    request_body(content = DeviceLocationBody, example = json!({"location": {"name": "Depot", "type": "outdoor", "is_mobile": false, "address": "Via Roma 1", "geometry": {"type": "Point", "coordinates": [12.5, 41.9]}}})),
    responses((status = 200, body = DeviceLocationAnswer), (status = 201, body = DeviceLocationAnswer)),
    security(("user" = ["geo.change_devicelocation"]))
)]
pub async fn update_device_location(
    State(app): State<Arc<App>>,
    PathId(device): PathId<DeviceId>,
    requester: Requester,
    body: UnreadBody,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::Change, Model::DeviceLocation)?;
    let device = app.store.device(device, &requester.scope()).await?;
    let before = app.store.device_location(device.id).await?;
    let status = if before.is_some() {
        StatusCode::OK
    } else {
        requester.require(Action::Add, Model::DeviceLocation)?;
        StatusCode::CREATED
    };
    let object = body.object().await?;
    let location = place(&app, &requester, &device, before, &object, Mode::Whole).await?;
    Ok(answer(status, &location))
}

/// Puts a device at another location, or alters its own in part.
///
/// The device must be at a location already. Altering needs `geo.change_location` as well.
#[utoipa::path(
    patch,
    path = "/api/v1/controller/device/{id}/location/",
    tag = "Locations",
    request_body(content = DeviceLocationBody, example = json!({"location": "93b9b41c-26b1-4807-91f7-699786c9a2d9"})),
    responses((status = 200, body = DeviceLocationAnswer)),
    security(("user" = ["geo.change_devicelocation"]))
)]
pub async fn patch_device_location(
    State(app): State<Arc<App>>,
    PathId(device): PathId<DeviceId>,
    requester: Requester,
    body: UnreadBody,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::Change, Model::DeviceLocation)?;
    let (device, before) = present(&app, device, &requester).await?;
    let object = body.object().await?;
    let location = place(
        &app,
        &requester,
        &device,
        Some(before),
        &object,
        Mode::Partial,
    )
    .await?;
    Ok(answer(StatusCode::OK, &location))
}

/// Takes a device away from its location.
///
/// The location stays.
#[utoipa::path(
    delete,
    path = "/api/v1/controller/device/{id}/location/",
    tag = "Locations",
    responses((status = 204)),
    security(("user" = ["geo.delete_devicelocation"]))
)]
pub async fn delete_device_location(
    State(app): State<Arc<App>>,
    PathId(device): PathId<DeviceId>,
    requester: Requester,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::Delete, Model::DeviceLocation)?;
    let (device, _) = present(&app, device, &requester).await?;
    app.store
        .by(requester.actor())
        .clear_device_location(device.id)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The device and where it is; 404 when there is no such device for this user, or it is nowhere.
async fn present(
    app: &App,
    device: DeviceId,
    requester: &Requester,
) -> Result<(Device, Location), ApiError> {
    let device = match app.store.device(device, &requester.scope()).await {
        Ok(device) => device,
        Err(StoreError::NotFound(_)) => return Err(ApiError::no_match(MODEL)),
        Err(error) => return Err(error.into()),
    };
    match app.store.device_location(device.id).await? {
        Some(location) => Ok((device, location)),
        None => Err(ApiError::no_match(MODEL)),
    }
}

/// Does what the body says, and answers with the location that the device is at then.
async fn place(
    app: &App,
    requester: &Requester,
    device: &Device,
    before: Option<Location>,
    object: &Object,
    mode: Mode,
) -> Result<Location, ApiError> {
    let mut fields = Fields::new(object, mode);
    let wanted = fields.required("location");
    fields.nothing_but_empty("floorplan", NO_FLOOR_PLANS);
    fields.nothing_but_empty("indoor", "Places on floor plans are not kept here.");
    fields.finish()?;
    match (wanted, before) {
        (Some(Value::Object(nested)), Some(before)) => {
            alter(app, requester, &before, nested, mode).await
        }
        (Some(Value::Object(nested)), None) => create(app, requester, device, nested).await,
        (Some(value @ Value::String(_)), _) => choose(app, requester, device, value).await,
        (Some(other), _) => {
            let found = python_type(other);
            let reason = format!("Invalid data. Expected a dictionary, but got {found}.");
            Err(FieldErrors::one("location", reason).into())
        }
        (None, Some(before)) => Ok(before),
        // Only a PUT comes here without a location, and there the field is required.
        (None, None) => Err(ApiError::no_match(MODEL)),
    }
}

/// Puts the device at a location that exists.
async fn choose(
    app: &App,
    requester: &Requester,
    device: &Device,
    value: &Value,
) -> Result<Location, ApiError> {
    let id: LocationId = id(value).map_err(|reason| FieldErrors::one("location", reason))?;
    match app.store.location(id, &requester.scope()).await {
        Ok(_) => {}
        Err(StoreError::NotFound(_)) => {
            return Err(FieldErrors::one("location", no_such_pk(id)).into());
        }
        Err(error) => return Err(error.into()),
    }
    app.store
        .by(requester.actor())
        .set_device_location(device.id, id)
        .await?;
    Ok(app.store.location(id, &requester.scope()).await?)
}

/// Alters the location that the device is at, for all that are at it.
async fn alter(
    app: &App,
    requester: &Requester,
    before: &Location,
    nested: &Object,
    mode: Mode,
) -> Result<Location, ApiError> {
    requester.require(Action::Change, Model::Location)?;
    if !requester.scope().contains(before.organization) {
        return Err(StoreError::NotFound("Location").into());
    }
    let change = location_change(&flat(nested), None, mode).map_err(within_location)?;
    app.store
        .by(requester.actor())
        .change_location(before.id, &change)
        .await
        .map_err(of_location)
}

/// Makes a location for the device, in the device's organization.
async fn create(
    app: &App,
    requester: &Requester,
    device: &Device,
    nested: &Object,
) -> Result<Location, ApiError> {
    requester.require(Action::Add, Model::Location)?;
    let change = location_change(&flat(nested), None, Mode::Whole).map_err(within_location)?;
    let new = NewLocation {
        organization: Some(device.organization),
        device: Some(device.id),
        ..new_location(change)
    };
    app.store
        .by(requester.actor())
        .add_location(&new)
        .await
        .map_err(of_location)
}

/// A location may also come as it is answered: a Feature with all but the geometry in its
/// properties.
fn flat(nested: &Object) -> Object {
    let Some(Value::Object(properties)) = nested.get("properties") else {
        return nested.clone();
    };
    let mut flat = properties.clone();
    if let Some(geometry) = nested.get("geometry") {
        flat.insert("geometry".into(), geometry.clone());
    }
    flat
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn within_location(errors: FieldErrors) -> ApiError {
    ApiError::within("location", &errors)
}

fn of_location(error: StoreError) -> ApiError {
    match error {
        StoreError::Invalid(errors) => within_location(errors),
        other => other.into(),
    }
}
