//! Connections: which credentials a device is logged in to with.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::body::UnreadBody;
use super::device::device_on_the_way;
use super::error::ApiError;
use super::field::{Fields, Mode};
use super::identity::{PathId, PathIds, Requester};
use super::page::{Listing, PageAnswer, PageQuery, ROWS};
use crate::access::{Action, Model};
use crate::app::App;
use crate::event::{ConnectionId, CredentialId, DeviceId, Timestamp};
use crate::store::{Connection, ConnectionChange, NewConnection};

/// OpenWISP's ways to update a device's configuration. Nothing is updated here, so all are the same.
const UPDATE_STRATEGIES: [&str; 3] = [
    "",
    "openwisp_controller.connection.connectors.openwrt.ssh.OpenWrt",
    "openwisp_controller.connection.connectors.openwrt.ssh.OpenWisp1x",
];

/// A connection as it is answered: OpenWISP's fields in its order, and behind them what is ours.
#[derive(Serialize, ToSchema)]
#[schema(as = Connection, description = "A device's use of a credential.")]
struct ConnectionAnswer<'a> {
    id: ConnectionId,
    credentials: CredentialId,
    /// Always empty: configurations are not updated here.
    update_strategy: &'static str,
    /// Whether commands try it.
    enabled: bool,
    /// Whether the last attempt got in; null before the first.
    #[schema(required)]
    is_working: Option<bool>,
    /// Why it did not.
    failure_reason: &'a str,
    #[schema(required)]
    last_attempt: Option<Timestamp>,
    created: Timestamp,
    modified: Timestamp,
    /// The key that the device's SSH server showed at the first use, in OpenSSH's one line. From then on
    /// the device must show that one.
    #[schema(required)]
    host_key: Option<&'a str>,
}

/// What a connection is made of.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field: this says what may be there")]
struct ConnectionBody {
    /// A credential of the device's organization.
    credentials: CredentialId,
    /// Whether commands try it; they do unless told otherwise.
    #[schema(nullable = false)]
    enabled: Option<bool>,
    /// One of OpenWISP's; not kept.
    update_strategy: Option<String>,
    /// In a `PATCH`, null forgets it; nothing else changes it.
    host_key: Option<String>,
}

impl<'a> From<&'a Connection> for ConnectionAnswer<'a> {
    fn from(connection: &'a Connection) -> Self {
        Self {
            id: connection.id,
            credentials: connection.credential,
            update_strategy: "",
            enabled: connection.is_enabled,
            is_working: connection.is_working,
            failure_reason: &connection.failure_reason,
            last_attempt: connection.last_attempt,
            created: connection.created,
            modified: connection.modified,
            host_key: connection.host_key.as_deref(),
        }
    }
}

/// Lists the connections of a device.
///
/// In the order in which they are tried.
#[utoipa::path(
    get,
    path = "/api/v1/controller/device/{id}/connection/",
    tag = "Connections",
    params(PageQuery),
    responses((status = 200, body = PageAnswer<ConnectionAnswer>)),
    security(("user" = ["connection.view_deviceconnection"]))
)]
pub async fn list_connections(
    State(app): State<Arc<App>>,
    PathId(device): PathId<DeviceId>,
    requester: Requester,
    mut listing: Listing,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::View, Model::DeviceConnection)?;
    let device = device_on_the_way(&app, device, &requester).await?;
    let page = listing.page(ROWS)?;
    let connections = app.store.connections(Some(device.id), page).await?;
    let answer: PageAnswer<ConnectionAnswer> = listing.answer(page, &connections)?;
    Ok(Json(answer).into_response())
}

/// Makes a connection.
#[utoipa::path(
    post,
    path = "/api/v1/controller/device/{id}/connection/",
    tag = "Connections",
    request_body(content = ConnectionBody, example = json!({"credentials": "0b9ad1a6-5a52-4b0a-8d0e-37c63dbf5f0e"})),
    responses((status = 201, body = ConnectionAnswer)),
    security(("user" = ["connection.add_deviceconnection"]))
)]
pub async fn create_connection(
    State(app): State<Arc<App>>,
    PathId(device): PathId<DeviceId>,
    requester: Requester,
    body: UnreadBody,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::Add, Model::DeviceConnection)?;
    let device = device_on_the_way(&app, device, &requester).await?;
    let object = body.object().await?;
    let mut fields = Fields::new(&object, Mode::Whole);
    let credential = fields.required_id("credentials");
    let is_enabled = fields.boolean("enabled").unwrap_or(true);
    check_update_strategy(&mut fields);
    keep_host_key(&mut fields, None);
    fields.finish()?;
    // Read as required, so it is there.
    let Some(credential) = credential else {
        return Err(ApiError::internal(&"a required field was read as none"));
    };
    let new = NewConnection {
        device: device.id,
        credential,
        is_enabled,
    };
    let store = app.store.by(requester.actor());
    let connection = store.add_connection(new).await?;
    Ok((
        StatusCode::CREATED,
        Json(ConnectionAnswer::from(&connection)),
    )
        .into_response())
}

/// Reads a connection.
#[utoipa::path(
    get,
    path = "/api/v1/controller/device/{id}/connection/{connection_id}/",
    tag = "Connections",
    responses((status = 200, body = ConnectionAnswer)),
    security(("user" = ["connection.view_deviceconnection"]))
)]
pub async fn get_connection(
    State(app): State<Arc<App>>,
    PathIds(device, id): PathIds<DeviceId, ConnectionId>,
    requester: Requester,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::View, Model::DeviceConnection)?;
    let connection = connection_of(&app, device, id, &requester).await?;
    Ok(Json(ConnectionAnswer::from(&connection)).into_response())
}

/// Changes a connection.
///
/// What is required must be there, the rest may be left as it is. The host key is: a client that sends
/// back what it read some time ago must not make the device forget the key that it showed since.
#[utoipa::path(
    put,
    path = "/api/v1/controller/device/{id}/connection/{connection_id}/",
    tag = "Connections",
    request_body(content = ConnectionBody, example = json!({"credentials": "0b9ad1a6-5a52-4b0a-8d0e-37c63dbf5f0e"})),
    responses((status = 200, body = ConnectionAnswer)),
    security(("user" = ["connection.change_deviceconnection"]))
)]
pub async fn update_connection(
    State(app): State<Arc<App>>,
    PathIds(device, id): PathIds<DeviceId, ConnectionId>,
    requester: Requester,
    body: UnreadBody,
) -> Result<impl IntoResponse, ApiError> {
    change_connection(&app, device, id, &requester, body, Mode::Whole).await
}

/// Changes a connection in part.
///
/// `{"host_key": null}` forgets the host key.
#[utoipa::path(
    patch,
    path = "/api/v1/controller/device/{id}/connection/{connection_id}/",
    tag = "Connections",
    request_body(content = ConnectionBody, example = json!({"host_key": null})),
    responses((status = 200, body = ConnectionAnswer)),
    security(("user" = ["connection.change_deviceconnection"]))
)]
pub async fn patch_connection(
    State(app): State<Arc<App>>,
    PathIds(device, id): PathIds<DeviceId, ConnectionId>,
    requester: Requester,
    body: UnreadBody,
) -> Result<impl IntoResponse, ApiError> {
    change_connection(&app, device, id, &requester, body, Mode::Partial).await
}

async fn change_connection(
    app: &App,
    device: DeviceId,
    id: ConnectionId,
    requester: &Requester,
    body: UnreadBody,
    mode: Mode,
) -> Result<impl IntoResponse + use<>, ApiError> {
    requester.require(Action::Change, Model::DeviceConnection)?;
    let before = connection_of(app, device, id, requester).await?;
    let object = body.object().await?;
    let mut fields = Fields::new(&object, mode);
    let change = ConnectionChange {
        credential: fields.required_id("credentials"),
        is_enabled: fields.boolean("enabled"),
        forget_host_key: mode == Mode::Partial && fields.raw("host_key") == Some(&Value::Null),
    };
    check_update_strategy(&mut fields);
    keep_host_key(&mut fields, before.host_key.as_deref());
    fields.finish()?;
    let store = app.store.by(requester.actor());
    let connection = store.change_connection(id, change).await?;
    Ok(Json(ConnectionAnswer::from(&connection)).into_response())
}

/// Removes a connection.
///
/// The commands that ran with it stay.
#[utoipa::path(
    delete,
    path = "/api/v1/controller/device/{id}/connection/{connection_id}/",
    tag = "Connections",
    responses((status = 204)),
    security(("user" = ["connection.delete_deviceconnection"]))
)]
pub async fn delete_connection(
    State(app): State<Arc<App>>,
    PathIds(device, id): PathIds<DeviceId, ConnectionId>,
    requester: Requester,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::Delete, Model::DeviceConnection)?;
    connection_of(&app, device, id, &requester).await?;
    let store = app.store.by(requester.actor());
    store.remove_connection(id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn connection_of(
    app: &App,
    device: DeviceId,
    id: ConnectionId,
    requester: &Requester,
) -> Result<Connection, ApiError> {
    let device = device_on_the_way(app, device, requester).await?;
    Ok(app.store.connection(device.id, id).await?)
}

fn check_update_strategy(fields: &mut Fields) {
    const NAME: &str = "update_strategy";
    if let Some(value) = fields.raw(NAME).filter(|value| !value.is_null()) {
        let known = |word: &str| UPDATE_STRATEGIES.contains(&word).then_some(());
        fields.choice_of(NAME, value, known);
    }
}

/// The host key is what the device shows. Who sends another one believes to have it checked.
fn keep_host_key(fields: &mut Fields, present: Option<&str>) {
    let is_kept = match fields.raw("host_key") {
        None | Some(Value::Null) => true,
        Some(sent) => sent.as_str().is_some_and(|sent| present == Some(sent)),
    };
    if !is_kept {
        let reason = "The host key is remembered when the device shows it; null forgets it.";
        fields.refuse("host_key", reason);
    }
}
