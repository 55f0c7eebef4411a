//! REST as a client of the product uses it.

use std::net::SocketAddr;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Credential, Server};

/// Speaks HTTP to one server with one credential.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    credential: Credential,
    /// Sent with every request; a browser sends `Origin` with each write.
    extra: Vec<(&'static str, String)>,
}

/// What the server answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
    /// The body as JSON, `null` when it is none.
    pub json: Value,
}

impl Client {
    /// Speaks to whatever listens at `address`, as nobody.
    pub fn of(address: SocketAddr) -> Self {
        Self::at(format!("http://{address}"), Credential::Nobody)
    }

    /// Speaks to `server` as `credential` says; with a cookie as a browser of the same origin.
    pub fn new(server: &Server, credential: Credential) -> Self {
        Self::at(server.base(), credential)
    }

    fn at(base: String, credential: Credential) -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a plain HTTP client");
        let extra = match credential {
            Credential::Cookie(_) => vec![("origin", base.clone())],
            _ => Vec::new(),
        };
        Self {
            http,
            base,
            credential,
            extra,
        }
    }

    /// The same client, sending one more header with every request; the value replaces an
    /// earlier one of the same name, an empty one removes it.
    pub fn with_header(mut self, name: &'static str, value: &str) -> Self {
        self.extra.retain(|(present, _)| *present != name);
        if !value.is_empty() {
            self.extra.push((name, value.to_owned()));
        }
        self
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, Some(body.to_string())).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PUT, path, Some(body.to_string())).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PATCH, path, Some(body.to_string())).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }

    /// Sends `body` as it is, called JSON whether it is or not.
    pub async fn send(&self, method: Method, path: &str, body: Option<String>) -> Answer {
        self.try_send(method, path, body)
            .await
            .unwrap_or_else(|error| panic!("{path}: no answer: {error:?}"))
    }

    /// Like [`Client::send`], for a server that may be gone.
    pub async fn try_send(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> Result<Answer, reqwest::Error> {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        for (name, value) in self.extra.iter().cloned().chain(self.credential.header()) {
            request = request.header(name, value);
        }
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await?;
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(Answer {
            status: status.as_u16(),
            headers,
            text,
            json,
        })
    }

    /// Sends the login form that a browser sends, and answers with what came back.
    pub async fn log_in(&self, username: &str, password: &str) -> Answer {
        self.post(
            "/accounts/login/",
            &json!({"username": username, "password": password}),
        )
        .await
    }
}

impl Answer {
    /// The body, when the status is `expected`.
    pub fn expect(self, expected: u16) -> Value {
        assert_eq!(self.status, expected, "{}", self.text);
        self.json
    }

    /// Whether the status is one of success.
    pub fn is_success(&self) -> bool {
        StatusCode::from_u16(self.status).is_ok_and(|status| status.is_success())
    }

    /// The one header of this name, or "".
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The whole `Set-Cookie` line of the session cookie, or "".
    pub fn session_cookie(&self) -> &str {
        self.headers
            .get_all("set-cookie")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .find(|line| line.starts_with("sessionid="))
            .unwrap_or_default()
    }

    /// The credential that a successful login set.
    pub fn session(&self) -> Credential {
        let line = self.session_cookie();
        let value = line
            .trim_start_matches("sessionid=")
            .split(';')
            .next()
            .unwrap_or_default();
        assert!(
            !value.is_empty(),
            "no session: {} {}",
            self.status,
            self.text
        );
        Credential::Cookie(value.to_owned())
    }
}

/// The value of a series, with its labels, among `metrics` as a node shows them; `None` before it has one.
pub fn value_of<'a>(metrics: &'a str, series: &str) -> Option<&'a str> {
    let mut lines = metrics.lines().filter_map(|line| line.rsplit_once(' '));
    lines.find_map(|(name, value)| (name == series).then_some(value))
}
