//! What must hold of any input: the body of each fuzz target, and of the test that replays its corpus.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fleetwire::access::Credential;
use fleetwire::access::request::{Client, credential, session_cookie};
use fleetwire::api::reading::Reading;
use fleetwire::command::output::Collected;
use fleetwire::command::ssh::Stream;
use fleetwire::event::Timestamp;
use fleetwire::openwisp::layer::envelope::Opener;
use fleetwire::openwisp::session::signing::Signed;
use fleetwire::openwisp::session::{self, Login, MOST_BYTES, SessionError, pickle};
use fleetwire::openwisp::settings::{LayerKind, LayerSettings, SessionEngine, SessionSettings};
use fleetwire::socket::handshake;
use fleetwire::socket::reader::{Control, FrameReader, FramingError};
use http::header::{COOKIE, HeaderMap, HeaderName, HeaderValue, UPGRADE};
use http::request::Parts;
use http::{Method, Request};
use serde_json::Value;

/// A pickle is read or refused, and the refusal is one printable line.
pub fn pickle(data: &[u8]) {
    refusal(pickle::read(data).err());
}

/// Whatever stands in a cache, a table or a cookie: it logs somebody in as the settings allow, or is refused.
pub fn session(data: &[u8]) {
    let settings = settings();
    login(session::from_cache(data, &settings), &settings);
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    login(session::from_database(text, &settings), &settings);
    login(
        session::from_cookie(text, &settings, Timestamp(1_795_000_000_000_000)),
        &settings,
    );
    // No fuzzer makes a signature: what one would let through.
    match Signed::new(text).and_then(|signed| signed.content()) {
        Ok(content) => assert!(content.len() <= MOST_BYTES),
        Err(error) => refusal(Some(error)),
    }
}

/// What a client sends is read the same however the network cuts it, and nothing is kept but a control frame.
pub fn frames(data: &[u8]) {
    let Some((cut, bytes)) = data.split_first() else {
        return;
    };
    let whole = read(bytes, bytes.len().max(1));
    assert_eq!(whole, read(bytes, usize::from(*cut).max(1)));
    for control in &whole.0 {
        if let Control::Ping(payload) = control {
            assert!(payload.len() <= 125);
        }
    }
}

/// The head of a request: a handshake only if it is one in every part, and then with an instant that can be
/// written. What a stranger's headers say of where a request comes from and goes to is not believed.
pub fn handshake(data: &[u8]) {
    let Some(parts) = head(data) else {
        return;
    };
    let headers = &parts.headers;
    match handshake::read(&parts) {
        Ok(asked) => {
            assert_eq!(parts.method, Method::GET);
            assert!(headers.contains_key(UPGRADE));
            assert_eq!(headers["sec-websocket-version"], "13");
            let nonce = STANDARD.decode(&headers["sec-websocket-key"]).unwrap();
            assert_eq!(nonce.len(), 16);
            assert_eq!(STANDARD.decode(&asked.accept).unwrap().len(), 20);
            if let Some(since) = asked.since {
                assert_eq!(since.to_string().parse::<Timestamp>().unwrap(), since);
            }
        }
        // Only a page's origin, which is not read here, comes out again as it came.
        Err(error) => one_line(&error.to_string()),
    }
    let peer = SocketAddr::from(([192, 0, 2, 1], 5000));
    let stranger = Client::new(peer, headers, &[]);
    assert_eq!(stranger.address, peer.ip());
    assert!(!stranger.is_https);
    let proxy = Client::new(peer, headers, &["192.0.2.0/24".parse().unwrap()]);
    for client in [stranger, proxy] {
        if let Some(url) = client.base_url() {
            let host = url.split_once("://").unwrap().1;
            let is_safe = |it: char| it.is_ascii_alphanumeric() || "-._:[]".contains(it);
            assert!(!host.is_empty() && host.chars().all(is_safe), "{url}");
            assert!(client.accepts_origin(&url, &[]), "{url}");
        }
        for origin in headers.get_all("origin") {
            let origin = String::from_utf8_lossy(origin.as_bytes());
            if client.accepts_origin(&origin, &[]) {
                let host = client.host.as_deref().unwrap().to_ascii_lowercase();
                let host = host.trim_end_matches(|it: char| it == ':' || it.is_ascii_digit());
                assert!(
                    origin.to_ascii_lowercase().contains(host),
                    "{origin} at {host}"
                );
                assert_eq!(origin.matches('/').count(), 2, "{origin}");
                assert!(!origin.contains(['@', '?', '#']), "{origin}");
            }
        }
    }
}

/// Headers of cookies and tokens: what is taken out of them is a part of them, and the last cookie counts.
pub fn cookie(data: &[u8]) {
    const NAME: &str = "sessionid";
    let Some(parts) = head(data) else {
        return;
    };
    let mut headers = parts.headers;
    let cookie = session_cookie(&headers, NAME);
    if let Some(value) = &cookie {
        assert!(!value.is_empty() && !value.contains(';'), "{value:?}");
        assert!(!value.contains(['\r', '\n', '\0']), "{value:?}");
        let mut lines = headers.get_all(COOKIE).iter();
        assert!(lines.any(|line| String::from_utf8_lossy(line.as_bytes()).contains(value)));
    }
    match credential(&headers, NAME) {
        Some(Credential::Session(value)) => assert_eq!(Some(value), cookie),
        Some(Credential::Token(token)) => {
            assert!(
                !token.is_empty() && !token.contains(char::is_whitespace),
                "{token:?}"
            );
            assert!(headers.contains_key("authorization"));
        }
        None => assert!(cookie.is_none() || headers.contains_key("authorization")),
    }
    headers.append(COOKIE, HeaderValue::from_static("a=b; sessionid=the-last"));
    assert_eq!(session_cookie(&headers, NAME).as_deref(), Some("the-last"));
    assert_eq!(session_cookie(&HeaderMap::new(), NAME), None);
}

/// What lies in Redis is a message, an object that can be told as JSON, or refused in one line. Nothing opens
/// that was not sealed with our keys.
pub fn envelope(data: &[u8]) {
    for kind in [LayerKind::Core, LayerKind::PubSub] {
        match Opener::new(&layer(kind, &[])).open(data) {
            Ok(opened) => {
                let object = opened.message.as_object().unwrap();
                assert!(!object.contains_key("__asgi_channel__"));
                let text = opened.message.to_string();
                assert_eq!(
                    serde_json::from_str::<Value>(&text).unwrap(),
                    opened.message
                );
            }
            Err(reason) => one_line(&reason),
        }
        let sealed = Opener::new(&layer(kind, &["the key of the layer", "its fallback"]));
        one_line(&sealed.open(data).unwrap_err());
    }
}

/// What a device prints becomes text that only grows, without secrets and within its limit, the same however
/// the network cuts it.
pub fn output(data: &[u8]) {
    const SECRETS: [&str; 3] = ["s3cret", "s3cr", "geheim€"];
    let [limit, cut, bytes @ ..] = data else {
        return;
    };
    let (limit, cut) = (usize::from(*limit) * 4, usize::from(*cut).max(1));
    let new = || Collected::new(limit, SECRETS.map(str::to_owned));
    let mut whole = new();
    whole.push(Stream::Stdout, bytes);
    whole.line("the end");
    let mut pieces = new();
    for piece in bytes.chunks(cut) {
        grows(&mut pieces, |it| it.push(Stream::Stdout, piece));
    }
    grows(&mut pieces, |it| it.line("the end"));
    assert_eq!(pieces.text(), whole.text());
    let mut both = new();
    for (number, piece) in bytes.chunks(cut).enumerate() {
        let stream = [Stream::Stdout, Stream::Stderr][number % 2];
        grows(&mut both, |it| it.push(stream, piece));
    }
    grows(&mut both, Collected::finish);
    for collected in [&whole, &both] {
        let text = collected.text();
        assert!(text.len() <= limit + 100, "{} of {limit}", text.len());
        assert!(!text.contains('\0'));
        assert!(
            SECRETS.iter().all(|secret| !text.contains(secret)),
            "{text:?}"
        );
    }
}

fn grows(collected: &mut Collected, change: impl FnOnce(&mut Collected)) {
    let before = collected.text().to_owned();
    change(collected);
    let after = collected.text();
    assert!(after.starts_with(&before), "{before:?} became {after:?}");
}

/// A body is taken, or refused with a 400 in the shape of Django REST framework: every reason is a sentence.
pub fn body(data: &[u8]) {
    for reading in Reading::ALL {
        let Err((status, text)) = reading.read(data) else {
            continue;
        };
        assert_eq!(status, 400, "{reading:?}: {text}");
        let answer: Value = serde_json::from_str(&text).unwrap();
        let fields = answer.as_object().unwrap();
        assert!(!fields.is_empty(), "{reading:?}");
        fields.values().for_each(sentences);
    }
}

fn sentences(reasons: &Value) {
    match reasons {
        Value::String(reason) => assert!(!reason.is_empty()),
        Value::Array(reasons) => {
            assert!(!reasons.is_empty());
            reasons.iter().for_each(sentences);
        }
        // Of a list's items, or of an object's fields.
        Value::Object(fields) => fields.values().for_each(sentences),
        other => panic!("{other} is no reason"),
    }
}

/// A request's head out of lines: method and path, then headers. What HTTP itself does not let through is
/// left out, as the HTTP server does.
fn head(data: &[u8]) -> Option<Parts> {
    let mut lines = data.split(|byte| *byte == b'\n');
    let first = std::str::from_utf8(lines.next()?).ok()?;
    let (method, uri) = first.split_once(' ')?;
    let request = Request::builder().method(method).uri(uri).body(()).ok()?;
    let (mut parts, ()) = request.into_parts();
    for line in lines {
        let at = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..at]).ok()?;
        let value = HeaderValue::from_bytes(line[at + 1..].trim_ascii()).ok()?;
        parts.headers.append(name, value);
    }
    Some(parts)
}

fn layer(kind: LayerKind, keys: &[&str]) -> LayerSettings {
    LayerSettings {
        kind,
        hosts: vec!["redis://localhost".into()],
        prefix: "asgi".into(),
        group_expiry_s: 86_400,
        capacity: 100,
        encryption_keys: keys.iter().map(|&key| key.into()).collect(),
    }
}

fn one_line(text: &str) {
    assert!(!text.is_empty() && text.len() < 400, "{text}");
    assert!(!text.chars().any(char::is_control), "{text:?}");
}

/// The control frames in `bytes`, read in pieces of `cut`, and how the framing was broken if it was.
fn read(bytes: &[u8], cut: usize) -> (Vec<Control>, Option<FramingError>) {
    let (mut reader, mut found) = (FrameReader::default(), Vec::new());
    for mut piece in bytes.chunks(cut) {
        loop {
            match reader.read(&mut piece) {
                Ok(Some(control)) => found.push(control),
                Ok(None) => break,
                Err(error) => return (found, Some(error)),
            }
        }
        assert!(piece.is_empty());
    }
    (found, None)
}

fn login(result: Result<Login, SessionError>, settings: &SessionSettings) {
    match result {
        Ok(login) => {
            assert!(settings.authentication_backends.contains(&login.backend));
            assert!(!session::is_of_password(&login, "", settings));
        }
        Err(error) => refusal(Some(error)),
    }
}

fn refusal(error: Option<SessionError>) {
    let line = error.map(|it| it.to_string()).unwrap_or_default();
    assert!(line.len() < 400, "{line}");
    assert!(!line.chars().any(char::is_control), "{line}");
}

/// Those of the vectors in `tests/openwisp/sessions.json`.
fn settings() -> SessionSettings {
    SessionSettings {
        engine: SessionEngine::Cache,
        cache_url: None,
        key_prefix: String::new(),
        key_version: 1,
        secret_keys: vec!["the key of the sessions".into(), "its fallback".into()],
        cookie_age_s: 1_209_600,
        authentication_backends: vec!["openwisp_users.backends.UsersAuthenticationBackend".into()],
    }
}
