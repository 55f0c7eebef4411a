//! `[gateway]`: the OpenWISP that `fleetwire gateway` stands beside, in the words of docker-openwisp's
//! environment; what that environment leaves to Django's settings has keys of its own.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::check::Problems;
use super::database::redact;
use super::secrets::MASK;

/// Variables of docker-openwisp's environment that are read as they are, each for the key of the same
/// name in small letters.
pub const DOCKER_OPENWISP: [&str; 25] = [
    "API_INTERNAL",
    "CHANNEL_REDIS_URL",
    "DASHBOARD_APP_SERVICE",
    "DASHBOARD_DOMAIN",
    "DASHBOARD_INTERNAL",
    "DB_ENGINE",
    "DB_HOST",
    "DB_NAME",
    "DB_OPTIONS",
    "DB_PASS",
    "DB_PORT",
    "DB_SSLCERT",
    "DB_SSLKEY",
    "DB_SSLMODE",
    "DB_SSLROOTCERT",
    "DB_USER",
    "DJANGO_ALLOWED_HOSTS",
    "DJANGO_SECRET_KEY",
    "REDIS_CACHE_URL",
    "REDIS_HOST",
    "REDIS_PASS",
    "REDIS_PORT",
    "REDIS_USER",
    "REDIS_USE_TLS",
    "WEBSOCKET_APP_PORT",
];

const LISTEN_PORT: u16 = 8002;
const POSTGRES_PORT: u16 = 5432;
const REDIS_PORT: u16 = 6379;

/// The OpenWISP beside which the gateway stands.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct GatewayConfig {
    /// Where to listen: an address with a port, or `unix:/PATH`; empty for every address of this machine
    /// at `websocket_app_port`.
    pub listen: String,
    /// The port where `listen` is empty.
    #[serde(deserialize_with = "port::<_, LISTEN_PORT>")]
    pub websocket_app_port: u16,
    /// Another server of `/ws/` for what is not ours: a URL, `http://HOST:PORT` or `unix:/PATH`.
    pub fallback: String,
    /// Django's `ENGINE` of the database.
    #[serde(deserialize_with = "text")]
    pub db_engine: String,
    /// Its name, or its file.
    #[serde(deserialize_with = "text")]
    pub db_name: String,
    /// Who connects.
    #[serde(deserialize_with = "text")]
    pub db_user: String,
    /// That user's password.
    pub db_pass: Hidden,
    /// Where it runs: a name, an address or the directory of a socket.
    #[serde(deserialize_with = "text")]
    pub db_host: String,
    /// Its port.
    #[serde(deserialize_with = "port::<_, POSTGRES_PORT>")]
    pub db_port: u16,
    /// PostgreSQL's `sslmode`.
    #[serde(deserialize_with = "text")]
    pub db_sslmode: String,
    /// The file of the client's key.
    #[serde(deserialize_with = "text")]
    pub db_sslkey: String,
    /// The file of the client's certificate.
    #[serde(deserialize_with = "text")]
    pub db_sslcert: String,
    /// The file of the certificates that are trusted.
    #[serde(deserialize_with = "text")]
    pub db_sslrootcert: String,
    /// More of Django's `OPTIONS`, as a JSON object.
    #[serde(deserialize_with = "text")]
    pub db_options: String,
    /// Where Redis runs.
    #[serde(deserialize_with = "text")]
    pub redis_host: String,
    /// Its port.
    #[serde(deserialize_with = "port::<_, REDIS_PORT>")]
    pub redis_port: u16,
    /// Who connects.
    #[serde(deserialize_with = "text")]
    pub redis_user: String,
    /// That user's password.
    pub redis_pass: Hidden,
    /// Whether to speak TLS with it.
    #[serde(deserialize_with = "flag")]
    pub redis_use_tls: bool,
    /// The cache that holds the sessions, instead of database 0 of the above.
    pub redis_cache_url: HiddenUrl,
    /// The channel layer, instead of database 1 of the above.
    pub channel_redis_url: HiddenUrl,
    /// Django's `SECRET_KEY`.
    pub django_secret_key: Hidden,
    /// Django's `SECRET_KEY_FALLBACKS`.
    pub django_secret_key_fallbacks: Vec<Hidden>,
    /// Django's `ALLOWED_HOSTS`.
    #[serde(deserialize_with = "texts")]
    pub django_allowed_hosts: Vec<String>,
    /// The dashboard's host name: its registered domain is allowed where `django_allowed_hosts` is empty.
    #[serde(deserialize_with = "text")]
    pub dashboard_domain: String,
    /// A name that docker-openwisp allows beside them.
    #[serde(deserialize_with = "text")]
    pub dashboard_app_service: String,
    /// Another.
    #[serde(deserialize_with = "text")]
    pub dashboard_internal: String,
    /// Another.
    #[serde(deserialize_with = "text")]
    pub api_internal: String,
    /// Django's `SESSION_ENGINE`, or its last word.
    #[serde(deserialize_with = "text")]
    pub session_engine: String,
    /// Django's `SESSION_COOKIE_NAME`.
    pub session_cookie_name: String,
    /// Django's `SESSION_COOKIE_AGE`: for how long signed cookies are valid.
    pub session_cookie_age_s: u64,
    /// `KEY_PREFIX` of the cache that holds the sessions.
    pub cache_key_prefix: String,
    /// `VERSION` of that cache.
    pub cache_version: u32,
    /// Django's `AUTHENTICATION_BACKENDS`.
    pub authentication_backends: Vec<String>,
    /// The channel layer's `BACKEND`, or `core` or `pubsub`.
    #[serde(deserialize_with = "text")]
    pub channel_layer: String,
    /// Its `hosts` where there are several, as URLs.
    pub channel_hosts: Vec<HiddenUrl>,
    /// Its `prefix`.
    pub channel_prefix: String,
    /// Its `group_expiry`.
    pub channel_group_expiry_s: u64,
    /// Its `capacity`.
    pub channel_capacity: u32,
    /// Its `symmetric_encryption_keys`.
    pub channel_encryption_keys: Vec<Hidden>,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            listen: String::new(),
            websocket_app_port: LISTEN_PORT,
            fallback: String::new(),
            db_engine: String::new(),
            db_name: String::new(),
            db_user: String::new(),
            db_pass: Hidden::default(),
            db_host: String::new(),
            db_port: POSTGRES_PORT,
            db_sslmode: String::new(),
            db_sslkey: String::new(),
            db_sslcert: String::new(),
            db_sslrootcert: String::new(),
            db_options: String::new(),
            redis_host: String::new(),
            redis_port: REDIS_PORT,
            redis_user: String::new(),
            redis_pass: Hidden::default(),
            redis_use_tls: false,
            redis_cache_url: HiddenUrl::default(),
            channel_redis_url: HiddenUrl::default(),
            django_secret_key: Hidden::default(),
            django_secret_key_fallbacks: Vec::new(),
            django_allowed_hosts: Vec::new(),
            dashboard_domain: String::new(),
            dashboard_app_service: String::new(),
            dashboard_internal: String::new(),
            api_internal: String::new(),
            session_engine: "cache".into(),
            session_cookie_name: "sessionid".into(),
            session_cookie_age_s: 1_209_600,
            cache_key_prefix: String::new(),
            cache_version: 1,
            authentication_backends: vec![
                "openwisp_users.backends.UsersAuthenticationBackend".into(),
            ],
            channel_layer: "core".into(),
            channel_hosts: Vec::new(),
            channel_prefix: "asgi".into(),
            channel_group_expiry_s: 3600,
            channel_capacity: 100,
            channel_encryption_keys: Vec::new(),
        }
    }
}

impl GatewayConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        use super::check::between;
        for (key, port) in [
            ("websocket_app_port", self.websocket_app_port),
            ("db_port", self.db_port),
            ("redis_port", self.redis_port),
        ] {
            if port == 0 {
                let reason = "must be a port, from 1 to 65535; leave it out for the usual one";
                problems.add("gateway", key, reason);
            }
        }
        let expiry = self.channel_group_expiry_s;
        between(
            problems,
            "gateway",
            "channel_group_expiry_s",
            expiry,
            60,
            31_536_000,
        );
        let capacity = self.channel_capacity.into();
        between(
            problems,
            "gateway",
            "channel_capacity",
            capacity,
            1,
            1_000_000,
        );
        let age = self.session_cookie_age_s;
        between(
            problems,
            "gateway",
            "session_cookie_age_s",
            age,
            1,
            3_153_600_000,
        );
    }
}

/// A text that is never shown: neither `Debug` nor `Serialize` give it away.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Hidden(pub String);

/// A URL that is shown without its password.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct HiddenUrl(pub String);

impl From<String> for Hidden {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl Hidden {
    fn shown(&self) -> String {
        if self.0.is_empty() {
            String::new()
        } else {
            MASK.to_owned()
        }
    }
}

impl HiddenUrl {
    /// It without its password.
    #[must_use]
    pub fn shown(&self) -> String {
        redact(&self.0)
    }
}

macro_rules! hidden {
    ($($name:ident),+) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.shown())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.shown())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                text(deserializer).map(Self)
            }
        }
    )+};
}

hidden!(Hidden, HiddenUrl);

/// What an environment can hold: Docker's has only texts, where a file has types. Nothing is repeated in
/// a message: it may be a secret.
#[derive(Deserialize)]
#[serde(untagged)]
enum Given {
    Flag(bool),
    Number(u64),
    Text(String),
    Other(serde::de::IgnoredAny),
}

/// A text. Python's `None`, which docker-openwisp's example environment writes for nothing, is empty.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(match Given::deserialize(deserializer)? {
        Given::Text(text) if text == "None" => String::new(),
        Given::Text(text) => text,
        // A password or a name may be made of digits.
        Given::Number(number) => number.to_string(),
        Given::Flag(_) | Given::Other(_) => return Err(serde::de::Error::custom("must be a text")),
    })
}

fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let trimmed = texts.iter().map(|text| text.trim().to_owned());
    Ok(trimmed.filter(|text| !text.is_empty()).collect())
}

/// A port; nothing is the usual one.
fn port<'de, D: Deserializer<'de>, const USUAL: u16>(deserializer: D) -> Result<u16, D::Error> {
    let found = match Given::deserialize(deserializer)? {
        Given::Number(number) => u16::try_from(number).ok(),
        Given::Text(text) if matches!(text.trim(), "" | "None") => Some(USUAL),
        Given::Text(text) => text.trim().parse().ok(),
        Given::Flag(_) | Given::Other(_) => None,
    };
    found.ok_or_else(|| serde::de::Error::custom("must be a port, from 1 to 65535"))
}

/// As docker-openwisp reads them: `true`, `yes`, `on` and `1` in any case are true.
fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let found = match Given::deserialize(deserializer)? {
        Given::Flag(flag) => Some(flag),
        Given::Number(number @ 0..=1) => Some(number == 1),
        Given::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" | "t" | "y" => Some(true),
            "false" | "no" | "off" | "0" | "f" | "n" | "" | "none" => Some(false),
            _ => None,
        },
        Given::Number(_) | Given::Other(_) => None,
    };
    found.ok_or_else(|| serde::de::Error::custom("must be true or false"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<GatewayConfig, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn an_environment_of_texts_is_understood() {
        let read = read(
            "db_port = \"5432\"\nredis_use_tls = \"True\"\ndb_sslkey = \"None\"\ndb_pass = 1234",
        )
        .unwrap();
        assert_eq!(read.db_port, 5432);
        assert!(read.redis_use_tls);
        assert_eq!(read.db_sslkey, "");
        assert_eq!(read.db_pass.0, "1234");
        // As a line of .env with nothing behind it.
        let empty = "db_port = \"\"\nredis_port = \"None\"\nwebsocket_app_port = \" \"";
        assert_eq!(self::read(empty).unwrap(), GatewayConfig::default());
    }

    #[test]
    fn what_is_wrong_is_refused_without_being_repeated() {
        for text in [
            "db_port = \"s3cret\"",
            "redis_use_tls = \"s3cret\"",
            "db_pass = [\"s3cret\"]",
        ] {
            let error = read(text).unwrap_err();
            assert!(!error.message().contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn secrets_are_never_shown() {
        let config = GatewayConfig {
            db_pass: Hidden("s3cret".into()),
            django_secret_key_fallbacks: vec![Hidden("s3cret".into())],
            redis_cache_url: HiddenUrl("redis://:s3cret@redis/0".into()),
            channel_redis_url: HiddenUrl("unix:///redis.sock?pass=s3cret&db=1".into()),
            ..GatewayConfig::default()
        };
        assert!(!format!("{config:?}").contains("s3cret"));
        assert!(!toml::to_string(&config).unwrap().contains("s3cret"));
    }
}
