//! Documents that stay the same for as long as the server runs: browsers keep them, and ask whether
//! they are still the same.

use std::fmt::Write as _;

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use sha2::{Digest, Sha256};

/// A text, and the tag that tells it from every other.
pub struct Cached {
    media_type: &'static str,
    text: String,
    tag: HeaderValue,
}

impl Cached {
    /// What is answered with `media_type`.
    pub fn new(media_type: &'static str, text: String) -> Self {
        let mut tag = String::from("\"");
        for byte in &Sha256::digest(&text)[..16] {
            // Writing to a string does not fail.
            let _ = write!(tag, "{byte:02x}");
        }
        tag.push('"');
        Self {
            media_type,
            text,
            tag: HeaderValue::try_from(tag).expect("hexadecimal digits in quotes"),
        }
    }

    /// The text, or that the client has it already (RFC 9110, section 13.1.2).
    pub fn answer(&self, headers: &HeaderMap) -> Response {
        // Kept, but asked for each time: another version of the server says something else.
        let caching = [
            (ETAG, self.tag.clone()),
            (CACHE_CONTROL, HeaderValue::from_static("public, no-cache")),
        ];
        if self.is_known_to(headers) {
            return (StatusCode::NOT_MODIFIED, caching).into_response();
        }
        let media_type = HeaderValue::from_static(self.media_type);
        (caching, [(CONTENT_TYPE, media_type)], self.text.clone()).into_response()
    }

    fn is_known_to(&self, headers: &HeaderMap) -> bool {
        headers
            .get_all(IF_NONE_MATCH)
            .iter()
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
            .map(<[u8]>::trim_ascii)
            // A proxy that compressed it made the tag a weak one.
            .map(|tag| tag.strip_prefix(b"W/").unwrap_or(tag))
            .any(|tag| tag == b"*" || tag == self.tag.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_client_has_is_not_sent_again() {
        let cached = Cached::new("text/plain", "hello".into());
        let tag = cached.tag.to_str().unwrap().to_owned();
        let status = |known: Option<&str>| {
            let mut headers = HeaderMap::new();
            if let Some(known) = known {
                headers.insert(IF_NONE_MATCH, known.parse().unwrap());
            }
            cached.answer(&headers).status().as_u16()
        };
        assert_eq!(status(None), 200);
        assert_eq!(status(Some("\"x\"")), 200);
        assert_eq!(status(Some("")), 200);
        for known in [&tag, "*", &format!("W/{tag}"), &format!("\"x\" , {tag}")] {
            assert_eq!(status(Some(known)), 304, "{known}");
        }
        let other = Cached::new("text/plain", "hello!".into());
        assert_ne!(cached.tag, other.tag);
    }
}
