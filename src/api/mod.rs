//! REST, with OpenWISP's paths, shapes and status codes, and the log-in. All routes are on this
//! page; each resource has a file.
//!
//! A handler asks in this order: who is it ([`identity::Requester`], 401), may it do that at all
//! (403), does the thing exist for this user (404), and only then what the body says (400).

mod batch;
mod body;
mod command;
mod command_type;
mod connection;
mod coordinates;
mod credential;
mod device;
mod device_location;
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
mod organization;
mod page;
mod password;
#[cfg(test)]
mod tests;
mod token;
mod user;
mod user_body;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn;
use axum::response::Response;
use axum::routing::{MethodRouter, any, get, post, put};
use http::header::ALLOW;
use http::{HeaderValue, Method, StatusCode};
use tower::util::MapResponseLayer;

use batch::{cancel_batch, create_batch, get_batch, list_batch_devices, list_batches};
pub use command::CommandAnswer;
use command::{cancel_command, create_command, get_command, list_commands};
use command_type::list_command_types;
use connection::{
    create_connection, delete_connection, get_connection, list_connections, patch_connection,
    update_connection,
};
use coordinates::{get_device_coordinates, report_device_coordinates};
use credential::{
    create_credential, delete_credential, get_credential, list_credentials, patch_credential,
    update_credential,
};
use device::{
    activate_device, create_device, deactivate_device, delete_device, get_device, list_devices,
    patch_device, regenerate_device_key, update_device,
};
use device_location::{
    delete_device_location, get_device_location, patch_device_location, update_device_location,
};
pub use error::ApiError;
use geojson::list_locations_as_geojson;
use group::{create_group, delete_group, get_group, list_groups, patch_group, update_group};
use location::{
    create_location, delete_location, get_location, list_location_devices, list_locations,
    patch_location, update_location,
};
use login::{log_in, log_out};
use me::{get_me, patch_me};
use organization::{
    create_organization, delete_organization, get_organization, list_organizations,
    patch_organization, update_organization,
};
use password::set_user_password;
use token::obtain_token;
use user::{create_user, delete_user, get_user, list_users, patch_user, update_user};

use crate::app::App;

type Methods = MethodRouter<Arc<App>>;

const READ_ONLY: &str = "GET, HEAD, OPTIONS";
const COLLECTION: &str = "GET, POST, HEAD, OPTIONS";
const DETAIL: &str = "GET, PUT, PATCH, DELETE, HEAD, OPTIONS";
const REPORT: &str = "GET, PUT, PATCH, HEAD, OPTIONS";
const ACTION: &str = "POST, OPTIONS";
const OWN: &str = "GET, PATCH, HEAD, OPTIONS";
const WRITE_ONLY: &str = "PUT, PATCH, OPTIONS";

/// A path, the methods that `Allow` names for it, and who answers them.
type Resource = (&'static str, &'static str, Methods);

fn accounts() -> [Resource; 3] {
    [
        ("/api/v1/users/token", ACTION, post(obtain_token)),
        ("/accounts/login", ACTION, post(log_in)),
        ("/accounts/logout", ACTION, post(log_out)),
    ]
}

/// Who may, and what.
fn people() -> [Resource; 8] {
    [
        ("/api/v1/users/me", OWN, get(get_me).patch(patch_me)),
        (
            "/api/v1/users/user",
            COLLECTION,
            get(list_users).post(create_user),
        ),
        (
            "/api/v1/users/user/{id}",
            DETAIL,
            get(get_user)
                .put(update_user)
                .patch(patch_user)
                .delete(delete_user),
        ),
        (
            "/api/v1/users/user/{id}/password",
            WRITE_ONLY,
            put(set_user_password).patch(set_user_password),
        ),
        (
            "/api/v1/users/group",
            COLLECTION,
            get(list_groups).post(create_group),
        ),
        (
            "/api/v1/users/group/{id}",
            DETAIL,
            get(get_group)
                .put(update_group)
                .patch(patch_group)
                .delete(delete_group),
        ),
        (
            "/api/v1/users/organization",
            COLLECTION,
            get(list_organizations).post(create_organization),
        ),
        (
            "/api/v1/users/organization/{id}",
            DETAIL,
            get(get_organization)
                .put(update_organization)
                .patch(patch_organization)
                .delete(delete_organization),
        ),
    ]
}

fn devices() -> [Resource; 7] {
    [
        (
            "/api/v1/controller/device",
            COLLECTION,
            get(list_devices).post(create_device),
        ),
        (
            "/api/v1/controller/device/{id}",
            DETAIL,
            get(get_device)
                .put(update_device)
                .patch(patch_device)
                .delete(delete_device),
        ),
        (
            "/api/v1/controller/device/{id}/regenerate-key",
            ACTION,
            post(regenerate_device_key),
        ),
        (
            "/api/v1/controller/device/{id}/activate",
            ACTION,
            post(activate_device),
        ),
        (
            "/api/v1/controller/device/{id}/deactivate",
            ACTION,
            post(deactivate_device),
        ),
        (
            "/api/v1/controller/device/{id}/coordinates",
            REPORT,
            get(get_device_coordinates)
                .put(report_device_coordinates)
                .patch(report_device_coordinates),
        ),
        (
            "/api/v1/controller/device/{id}/location",
            DETAIL,
            get(get_device_location)
                .put(update_device_location)
                .patch(patch_device_location)
                .delete(delete_device_location),
        ),
    ]
}

/// What commands are run with, and the commands.
fn logins_and_commands() -> [Resource; 8] {
    [
        (
            "/api/v1/controller/credential",
            COLLECTION,
            get(list_credentials).post(create_credential),
        ),
        (
            "/api/v1/controller/credential/{id}",
            DETAIL,
            get(get_credential)
                .put(update_credential)
                .patch(patch_credential)
                .delete(delete_credential),
        ),
        (
            "/api/v1/controller/device/{id}/connection",
            COLLECTION,
            get(list_connections).post(create_connection),
        ),
        (
            "/api/v1/controller/device/{id}/connection/{connection_id}",
            DETAIL,
            get(get_connection)
                .put(update_connection)
                .patch(patch_connection)
                .delete(delete_connection),
        ),
        (
            "/api/v1/controller/device/{id}/command",
            COLLECTION,
            get(list_commands).post(create_command),
        ),
        (
            "/api/v1/controller/device/{id}/command/{command_id}",
            READ_ONLY,
            get(get_command),
        ),
        (
            "/api/v1/controller/device/{id}/command/{command_id}/cancel",
            ACTION,
            post(cancel_command),
        ),
        (
            "/api/v1/controller/device/{id}/command-type",
            READ_ONLY,
            get(list_command_types),
        ),
    ]
}

/// One command on many devices.
fn batches() -> [Resource; 4] {
    [
        (
            "/api/v1/controller/batch-command",
            COLLECTION,
            get(list_batches).post(create_batch),
        ),
        (
            "/api/v1/controller/batch-command/{id}",
            READ_ONLY,
            get(get_batch),
        ),
        (
            "/api/v1/controller/batch-command/{id}/device",
            READ_ONLY,
            get(list_batch_devices),
        ),
        (
            "/api/v1/controller/batch-command/{id}/cancel",
            ACTION,
            post(cancel_batch),
        ),
    ]
}

fn locations() -> [Resource; 4] {
    [
        (
            "/api/v1/controller/location",
            COLLECTION,
            get(list_locations).post(create_location),
        ),
        (
            "/api/v1/controller/location/geojson",
            READ_ONLY,
            get(list_locations_as_geojson),
        ),
        (
            "/api/v1/controller/location/{id}",
            DETAIL,
            get(get_location)
                .put(update_location)
                .patch(patch_location)
                .delete(delete_location),
        ),
        (
            "/api/v1/controller/location/{id}/device",
            READ_ONLY,
            get(list_location_devices),
        ),
    ]
}

/// Everything under `/api/`, and `/accounts/login/` and `/accounts/logout/`. The peer's address is
/// expected as `ConnectInfo<SocketAddr>` in the request.
pub fn routes() -> Router<Arc<App>> {
    let mut router = Router::new();
    let resources = accounts()
        .into_iter()
        .chain(people())
        .chain(devices())
        .chain(logins_and_commands())
        .chain(batches())
        .chain(locations());
    for (path, allow, methods) in resources {
        let methods = resource(allow, methods);
        // The slash at the end is canonical; without it the answer is the same.
        router = router
            .route(&format!("{path}/"), methods.clone())
            .route(path, methods);
    }
    router
        .route("/api", any(no_such_path))
        .route("/api/", any(no_such_path))
        .route("/api/{*path}", any(no_such_path))
        .layer(from_fn(leftover::read_to_the_end))
}

/// The methods of one path: OPTIONS and what is not allowed besides, and `Allow` on every answer.
fn resource(allow: &'static str, methods: Methods) -> Methods {
    methods
        .options(describe_methods)
        .fallback(refuse_method)
        .layer(MapResponseLayer::new(move |mut response: Response| {
            response
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static(allow));
            response
        }))
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
