//! The web console: what `console/dist` holds, a part of the binary, served at `/`.
//!
//! The console is a client like any other: it has the public REST and WebSocket APIs and nothing
//! else. Its files are compressed where they are built (`console/build/compressed.ts`), and carry
//! their hash in their names, so all that is left to do is to choose one and to say how long it holds.
//!
//! A release binary holds the files themselves; a debug binary reads them where they were built, so
//! that a change of the console is seen without another build of ours. A build without Node is a
//! whole server all the same: it has a page that says how the console is made.

mod csp;
mod encoding;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use sha2::{Digest as _, Sha256};

use self::encoding::Encoding;
use crate::config::ConsoleConfig;

/// What is found at a path of the built console.
pub type File = Cow<'static, [u8]>;

/// The built console; empty where it was not built.
#[derive(rust_embed::RustEmbed)]
#[folder = "console/dist"]
#[allow_missing = true]
struct Dist;

/// Their names change with their content.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const ASK_EACH_TIME: HeaderValue = HeaderValue::from_static("no-cache");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// First parts of paths that belong to programs: what is not there stays a 404, also for a browser.
const NO_PAGES: [&str; 7] = [
    "api", "ws", "accounts", "assets", "healthz", "readyz", "metrics",
];

/// Where in `index.html` the settings of the console go.
const HEAD_END: &str = "</head>";

/// The console as this server shows it.
pub struct Console {
    find: fn(&str) -> Option<File>,
    config: ConsoleConfig,
    policy: HeaderValue,
}

impl Console {
    /// What was built, with these settings.
    #[must_use]
    pub fn new(config: &ConsoleConfig) -> Self {
        Self::of(|path| Dist::get(path).map(|file| file.data), config)
    }

    fn of(find: fn(&str) -> Option<File>, config: &ConsoleConfig) -> Self {
        Self {
            find,
            config: config.clone(),
            policy: csp::policy(config),
        }
    }

    /// The page for a browser that goes to a path that nothing else is at: which page of the console
    /// that is, the console itself knows. `None` for programs and for what belongs to them.
    #[must_use]
    pub fn page_at(&self, method: &Method, path: &str, headers: &HeaderMap) -> Option<Response> {
        let first = path.trim_start_matches('/').split('/').next()?;
        let accept = headers.get(ACCEPT).and_then(|it| it.to_str().ok());
        let is_page = matches!(*method, Method::GET | Method::HEAD)
            && !NO_PAGES.contains(&first)
            && accept.is_some_and(|it| it.contains("text/html"));
        is_page.then(|| self.page(headers))
    }

    /// `index.html`, which names all the rest.
    fn page(&self, headers: &HeaderMap) -> Response {
        let Some(index) = (self.find)("index.html") else {
            return self.guarded((StatusCode::OK, [(CONTENT_TYPE, HTML)], NOT_BUILT));
        };
        let page = self.with_settings(&String::from_utf8_lossy(&index));
        let digest = Sha256::digest(&page);
        let tag = format!(
            "\"{:016x}\"",
            u64::from_be_bytes(*digest.first_chunk().unwrap_or(&[0; 8]))
        );
        let tag = HeaderValue::try_from(tag).expect("hexadecimal digits in quotes");
        let is_known = headers
            .get_all(IF_NONE_MATCH)
            .iter()
            .any(|known| known == tag);
        let kept = [(CACHE_CONTROL, ASK_EACH_TIME), (ETAG, tag)];
        if is_known {
            return self.guarded((StatusCode::NOT_MODIFIED, kept));
        }
        self.guarded((StatusCode::OK, kept, [(CONTENT_TYPE, HTML)], page))
    }

    /// The page, with what the operator set as `<meta>`: it needs no request of its own, and no script
    /// in the page, which the policy forbids.
    fn with_settings(&self, index: &str) -> String {
        if self.config.tiles.is_empty() {
            return index.to_owned();
        }
        let meta = |name, value| {
            let value = escaped(value);
            format!("<meta name=\"fleetwire-{name}\" content=\"{value}\">\n  ")
        };
        let tiles = meta("tiles", &self.config.tiles);
        let attribution = meta("tiles-attribution", &self.config.tiles_attribution);
        index.replacen(HEAD_END, &format!("{tiles}{attribution}{HEAD_END}"), 1)
    }

    /// `/assets/<path>`, in the smallest form that the client takes.
    fn asset(&self, path: &str, headers: &HeaderMap) -> Option<Response> {
        let path = format!("assets/{path}");
        let kind = HeaderValue::from_static(content_type(&path));
        let accepted = headers.get(ACCEPT_ENCODING).and_then(|it| it.to_str().ok());
        let (coding, file) = encoding::choose(self.find, &path, accepted.unwrap_or_default())?;
        let about = [
            (CONTENT_TYPE, kind),
            (CACHE_CONTROL, FOR_EVER),
            (VARY, HeaderValue::from_name(ACCEPT_ENCODING)),
        ];
        let coded = coding.map(|it: Encoding| [(CONTENT_ENCODING, it.name())]);
        let mut response =
            self.guarded((StatusCode::OK, about, axum::body::Bytes::from_owner(file)));
        response.headers_mut().extend(
            coded
                .into_iter()
                .flatten()
                .map(|(name, value)| (name, HeaderValue::from_static(value))),
        );
        Some(response)
    }

    /// An answer that a page from elsewhere can do nothing with, and that loads nothing from elsewhere.
    fn guarded(&self, response: impl IntoResponse) -> Response {
        let text = HeaderValue::from_static;
        let guards: [(HeaderName, HeaderValue); 5] = [
            (CONTENT_SECURITY_POLICY, self.policy.clone()),
            (X_CONTENT_TYPE_OPTIONS, text("nosniff")),
            // A map's tiles may be somebody else's, who need not know what is looked at.
            (REFERRER_POLICY, text("no-referrer")),
            (
                HeaderName::from_static("cross-origin-opener-policy"),
                text("same-origin"),
            ),
            (
                HeaderName::from_static("permissions-policy"),
                text("camera=(), microphone=(), geolocation=(self)"),
            ),
        ];
        (guards, response).into_response()
    }
}

/// The front page and the files that it names. Deep links are asked for with [`Console::page_at`].
pub fn routes(console: Arc<Console>) -> Router {
    Router::new()
        .route("/", get(get_front_page))
        .route("/assets/{*path}", get(get_asset))
        .with_state(console)
}

/// `GET /`.
async fn get_front_page(State(console): State<Arc<Console>>, headers: HeaderMap) -> Response {
    console.page(&headers)
}

/// `GET /assets/<path>`.
async fn get_asset(
    State(console): State<Arc<Console>>,
    Path(path): Path<String>,
    headers: HeaderMap,
) -> Response {
    let found = console.asset(&path, &headers);
    found.unwrap_or_else(|| console.guarded((StatusCode::NOT_FOUND, "No such file.\n")))
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}

/// For an attribute in double quotes.
fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('"', "&quot;");
    text.replace('<', "&lt;").replace('>', "&gt;")
}

const NOT_BUILT: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>fleetwire</title>
<h1>fleetwire</h1>
<p>This server runs, and was built without its web console. With Node.js there, <code>make build</code> in
fleetwire's sources builds both.</p>
<p>All else is here:</p>
<ul>
  <li><a href="/api/v1/docs/">the REST API</a>, and for programs
    <a href="/api/v1/openapi.json"><code>/api/v1/openapi.json</code></a></li>
  <li>the sockets: <code>/ws/loci/location/</code>, <code>/ws/loci/location/&lt;location id&gt;/</code>,
    <code>/ws/controller/device/&lt;device id&gt;/command</code></li>
  <li><a href="/healthz"><code>/healthz</code></a> and <a href="/readyz"><code>/readyz</code></a></li>
  <li><code>fleetwire --help</code>, which administers users, organizations and devices</li>
</ul>
</html>
"#;
