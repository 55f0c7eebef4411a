//! The OpenAPI document, made of the table of handlers and of what they say of themselves.
//!
//! - `mod.rs`: the document as a whole, and its handler
//! - `conventions.rs`: what is the same for all handlers, and so is not repeated at each
//! - `schemas.rs`: how the parts of answers that have no struct of their own are described
//!
//! A new resource: `#[utoipa::path]` above each handler, `ToSchema` on what it answers and on a
//! struct that says what its body may hold, a line in the table of `api/mod.rs`; then renew
//! `docs/openapi.json` with `make openapi`.

mod conventions;
mod schemas;

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use serde_json::{Value, json};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, OpenApiBuilder, Paths};

use super::cached::Cached;
pub use schemas::{AnyObject, null};

const TITLE: &str = "fleetwire";

const DESCRIPTION: &str = include_str!("introduction.md");

/// The groups of operations, in the order in which people read them.
const TAGS: [(&str, &str); 13] = [
    (
        "Log-in",
        "Tokens for scripts, sessions for browsers. Attempts are counted by user name and by address.",
    ),
    (
        "Users",
        "Who uses this server. Nobody gives or takes a right that they lack, nor changes their own.",
    ),
    (
        "Groups",
        "Named sets of permissions, which all tenants share.",
    ),
    ("Organizations", "The tenants."),
    (
        "Devices",
        "What reports coordinates and what commands run on.",
    ),
    (
        "Coordinates",
        "Where a device is, told and asked by the device itself.",
    ),
    ("Locations", "Places, and the present places of what moves."),
    (
        "Credentials",
        "What devices are logged in to with, over SSH.",
    ),
    (
        "Connections",
        "Which credentials a device is logged in to with, and how the last attempt went.",
    ),
    ("Commands", "What is run on devices, and what came of it."),
    ("Batches", "One command on many devices."),
    (
        "Nodes",
        "The processes that serve this database, and who has sockets open. For superusers.",
    ),
    ("Documents", "This interface, described."),
];

/// The whole document.
pub fn document() -> Value {
    let mut paths = Paths::new();
    let mut components = ComponentsBuilder::new();
    for (schemas, documented, _) in super::resources() {
        paths.merge(documented);
        components = components.schemas_from_iter(schemas);
    }
    let document = OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title(TITLE)
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(DESCRIPTION)),
        )
        .paths(paths)
        .components(Some(
            components
                .schema_from::<schemas::Detail>()
                .schema_from::<schemas::FieldErrors>()
                .build(),
        ))
        .build();
    let mut document = serde_json::to_value(document).expect("the document is plain JSON");
    document["tags"] = TAGS
        .iter()
        .map(|(name, description)| json!({"name": name, "description": description}))
        .collect();
    conventions::apply(&mut document);
    document
}

/// The document as it is served, and as it lies in `docs/`.
///
/// # Panics
/// Never: descriptions and schemas always become JSON.
#[must_use]
pub fn text() -> String {
    format!("{:#}\n", document())
}

static SERVED: LazyLock<Cached> = LazyLock::new(|| Cached::new("application/json", text()));

/// This document.
///
/// OpenAPI 3.1. No log-in is needed.
#[utoipa::path(
    get,
    path = "/api/v1/openapi.json",
    tag = "Documents",
    responses((status = 200, description = "The document.", body = AnyObject), (status = 304))
)]
pub async fn get_openapi(headers: HeaderMap) -> Response {
    SERVED.answer(&headers).into_response()
}
