//! What must hold of any input: the body of each fuzz target, and of the test that replays its corpus.

use fleetwire::event::Timestamp;
use fleetwire::openwisp::session::signing::Signed;
use fleetwire::openwisp::session::{self, Login, MOST_BYTES, SessionError, pickle};
use fleetwire::openwisp::settings::{SessionEngine, SessionSettings};

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
