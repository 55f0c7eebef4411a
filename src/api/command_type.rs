//! Command types: what may be asked of a device.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::Serialize;
use serde_json::Value;

use super::device::device_on_the_way;
use super::error::ApiError;
use super::identity::{PathId, Requester};
use crate::access::{Action, Model};
use crate::app::App;
use crate::event::DeviceId;

/// A command type as it is answered.
#[derive(Serialize)]
struct CommandTypeAnswer<'a> {
    name: &'a str,
    label: &'a str,
    schema: Option<&'a Value>,
    tty: bool,
    timeout_s: u64,
}

/// `GET device/{id}/command-type/`, ours: the types that the device's organization may use.
pub async fn list_command_types(
    State(app): State<Arc<App>>,
    PathId(device): PathId<DeviceId>,
    requester: Requester,
) -> Result<impl IntoResponse, ApiError> {
    requester
        .require(Action::View, Model::Command)
        .or_else(|_| requester.require(Action::Add, Model::Command))?;
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
