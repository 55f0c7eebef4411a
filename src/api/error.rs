//! What REST answers when it does not do what was asked, in the shapes of Django REST framework:
//! `{"detail": "…"}`, or `{"<field>": ["…"]}` when fields are wrong.

use std::fmt::Display;
use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, StatusCode};
use serde_json::{Value, json};

use crate::access::DirectoryError;
use crate::access::administration::Refusal;
use crate::access::login::LoginError;
use crate::store::{CoordinatesError, FieldErrors, QueueFull, StoreError};
use crate::telemetry::{Limit, Throttled};

/// An answer that is none: what the client reads, and beside it what only the log does.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    /// JSON.
    body: String,
    /// For the log only.
    cause: Option<String>,
    retry_after_s: Option<u64>,
    /// The limit of the configuration that was met, for who counts.
    limit: Option<Limit>,
}

/// Seconds after which trying again is worthwhile when the database or the directory is away.
const RETRY_UNAVAILABLE_S: u64 = 2;

/// The same when the queue of commands is full: about the time that one takes.
const RETRY_QUEUE_S: u64 = 30;

impl ApiError {
    fn new(status: StatusCode, code: &'static str, body: &Value) -> Self {
        Self {
            status,
            code,
            body: body.to_string(),
            cause: None,
            retry_after_s: None,
            limit: None,
        }
    }

    fn detail(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(status, code, &json!({ "detail": detail.into() }))
    }

    /// The status and the JSON text of the answer.
    pub(super) fn into_parts(self) -> (StatusCode, String) {
        (self.status, self.body)
    }

    fn caused_by(mut self, cause: &dyn Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    fn because_of(mut self, limit: Limit) -> Self {
        self.limit = Some(limit);
        self
    }

    /// 401: nothing proves who asks.
    pub(crate) fn not_authenticated() -> Self {
        let detail = "Authentication credentials were not provided.";
        Self::detail(StatusCode::UNAUTHORIZED, "not_authenticated", detail)
    }

    /// 401: a token that proves nobody.
    pub(crate) fn invalid_token() -> Self {
        Self::detail(StatusCode::UNAUTHORIZED, "invalid_token", "Invalid token.")
    }

    /// 403: the user lacks the permission, whatever it is about.
    pub(crate) fn permission_denied() -> Self {
        let detail = "You do not have permission to perform this action.";
        Self::detail(StatusCode::FORBIDDEN, "permission_denied", detail)
    }

    /// 403: a browser may have sent this for somebody else's page.
    pub(crate) fn csrf(reason: &str) -> Self {
        Self::detail(
            StatusCode::FORBIDDEN,
            "csrf_failed",
            format!("CSRF Failed: {reason}"),
        )
    }

    /// 404: no such path.
    pub(crate) fn not_found() -> Self {
        Self::detail(StatusCode::NOT_FOUND, "not_found", "Not found.")
    }

    /// 404: no such row, or none that this user may see. `model` is OpenWISP's word for it.
    pub(crate) fn no_match(model: &str) -> Self {
        let detail = format!("No {model} matches the given query.");
        Self::detail(StatusCode::NOT_FOUND, "no_match", detail)
    }

    /// 404: a page beyond the list's end.
    pub(crate) fn invalid_page() -> Self {
        Self::detail(StatusCode::NOT_FOUND, "invalid_page", "Invalid page.")
    }

    /// 405.
    pub(crate) fn method_not_allowed(method: &Method) -> Self {
        let detail = format!("Method \"{method}\" not allowed.");
        Self::detail(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
    }

    /// 400: the body is no JSON.
    pub(crate) fn parse(reason: impl Display) -> Self {
        let detail = format!("JSON parse error - {reason}");
        Self::detail(StatusCode::BAD_REQUEST, "parse_error", detail)
    }

    /// 400: the connection gave up in the middle of the body, or the body is broken.
    pub(crate) fn unreadable_body(cause: &dyn Display) -> Self {
        let detail = "The body of the request could not be read.";
        Self::detail(StatusCode::BAD_REQUEST, "unreadable_body", detail).caused_by(cause)
    }

    /// 400: the body as a whole, not one of its fields.
    pub(crate) fn non_field(reason: impl Into<String>) -> Self {
        let body = json!({ "non_field_errors": [reason.into()] });
        Self::new(StatusCode::BAD_REQUEST, "invalid", &body)
    }

    /// 400: errors below a field that holds an object of its own.
    pub(crate) fn within(field: &str, errors: &FieldErrors) -> Self {
        Self::beside(&FieldErrors::default(), field, errors)
    }

    /// 400: errors of fields, and beside them those below one that holds an object of its own.
    pub(crate) fn beside(others: &FieldErrors, field: &str, errors: &FieldErrors) -> Self {
        let mut body = json!(others.0);
        body[field] = json!(errors.0);
        Self::new(StatusCode::BAD_REQUEST, "invalid", &body)
    }

    /// 409: it is too late for that.
    pub(crate) fn conflict(detail: &str) -> Self {
        Self::detail(StatusCode::CONFLICT, "conflict", detail)
    }

    /// 409: there is, or was, a user, who makes the others.
    pub(crate) fn set_up_already() -> Self {
        let detail = "This server has been set up: its first user has been made. Log in; where nobody can, \
                      run `fleetwire user add NAME --superuser --password-stdin` on the server.";
        Self::detail(StatusCode::CONFLICT, "set_up_already", detail)
    }

    /// 409: what was asked before the body came is not true any more.
    pub(crate) fn rights_changed() -> Self {
        let detail = "Your rights have changed while the request was on its way. Send it again.";
        Self::detail(StatusCode::CONFLICT, "rights_changed", detail)
    }

    /// 408: the body did not come in time.
    pub(crate) fn body_too_slow(seconds: u64) -> Self {
        let detail = format!("The body of the request did not arrive within {seconds} seconds.");
        Self::detail(StatusCode::REQUEST_TIMEOUT, "body_too_slow", detail)
    }

    /// 413.
    pub(crate) fn body_too_large(limit_bytes: usize) -> Self {
        let detail = format!("The body of the request is larger than {limit_bytes} bytes.");
        let error = Self::detail(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail);
        error.because_of(Limit::BodyBytes)
    }

    /// 415.
    pub(crate) fn unsupported_media_type(media_type: &str) -> Self {
        let detail = format!("Unsupported media type \"{media_type}\" in request.");
        Self::detail(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            detail,
        )
    }

    /// 403: a device of an organization that counts for nothing now.
    fn organization_inactive() -> Self {
        let detail = "The organization of this device is not active.";
        Self::detail(StatusCode::FORBIDDEN, "organization_inactive", detail)
    }

    /// 429: too much of what `limit` counts.
    pub(crate) fn throttled(limit: Limit, seconds: u64) -> Self {
        let detail = format!("Request was throttled. Expected available in {seconds} seconds.");
        let error = Self::detail(StatusCode::TOO_MANY_REQUESTS, "throttled", detail);
        Self {
            retry_after_s: Some(seconds),
            ..error.because_of(limit)
        }
    }

    /// 429: as many commands wait as may.
    fn queue_full(full: QueueFull) -> Self {
        let error = Self::detail(
            StatusCode::TOO_MANY_REQUESTS,
            "queue_full",
            full.to_string(),
        );
        Self {
            retry_after_s: Some(RETRY_QUEUE_S),
            ..error.because_of(match full {
                QueueFull::Device(_) => Limit::CommandsPerDevice,
                QueueFull::Organization { .. } => Limit::CommandsPerOrganization,
            })
        }
    }

    /// 503: what is needed for an answer is away.
    pub(crate) fn unavailable(cause: &dyn Display) -> Self {
        let detail = "The server cannot answer this now. Try again in a moment.";
        let error = Self::detail(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail);
        Self {
            retry_after_s: Some(RETRY_UNAVAILABLE_S),
            ..error.caused_by(cause)
        }
    }

    /// 500: a mistake of ours.
    pub(crate) fn internal(cause: &dyn Display) -> Self {
        let detail = "A server error occurred.";
        Self::detail(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail).caused_by(cause)
    }
}

impl From<FieldErrors> for ApiError {
    fn from(errors: FieldErrors) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", &json!(errors.0))
    }
}

impl From<&StoreError> for ApiError {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::NotFound(model) => Self::no_match(model),
            StoreError::QueueFull(full) => Self::queue_full(*full),
            StoreError::Invalid(errors) => errors.clone().into(),
            _ if error.is_passing() => Self::unavailable(error),
            // An operator has to give this server the right key; nothing is lost meanwhile.
            StoreError::Key(_) => Self::unavailable(error),
            StoreError::Lookup(_)
            | StoreError::Directory { .. }
            | StoreError::NoDatabase(_)
            | StoreError::Database(_)
            | StoreError::Migrate(_)
            | StoreError::Outdated { .. } => Self::internal(error),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::from(&error)
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self::detail(StatusCode::FORBIDDEN, "refused", refusal.to_string())
    }
}

impl From<CoordinatesError> for ApiError {
    fn from(error: CoordinatesError) -> Self {
        match error {
            CoordinatesError::Unauthenticated => Self::not_authenticated(),
            CoordinatesError::OrganizationInactive => Self::organization_inactive(),
            CoordinatesError::NoLocation => Self::not_found(),
            CoordinatesError::Store(error) => Self::from(error.as_ref()),
        }
    }
}

impl From<DirectoryError> for ApiError {
    fn from(error: DirectoryError) -> Self {
        Self::unavailable(&error)
    }
}

impl From<LoginError> for ApiError {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Invalid => Self::non_field("Unable to log in with provided credentials."),
            LoginError::Throttled { retry_after_s } => {
                Self::throttled(Limit::LoginAttempts, retry_after_s)
            }
            LoginError::SetUpAlready => Self::set_up_already(),
            LoginError::Unavailable(cause) => Self::unavailable(&cause),
        }
    }
}

/// Failures logged each second; the rest is counted.
static FAILURES: LazyLock<Throttled> = LazyLock::new(|| Throttled::new(20));

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, code) = (self.status.as_u16(), self.code);
        let cause = self.cause.as_deref().unwrap_or_default();
        // Never the URL, where a device's key may stand, nor anything else that the client wrote.
        if self.status.is_server_error() {
            // An outage under load would write a line for every request.
            if let Some(held_back) = FAILURES.pass() {
                tracing::error!(status, code, cause, held_back, "a request failed: {cause}");
            }
        } else {
            tracing::debug!(status, code, cause, "a request was refused: {code}");
        }
        let json = HeaderValue::from_static("application/json");
        let mut response = (self.status, [(CONTENT_TYPE, json)], self.body).into_response();
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.status == StatusCode::REQUEST_TIMEOUT {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(seconds) = self.retry_after_s {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(limit) = self.limit {
            response.extensions_mut().insert(limit);
        }
        response
    }
}
