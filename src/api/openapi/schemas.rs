//! How what lies below the API is described: identifiers, instants, positions. Those parts of the
//! house know nothing of documents.

use std::borrow::Cow;

use serde_json::json;
use utoipa::openapi::schema::{
    ArrayBuilder, ArrayItems, ObjectBuilder, OneOfBuilder, Schema, SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{KnownFormat, RefOr};
use utoipa::{PartialSchema, ToSchema};

use crate::access::Endpoint;
use crate::event::{
    BatchId, CommandId, CommandStatus, ConnectionId, CredentialId, DeviceId, GroupId, LocationId,
    LocationType, NodeId, OrganizationId, Point, SocketId, Timestamp, UserId,
};
use crate::store::{BatchStatus, ResultStatus};

macro_rules! described {
    ($($type:ident: $schema:expr),+ $(,)?) => {$(
        impl PartialSchema for $type {
            fn schema() -> RefOr<Schema> {
                Schema::Object($schema.build()).into()
            }
        }

        impl ToSchema for $type {
            fn name() -> Cow<'static, str> {
                stringify!($type).into()
            }
        }
    )+};
}

described! {
    OrganizationId: id("The identifier of an organization.", "2f6d7a52-90cf-4f57-8cbe-6a3bb3f9d8b1"),
    UserId: id("The identifier of a user.", "c1b7e9a4-31f0-4b8e-a2b4-0f6f0a0b7d55"),
    DeviceId: id("The identifier of a device.", "5fdbde33-1887-405b-8e3b-730dd242c9aa"),
    LocationId: id("The identifier of a location.", "93b9b41c-26b1-4807-91f7-699786c9a2d9"),
    CredentialId: id("The identifier of a credential.", "0b9ad1a6-5a52-4b0a-8d0e-37c63dbf5f0e"),
    ConnectionId: id("The identifier of a connection.", "7d5b4c0e-6b7f-4f4e-9b3e-5f1b7a1f0c11"),
    CommandId: id("The identifier of a command.", "ef6c2620-288b-49e1-9f23-42143fbf2b8e"),
    GroupId: id("The identifier of a group.", "9a1c5c0e-3f41-4a8f-8d5c-2f1f5a0f6f21"),
    BatchId: id("The identifier of a batch.", "3c2f0a5e-7b0d-4c55-9e0a-6e0a2b7c9d13"),
    NodeId: id("The identifier of a node.", "6b1e9d0a-2c5f-4d0b-9a1e-8f7c3d2b1a90"),
    SocketId: id("The identifier of an open socket.", "4d1f0c7a-9b3e-8a52-8000-000000000017"),
    Endpoint: text()
        .description(Some("One of the three endpoints that sockets are opened at."))
        .enum_values(Some(["device_commands", "location", "locations"])),
    BatchStatus: text()
        .description(Some(
            "`in-progress` while a command waits or runs; `success` if all that ran succeeded, and one did.",
        ))
        .enum_values(Some(["in-progress", "success", "failed"])),
    ResultStatus: text()
        .description(Some("How the command on a device stands, or that the device was skipped."))
        .enum_values(Some(["queued", "in-progress", "success", "failed", "skipped"])),
    Timestamp: text()
        .description(Some("An instant: ISO 8601, UTC, with microseconds and `Z`."))
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .examples([json!("2026-11-18T11:06:40.500000Z")]),
    LocationType: text()
        .description(Some("Whether a location lies in the open or in a building."))
        .enum_values(Some(["outdoor", "indoor"])),
    CommandStatus: text()
        .description(Some(
            "`in-progress` (also while the command waits for its turn on the device), or how it ended; \
             the last two are final.",
        ))
        .enum_values(Some(["in-progress", "success", "failed"])),
    Point: ObjectBuilder::new()
        .description(Some("A position: a GeoJSON Point (RFC 7946) in WGS 84 degrees."))
        .property("type", text().enum_values(Some(["Point"])))
        .required("type")
        .property("coordinates", position())
        .required("coordinates"),
    AnyObject: ObjectBuilder::new()
        .description(Some("A JSON object of whatever members."))
        .additional_properties(Some(Schema::from(anything()))),
}

/// A JSON object that says itself what it is.
pub struct AnyObject;

/// Why a request was refused.
#[derive(ToSchema)]
#[expect(dead_code, reason = "written by `ApiError`: this says what it writes")]
pub struct Detail {
    detail: String,
}

/// The fields that are wrong, each with its reasons; `non_field_errors` for the body as a whole.
pub struct FieldErrors;

impl PartialSchema for FieldErrors {
    fn schema() -> RefOr<Schema> {
        let reasons = ArrayBuilder::new().items(text()).min_items(Some(1)).build();
        let nested = ObjectBuilder::new()
            .description(Some(
                "Of a field that holds an object: those of its own fields.",
            ))
            .additional_properties(Some(Schema::Array(reasons.clone())));
        let reasons = OneOfBuilder::new().item(reasons).item(nested).build();
        let object = ObjectBuilder::new()
            .description(Some("The fields that are wrong, each with its reasons."))
            .additional_properties(Some(Schema::OneOf(reasons)));
        Schema::Object(object.build()).into()
    }
}

impl ToSchema for FieldErrors {}

/// What is always null.
pub fn null() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Null)
}

fn anything() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::AnyValue)
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn id(description: &str, example: &str) -> ObjectBuilder {
    text()
        .description(Some(description))
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)))
        .examples([json!(example)])
}

/// Longitude and latitude.
fn position() -> ArrayBuilder {
    let degrees = |most: i32| {
        ObjectBuilder::new()
            .schema_type(Type::Number)
            .minimum(Some(-most))
            .maximum(Some(most))
            .build()
    };
    ArrayBuilder::new()
        .prefix_items([degrees(180), degrees(90)])
        .items(ArrayItems::False)
        .description(Some("Longitude and latitude."))
        .min_items(Some(2))
        .examples([json!([12.5, 41.9])])
}
