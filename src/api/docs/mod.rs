//! The page for people, made of the OpenAPI document: plain HTML with one small stylesheet inside. It
//! loads nothing, runs nothing, and works with any browser and any screen reader.
//!
//! - `page.rs`: the page, its contents, its operations
//! - `schema.rs`: what a value is, in words and as a list of fields
//! - `example.rs`: requests for `curl`, and answers
//! - `text.rs`: the CommonMark of descriptions

mod example;
mod page;
mod schema;
mod text;

use std::sync::LazyLock;

use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONTENT_SECURITY_POLICY, HeaderMap, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use sha2::{Digest, Sha256};

use super::cached::Cached;
use super::openapi;

const STYLE: &str = include_str!("style.css");

static PAGE: LazyLock<Cached> = LazyLock::new(|| {
    let page = page::page(&openapi::document(), STYLE);
    Cached::new("text/html; charset=utf-8", page.into_string())
});

/// Nothing but the stylesheet that is in the page.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let digest = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).expect("a policy is plain ASCII")
});

/// This interface, for people.
///
/// No log-in is needed.
#[utoipa::path(
    get,
    path = "/api/v1/docs/",
    tag = "Documents",
    responses(
        (status = 200, description = "The page.", body = String, content_type = "text/html; charset=utf-8"),
        (status = 304)
    )
)]
pub async fn get_docs(headers: HeaderMap) -> Response {
    let mut response = PAGE.answer(&headers);
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, POLICY.clone());
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}
