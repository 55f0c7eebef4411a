//! Where a device is, told and asked by the device itself: its key in the query is the only
//! credential.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::Uri;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::body::{Object, UnreadBody, pairs_of, python_type};
use super::error::ApiError;
use super::field::{Fields, Mode};
use super::identity::PathId;
use crate::access::Shown;
use crate::access::request::Client;
use crate::app::App;
use crate::event::{DeviceId, Point, Timestamp};
use crate::store::{Coordinates, CoordinatesError, FieldErrors, Report};
use crate::telemetry::Limit;

/// How far a device's clock may run ahead. A report from further in the future would keep all
/// later ones out.
const MAX_AHEAD_S: i64 = 24 * 60 * 60;

/// A GeoJSON `Feature` of where the device is; as in OpenWISP without an `id`.
#[derive(Serialize, ToSchema)]
#[schema(as = Coordinates)]
struct CoordinatesAnswer<'a> {
    /// `Feature`.
    #[serde(rename = "type")]
    kind: &'static str,
    geometry: Point,
    properties: Properties<'a>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = CoordinatesProperties)]
struct Properties<'a> {
    /// The location's.
    name: &'a str,
}

/// A GeoJSON `Feature`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field: this says what may be there")]
struct CoordinatesBody {
    /// `Feature`, if it is there.
    #[schema(pattern = "^Feature$", nullable = false)]
    r#type: Option<String>,
    geometry: Point,
    properties: Option<CoordinatesPropertiesBody>,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field: this says what may be there")]
struct CoordinatesPropertiesBody {
    /// When the device was there. A report that is older than the newest one with a time changes nothing
    /// and is answered with the present state; more than 24 hours in the future is refused.
    time: Option<Timestamp>,
}

/// Tells a device where it is.
///
/// `404` before its first report.
#[utoipa::path(
    get,
    path = "/api/v1/controller/device/{id}/coordinates/",
    tag = "Coordinates",
    responses((status = 200, body = CoordinatesAnswer)),
    security(("device_key" = []))
)]
pub async fn get_device_coordinates(
    State(app): State<Arc<App>>,
    PathId(device): PathId<DeviceId>,
    client: Client,
    uri: Uri,
) -> Result<impl IntoResponse, ApiError> {
    let key = key_of(&uri)?;
    let coordinates = where_it_is(&app, &client, device, &key).await?;
    Ok(answer(&coordinates))
}

/// Reports where a device is.
///
/// The first report makes the device's mobile location. Answered after the commit; whoever may see
/// the location gets it over the WebSocket.
#[utoipa::path(
    put,
    path = "/api/v1/controller/device/{id}/coordinates/",
    tag = "Coordinates",
    request_body(content = CoordinatesBody, example = json!({"type": "Feature", "geometry": {"type": "Point", "coordinates": [12.5, 41.9]}})),
    responses((status = 200, body = CoordinatesAnswer), (status = 429)),
    security(("device_key" = []))
)]
pub async fn report_device_coordinates(
    State(app): State<Arc<App>>,
    PathId(device): PathId<DeviceId>,
    client: Client,
    uri: Uri,
    body: UnreadBody,
) -> Result<impl IntoResponse, ApiError> {
    let key = key_of(&uri)?;
    report(&app, &client, device, key, body).await
}

/// Reports where a device is, if it has a location.
///
/// `404` before the first report by `PUT`.
#[utoipa::path(
    patch,
    path = "/api/v1/controller/device/{id}/coordinates/",
    tag = "Coordinates",
    request_body(content = CoordinatesBody, example = json!({"type": "Feature", "geometry": {"type": "Point", "coordinates": [12.5, 41.9]}})),
    responses((status = 200, body = CoordinatesAnswer), (status = 429)),
    security(("device_key" = []))
)]
pub async fn patch_device_coordinates(
    State(app): State<Arc<App>>,
    PathId(device): PathId<DeviceId>,
    client: Client,
    uri: Uri,
    body: UnreadBody,
) -> Result<impl IntoResponse, ApiError> {
    let key = key_of(&uri)?;
    // Only a PUT creates the location: there must be something to alter.
    where_it_is(&app, &client, device, &key).await?;
    report(&app, &client, device, key, body).await
}

/// Asks on behalf of who shows `key`.
async fn where_it_is(
    app: &App,
    client: &Client,
    device: DeviceId,
    key: &str,
) -> Result<Coordinates, ApiError> {
    let shown = admit(app, client, device, key)?;
    let answer = app.store.coordinates(device, key).await;
    judge(shown, &answer);
    Ok(answer?)
}

/// Whoever makes up keys must not keep the database busy with them.
fn admit<'a>(
    app: &'a App,
    client: &Client,
    device: DeviceId,
    key: &str,
) -> Result<Shown<'a>, ApiError> {
    let admitted = app.strangers.admit((device, key), client.address);
    admitted.map_err(|wait| ApiError::throttled(Limit::ReportsPerSecond, wait.seconds))
}

/// Notes whether the key was right.
fn judge<T>(shown: Shown<'_>, answer: &Result<T, CoordinatesError>) {
    match answer {
        Ok(_) | Err(CoordinatesError::NoLocation | CoordinatesError::OrganizationInactive) => {
            shown.is_right();
        }
        Err(CoordinatesError::Unauthenticated) => shown.is_wrong(),
        Err(CoordinatesError::Store(_)) => shown.forget(),
    }
}

async fn report(
    app: &App,
    client: &Client,
    device: DeviceId,
    key: String,
    body: UnreadBody,
) -> Result<Response, ApiError> {
    let shown = admit(app, client, device, &key)?;
    // With the key: who does not have it uses up nothing of the device's.
    let admitted = app.reports.take((device, &key));
    admitted.map_err(|wait| ApiError::throttled(Limit::ReportsPerSecond, wait.seconds))?;
    let read = match body.object().await {
        Ok(object) => feature(&object, app.store.instant()).map_err(ApiError::from),
        Err(error) => Err(error),
    };
    let (geometry, time) = match read {
        Ok(read) => read,
        Err(error) => {
            // The write checks the key itself, so this is asked only when there will be none: what is wrong with
            // a body is told to the device alone.
            let answer = app.store.coordinates(device, &key).await;
            judge(shown, &answer);
            return Err(match answer {
                Ok(_) | Err(CoordinatesError::NoLocation) => error,
                Err(refusal) => refusal.into(),
            });
        }
    };
    let report = Report {
        device,
        key,
        geometry,
        time,
    };
    let answered = app.store.report_coordinates(report).await;
    judge(shown, &answered);
    Ok(answer(&answered?))
}

fn answer(coordinates: &Coordinates) -> Response {
    Json(CoordinatesAnswer {
        kind: "Feature",
        geometry: coordinates.geometry,
        properties: Properties {
            name: &coordinates.name,
        },
    })
    .into_response()
}

fn key_of(uri: &Uri) -> Result<String, ApiError> {
    pairs_of(uri.query().unwrap_or_default().as_bytes())
        .filter(|(name, value)| name == "key" && !value.is_empty())
        .last()
        .map(|(_, key)| key)
        .ok_or_else(ApiError::not_authenticated)
}

/// Reads a Feature with a Point, and the time in its properties if there is one.
pub(super) fn feature(
    object: &Object,
    now: Timestamp,
) -> Result<(Point, Option<Timestamp>), FieldErrors> {
    let mut fields = Fields::new(object, Mode::Whole);
    match object.get("type") {
        // OpenWISP does without it as well.
        None => {}
        Some(Value::String(kind)) if kind == "Feature" => {}
        Some(other) => {
            let word = other
                .as_str()
                .map_or_else(|| other.to_string(), str::to_owned);
            fields.refuse("type", format!("\"{word}\" is not a valid choice."));
        }
    }
    let geometry = fields.required_geometry();
    let time = time_of(&mut fields, now);
    match (fields.finish(), geometry) {
        (Ok(()), Some(geometry)) => Ok((geometry, time)),
        (Err(errors), _) => Err(errors),
        (Ok(()), None) => Err(FieldErrors::one("geometry", "This field is required.")),
    }
}

/// `properties.time`. As in OpenWISP, errors in a property are told under its own name.
fn time_of(fields: &mut Fields, now: Timestamp) -> Option<Timestamp> {
    let value = match fields.raw("properties") {
        None | Some(Value::Null) => return None,
        Some(Value::Object(properties)) => properties.get("time")?,
        Some(other) => {
            let found = python_type(other);
            let reason = format!("Expected a dictionary of items but got type \"{found}\".");
            fields.refuse("properties", reason);
            return None;
        }
    };
    if value.is_null() {
        return None;
    }
    let Some(time) = value
        .as_str()
        .and_then(|text| text.parse::<Timestamp>().ok())
    else {
        fields.refuse(
            "time",
            "Datetime has wrong format. Use ISO 8601 with an offset, such as 2026-11-24T10:15:00Z.",
        );
        return None;
    };
    if time > now.plus_seconds(MAX_AHEAD_S) {
        fields.refuse("time", "This is more than 24 hours in the future.");
        return None;
    }
    Some(time)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: &str = "2026-11-24T12:00:00Z";

    fn read(body: Value) -> Result<(Point, Option<Timestamp>), FieldErrors> {
        match body {
            Value::Object(object) => feature(&object, NOW.parse().unwrap()),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_feature_may_leave_out_its_type_and_may_carry_a_time() {
        let geometry = json!({"type": "Point", "coordinates": [12.5, 41.9]});
        let noon: Timestamp = NOW.parse().unwrap();
        for (body, time) in [
            (json!({"type": "Feature", "geometry": geometry}), None),
            (json!({"geometry": geometry}), None),
            (json!({"geometry": geometry, "properties": null}), None),
            (
                json!({"geometry": geometry, "properties": {"name": 5}}),
                None,
            ),
            (
                json!({"geometry": geometry, "properties": {"time": null}}),
                None,
            ),
            (
                json!({"geometry": geometry, "properties": {"time": NOW}}),
                Some(noon),
            ),
            (
                json!({"geometry": geometry, "properties": {"time": "2026-11-25T13:00:00+01:00"}}),
                Some(noon.plus_seconds(MAX_AHEAD_S)),
            ),
        ] {
            let (point, read) = read(body.clone()).unwrap();
            assert_eq!(read, time, "{body}");
            assert_eq!(point.longitude().to_bits(), 12.5_f64.to_bits());
        }
    }

    #[test]
    fn every_field_that_is_wrong_is_named_at_once() {
        let geometry = json!({"type": "Point", "coordinates": [12.5, 41.9]});
        for (body, wrong) in [
            (json!({}), &["geometry"][..]),
            (json!({"type": "Feature"}), &["geometry"]),
            (json!({"type": "Feature", "geometry": null}), &["geometry"]),
            (
                json!({"type": "Point", "coordinates": [12.5, 41.9]}),
                &["geometry", "type"],
            ),
            (json!({"type": null, "geometry": geometry}), &["type"]),
            (
                json!({"geometry": geometry, "properties": []}),
                &["properties"],
            ),
            (
                json!({"geometry": geometry, "properties": {"time": 5}}),
                &["time"],
            ),
            (
                json!({"geometry": geometry, "properties": {"time": "2026-11-24"}}),
                &["time"],
            ),
            (
                json!({"geometry": geometry, "properties": {"time": "2026-11-24T12:00:00"}}),
                &["time"],
            ),
            (
                json!({"geometry": geometry, "properties": {"time": "2026-11-25T12:00:00.000001Z"}}),
                &["time"],
            ),
            (
                json!({"type": 1, "geometry": {"type": "Nope"}, "properties": {"time": ""}}),
                &["geometry", "time", "type"],
            ),
        ] {
            let errors = read(body.clone()).unwrap_err();
            assert_eq!(errors.0.keys().collect::<Vec<_>>(), wrong, "{body}");
        }
    }

    #[test]
    fn the_key_is_the_last_one_of_the_query_and_an_empty_one_is_none() {
        let key = |query: &str| key_of(&format!("/coordinates/{query}").parse().unwrap()).ok();
        assert_eq!(key("?key=a"), Some("a".into()));
        assert_eq!(key("?key=a&x=1&key=b%2Bc"), Some("b+c".into()));
        assert_eq!(key("?key="), None);
        assert_eq!(key(""), None);
    }
}
