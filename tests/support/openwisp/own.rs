//! An OpenWISP of a test's own: Redis, database, Django and Daphne, all to be ended and altered.

use std::net::SocketAddr;
use std::process::Command;

use reqwest::Url;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::{Database, Django, Kind, python};
use crate::support::Redis;
use crate::support::process::Process;
use crate::support::{OwnPostgres, free_address};

/// What its pages are called, where hosts are not all allowed.
pub const HOST: &str = "wisp.example.org";
const SECRET_KEY: &str = "of-a-test-of-fleetwire-0123456789-abcdefghijklmnopqrstuvwxyz";

/// What it was before.
const OLD_SECRET_KEY: &str = "of-a-test-of-fleetwire-that-is-over-9876543210-zyxwvutsrqponmlkjihg";

/// Which of Redis' databases holds what, and how an operator tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// docker-openwisp: `REDIS_HOST`; sessions in 0, channels in 1.
    Docker,
    /// ansible-openwisp2: URLs; sessions in 1, channels in 0.
    Ansible,
}

/// How it is set up.
#[derive(Clone, Debug)]
pub struct Options {
    pub database: Kind,
    /// In a PostgreSQL of its own, which can be stopped. Only with [`Kind::PostGis`].
    pub own_postgres: bool,
    pub layout: Layout,
    /// The last word of `SESSION_ENGINE`.
    pub sessions: &'static str,
    /// More of the cache's `OPTIONS`.
    pub cache_more: Value,
    /// `KEY_PREFIX` of the cache.
    pub cache_prefix: &'static str,
    /// `core` or `pubsub`.
    pub layer: &'static str,
    /// Hosts of the channel layer.
    pub hosts: usize,
    pub encryption_keys: Vec<&'static str>,
    pub redis_password: Option<&'static str>,
    pub allowed_hosts: Vec<&'static str>,
    pub secret_key: &'static str,
    pub secret_key_fallbacks: Vec<&'static str>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            database: Kind::SpatiaLite,
            own_postgres: false,
            layout: Layout::Docker,
            sessions: "cache",
            cache_more: json!({}),
            cache_prefix: "",
            layer: "core",
            hosts: 1,
            encryption_keys: Vec::new(),
            redis_password: None,
            allowed_hosts: vec![HOST, "127.0.0.1"],
            secret_key: SECRET_KEY,
            secret_key_fallbacks: vec![OLD_SECRET_KEY],
        }
    }
}

/// All of it. Killed when dropped.
pub struct OpenWisp {
    /// The steps of a test.
    pub django: Django,
    /// The first holds the sessions; the channel layer is on all of them.
    pub redis: Vec<Redis>,
    /// Where [`Options::own_postgres`] asks for one.
    pub postgres: Option<OwnPostgres>,
    options: Options,
    database: Database,
    daphne: Process,
    address: SocketAddr,
    directory: TempDir,
}

impl OpenWisp {
    /// Redis, a copy of the seeded database, and Django. [`OpenWisp::run`] starts Daphne.
    pub async fn prepare(options: Options) -> Self {
        let directory = TempDir::with_prefix("fleetwire-openwisp-own-").expect("a directory");
        let mut redis = Vec::new();
        for number in 0..options.hosts {
            let name = format!("redis-{number}");
            let password = options.redis_password;
            redis.push(Redis::start(directory.path(), &name, password).await);
        }
        let postgres = if options.own_postgres {
            Some(OwnPostgres::start().await)
        } else {
            None
        };
        let database = match &postgres {
            Some(server) => Database::restore(server),
            None => Database::copy(options.database).await,
        };
        let address = free_address();
        let with = |command| on(command, &options, &redis, &database);
        let mut daphne = with(python());
        daphne.args(["-m", "daphne", "--bind", "127.0.0.1", "--port"]);
        daphne.args([&address.port().to_string(), "controller.asgi:application"]);
        Self {
            django: Django::start(with(python())),
            daphne: Process::new("daphne", daphne, &directory.path().join("daphne.log")),
            redis,
            postgres,
            options,
            database,
            address,
            directory,
        }
    }

    /// All of it, with Daphne.
    pub async fn start(options: Options) -> Self {
        let mut openwisp = Self::prepare(options).await;
        openwisp.run().await;
        openwisp
    }

    /// Starts Daphne, which serves the admin and its own sockets, always at the same address.
    pub async fn run(&mut self) {
        let address = self.address;
        self.daphne.start();
        self.daphne
            .ready(async || TcpStream::connect(address).await.ok())
            .await;
    }

    /// SIGTERM to Daphne, and its end.
    pub async fn terminate(&mut self) {
        self.daphne.terminate().await;
    }

    /// A new process for [`OpenWisp::django`].
    pub fn renew_django(&mut self) {
        let python = on(python(), &self.options, &self.redis, &self.database);
        self.django = Django::start(python);
    }

    /// Where Daphne listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The header that a browser on one of its pages sends.
    pub fn origin() -> (&'static str, String) {
        ("origin", format!("https://{HOST}"))
    }

    /// The environment in which an operator starts the gateway beside it.
    pub fn gateway_environment(&self) -> Vec<(String, String)> {
        let options = &self.options;
        let mut environment = self.database_environment();
        let mut set = |name: &str, value: String| environment.push((name.to_owned(), value));
        set("DJANGO_SECRET_KEY", options.secret_key.to_owned());
        set("DJANGO_ALLOWED_HOSTS", options.allowed_hosts.join(","));
        match options.layout {
            Layout::Docker => {
                let address = self.redis[0].address();
                set("REDIS_HOST", address.ip().to_string());
                set("REDIS_PORT", address.port().to_string());
                set(
                    "REDIS_PASS",
                    options.redis_password.unwrap_or("None").to_owned(),
                );
            }
            Layout::Ansible => {
                set("REDIS_CACHE_URL", self.redis[0].url(1));
                set("CHANNEL_REDIS_URL", self.redis[0].url(0));
            }
        }
        if options.hosts > 1 {
            let hosts = channels(options, &self.redis).join(",");
            set("FLEETWIRE_GATEWAY__CHANNEL_HOSTS", hosts);
        }
        for (key, value) in [
            ("SESSION_ENGINE", options.sessions.to_owned()),
            ("CHANNEL_LAYER", options.layer.to_owned()),
            ("CACHE_KEY_PREFIX", options.cache_prefix.to_owned()),
            ("CHANNEL_ENCRYPTION_KEYS", options.encryption_keys.join(",")),
            (
                "DJANGO_SECRET_KEY_FALLBACKS",
                options.secret_key_fallbacks.join(","),
            ),
        ] {
            if !value.is_empty() {
                set(&format!("FLEETWIRE_GATEWAY__{key}"), value);
            }
        }
        environment
    }

    fn database_environment(&self) -> Vec<(String, String)> {
        let url = Url::parse(self.database.url()).expect("a URL");
        let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        if url.scheme() == "sqlite" {
            let engine = "openwisp_utils.db.backends.spatialite";
            return vec![set("DB_ENGINE", engine), set("DB_NAME", url.path())];
        }
        let engine = "django.contrib.gis.db.backends.postgis";
        let host = url.host_str().unwrap_or_default().replace("%2F", "/");
        let port = url.port().map_or(String::new(), |port| port.to_string());
        vec![
            set("DB_ENGINE", engine),
            set("DB_NAME", url.path().trim_start_matches('/')),
            set("DB_USER", url.username()),
            set("DB_PASS", url.password().unwrap_or_default()),
            set("DB_HOST", &host),
            set("DB_PORT", &port),
        ]
    }

    /// Where a test may put files that go with it.
    pub fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }
}

/// URLs of the channel layer.
fn channels(options: &Options, redis: &[Redis]) -> Vec<String> {
    let number = match options.layout {
        Layout::Docker => 1,
        Layout::Ansible => 0,
    };
    redis.iter().map(|redis| redis.url(number)).collect()
}

/// A command of Python's with the settings of this OpenWISP.
fn on(mut command: Command, options: &Options, redis: &[Redis], database: &Database) -> Command {
    let mut layer = json!({});
    if !options.encryption_keys.is_empty() {
        layer["symmetric_encryption_keys"] = json!(options.encryption_keys);
    }
    let more = json!({
        "sessions": options.sessions,
        "cache_options": options.cache_more,
        "layer": options.layer,
        "layer_config": layer,
        "allowed_hosts": options.allowed_hosts,
        "secret_key": options.secret_key,
        "secret_key_fallbacks": options.secret_key_fallbacks,
    });
    let cache = match options.layout {
        Layout::Docker => redis[0].url(0),
        Layout::Ansible => redis[0].url(1),
    };
    command
        .env("OPENWISP_DATABASE", database.url())
        .env("OPENWISP_CACHE", cache)
        .env("OPENWISP_CHANNELS", channels(options, redis).join(" "))
        .env("OPENWISP_PREFIX", options.cache_prefix)
        .env("OPENWISP_SETTINGS", more.to_string());
    command
}
