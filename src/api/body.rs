//! Bodies of requests: read when it is clear that the request may be made, and never without limits.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{FromRequest, Request};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt;
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::error::ApiError;
use super::identity::Shown;
use crate::app::App;

/// A body has to be here within this time, however slowly it comes.
const READ_WITHIN: Duration = Duration::from_secs(30);

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
    /// Who was asked for before the body was read.
    asker: Option<(Arc<App>, Shown)>,
}

impl FromRequest<Arc<App>> for UnreadBody {
    type Rejection = Infallible;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Infallible> {
        let shown = request.extensions().get::<Shown>().cloned();
        Ok(Self {
            asker: shown.map(|shown| (Arc::clone(app), shown)),
            media_type: media_type(request.headers()),
            limit_bytes: app.config.server.body_limit_bytes,
            body: request.into_body(),
        })
    }
}

impl UnreadBody {
    /// The JSON object that the body holds. No body at all is an empty object, so that the answer
    /// names the fields that are required. Whoever takes long to send it has no rights by it that
    /// were taken away meanwhile.
    pub async fn object(mut self) -> Result<Object, ApiError> {
        let (media_type, asker) = (self.media_type.take(), self.asker.take());
        let bytes = self.bytes().await?;
        if let Some((app, shown)) = asker {
            shown.still_holds(&app).await?;
        }
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

pub(super) fn object_of(bytes: &[u8]) -> Result<Object, ApiError> {
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

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use futures_util::stream;
    use http::StatusCode;

    use super::*;

    fn unread(media_type: Option<&str>, body: impl Into<Body>) -> UnreadBody {
        UnreadBody {
            asker: None,
            media_type: media_type.map(str::to_owned),
            body: body.into(),
            limit_bytes: 10,
        }
    }

    /// A body whose length nobody announces.
    fn pieces(pieces: &[&'static str]) -> Body {
        let pieces: Vec<Result<_, Infallible>> = pieces.iter().map(|piece| Ok(*piece)).collect();
        Body::from_stream(stream::iter(pieces))
    }

    async fn told<T>(result: Result<T, ApiError>) -> (StatusCode, String) {
        let Err(error) = result else {
            panic!("accepted")
        };
        let response = error.into_response();
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 1000)
            .await
            .unwrap();
        (status, String::from_utf8(body.into()).unwrap())
    }

    #[tokio::test]
    async fn a_body_is_an_object_and_nothing_at_all_is_an_empty_one() {
        for body in [Body::from(r#"{"a":1}"#), pieces(&["{\"a", "\":", "1}"])] {
            let object = unread(None, body).object().await.unwrap();
            assert_eq!(object["a"], 1);
        }
        assert!(
            unread(Some("text/plain"), "")
                .object()
                .await
                .unwrap()
                .is_empty()
        );
        for (body, reason) in [
            ("[1]", "Expected a dictionary, but got list."),
            ("\"x\"", "Expected a dictionary, but got str."),
            ("7", "Expected a dictionary, but got int."),
            ("7.5", "Expected a dictionary, but got float."),
            ("true", "Expected a dictionary, but got bool."),
            ("null", "No data provided"),
            ("{", "JSON parse error - "),
            ("{}x", "JSON parse error - "),
            ("1e999", "JSON parse error - "),
            ("\u{feff}{}", "JSON parse error - "),
        ] {
            let (status, text) = told(unread(None, body).object().await).await;
            assert_eq!(status, 400);
            assert!(text.contains(reason), "{body}: {text}");
        }
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused_announced_or_not() {
        let full = r#"{"a": 123}"#;
        assert_eq!(full.len(), 10);
        assert!(unread(None, full).object().await.is_ok());
        assert!(
            unread(None, pieces(&["{\"a\": ", "123}"]))
                .object()
                .await
                .is_ok()
        );
        for body in [Body::from("{\"a\": 1234}"), pieces(&["{\"a\": ", "1234}"])] {
            let (status, text) = told(unread(None, body).object().await).await;
            assert_eq!(status, 413);
            assert!(text.contains("larger than 10 bytes"), "{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_trickles_is_given_up() {
        let endless = stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(20)).await;
            Some((Ok::<_, Infallible>(" "), ()))
        });
        let (status, _) = told(unread(None, Body::from_stream(endless)).object().await).await;
        assert_eq!(status, 408);
    }

    #[tokio::test]
    async fn only_json_is_read_as_json() {
        let media_type = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, http::HeaderValue::from_static(value));
            super::media_type(&headers)
        };
        for json in [
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/geo+json",
        ] {
            assert!(
                unread(media_type(json).as_deref(), "{}")
                    .object()
                    .await
                    .is_ok(),
                "{json}"
            );
        }
        for other in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "image/svg+json",
        ] {
            let (status, text) =
                told(unread(media_type(other).as_deref(), "{}").object().await).await;
            assert_eq!(status, 415);
            assert!(
                text.contains(&format!("Unsupported media type \\\"{other}\\\"")),
                "{text}"
            );
        }
        assert_eq!(media_type(" ; "), None);
    }

    #[test]
    fn forms_are_read_as_browsers_write_them() {
        for (text, expected) in [
            ("a=1&b=2", &[("a", "1"), ("b", "2")][..]),
            ("a=x+y%20z%2B", &[("a", "x y z+")]),
            ("p=%C3%A9%E2%82%ac", &[("p", "é€")]),
            ("a==&&b&=c", &[("a", "="), ("b", ""), ("", "c")]),
            ("a=%", &[("a", "%")]),
            ("a=%4", &[("a", "%4")]),
            ("a=%zz%41", &[("a", "%zzA")]),
            ("a=%ff", &[("a", "\u{fffd}")]),
            ("", &[]),
        ] {
            let pairs: Vec<_> = pairs_of(text.as_bytes()).collect();
            let pairs: Vec<_> = pairs
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            assert_eq!(pairs, expected, "{text}");
        }
    }
}
