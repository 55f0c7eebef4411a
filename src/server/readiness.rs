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
                tracing::warn!(code = "not_ready", %error, part, "not ready");
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

    /// A part that was found wanting stays so, whatever else is right with it.
    fn note(&mut self, part: &str, trouble: Option<String>) {
        let is_well = self.parts.get(part).is_none_or(|said| said == "ok");
        if !is_well {
            return;
        }
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

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use serde_json::json;

    use super::*;

    async fn told(readiness: Readiness) -> (u16, Value) {
        let response = readiness.into_response();
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), 1024).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn what_is_needed_decides_and_what_is_wanted_is_told() {
        let mut readiness = Readiness::new(false);
        readiness.ask("a", async { Ok::<(), String>(()) }).await;
        readiness.want("b", Some("away (3 s)".into()));
        let expected = json!({
            "ready": true, "degraded": true, "draining": false, "a": "ok", "b": "away (3 s)",
        });
        assert_eq!(told(readiness).await, (200, expected));
        let mut readiness = Readiness::new(false);
        let secret = async { Err::<(), _>("postgres://ada:secret@db/ does not answer") };
        readiness.ask("a", secret).await;
        readiness.need("b", None);
        let expected = json!({
            "ready": false, "degraded": false, "draining": false, "a": "failed", "b": "ok",
        });
        assert_eq!(told(readiness).await, (503, expected));
    }

    #[tokio::test]
    async fn a_part_that_does_not_answer_is_not_made_well_by_what_else_is_known_of_it() {
        let mut readiness = Readiness::new(false);
        readiness.ask("a", async { Err::<(), _>("gone") }).await;
        readiness.need("a", None);
        readiness.ask("b", async { Ok::<(), String>(()) }).await;
        readiness.need("b", Some("full (1 s)".into()));
        let (status, body) = told(readiness).await;
        assert_eq!(
            (&body["a"], &body["b"]),
            (&json!("failed"), &json!("full (1 s)"))
        );
        assert_eq!(status, 503);
    }

    #[tokio::test(start_paused = true)]
    async fn what_hangs_is_not_waited_for() {
        let mut readiness = Readiness::new(false);
        readiness
            .ask("a", std::future::pending::<Result<(), String>>())
            .await;
        let (status, body) = told(readiness).await;
        assert_eq!((status, &body["a"]), (503, &json!("no answer")));
    }

    #[tokio::test]
    async fn who_is_about_to_end_is_not_ready() {
        let (status, body) = told(Readiness::new(true)).await;
        assert_eq!((status, &body["draining"]), (503, &json!(true)));
    }
}
