//! `GET /readyz`: whether this process can do its work, part by part.

use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Map, Value};
use tokio::time::timeout;

/// Something that needs longer to answer is not ready.
const PATIENCE: Duration = Duration::from_secs(2);

/// What was found out so far. The words are for whoever asks, who may be anybody: details are logged.
pub struct Readiness {
    is_ready: bool,
    is_degraded: bool,
    parts: Map<String, Value>,
}

impl Readiness {
    /// Nothing is wrong yet; a server that is about to end is not ready.
    #[must_use]
    pub fn new(is_draining: bool) -> Self {
        Self {
            is_ready: !is_draining,
            is_degraded: false,
            parts: Map::from_iter([("draining".to_owned(), is_draining.into())]),
        }
    }

    /// Asks a part that must answer.
    pub async fn ask<E: std::fmt::Display>(
        &mut self,
        part: &str,
        answer: impl Future<Output = Result<(), E>>,
    ) {
        let trouble = match timeout(PATIENCE, answer).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => {
                tracing::warn!(%error, part, "not ready");
                Some("failed".to_owned())
            }
            Err(_) => Some("no answer".to_owned()),
        };
        self.need(part, trouble);
    }

    /// Notes how a part is without which nothing is right.
    pub fn need(&mut self, part: &str, trouble: Option<String>) {
        self.is_ready &= trouble.is_none();
        self.note(part, trouble);
    }

    /// Notes how a part is without which all is right, only slower.
    pub fn want(&mut self, part: &str, trouble: Option<String>) {
        self.is_degraded |= trouble.is_some();
        self.note(part, trouble);
    }

    fn note(&mut self, part: &str, trouble: Option<String>) {
        let text = trouble.unwrap_or_else(|| "ok".to_owned());
        self.parts.insert(part.to_owned(), text.into());
    }
}

impl IntoResponse for Readiness {
    fn into_response(mut self) -> Response {
        let status = if self.is_ready {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        let mut body = Map::from_iter([
            ("ready".to_owned(), Value::from(self.is_ready)),
            ("degraded".to_owned(), Value::from(self.is_degraded)),
        ]);
        body.append(&mut self.parts);
        (status, Json(Value::from(body))).into_response()
    }
}
