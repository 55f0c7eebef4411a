//! Bodies of requests: read after it is clear that the request may be made, never without limits,
//! and never left in the pipe, where they would keep the client from seeing the answer.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{FromRequest, Request};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{CONTENT_TYPE, EXPECT};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};
use serde_json::{Map, Value};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::error::ApiError;
use crate::app::App;

/// A body has to be here within this time, however slowly it comes.
const READ_WITHIN: Duration = Duration::from_secs(30);

/// What is read and thrown away behind a refusal at most: so much, and so long.
const THROW_AWAY_BYTES: usize = 64 * 1024 * 1024;
const THROW_AWAY_WITHIN: Duration = Duration::from_secs(10);

/// A user name and a password are short.
const LOGIN_LIMIT_BYTES: usize = 64 * 1024;

/// A JSON object, its keys in the order of the text.
pub type Object = Map<String, Value>;

/// A body that is still to be read. A handler takes it like this and reads it last, since who asks
/// and what about comes first.
pub struct UnreadBody {
    media_type: Option<String>,
    body: Body,
    limit_bytes: usize,
}

impl FromRequest<Arc<App>> for UnreadBody {
    type Rejection = Infallible;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Infallible> {
        Ok(Self {
            media_type: media_type(request.headers()),
            limit_bytes: app.config.server.body_limit_bytes,
            body: request.into_body(),
        })
    }
}

impl UnreadBody {
    /// The JSON object that the body holds. No body at all is an empty object, so that the answer
    /// names the fields that are required.
    pub async fn object(self) -> Result<Object, ApiError> {
        let media_type = self.media_type.clone();
        let bytes = self.bytes().await?;
        if bytes.is_empty() {
            return Ok(Object::new());
        }
        match media_type {
            Some(media_type) if !is_json(&media_type) => {
                Err(ApiError::unsupported_media_type(&media_type))
            }
            _ => object_of(&bytes),
        }
    }

    /// Whether this is what a browser's form sends.
    pub fn is_form(&self) -> bool {
        self.media_type.as_deref() == Some("application/x-www-form-urlencoded")
    }

    /// The fields of a log-in: JSON, or a browser's form; and whether it was a form.
    pub async fn login_fields(mut self) -> Result<(Object, bool), ApiError> {
        self.limit_bytes = self.limit_bytes.min(LOGIN_LIMIT_BYTES);
        if !self.is_form() {
            return Ok((self.object().await?, false));
        }
        let bytes = self.bytes().await?;
        Ok((
            pairs_of(&bytes)
                .map(|(name, value)| (name, value.into()))
                .collect(),
            true,
        ))
    }

    async fn bytes(self) -> Result<Bytes, ApiError> {
        let limit = self.limit_bytes;
        // As announced by Content-Length: nothing needs to be read to know.
        if self.body.size_hint().lower() > limit as u64 {
            return Err(ApiError::body_too_large(limit));
        }
        match timeout(READ_WITHIN, read_up_to(self.body, limit)).await {
            Ok(read) => read,
            Err(_) => Err(ApiError::body_too_slow(READ_WITHIN.as_secs())),
        }
    }
}

async fn read_up_to(mut body: Body, limit: usize) -> Result<Bytes, ApiError> {
    let mut first = Bytes::new();
    let mut rest = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame
            .map_err(|error| ApiError::unreadable_body(&error))?
            .into_data()
        else {
            continue;
        };
        if first.len() + rest.len() + data.len() > limit {
            return Err(ApiError::body_too_large(limit));
        }
        // Most bodies come in one piece, which is then not copied.
        if first.is_empty() {
            first = data;
        } else {
            rest.extend_from_slice(&data);
        }
    }
    if rest.is_empty() {
        return Ok(first);
    }
    Ok([first.as_ref(), &rest].concat().into())
}

fn object_of(bytes: &[u8]) -> Result<Object, ApiError> {
    let found = match serde_json::from_slice(bytes).map_err(ApiError::parse)? {
        Value::Object(object) => return Ok(object),
        Value::Null => return Err(ApiError::non_field("No data provided")),
        other => python_type(&other),
    };
    let reason = format!("Invalid data. Expected a dictionary, but got {found}.");
    Err(ApiError::non_field(reason))
}

/// What a value is called in Django REST framework's sentences.
pub fn python_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}

/// The pairs of `application/x-www-form-urlencoded` text, which is also a URL's query.
pub fn pairs_of(text: &[u8]) -> impl Iterator<Item = (String, String)> + '_ {
    text.split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let equals = pair.iter().position(|byte| *byte == b'=');
            let (name, value) = equals.map_or((pair, &[][..]), |at| (&pair[..at], &pair[at + 1..]));
            (decoded(name), decoded(value))
        })
}

fn decoded(text: &[u8]) -> String {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        match (byte, digit(behind.first()), digit(behind.get(1))) {
            (b'%', Some(high), Some(low)) => {
                // Two hexadecimal digits: at most 255.
                bytes.push(u8::try_from(high * 16 + low).unwrap_or(u8::MAX));
                rest = &behind[2..];
            }
            (b'+', ..) => bytes.push(b' '),
            _ => bytes.push(*byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = String::from_utf8_lossy(headers.get(CONTENT_TYPE)?.as_bytes());
    let media_type = value
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    (!media_type.is_empty()).then_some(media_type)
}

/// JSON itself, and what is JSON underneath, such as `application/geo+json`.
fn is_json(media_type: &str) -> bool {
    media_type == "application/json"
        || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}

/// Around every handler: when the request was refused with its body still (partly) unread, the rest
/// is read and thrown away before the answer goes out. Otherwise the connection would end with
/// bytes on their way, and the client would see a reset in place of the answer.
pub async fn read_to_the_end(request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let waits_for_continue = request.headers().contains_key(EXPECT);
    let (back, mut unread) = oneshot::channel();
    let request = request.map(|body| {
        Body::new(Returning {
            body: Some(body),
            back: Some(back),
            is_coming: !waits_for_continue,
        })
    });
    let response = next.run(request).await;
    let is_refusal = response.status().is_client_error() || response.status().is_server_error();
    // Behind a 408 is somebody who has been waited for already.
    if is_refusal
        && response.status() != StatusCode::REQUEST_TIMEOUT
        && let Ok(body) = unread.try_recv()
    {
        // Too much or too slow: then the answer goes out as well as it can.
        let _ = timeout(THROW_AWAY_WITHIN, throw_away(body)).await;
    }
    response
}

async fn throw_away(mut body: Body) {
    let mut bytes = 0;
    while let Some(Ok(frame)) = body.frame().await {
        bytes += frame.data_ref().map_or(0, Bytes::len);
        if bytes > THROW_AWAY_BYTES {
            return;
        }
    }
}

/// A request's body that, dropped before its end, is given back.
struct Returning {
    /// There until dropped.
    body: Option<Body>,
    back: Option<oneshot::Sender<Body>>,
    /// Whether the client sends it without being told to continue, or was told.
    is_coming: bool,
}

impl HttpBody for Returning {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.is_coming = true;
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body
            .as_ref()
            .map_or_else(SizeHint::default, HttpBody::size_hint)
    }
}

impl Drop for Returning {
    fn drop(&mut self) {
        if let (Some(body), Some(back)) = (self.body.take(), self.back.take())
            && self.is_coming
            && !body.is_end_stream()
        {
            // Nobody waits for it when the connection is gone.
            let _ = back.send(body);
        }
    }
}
