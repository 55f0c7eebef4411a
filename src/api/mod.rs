//! REST, with OpenWISP's paths, shapes and status codes, and the log-in. All handlers are named on this
//! page; each resource has a file.
//!
//! A handler asks in this order: who is it ([`identity::Requester`], 401), may it do that at all
//! (403), does the thing exist for this user (404), and only then what the body says (400).
//!
//! Its method, its path and what the documents say of it stand above it (`#[utoipa::path]`). The
//! table below is what both the router and the OpenAPI document are made of, so that a handler
//! without documentation cannot be served; `openapi/` adds what all have in common.

mod batch;
mod body;
mod cached;
mod command;
mod command_type;
mod connection;
mod coordinates;
mod credential;
mod device;
mod device_location;
mod docs;
mod error;
mod field;
mod geojson;
mod geometry;
mod group;
mod identity;
mod leftover;
mod location;
mod login;
mod me;
mod node;
mod openapi;
mod organization;
mod page;
mod password;
pub mod reading;
mod setup;
mod socket;
#[cfg(test)]
mod tests;
mod token;
mod user;
mod user_body;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{MethodRouter, any};
use http::header::ALLOW;
use http::{HeaderValue, Method, StatusCode};
use tower::util::MapResponseLayer;
use utoipa::openapi::path::PathItem;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;

pub use command::CommandAnswer;
pub use error::ApiError;
pub use openapi::text as openapi;

use crate::app::App;
use crate::telemetry::{Limit, Metrics};

type Methods = MethodRouter<Arc<App>>;

/// A path: the schemas of what it takes and answers, its documented methods, and who answers them.
type Resource = UtoipaMethodRouter<Arc<App>>;

/// Every path that is served.
fn resources() -> Vec<Resource> {
    let mut resources = accounts();
    resources.extend(people());
    resources.extend(devices());
    resources.extend(logins_and_commands());
    resources.extend(batches());
    resources.extend(locations());
    resources.extend(nodes());
    resources.extend(documents());
    resources
}

fn accounts() -> Vec<Resource> {
    vec![
        routes!(token::obtain_token),
        routes!(login::log_in),
        routes!(login::log_out),
        routes!(setup::get_setup, setup::create_first_superuser),
    ]
}

/// Who uses this server, and what they may.
fn people() -> Vec<Resource> {
    vec![
        routes!(user::list_users, user::create_user),
        routes!(
            user::get_user,
            user::update_user,
            user::patch_user,
            user::delete_user
        ),
        routes!(password::set_user_password, password::patch_user_password),
        routes!(me::get_me, me::patch_me),
        routes!(group::list_groups, group::create_group),
        routes!(
            group::get_group,
            group::update_group,
            group::patch_group,
            group::delete_group
        ),
        routes!(
            organization::list_organizations,
            organization::create_organization
        ),
        routes!(
            organization::get_organization,
            organization::update_organization,
            organization::patch_organization,
            organization::delete_organization
        ),
    ]
}

fn devices() -> Vec<Resource> {
    vec![
        routes!(device::list_devices, device::create_device),
        routes!(
            device::get_device,
            device::update_device,
            device::patch_device,
            device::delete_device
        ),
        routes!(device::regenerate_device_key),
        routes!(device::activate_device),
        routes!(device::deactivate_device),
        routes!(
            coordinates::get_device_coordinates,
            coordinates::report_device_coordinates,
            coordinates::patch_device_coordinates
        ),
        routes!(
            device_location::get_device_location,
            device_location::update_device_location,
            device_location::patch_device_location,
            device_location::delete_device_location
        ),
    ]
}

/// What commands are run with, and the commands.
fn logins_and_commands() -> Vec<Resource> {
    vec![
        routes!(credential::list_credentials, credential::create_credential),
        routes!(
            credential::get_credential,
            credential::update_credential,
            credential::patch_credential,
            credential::delete_credential
        ),
        routes!(connection::list_connections, connection::create_connection),
        routes!(
            connection::get_connection,
            connection::update_connection,
            connection::patch_connection,
            connection::delete_connection
        ),
        routes!(command::list_commands, command::create_command),
        routes!(command::get_command),
        routes!(command::cancel_command),
        routes!(command_type::list_command_types),
    ]
}

/// One command on many devices.
fn batches() -> Vec<Resource> {
    vec![
        routes!(batch::list_batches, batch::create_batch),
        routes!(batch::get_batch),
        routes!(batch::list_batch_devices),
        routes!(batch::cancel_batch),
    ]
}

fn locations() -> Vec<Resource> {
    vec![
        routes!(location::list_locations, location::create_location),
        routes!(geojson::list_locations_as_geojson),
        routes!(
            location::get_location,
            location::update_location,
            location::patch_location,
            location::delete_location
        ),
        routes!(location::list_location_devices),
    ]
}

/// The processes that serve this database, and who is connected to them.
fn nodes() -> Vec<Resource> {
    vec![
        routes!(node::list_nodes),
        routes!(socket::list_sockets),
        routes!(socket::close_sockets),
    ]
}

/// What this interface says of itself.
fn documents() -> Vec<Resource> {
    vec![routes!(openapi::get_openapi), routes!(docs::get_docs)]
}

/// Everything under `/api/`, and `/accounts/login/` and `/accounts/logout/`. The peer's address is
/// expected as `ConnectInfo<SocketAddr>` in the request.
pub fn routes() -> Router<Arc<App>> {
    let mut router = Router::new();
    for (_, paths, methods) in resources() {
        for (path, item) in &paths.paths {
            let methods = resource(item, methods.clone());
            // The slash at the end is canonical; without it the answer is the same.
            if let Some(bare) = path.strip_suffix('/') {
                router = router.route(bare, methods.clone());
            }
            router = router.route(path, methods);
        }
    }
    router
        .route("/api", any(no_such_path))
        .route("/api/", any(no_such_path))
        .route("/api/{*path}", any(no_such_path))
        .layer(from_fn(leftover::read_to_the_end))
}

/// Counts the limits that answers were given because of.
pub async fn count_limits(
    State(metrics): State<Arc<Metrics>>,
    request: Request,
    next: Next,
) -> Response {
    let response = next.run(request).await;
    if let Some(limit) = response.extensions().get::<Limit>() {
        metrics.limit_hit(*limit);
    }
    response
}

/// The methods of one path: OPTIONS and what is not allowed besides, and `Allow` on every answer.
fn resource(item: &PathItem, methods: Methods) -> Methods {
    let allow = allowed(item);
    methods
        .options(describe_methods)
        .fallback(refuse_method)
        .layer(MapResponseLayer::new(move |mut response: Response| {
            response.headers_mut().insert(ALLOW, allow.clone());
            response
        }))
}

/// The methods of a path, as `Allow` names them.
fn allowed(item: &PathItem) -> HeaderValue {
    let methods = [
        ("GET", &item.get),
        ("POST", &item.post),
        ("PUT", &item.put),
        ("PATCH", &item.patch),
        ("DELETE", &item.delete),
        // Answered like GET.
        ("HEAD", &item.get),
    ];
    let mut allow = String::new();
    for (method, operation) in methods {
        if operation.is_some() {
            allow.push_str(method);
            allow.push_str(", ");
        }
    }
    HeaderValue::try_from(allow + "OPTIONS").expect("method names are plain ASCII")
}

/// `Allow` is the answer.
async fn describe_methods() -> StatusCode {
    StatusCode::NO_CONTENT
}

async fn refuse_method(method: Method) -> ApiError {
    ApiError::method_not_allowed(&method)
}

async fn no_such_path() -> ApiError {
    ApiError::not_found()
}
