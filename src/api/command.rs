//! Commands: asked for here, run by the runner.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::body::{Object, UnreadBody};
use super::device::device_on_the_way;
use super::error::ApiError;
use super::field::{Fields, Mode};
use super::identity::{PathId, PathIds, Requester};
use super::openapi::AnyObject;
use super::page::{Listing, OUTPUTS, PageAnswer, PageQuery};
use crate::access::{Action, Model};
use crate::app::App;
use crate::command::queue_limits;
use crate::command::types::{CommandType, Input};
use crate::config::Config;
use crate::event::{BatchId, CommandId, CommandStatus, ConnectionId, DeviceId, Timestamp, UserId};
use crate::store::{Cancelled, Command, Device, FieldErrors, NewCommand, SecretInput};

/// A command as it is answered: OpenWISP's fields in its order, and behind them what is ours.
#[derive(Serialize, ToSchema)]
#[schema(as = Command, description = "One execution on one device.")]
pub struct CommandAnswer<'a> {
    id: CommandId,
    /// As it was sent, what is secret in it masked; null for a type that takes none.
    #[schema(value_type = Option<AnyObject>, required)]
    input: &'a Value,
    device: DeviceId,
    /// The login that is used, once that is known.
    #[schema(required)]
    connection: Option<ConnectionId>,
    created: Timestamp,
    modified: Timestamp,
    #[schema(value_type = CommandStatus)]
    status: &'static str,
    /// The display name of its type, such as `Custom Command`.
    #[serde(rename = "type")]
    label: &'a str,
    /// What the device has printed so far; of a failed command the last line says why.
    output: &'a str,
    /// Null unless the command ran to an end of its own.
    #[schema(required)]
    exit_code: Option<i32>,
    /// Null for commands from the command line.
    #[schema(required)]
    created_by: Option<UserId>,
    /// The batch that it is a part of, if it is.
    #[schema(required)]
    batch: Option<BatchId>,
}

/// What is to be run.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field: this says what may be there")]
struct CommandBody {
    /// `custom`, `reboot`, `change_password`, or a type of the configuration that the device's
    /// organization may use.
    #[schema(examples("custom", "reboot", "change_password"))]
    r#type: String,
    /// What the type takes: `{"command": "…"}`, null, `{"password": "…", "confirm_password": "…"}`.
    #[schema(required)]
    input: Option<AnyObject>,
    /// The one login to run with, where otherwise all that are enabled are tried in order.
    connection: Option<ConnectionId>,
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

/// Lists the commands of a device.
#[utoipa::path(
    get,
    path = "/api/v1/controller/device/{id}/command/",
    tag = "Commands",
    params(PageQuery),
    responses((status = 200, body = PageAnswer<CommandAnswer>)),
    security(("user" = ["connection.view_command"]))
)]
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

/// Runs a command on a device.
///
/// It waits for its turn in the queue of the device: the answer is the command, `in-progress`. The
/// WebSocket of the device brings each change of it.
#[utoipa::path(
    post,
    path = "/api/v1/controller/device/{id}/command/",
    tag = "Commands",
    request_body(content = CommandBody, example = json!({"type": "custom", "input": {"command": "uptime"}})),
    responses((status = 201, body = CommandAnswer), (status = 429)),
    security(("user" = ["connection.add_command"]))
)]
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
    let new = new_command(&object, &device, find, &app.config)?;
    let store = app.store.by(requester.actor());
    let command = store.add_command(&new).await?;
    Ok(answer(StatusCode::CREATED, &command))
}

/// Reads a command.
///
/// With its output so far.
#[utoipa::path(
    get,
    path = "/api/v1/controller/device/{id}/command/{command_id}/",
    tag = "Commands",
    responses((status = 200, body = CommandAnswer)),
    security(("user" = ["connection.view_command"]))
)]
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

/// Asks for a command's end.
///
/// A command that waits is `failed` at once, one that runs is told to end and is `in-progress` until it
/// has. Ours, not OpenWISP's.
#[utoipa::path(
    post,
    path = "/api/v1/controller/device/{id}/command/{command_id}/cancel/",
    tag = "Commands",
    responses((status = 202, body = CommandAnswer), (status = 409)),
    security(("user" = ["connection.add_command"]))
)]
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
    config: &Config,
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
        queue_s: config.commands.queue_s,
        limits: queue_limits(&config.limits),
    })
}
