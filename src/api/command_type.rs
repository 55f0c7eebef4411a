//! Command types: what may be asked of a device.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::device::device_on_the_way;
use super::error::ApiError;
use super::identity::{PathId, Requester};
use super::openapi::AnyObject;
use crate::access::{Action, Model};
use crate::app::App;
use crate::event::DeviceId;

/// A command type as it is answered.
#[derive(Serialize, ToSchema)]
#[schema(as = CommandType, description = "What can be run.")]
struct CommandTypeAnswer<'a> {
    /// What it is asked for by, such as `custom`.
    name: &'a str,
    /// What people call it.
    label: &'a str,
    /// The JSON Schema of its input; null where it takes none.
    #[schema(value_type = Option<AnyObject>, required)]
    schema: Option<&'a Value>,
    /// Whether it is given a terminal.
    tty: bool,
    /// Seconds that it may run.
    timeout_s: u64,
}

/// Lists the command types that the device's organization may use.
///
/// Ours, not OpenWISP's.
#[utoipa::path(
    get,
    path = "/api/v1/controller/device/{id}/command-type/",
    tag = "Commands",
    responses((status = 200, body = Vec<CommandTypeAnswer>)),
    security(("user" = ["connection.add_command"]))
)]
pub async fn list_command_types(
    State(app): State<Arc<App>>,
    PathId(device): PathId<DeviceId>,
    requester: Requester,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::Add, Model::Command)?;
    let device = device_on_the_way(&app, device, &requester).await?;
    let organization = app.store.organization(device.organization).await?;
    let usual = app.config.commands.timeout_s;
    let types = app.types.by(device.organization, &organization.slug);
    let answer = types.map(|kind| CommandTypeAnswer {
        name: kind.name(),
        label: kind.label(),
        schema: kind.schema(),
        tty: kind.tty(),
        timeout_s: kind.timeout().map_or(usual, |timeout| timeout.as_secs()),
    });
    Ok(Json(answer.collect::<Vec<_>>()).into_response())
}
