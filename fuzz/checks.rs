//! What must hold of any input: the body of each fuzz target, and of the test that replays its corpus.

use fleetwire::event::Timestamp;
use fleetwire::openwisp::session::signing::Signed;
use fleetwire::openwisp::session::{self, Login, MOST_BYTES, SessionError, pickle};
use fleetwire::openwisp::settings::{SessionEngine, SessionSettings};
use fleetwire::socket::reader::{Control, FrameReader, FramingError};

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
