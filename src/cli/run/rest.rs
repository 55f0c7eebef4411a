//! A client of the REST interface, for the few requests that `run` needs.

use std::time::Duration;

use anyhow::{Context as _, anyhow, bail, ensure};
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use crate::cli::server_url::ServerUrl;
use crate::cli::watch::feed::bearer;

/// How long a server has to answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// Far more than a command with the largest output takes.
const ANSWER_LIMIT_BYTES: usize = 256 << 20;

/// What carries requests.
enum Carrier {
    /// http. The certificates that this system trusts are not asked for: it may have none.
    Plain(Client<HttpConnector, Full<Bytes>>),
    /// https.
    Secure(Client<HttpsConnector<HttpConnector>, Full<Bytes>>),
}

/// One server, with one token.
pub(super) struct Rest {
    carrier: Carrier,
    server: ServerUrl,
    authorization: HeaderValue,
}

/// What the server answered.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// Null where it was no JSON.
    pub(super) json: Value,
}

impl Carrier {
    fn to(server: &ServerUrl) -> anyhow::Result<Self> {
        let client = Client::builder(TokioExecutor::new());
        if !server.is_secure() {
            return Ok(Self::Plain(client.build_http()));
        }
        let connector = HttpsConnectorBuilder::new()
            .with_native_roots()
            .context("cannot read the certificates that this system trusts")?
            .https_only()
            .enable_http1()
            .build();
        Ok(Self::Secure(client.build(connector)))
    }
}

impl Rest {
    pub(super) fn new(base: &str, token: &str) -> anyhow::Result<Self> {
        let server = ServerUrl::parse(base)?;
        Ok(Self {
            carrier: Carrier::to(&server)?,
            server,
            authorization: bearer(token)?,
        })
    }

    /// What stands at `path`.
    pub(super) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.send(Method::GET, path, None).await?.expect()
    }

    /// Sends `body`, if any, to `path`.
    pub(super) async fn post(&self, path: &str, body: Option<&Value>) -> anyhow::Result<Answer> {
        self.send(Method::POST, path, body).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Answer> {
        let url = self.server.rest(path);
        let mut request = Request::builder()
            .method(method)
            .uri(&url)
            .header(AUTHORIZATION, self.authorization.clone())
            .header(ACCEPT, "application/json");
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = request.body(Full::from(body))?;
        tokio::time::timeout(PATIENCE, self.exchange(request))
            .await
            .unwrap_or_else(|_| Err(anyhow!("no answer within {PATIENCE:?}")))
            .with_context(|| format!("cannot ask {url}"))
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> anyhow::Result<Answer> {
        let answer = match &self.carrier {
            Carrier::Plain(client) => client.request(request).await?,
            Carrier::Secure(client) => client.request(request).await?,
        };
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_LIMIT_BYTES);
        let bytes = match body.collect().await {
            Ok(collected) => collected.to_bytes(),
            Err(error) => bail!("the answer broke off: {error}"),
        };
        Ok(Answer {
            status,
            json: serde_json::from_slice(&bytes).unwrap_or_default(),
        })
    }
}

impl Answer {
    /// The JSON of an answer that says yes.
    pub(super) fn expect(self) -> anyhow::Result<Value> {
        ensure!(
            self.status.is_success(),
            "the server refused ({}): {}",
            self.status,
            self.reasons()
        );
        ensure!(
            !self.json.is_null(),
            "the server's answer is no JSON: is --url the address of a fleetwire?"
        );
        Ok(self.json)
    }

    /// What the server said against it, on one line.
    fn reasons(&self) -> String {
        let Some(fields) = self.json.as_object() else {
            return "is --url the address of a fleetwire?".to_owned();
        };
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let reasons = fields.iter().map(|(field, reasons)| {
            let reasons = match reasons {
                Value::Array(reasons) => reasons.iter().map(text).collect::<Vec<_>>().join(" "),
                other => text(other),
            };
            match field.as_str() {
                "detail" | "non_field_errors" => reasons,
                _ => format!("{field}: {reasons}"),
            }
        });
        reasons.collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_server_says_is_told_on_one_line() {
        for (json, told) in [
            (json!({"detail": "Not found."}), "Not found."),
            (
                json!({"input": ["'a' is too short", "b"], "type": ["c"]}),
                "input: 'a' is too short b; type: c",
            ),
            (Value::Null, "is --url the address of a fleetwire?"),
        ] {
            let answer = Answer {
                status: StatusCode::BAD_REQUEST,
                json,
            };
            let error = answer.expect().unwrap_err().to_string();
            assert_eq!(
                error,
                format!("the server refused (400 Bad Request): {told}")
            );
        }
    }
}
