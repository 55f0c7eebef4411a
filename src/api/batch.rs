//! Batches: one command on many devices, ours.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::body::{Object, UnreadBody};
use super::command::type_and_input;
use super::error::ApiError;
use super::field::{Fields, Mode, id};
use super::identity::{PathId, Requester};
use super::openapi::AnyObject;
use super::page::{Listing, PageAnswer, PageQuery, ROWS};
use crate::access::{Action, Model};
use crate::app::App;
use crate::command::queue_limits;
use crate::command::types::CommandType;
use crate::event::{BatchId, CommandId, DeviceId, LocationId, OrganizationId, Timestamp, UserId};
use crate::store::{
    Batch, BatchDevice, BatchFilter, BatchStatus, FieldErrors, NewBatch, Organization,
    ResultStatus, Scope, SecretInput, Selection,
};

/// A batch as it is answered.
#[derive(Serialize, ToSchema)]
#[schema(as = Batch, description = "One command on many devices.")]
struct BatchAnswer<'a> {
    /// Null for a dry run.
    #[schema(required)]
    id: Option<BatchId>,
    /// The display name of its type, such as `Custom Command`.
    #[serde(rename = "type")]
    kind: &'a str,
    /// Secrets are masked.
    #[schema(value_type = Option<AnyObject>, required)]
    input: &'a Value,
    label: &'a str,
    notes: &'a str,
    /// The devices that were named, if any were. Left out of lists.
    #[schema(value_type = Option<Vec<DeviceId>>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[expect(clippy::option_option, reason = "left out, null or a list")]
    devices: Option<Option<&'a BTreeSet<DeviceId>>>,
    #[schema(required)]
    organization: Option<OrganizationId>,
    #[schema(required)]
    location: Option<LocationId>,
    #[schema(required)]
    search: Option<&'a str>,
    #[schema(value_type = BatchStatus)]
    status: &'static str,
    /// Null for one whose maker is gone.
    #[schema(required)]
    created_by: Option<UserId>,
    /// Null for a dry run.
    #[schema(required)]
    created: Option<Timestamp>,
    /// Null for a dry run.
    #[schema(required)]
    modified: Option<Timestamp>,
    /// Devices, skipped ones included; of the organizations that the one who asks manages, as all
    /// counts here.
    total: i64,
    queued: i64,
    running: i64,
    success: i64,
    failed: i64,
    skipped: i64,
    /// Of a dry run: what would be done on each device.
    #[serde(skip_serializing_if = "Option::is_none")]
    results: Option<Vec<BatchDeviceAnswer<'a>>>,
}

impl<'a> From<&'a Batch> for BatchAnswer<'a> {
    fn from(batch: &'a Batch) -> Self {
        let progress = &batch.progress;
        Self {
            id: Some(batch.id),
            kind: &batch.kind_label,
            input: &batch.input,
            label: &batch.label,
            notes: &batch.notes,
            devices: None,
            organization: batch.selection.organization,
            location: batch.selection.location,
            search: batch.selection.search.as_deref(),
            status: batch.status().word(),
            created_by: batch.created_by,
            created: Some(batch.created),
            modified: progress.modified.max(Some(batch.created)),
            total: progress.total(),
            queued: progress.queued,
            running: progress.running,
            success: progress.success,
            failed: progress.failed,
            skipped: progress.skipped,
            results: None,
        }
    }
}

impl<'a> BatchAnswer<'a> {
    fn whole(batch: &'a Batch) -> Self {
        Self {
            devices: Some(batch.selection.devices.as_ref()),
            ..Self::from(batch)
        }
    }
}

/// What a batch did on a device, as it is answered.
#[derive(Serialize, ToSchema)]
#[schema(as = BatchDevice, description = "What a batch did on one device.")]
struct BatchDeviceAnswer<'a> {
    device: DeviceId,
    /// As it was called then.
    device_name: &'a str,
    organization: OrganizationId,
    /// Null where it was skipped, and when the command is gone.
    #[schema(required)]
    command: Option<CommandId>,
    #[schema(value_type = ResultStatus)]
    status: &'static str,
    #[schema(required)]
    exit_code: Option<i32>,
    /// The last line of the output that says something.
    last_line: &'a str,
    /// Why it was skipped.
    #[schema(required)]
    reason: Option<&'a str>,
}

/// What is to be run, and on which devices: at least one of `devices`, `organization`, `location` and
/// `search`; several narrow each other.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field: this says what may be there")]
struct BatchBody {
    /// `custom`, `reboot`, `change_password`, or a type of the configuration.
    #[schema(examples("custom", "reboot", "change_password"))]
    r#type: String,
    /// What the type takes.
    #[schema(required)]
    input: Option<AnyObject>,
    #[schema(max_length = 64, nullable = false)]
    label: Option<String>,
    #[schema(nullable = false)]
    notes: Option<String>,
    /// These devices.
    devices: Option<Vec<DeviceId>>,
    /// Those of this organization.
    organization: Option<OrganizationId>,
    /// Those at this location.
    location: Option<LocationId>,
    /// Those with this in their name, MAC address or management address.
    search: Option<String>,
}

/// Whether anything is to happen.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read by `Listing`: this says what may be there")]
struct DryRunQuery {
    /// Only say what would be done.
    dry_run: Option<bool>,
}

/// What the list of batches is filtered by.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read by `Listing`: this says what may be there")]
struct BatchQuery {
    /// Only those with a device of this organization.
    organization: Option<OrganizationId>,
    /// Only those that stand there.
    status: Option<BatchStatus>,
    /// Only those of the type of this name, such as `custom`.
    r#type: Option<String>,
}

/// What the results of a batch are filtered by.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read by `Listing`: this says what may be there")]
struct ResultQuery {
    /// Only those that stand there.
    status: Option<ResultStatus>,
}

impl<'a> From<&'a BatchDevice> for BatchDeviceAnswer<'a> {
    fn from(device: &'a BatchDevice) -> Self {
        Self {
            device: device.device,
            device_name: &device.name,
            organization: device.organization,
            command: device.command,
            status: device.status.word(),
            exit_code: device.exit_code,
            last_line: &device.last_line,
            reason: device.reason.as_deref(),
        }
    }
}

fn answer(status: StatusCode, batch: &Batch) -> Response {
    (status, Json(BatchAnswer::whole(batch))).into_response()
}

/// Lists batches.
///
/// Those with a device of an organization that the user manages. Ours, not OpenWISP's.
#[utoipa::path(
    get,
    path = "/api/v1/controller/batch-command/",
    tag = "Batches",
    params(PageQuery, BatchQuery),
    responses((status = 200, body = PageAnswer<BatchAnswer>)),
    security(("user" = ["connection.view_command"]))
)]
pub async fn list_batches(
    State(app): State<Arc<App>>,
    requester: Requester,
    mut listing: Listing,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::View, Model::Command)?;
    let filter = BatchFilter {
        organization: listing.organization(),
        status: listing.choice("status"),
        kind: listing.text("type"),
    };
    let page = listing.page(ROWS)?;
    let batches = app.store.batches(&requester.scope(), &filter, page).await?;
    let answer: PageAnswer<BatchAnswer> = listing.answer(page, &batches)?;
    Ok(Json(answer).into_response())
}

/// Runs one command on many devices.
///
/// Puts it into the queue of each; those that cannot run it are skipped. `?dry_run=true` only says what
/// that would do, in `results`. Ours, not OpenWISP's.
#[utoipa::path(
    post,
    path = "/api/v1/controller/batch-command/",
    tag = "Batches",
    request_body(content = BatchBody, example = json!({"type": "custom", "input": {"command": "uptime"}, "organization": "2f6d7a52-90cf-4f57-8cbe-6a3bb3f9d8b1", "search": "bus"})),
    params(DryRunQuery),
    responses(
        (status = 201, body = BatchAnswer),
        (status = 200, description = "What would be done.", body = BatchAnswer),
        (status = 429)
    ),
    security(("user" = ["connection.add_command"]))
)]
pub async fn create_batch(
    State(app): State<Arc<App>>,
    requester: Requester,
    mut listing: Listing,
    body: UnreadBody,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::Add, Model::Command)?;
    let object = body.object().await?;
    let is_dry = listing.dry_run()?;
    let (store, scope) = (app.store.by(requester.actor()), requester.scope());
    let new = new_batch(&app, &object, &scope).await?;
    if !is_dry {
        let batch = store.add_batch(&new, &scope).await?;
        return Ok(answer(StatusCode::CREATED, &batch));
    }
    let draft = store.plan_batch(&new, &scope).await?;
    let answer = BatchAnswer {
        id: None,
        created: None,
        modified: None,
        results: Some(draft.devices.iter().map(Into::into).collect()),
        ..BatchAnswer::whole(&draft.batch)
    };
    Ok(Json(answer).into_response())
}

/// Reads a batch, and how far it is.
#[utoipa::path(
    get,
    path = "/api/v1/controller/batch-command/{id}/",
    tag = "Batches",
    responses((status = 200, body = BatchAnswer)),
    security(("user" = ["connection.view_command"]))
)]
pub async fn get_batch(
    State(app): State<Arc<App>>,
    PathId(id): PathId<BatchId>,
    requester: Requester,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::View, Model::Command)?;
    let batch = app.store.batch(id, &requester.scope()).await?;
    Ok(answer(StatusCode::OK, &batch))
}

/// Lists what came of a batch on each device, by the device's name.
#[utoipa::path(
    get,
    path = "/api/v1/controller/batch-command/{id}/device/",
    tag = "Batches",
    params(PageQuery, ResultQuery),
    responses((status = 200, body = PageAnswer<BatchDeviceAnswer>)),
    security(("user" = ["connection.view_command"]))
)]
pub async fn list_batch_devices(
    State(app): State<Arc<App>>,
    PathId(id): PathId<BatchId>,
    requester: Requester,
    mut listing: Listing,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::View, Model::Command)?;
    let scope = requester.scope();
    app.store.batch(id, &scope).await?;
    let status = listing.choice("status");
    let page = listing.page(ROWS)?;
    let devices = app.store.batch_devices(id, &scope, status, page).await?;
    let answer: PageAnswer<BatchDeviceAnswer> = listing.answer(page, &devices)?;
    Ok(Json(answer).into_response())
}

/// Asks for the end of all that has not ended.
#[utoipa::path(
    post,
    path = "/api/v1/controller/batch-command/{id}/cancel/",
    tag = "Batches",
    responses((status = 202, body = BatchAnswer), (status = 409)),
    security(("user" = ["connection.add_command"]))
)]
pub async fn cancel_batch(
    State(app): State<Arc<App>>,
    PathId(id): PathId<BatchId>,
    requester: Requester,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::Add, Model::Command)?;
    let (store, scope) = (app.store.by(requester.actor()), requester.scope());
    if !store.cancel_batch(id, &scope).await? {
        return Err(ApiError::conflict("The batch has ended already."));
    }
    let batch = store.batch(id, &scope).await?;
    Ok(answer(StatusCode::ACCEPTED, &batch))
}

/// Reads a batch. A type that some organizations in scope may not use is skipped on their devices
/// later; one that none of them may use does not exist.
async fn new_batch(app: &App, object: &Object, scope: &Scope) -> Result<NewBatch, ApiError> {
    let mut fields = Fields::new(object, Mode::Whole);
    let mut organizations = app.store.organizations().await?;
    organizations.retain(|it| scope.contains(it.id));
    let may_use = |kind: &CommandType, it: &Organization| app.types.allows(kind, it.id, &it.slug);
    let is_known = |kind: &&CommandType| organizations.iter().any(|it| may_use(kind, it));
    let checked = type_and_input(&mut fields, |name| app.types.get(name).filter(is_known));
    let label = fields.text("label").unwrap_or_default();
    let notes = fields.text("notes").unwrap_or_default();
    fields.refuse_too(NewBatch::check(&label, &notes));
    let selection = selection(&mut fields);
    fields.finish()?;
    // What is not there has been told above.
    let (kind, input) = checked.ok_or_else(FieldErrors::default)?;
    Ok(NewBatch {
        kind: kind.name().to_owned(),
        kind_label: kind.label().to_owned(),
        input: input.shown,
        secret_input: input.plain.map(SecretInput),
        allowed: organizations
            .iter()
            .filter(|it| may_use(kind, it))
            .map(|it| it.id)
            .collect(),
        label,
        notes,
        selection,
        most: app.config.batch.max_devices,
        queue_s: app.config.batch.queue_s,
        limits: queue_limits(&app.config.limits),
    })
}

/// Reads which devices are wanted. Null is the same as nothing.
fn selection(fields: &mut Fields) -> Selection {
    let selection = Selection {
        devices: device_ids(fields),
        organization: fields.optional_id("organization"),
        location: fields.optional_id("location"),
        search: fields.nullable_text("search").flatten(),
    };
    let mut names = ["devices", "organization", "location", "search"].into_iter();
    let is_named = names.any(|name| fields.raw(name).is_some_and(|value| !value.is_null()));
    // Whoever named something wrong has been told so.
    if !(is_named && selection.is_empty()) {
        fields.refuse_too(selection.check());
    }
    selection
}

fn device_ids(fields: &mut Fields) -> Option<BTreeSet<DeviceId>> {
    const NAME: &str = "devices";
    let value = fields.raw(NAME).filter(|value| !value.is_null())?;
    let items = fields.items_of(NAME, value)?;
    let mut devices = BTreeSet::new();
    for item in items {
        match id(item) {
            Ok(device) => {
                devices.insert(device);
            }
            Err(reason) => fields.refuse(NAME, reason),
        }
    }
    Some(devices)
}
