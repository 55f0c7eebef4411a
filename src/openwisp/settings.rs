//! What an operator has set, as the rest of the room needs it: addresses that can be opened, choices
//! that are one of ours.

use std::path::PathBuf;

use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::hosts::AllowedHosts;
use crate::config::{GatewayConfig, Hidden};

/// A setting that the gateway cannot work with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongSetting {
    /// Its key in `[gateway]`.
    pub key: &'static str,
    /// What is wrong with it, and what to do.
    pub reason: String,
}

impl std::fmt::Display for WrongSetting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "gateway.{}: {}", self.key, self.reason)
    }
}

/// Why there are no settings: all that is wrong, at least one.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct WrongSettings(pub Vec<WrongSetting>);

/// Where OpenWISP's database is.
#[derive(Clone)]
pub enum DatabaseAddress {
    /// SpatiaLite: the file.
    Sqlite(PathBuf),
    /// PostGIS.
    Postgres(Box<PgConnectOptions>),
}

/// Django's way of keeping sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionEngine {
    /// `django.contrib.sessions.backends.cache`
    Cache,
    /// `django.contrib.sessions.backends.db`
    Db,
    /// `django.contrib.sessions.backends.cached_db`
    CachedDb,
    /// `django.contrib.sessions.backends.signed_cookies`
    SignedCookies,
}

/// The channel layer's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerKind {
    /// `channels_redis.core.RedisChannelLayer`
    Core,
    /// `channels_redis.pubsub.RedisPubSubChannelLayer`
    PubSub,
}

/// How sessions are read.
#[derive(Clone)]
pub struct SessionSettings {
    /// Where they are.
    pub engine: SessionEngine,
    /// The cache that holds them: a URL that [`redis::Client::open`] takes; `None` for the engines that
    /// need none.
    pub cache_url: Option<String>,
    /// `KEY_PREFIX` of that cache.
    pub key_prefix: String,
    /// `VERSION` of that cache.
    pub key_version: u32,
    /// Django's `SECRET_KEY`, then its fallbacks. Never empty.
    pub secret_keys: Vec<String>,
    /// For how many seconds a signed cookie is valid.
    pub cookie_age_s: u64,
    /// Backends whose sessions count.
    pub authentication_backends: Vec<String>,
}

/// How the channel layer is reached.
#[derive(Clone)]
pub struct LayerSettings {
    /// Which of the two.
    pub kind: LayerKind,
    /// URLs that [`redis::Client::open`] takes, in the order of Django's settings. Never empty.
    pub hosts: Vec<String>,
    /// Begins every key.
    pub prefix: String,
    /// Seconds after which a member that was not renewed is thrown out of its group.
    pub group_expiry_s: u64,
    /// Messages that senders let wait for one process.
    pub capacity: usize,
    /// Keys of which any may have encrypted a message; none for no encryption.
    pub encryption_keys: Vec<String>,
}

/// Where the gateway listens, and where another server does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `HOST:PORT`.
    Tcp(String),
    /// The path of a socket.
    Unix(PathBuf),
}

/// All of it.
#[derive(Clone)]
pub struct Settings {
    /// Where to listen.
    pub listen: Address,
    /// A server for what below `/ws/` is not ours.
    pub fallback: Option<Address>,
    /// OpenWISP's database.
    pub database: DatabaseAddress,
    /// Its sessions.
    pub sessions: SessionSettings,
    /// Its channel layer.
    pub layer: LayerSettings,
    /// Whose pages may open sockets.
    pub allowed_hosts: AllowedHosts,
}

impl Settings {
    /// Reads what `config` means.
    ///
    /// # Errors
    /// With everything that is wrong or missing.
    pub fn new(config: &GatewayConfig) -> Result<Self, WrongSettings> {
        let mut reading = Reading {
            config,
            wrong: Vec::new(),
        };
        let listen = reading.listen();
        let fallback = reading.fallback();
        let database = reading.database();
        let sessions = reading.sessions();
        let layer = reading.layer();
        let allowed_hosts = reading.allowed_hosts();
        let (Some(listen), Some(database), Some(sessions), Some(layer), true) =
            (listen, database, sessions, layer, reading.wrong.is_empty())
        else {
            return Err(WrongSettings(reading.wrong));
        };
        Ok(Self {
            listen,
            fallback,
            database,
            sessions,
            layer,
            allowed_hosts,
        })
    }
}

/// A reading of the configuration that goes on after what is wrong.
struct Reading<'a> {
    config: &'a GatewayConfig,
    wrong: Vec<WrongSetting>,
}

impl Reading<'_> {
    fn refuse<T>(&mut self, key: &'static str, reason: impl Into<String>) -> Option<T> {
        self.wrong.push(WrongSetting {
            key,
            reason: reason.into(),
        });
        None
    }

    fn listen(&mut self) -> Option<Address> {
        let config = self.config;
        if config.listen.is_empty() {
            return Some(Address::Tcp(format!(
                "0.0.0.0:{}",
                config.websocket_app_port
            )));
        }
        match address(&config.listen) {
            Some(address) => Some(address),
            None => self.refuse("listen", "must be ADDRESS:PORT or unix:/PATH"),
        }
    }

    fn fallback(&mut self) -> Option<Address> {
        let given = self.config.fallback.as_str();
        if given.is_empty() {
            return None;
        }
        let place = given.strip_prefix("http://").unwrap_or(given);
        match address(place.trim_end_matches('/')) {
            Some(address) => Some(address),
            None => self.refuse("fallback", "must be http://HOST:PORT or unix:/PATH"),
        }
    }

    fn database(&mut self) -> Option<DatabaseAddress> {
        let config = self.config;
        let engine = config.db_engine.to_ascii_lowercase();
        if engine.is_empty() {
            return self.refuse("db_engine", "is missing (DB_ENGINE): Django's ENGINE, such as django.contrib.gis.db.backends.postgis");
        }
        if engine.contains("mysql") || engine.contains("oracle") {
            return self.refuse(
                "db_engine",
                "MySQL, MariaDB and Oracle cannot be read: the gateway works beside an OpenWISP on PostGIS or SpatiaLite",
            );
        }
        if config.db_name.is_empty() {
            return self.refuse("db_name", "is missing (DB_NAME)");
        }
        if engine.ends_with("spatialite") || engine.ends_with("sqlite3") {
            return Some(DatabaseAddress::Sqlite(PathBuf::from(&config.db_name)));
        }
        if engine.ends_with("postgis") || engine.ends_with("postgresql") {
            return self
                .postgres()
                .map(|options| DatabaseAddress::Postgres(Box::new(options)));
        }
        self.refuse(
            "db_engine",
            format!("\"{}\" is neither PostGIS nor SpatiaLite", config.db_engine),
        )
    }

    fn postgres(&mut self) -> Option<PgConnectOptions> {
        let config = self.config;
        let mut options = PgConnectOptions::new_without_pgpass()
            .database(&config.db_name)
            .port(config.db_port)
            .application_name("fleetwire gateway");
        if !config.db_host.is_empty() {
            options = options.host(&config.db_host);
        }
        if !config.db_user.is_empty() {
            options = options.username(&config.db_user);
        }
        if !config.db_pass.0.is_empty() {
            options = options.password(&config.db_pass.0);
        }
        for (key, given) in [
            ("sslmode", config.db_sslmode.clone()),
            ("sslkey", config.db_sslkey.clone()),
            ("sslcert", config.db_sslcert.clone()),
            ("sslrootcert", config.db_sslrootcert.clone()),
        ]
        .into_iter()
        .chain(self.database_options()?)
        {
            options = match (key, given.as_str()) {
                (_, "") => options,
                ("sslmode", mode) => match mode.parse::<PgSslMode>() {
                    Ok(mode) => options.ssl_mode(mode),
                    Err(_) => {
                        return self.refuse(
                            "db_sslmode",
                            "is no sslmode of PostgreSQL, such as require or verify-full",
                        );
                    }
                },
                ("sslkey", file) => options.ssl_client_key(file),
                ("sslcert", file) => options.ssl_client_cert(file),
                ("sslrootcert", file) => options.ssl_root_cert(file),
                _ => options,
            };
        }
        Some(options)
    }

    /// Of Django's `OPTIONS`, those that are about the way to the server: they override the others.
    fn database_options(&mut self) -> Option<Vec<(&'static str, String)>> {
        let text = match self.config.db_options.as_str() {
            "" => "{}",
            text => text,
        };
        let Ok(serde_json::Value::Object(given)) = serde_json::from_str(text) else {
            return self.refuse("db_options", "must be a JSON object");
        };
        let known = ["sslmode", "sslkey", "sslcert", "sslrootcert"];
        let options = known.into_iter().filter_map(|key| {
            let value = given.get(key)?.as_str()?;
            Some((
                key,
                if value == "None" {
                    String::new()
                } else {
                    value.to_owned()
                },
            ))
        });
        Some(options.collect())
    }

    fn sessions(&mut self) -> Option<SessionSettings> {
        let config = self.config;
        let engine = match last_word(&config.session_engine) {
            "cache" => SessionEngine::Cache,
            "db" => SessionEngine::Db,
            "cached_db" => SessionEngine::CachedDb,
            "signed_cookies" => SessionEngine::SignedCookies,
            _ => return self.refuse("session_engine", "must be cache, db, cached_db or signed_cookies: sessions kept otherwise cannot be read"),
        };
        // The missing key is named also where something else is wrong; it refuses all in the end.
        if config.django_secret_key.0.is_empty() {
            self.refuse::<()>("django_secret_key", "is missing (DJANGO_SECRET_KEY): Django's SECRET_KEY, with which sessions are checked");
        }
        let needs_cache = matches!(engine, SessionEngine::Cache | SessionEngine::CachedDb);
        let cache_url = if needs_cache {
            Some(self.redis_url("redis_cache_url", &config.redis_cache_url.0, 0)?)
        } else {
            None
        };
        let secret_keys = [&config.django_secret_key]
            .into_iter()
            .chain(&config.django_secret_key_fallbacks);
        Some(SessionSettings {
            engine,
            cache_url,
            key_prefix: config.cache_key_prefix.clone(),
            key_version: config.cache_version,
            secret_keys: secret_keys.map(|key| key.0.clone()).collect(),
            cookie_age_s: config.session_cookie_age_s,
            authentication_backends: config.authentication_backends.clone(),
        })
    }

    fn layer(&mut self) -> Option<LayerSettings> {
        let config = self.config;
        let kind = match config.channel_layer.as_str() {
            "core" | "channels_redis.core.RedisChannelLayer" => LayerKind::Core,
            "pubsub" | "channels_redis.pubsub.RedisPubSubChannelLayer" => LayerKind::PubSub,
            _ => {
                return self.refuse(
                    "channel_layer",
                    "must be core or pubsub: the two of channels_redis",
                );
            }
        };
        let hosts = if config.channel_hosts.is_empty() {
            vec![self.redis_url("channel_redis_url", &config.channel_redis_url.0, 1)?]
        } else {
            let mut hosts = Vec::new();
            for host in &config.channel_hosts {
                match redis_url(&host.0) {
                    Some(url) => hosts.push(url),
                    None => return self.refuse("channel_hosts", URL_FORM),
                }
            }
            hosts
        };
        Some(LayerSettings {
            kind,
            hosts,
            prefix: config.channel_prefix.clone(),
            group_expiry_s: config.channel_group_expiry_s,
            capacity: usize::try_from(config.channel_capacity).unwrap_or(usize::MAX),
            encryption_keys: config
                .channel_encryption_keys
                .iter()
                .map(|key| key.0.clone())
                .collect(),
        })
    }

    /// The URL that was given, or the one that docker-openwisp makes of its parts.
    fn redis_url(&mut self, key: &'static str, given: &str, database: u8) -> Option<String> {
        let config = self.config;
        if !given.is_empty() {
            return match redis_url(given) {
                Some(url) => Some(url),
                None => self.refuse(key, URL_FORM),
            };
        }
        if config.redis_host.is_empty() {
            return self.refuse(key, "is missing, and so is redis_host (REDIS_HOST)");
        }
        let scheme = if config.redis_use_tls {
            "rediss"
        } else {
            "redis"
        };
        let Hidden(password) = &config.redis_pass;
        let login = match (config.redis_user.as_str(), password.as_str()) {
            (_, "") => String::new(),
            (user, password) => format!("{}:{}@", quoted(user), quoted(password)),
        };
        let url = format!(
            "{scheme}://{login}{}:{}/{database}",
            config.redis_host, config.redis_port
        );
        match redis_url(&url) {
            Some(url) => Some(url),
            None => self.refuse("redis_host", "is no host name"),
        }
    }

    fn allowed_hosts(&mut self) -> AllowedHosts {
        let config = self.config;
        let mut patterns = config.django_allowed_hosts.clone();
        if patterns.is_empty() {
            match psl::domain_str(&config.dashboard_domain) {
                Some(domain) => patterns.push(format!(".{domain}")),
                None => {
                    self.refuse::<()>("django_allowed_hosts", "is missing (DJANGO_ALLOWED_HOSTS), and dashboard_domain (DASHBOARD_DOMAIN) names no registered domain: Django's ALLOWED_HOSTS");
                }
            }
        }
        // What docker-openwisp's settings allow in any case, and no others'.
        let named = [
            &config.dashboard_app_service,
            &config.dashboard_internal,
            &config.api_internal,
        ];
        let is_docker = named.iter().any(|name| !name.is_empty());
        if is_docker || !config.dashboard_domain.is_empty() {
            patterns.push("localhost".to_owned());
            patterns.extend(named.map(String::clone));
        }
        AllowedHosts::new(patterns.iter().filter(|pattern| !pattern.is_empty()))
    }
}

const URL_FORM: &str =
    "must be redis://[[USER]:PASSWORD@]HOST:PORT/DATABASE, rediss://… or unix:///PATH?db=DATABASE";

/// `ADDRESS:PORT` or `unix:/PATH`.
fn address(text: &str) -> Option<Address> {
    if let Some(path) = text.strip_prefix("unix:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        return path
            .starts_with('/')
            .then(|| Address::Unix(PathBuf::from(path)));
    }
    let (host, port) = text.rsplit_once(':')?;
    let port: u16 = port.parse().ok()?;
    (!host.is_empty() && !host.contains(['/', '@'])).then(|| Address::Tcp(format!("{host}:{port}")))
}

fn last_word(path: &str) -> &str {
    path.rsplit_once('.').map_or(path, |(_, last)| last)
}

/// A URL of redis-py in the words of our own client, if it is one. Of its parameters those count that say
/// which database and as whom; the others are about redis-py's own ways.
fn redis_url(given: &str) -> Option<String> {
    let mut url = redis::parse_redis_url(given)?;
    let parameters: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    // Each also by our client's name.
    let told = |names: [&str; 2]| {
        let fits = |it: &&(String, String)| names.contains(&it.0.as_str()) && !it.1.is_empty();
        parameters.iter().find(fits).map(|(_, value)| value)
    };
    let database = told(["db", "db"]);
    let user = told(["username", "user"]);
    let password = told(["password", "pass"]);
    url.set_query(None);
    match url.scheme() {
        "redis" | "rediss" => {
            // What stands before an `@` counts for more, as it does in redis-py.
            if let Some(user) = user.filter(|_| url.username().is_empty()) {
                url.set_username(&quoted(user)).ok()?;
            }
            if let Some(password) = password.filter(|_| url.password().is_none()) {
                url.set_password(Some(&quoted(password))).ok()?;
            }
            if let Some(database) = database {
                url.set_path(database);
            }
        }
        "unix" => {
            for (name, value) in [("db", database), ("user", user), ("pass", password)] {
                if let Some(value) = value {
                    url.query_pairs_mut().append_pair(name, value);
                }
            }
        }
        _ => return None,
    }
    let url = String::from(url);
    redis::Client::open(url.as_str()).ok().map(|_| url)
}

/// A part of a URL, percent-encoded.
fn quoted(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut quoted, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            quoted.push(char::from(byte));
        } else {
            // Writing to a text cannot fail.
            let _ = write!(quoted, "%{byte:02X}");
        }
        quoted
    })
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
