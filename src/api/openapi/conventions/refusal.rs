//! The answers that are no success: one of each status, referred to by all operations.

use http::StatusCode;
use serde_json::{Map, Value, json};

/// A status, the name of its answer, when it is given, and the example of a body.
struct Refusal {
    status: StatusCode,
    name: &'static str,
    description: &'static str,
    detail: &'static str,
    /// A header that comes with it, and what it says.
    header: Option<(&'static str, &'static str)>,
}

const fn refusal(
    status: StatusCode,
    name: &'static str,
    description: &'static str,
    detail: &'static str,
) -> Refusal {
    Refusal {
        status,
        name,
        description,
        detail,
        header: None,
    }
}

const RETRY_AFTER: Option<(&str, &str)> = Some((
    "Retry-After",
    "Seconds after which trying again is worthwhile.",
));

const REFUSALS: [Refusal; 11] = [
    refusal(
        StatusCode::BAD_REQUEST,
        "BadRequest",
        "Something in the request is wrong: all fields that are, each with its reasons (`non_field_errors`: the body as a whole), or, where it could not be read at all, why.",
        "JSON parse error - expected value at line 1 column 1",
    ),
    Refusal {
        header: Some(("WWW-Authenticate", "`Bearer`")),
        ..refusal(
            StatusCode::UNAUTHORIZED,
            "Unauthenticated",
            "Nothing proves who asks.",
            "Authentication credentials were not provided.",
        )
    },
    refusal(
        StatusCode::FORBIDDEN,
        "Forbidden",
        "The permission is missing, or a cookie was sent from a foreign page.",
        "You do not have permission to perform this action.",
    ),
    refusal(
        StatusCode::NOT_FOUND,
        "NotFound",
        "Not there, or not for this user.",
        "Not found.",
    ),
    refusal(
        StatusCode::METHOD_NOT_ALLOWED,
        "MethodNotAllowed",
        "The path has no such method; `Allow` says which it has.",
        "Method \"POST\" not allowed.",
    ),
    refusal(
        StatusCode::REQUEST_TIMEOUT,
        "BodyTooSlow",
        "The body took too long; the connection is closed.",
        "The body of the request did not arrive within 30 seconds.",
    ),
    refusal(
        StatusCode::CONFLICT,
        "Conflict",
        "It is too late for that, or the rights of the one who asks changed while the body was on its way.",
        "The command has ended already.",
    ),
    refusal(
        StatusCode::PAYLOAD_TOO_LARGE,
        "BodyTooLarge",
        "The body is larger than `server.body_limit_bytes`; for log-ins, than 64 KiB.",
        "The body of the request is larger than 1048576 bytes.",
    ),
    refusal(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "UnsupportedMediaType",
        "The body is no JSON by its `Content-Type`.",
        "Unsupported media type \"text/plain\" in request.",
    ),
    Refusal {
        header: RETRY_AFTER,
        ..refusal(
            StatusCode::TOO_MANY_REQUESTS,
            "Throttled",
            "Too many attempts to log in or reports of the device, or as many commands wait as may.",
            "Request was throttled. Expected available in 60 seconds.",
        )
    },
    refusal(
        StatusCode::INTERNAL_SERVER_ERROR,
        "ServerError",
        "A mistake of the server; its log says more.",
        "A server error occurred.",
    ),
];

const UNAVAILABLE: Refusal = Refusal {
    header: RETRY_AFTER,
    ..refusal(
        StatusCode::SERVICE_UNAVAILABLE,
        "Unavailable",
        "The database does not answer, too many log in at once, or the server lacks the key that secrets are encrypted with.",
        "The server cannot answer this now. Try again in a moment.",
    )
};

fn all() -> impl Iterator<Item = &'static Refusal> {
    REFUSALS.iter().chain([&UNAVAILABLE])
}

/// The usual answers by their names.
pub fn components() -> Value {
    all()
        .map(|refusal| (refusal.name.to_owned(), refusal.response()))
        .collect::<Map<_, _>>()
        .into()
}

/// A reference to the usual answer of a status, if it has one.
pub fn reference(status: &str) -> Option<Map<String, Value>> {
    let refusal = all().find(|refusal| refusal.status.as_str() == status)?;
    let reference = format!("#/components/responses/{}", refusal.name);
    Some(Map::from_iter([("$ref".to_owned(), reference.into())]))
}

/// The usual words for a status, such as `No Content`.
pub fn reason(status: &str) -> &'static str {
    status
        .parse()
        .ok()
        .and_then(|status: StatusCode| status.canonical_reason())
        .unwrap_or_default()
}

impl Refusal {
    fn response(&self) -> Value {
        let mut response =
            json!({"description": self.description, "x-status": self.status.as_str()});
        if let Some((name, description)) = self.header {
            response["headers"] =
                json!({name: {"description": description, "schema": {"type": "string"}}});
        }
        let detail = json!({"detail": self.detail});
        response["content"] = if self.status == StatusCode::BAD_REQUEST {
            json!({"application/json": {
                "schema": {"anyOf": [
                    {"$ref": "#/components/schemas/FieldErrors"},
                    {"$ref": "#/components/schemas/Detail"},
                ]},
                "examples": {
                    "fields": {"value": {"name": ["This field is required."]}},
                    "unreadable": {"value": detail},
                },
            }})
        } else {
            json!({"application/json": {
                "schema": {"$ref": "#/components/schemas/Detail"},
                "example": detail,
            }})
        };
        response
    }
}
