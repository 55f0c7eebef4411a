//! Commands: asked for here, run by the runner.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;

use super::body::{Object, UnreadBody};
use super::device::device_on_the_way;
use super::error::ApiError;
use super::field::{Fields, Mode};
use super::identity::{PathId, PathIds, Requester};
use super::page::{Listing, OUTPUTS, PageAnswer};
use crate::access::{Action, Model};
use crate::app::App;
use crate::command::types::{CommandType, Input};
use crate::event::{BatchId, CommandId, ConnectionId, DeviceId, Timestamp, UserId};
use crate::store::{Cancelled, Command, Device, FieldErrors, NewCommand, SecretInput};

/// A command as it is answered: OpenWISP's fields in its order, and behind them what is ours.
#[derive(Serialize)]
pub struct CommandAnswer<'a> {
    id: CommandId,
    input: &'a Value,
    device: DeviceId,
    connection: Option<ConnectionId>,
    created: Timestamp,
    modified: Timestamp,
    status: &'static str,
    #[serde(rename = "type")]
    label: &'a str,
    output: &'a str,
    exit_code: Option<i32>,
    created_by: Option<UserId>,
    batch: Option<BatchId>,
}

impl<'a> From<&'a Command> for CommandAnswer<'a> {
    fn from(command: &'a Command) -> Self {
        Self {
            id: command.id,
            input: &command.input,
            device: command.device,
            connection: command.connection,
            created: command.created,
            modified: command.modified,
            status: command.status.on_the_wire(),
            label: &command.label,
            output: &command.output,
            exit_code: command.exit_code,
            created_by: command.created_by,
            batch: command.batch,
        }
    }
}

fn answer(status: StatusCode, command: &Command) -> Response {
    (status, Json(CommandAnswer::from(command))).into_response()
}

/// `GET device/{id}/command/`.
pub async fn list_commands(
    State(app): State<Arc<App>>,
    PathId(device): PathId<DeviceId>,
    requester: Requester,
    mut listing: Listing,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::View, Model::Command)?;
    let device = device_on_the_way(&app, device, &requester).await?;
    let page = listing.page(OUTPUTS)?;
    let commands = app.store.commands(device.id, page).await?;
    let answer: PageAnswer<CommandAnswer> = listing.answer(page, &commands)?;
    Ok(Json(answer).into_response())
}

/// `POST device/{id}/command/`: puts a command into the queue of the device.
pub async fn create_command(
    State(app): State<Arc<App>>,
    PathId(device): PathId<DeviceId>,
    requester: Requester,
    body: UnreadBody,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::Add, Model::Command)?;
    let device = device_on_the_way(&app, device, &requester).await?;
    let organization = app.store.organization(device.organization).await?;
    let object = body.object().await?;
    let find = |name: &str| {
        let mut allowed = app.types.by(device.organization, &organization.slug);
        allowed.find(|known| known.name() == name)
    };
    let new = new_command(&object, &device, find, app.config.commands.queue_s)?;
    let store = app.store.by(requester.actor());
    let command = store.add_command(&new).await?;
    Ok(answer(StatusCode::CREATED, &command))
}

/// `GET device/{id}/command/{command_id}/`.
pub async fn get_command(
    State(app): State<Arc<App>>,
    PathIds(device, id): PathIds<DeviceId, CommandId>,
    requester: Requester,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::View, Model::Command)?;
    let device = device_on_the_way(&app, device, &requester).await?;
    let command = app.store.command(device.id, id).await?;
    Ok(answer(StatusCode::OK, &command))
}

/// Ours: asks for the command's end. Who may run one may cancel one.
pub async fn cancel_command(
    State(app): State<Arc<App>>,
    PathIds(device, id): PathIds<DeviceId, CommandId>,
    requester: Requester,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::Add, Model::Command)?;
    let device = device_on_the_way(&app, device, &requester).await?;
    let store = app.store.by(requester.actor());
    match store.cancel_command(device.id, id).await? {
        Cancelled::Asked(command) => Ok(answer(StatusCode::ACCEPTED, &command)),
        Cancelled::TooLate(_) => Err(ApiError::conflict("The command has ended already.")),
    }
}

/// Reads what is to be run: a type that `find` knows, and an input that fits it.
pub(super) fn type_and_input<'a>(
    fields: &mut Fields,
    find: impl FnOnce(&str) -> Option<&'a CommandType>,
) -> Option<(&'a CommandType, Input)> {
    let kind = fields
        .required("type")
        .and_then(|value| fields.choice_of("type", value, find));
    // Null is what a type without input takes; it has to be said.
    let input = fields.present("input");
    let (kind, input) = (kind?, input?);
    match kind.check(input) {
        Ok(input) => Some((kind, input)),
        Err(errors) => {
            fields.refuse_too(Err(errors));
            None
        }
    }
}

/// Reads a command; `find` knows the types that the device's organization may use.
fn new_command<'a>(
    object: &Object,
    device: &Device,
    find: impl FnOnce(&str) -> Option<&'a CommandType>,
    queue_s: u64,
) -> Result<NewCommand, FieldErrors> {
    let mut fields = Fields::new(object, Mode::Whole);
    let checked = type_and_input(&mut fields, find);
    let connection = fields.optional_id("connection");
    fields.finish()?;
    // What is not there has been told above.
    let (kind, input) = checked.ok_or_else(FieldErrors::default)?;
    Ok(NewCommand {
        device: device.id,
        connection,
        kind: kind.name().to_owned(),
        label: kind.label().to_owned(),
        input: input.shown,
        secret_input: input.plain.map(SecretInput),
        queue_s,
    })
}
