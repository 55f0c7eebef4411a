//! Who is logged in, by a session of Django: read from bytes that somebody else fetched, without I/O.
//!
//! A session is one dict. The cache keeps it as a [`pickle`] or as JSON, the database and signed cookies as
//! JSON with a [`signing`] signature, each of them compressed or not. Of the dict only three entries are
//! kept, those that `django.contrib.auth` writes at login; everything else is checked for its form and
//! dropped. Whoever can write to the cache, or send a cookie, can send anything: what is read is bounded, is
//! never run, and no error repeats it.

mod json;
pub mod pickle;
pub mod signing;
mod zlib;

use std::borrow::Cow;
use std::fmt;

use subtle::{Choice, ConstantTimeEq as _};
use uuid::Uuid;

use super::settings::SessionSettings;
use crate::config::MASK;
use crate::event::{Timestamp, UserId};

/// No session, compressed or not, is larger than this many bytes. Real ones have some hundred.
pub const MOST_BYTES: usize = 1 << 20;

const DATABASE_SALT: &str = "django.contrib.sessions.SessionStore";
const COOKIE_SALT: &str = "django.contrib.sessions.backends.signed_cookies";
const HASH_SALT: &str = "django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash";

/// What a Django session says about who is logged in.
#[derive(Clone)]
pub struct Login {
    /// The user, who may be gone or inactive by now.
    pub user: UserId,
    /// The authentication backend that let them in, one of those in the settings.
    pub backend: String,
    /// What [`is_of_password`] compares; empty where the session has none.
    pub auth_hash: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("user", &self.user)
            .field("backend", &self.backend)
            .field("auth_hash", &MASK)
            .finish()
    }
}

/// Why a session logs nobody in. No message repeats what the session holds, but for the name of a class.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// It was made in a way that Django does not make it: damaged, forged, or no session at all.
    #[error("the session cannot be read: {0}")]
    Unreadable(&'static str),
    /// It is beyond a bound.
    #[error("the session is too large: {0}")]
    TooLarge(&'static str),
    /// It is kept in a form of django-redis that is not read.
    #[error(
        "the session is kept as {0}, which is not read: set django-redis' SERIALIZER to its PickleSerializer \
         or its JSONSerializer, and its COMPRESSOR to its ZlibCompressor or to none"
    )]
    UnknownSerializer(&'static str),
    /// It holds an object that only its class, or another function, could build: the name of that.
    #[error("the session holds {0}, which is never built: sessions may hold plain values only")]
    Object(String),
    /// None of our keys made its signature.
    #[error(
        "the session's signature was made with no key of ours: it is forged, or gateway.django_secret_key is \
         not OpenWISP's SECRET_KEY (with its SECRET_KEY_FALLBACKS in gateway.django_secret_key_fallbacks)"
    )]
    Signature,
    /// It is older than sessions get.
    #[error("the session is older than gateway.session_cookie_age_s")]
    Expired,
    /// It has no user.
    #[error("nobody is logged in with the session")]
    Nobody,
    /// Its backend is not in the settings.
    #[error(
        "the session was opened by an authentication backend that gateway.authentication_backends does not \
         name: add it there if OpenWISP's AUTHENTICATION_BACKENDS has it"
    )]
    Backend,
}

impl SessionError {
    /// Which of them it is, as a label of metrics.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "unreadable",
            Self::TooLarge(_) => "too_large",
            Self::UnknownSerializer(_) => "unknown_serializer",
            Self::Object(_) => "object",
            Self::Signature => "signature",
            Self::Expired => "expired",
            Self::Nobody => "nobody",
            Self::Backend => "backend",
        }
    }
}

/// Reads a session as a cache holds it: django-redis' with its pickle or JSON serializer, compressed with zlib
/// or not, and Django's own Redis cache.
///
/// # Errors
/// Where it is not a session in that form, or logs nobody in.
pub fn from_cache(value: &[u8], settings: &SessionSettings) -> Result<Login, SessionError> {
    let value = bounded(value)?;
    // Small values are not compressed, and no serializer's output begins like zlib's.
    if value.first() == Some(&zlib::FIRST_BYTE) {
        serialized(&zlib::inflated(value)?)?.login(settings)
    } else {
        serialized(value)?.login(settings)
    }
}

/// Reads the column `session_data` of the table `django_session`. That the row has not expired is for who
/// read it to see.
///
/// # Errors
/// Where it is not a session with a signature of ours, or logs nobody in.
pub fn from_database(
    session_data: &str,
    settings: &SessionSettings,
) -> Result<Login, SessionError> {
    let signed = signing::verified(session_data, DATABASE_SALT, &settings.secret_keys)?;
    json::read(&signed.content()?)?.login(settings)
}

/// Reads a session that is in the cookie itself. As in Django, its age counts from when it was last written,
/// and an expiry that was set for this session alone does not count.
///
/// # Errors
/// Where it is not a session with a signature of ours, is too old, or logs nobody in.
pub fn from_cookie(
    cookie: &str,
    settings: &SessionSettings,
    now: Timestamp,
) -> Result<Login, SessionError> {
    let signed = signing::verified(cookie, COOKIE_SALT, &settings.secret_keys)?;
    let age = i128::from(now.0) - i128::from(signed.second) * 1_000_000;
    if age > i128::from(settings.cookie_age_s) * 1_000_000 {
        return Err(SessionError::Expired);
    }
    json::read(&signed.content()?)?.login(settings)
}

/// Whether the session was opened while the user had this password, given as the column `password` has it:
/// a new password ends all sessions before it, as in Django. Takes the same time wherever the difference is.
#[must_use]
pub fn is_of_password(login: &Login, password: &str, settings: &SessionSettings) -> bool {
    let is_one = settings
        .secret_keys
        .iter()
        .fold(Choice::from(0), |any, key| {
            let hash = signing::hmac(HASH_SALT, key, password.as_bytes());
            any | hex(&hash).as_bytes().ct_eq(login.auth_hash.as_bytes())
        });
    is_one.into()
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

fn bounded(bytes: &[u8]) -> Result<&[u8], SessionError> {
    if bytes.len() > MOST_BYTES {
        return Err(SessionError::TooLarge("it has more than 1 MiB"));
    }
    Ok(bytes)
}

/// The entries of a session that is not compressed, in the form that its first bytes tell.
fn serialized(value: &[u8]) -> Result<Entries<'_>, SessionError> {
    match value {
        // MessagePack's empty map; a pickle's first byte is followed by its protocol.
        [0x80] | [0x81..=0x8f | 0xde | 0xdf, ..] => {
            Err(SessionError::UnknownSerializer("MessagePack"))
        }
        [0x80, 2..=5, ..] => pickle::read(value),
        [0x80, ..] | [b'(', b'd', ..] | [b'}', b'q', ..] => Err(SessionError::UnknownSerializer(
            "a pickle of another protocol than 2 to 5",
        )),
        [b'{', ..] => json::read(value),
        [0x1f, 0x8b, ..] => Err(SessionError::UnknownSerializer("gzip")),
        [0xfd, b'7', b'z', b'X', b'Z', ..] => Err(SessionError::UnknownSerializer("lzma")),
        [0x04, 0x22, 0x4d, 0x18, ..] => Err(SessionError::UnknownSerializer("lz4")),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Err(SessionError::UnknownSerializer("zstd")),
        // Integers are stored as their digits whatever the serializer; the rest is JSON's other values.
        [b'0'..=b'9' | b'-' | b'"' | b'[', ..] | b"null" | b"true" | b"false" => Err(NO_DICT),
        _ => Err(SessionError::Unreadable(
            "it begins as nothing that Django or django-redis writes",
        )),
    }
}

const NO_DICT: SessionError = SessionError::Unreadable("it is no dict");

/// What stands under one key of a session.
#[derive(Default)]
enum Entry<'a> {
    #[default]
    Missing,
    Text(Cow<'a, str>),
    /// Anything else, which is no user and no backend.
    Other,
}

/// What `django.contrib.auth` writes at login.
const KEYS: [&str; 3] = ["_auth_user_id", "_auth_user_backend", "_auth_user_hash"];

/// Of all entries of a session, those that say who is logged in.
#[derive(Default)]
pub struct Entries<'a> {
    user: Entry<'a>,
    backend: Entry<'a>,
    auth_hash: Entry<'a>,
}

impl<'a> Entries<'a> {
    /// Keeps one entry if it is one of the three. Of several with one key the last counts, as in Python.
    fn set(&mut self, key: &str, entry: Entry<'a>) {
        let [user, backend, auth_hash] = KEYS;
        if key == user {
            self.user = entry;
        } else if key == backend {
            self.backend = entry;
        } else if key == auth_hash {
            self.auth_hash = entry;
        }
    }

    fn login(self, settings: &SessionSettings) -> Result<Login, SessionError> {
        let user = match self.user {
            Entry::Missing => return Err(SessionError::Nobody),
            Entry::Text(text) => Uuid::parse_str(&text).ok(),
            Entry::Other => None,
        };
        let user = user.ok_or(SessionError::Unreadable("its user's id is no UUID"))?;
        let backend = match self.backend {
            Entry::Missing => return Err(SessionError::Nobody),
            Entry::Text(text) => text.into_owned(),
            Entry::Other => return Err(SessionError::Backend),
        };
        if !settings.authentication_backends.contains(&backend) {
            return Err(SessionError::Backend);
        }
        let auth_hash = match self.auth_hash {
            Entry::Text(text) => text.into_owned(),
            Entry::Missing | Entry::Other => String::new(),
        };
        Ok(Login {
            user: UserId(user),
            backend,
            auth_hash,
        })
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
