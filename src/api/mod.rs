//! REST, with OpenWISP's paths, shapes and status codes, and the log-in. All routes are on this
//! page; each resource has a file.
//!
//! A handler asks in this order: who is it ([`identity::Requester`], 401), may it do that at all
//! (403), does the thing exist for this user (404), and only then what the body says (400).

mod body;
mod coordinates;
mod device;
mod device_location;
mod error;
mod field;
mod geojson;
mod geometry;
mod identity;
mod leftover;
mod location;
mod login;
mod page;
#[cfg(test)]
mod tests;
mod token;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn;
use axum::response::Response;
use axum::routing::{MethodRouter, any, get, post};
use http::header::ALLOW;
use http::{HeaderValue, Method, StatusCode};
use tower::util::MapResponseLayer;

use coordinates::{get_device_coordinates, report_device_coordinates};
use device::{
    create_device, delete_device, get_device, list_devices, patch_device, regenerate_device_key,
    update_device,
};
use device_location::{
    delete_device_location, get_device_location, patch_device_location, update_device_location,
};
pub use error::ApiError;
use geojson::list_locations_as_geojson;
use location::{
    create_location, delete_location, get_location, list_location_devices, list_locations,
    patch_location, update_location,
};
use login::{log_in, log_out};
use token::obtain_token;

use crate::app::App;

type Methods = MethodRouter<Arc<App>>;

const LIST: &str = "GET, HEAD, OPTIONS";
const COLLECTION: &str = "GET, POST, HEAD, OPTIONS";
const DETAIL: &str = "GET, PUT, PATCH, DELETE, HEAD, OPTIONS";
const REPORT: &str = "GET, PUT, PATCH, HEAD, OPTIONS";
const ACTION: &str = "POST, OPTIONS";

/// Every path, the methods that `Allow` names for it, and who answers them.
fn resources() -> [(&'static str, &'static str, Methods); 12] {
    [
        ("/api/v1/users/token", ACTION, post(obtain_token)),
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
        (
            "/api/v1/controller/location",
            COLLECTION,
            get(list_locations).post(create_location),
        ),
        (
            "/api/v1/controller/location/geojson",
            LIST,
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
            LIST,
            get(list_location_devices),
        ),
        ("/accounts/login", ACTION, post(log_in)),
        ("/accounts/logout", ACTION, post(log_out)),
    ]
}

/// Everything under `/api/`, and `/accounts/login/` and `/accounts/logout/`. The peer's address is
/// expected as `ConnectInfo<SocketAddr>` in the request.
pub fn routes() -> Router<Arc<App>> {
    let mut router = Router::new();
    for (path, allow, methods) in resources() {
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
