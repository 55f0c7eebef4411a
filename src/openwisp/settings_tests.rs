//! What an operator's settings mean.

use super::*;
use crate::config::HiddenUrl;

/// As docker-openwisp's example environment sets it.
fn docker() -> GatewayConfig {
    GatewayConfig {
        db_engine: "django.contrib.gis.db.backends.postgis".into(),
        db_name: "openwisp_db".into(),
        db_user: "admin".into(),
        db_pass: Hidden("admin".into()),
        db_host: "postgres".into(),
        db_port: 5432,
        db_sslmode: "disable".into(),
        db_options: "{}".into(),
        redis_host: "redis".into(),
        django_secret_key: Hidden("a-secret".into()),
        dashboard_domain: "dashboard.openwisp.org".into(),
        ..GatewayConfig::default()
    }
}

fn wrong(config: &GatewayConfig) -> Vec<&'static str> {
    match Settings::new(config) {
        Ok(_) => Vec::new(),
        Err(WrongSettings(wrong)) => wrong.iter().map(|it| it.key).collect(),
    }
}

#[test]
fn docker_openwisps_environment_suffices() {
    let settings = Settings::new(&docker())
        .map_err(|error| error.to_string())
        .unwrap();
    assert_eq!(settings.listen, Address::Tcp("0.0.0.0:8002".into()));
    assert_eq!(
        settings.sessions.cache_url.as_deref(),
        Some("redis://redis:6379/0")
    );
    assert_eq!(settings.layer.hosts, ["redis://redis:6379/1"]);
    assert_eq!(settings.layer.kind, LayerKind::Core);
    assert!(
        settings
            .allowed_hosts
            .accept("https://dashboard.openwisp.org")
    );
    assert!(settings.allowed_hosts.accept("https://api.openwisp.org"));
    assert!(
        !settings
            .allowed_hosts
            .accept("https://openwisp.org.evil.test")
    );
    let DatabaseAddress::Postgres(options) = settings.database else {
        panic!("PostGIS was asked for")
    };
    assert_eq!(
        (options.get_host(), options.get_database()),
        ("postgres", Some("openwisp_db"))
    );
}

#[test]
fn ansibles_layout_is_two_urls_and_a_file() {
    let config = GatewayConfig {
        db_engine: "openwisp_utils.db.backends.spatialite".into(),
        db_name: "/opt/openwisp2/db.sqlite3".into(),
        redis_cache_url: HiddenUrl("redis://127.0.0.1:6379/1".into()),
        channel_redis_url: HiddenUrl("redis://127.0.0.1:6379/0".into()),
        listen: "unix:///run/fleetwire/gateway.sock".into(),
        redis_host: String::new(),
        ..docker()
    };
    let settings = Settings::new(&config)
        .map_err(|error| error.to_string())
        .unwrap();
    assert_eq!(
        settings.listen,
        Address::Unix("/run/fleetwire/gateway.sock".into())
    );
    assert_eq!(settings.layer.hosts, ["redis://127.0.0.1:6379/0"]);
    assert!(
        matches!(settings.database, DatabaseAddress::Sqlite(file) if file.ends_with("db.sqlite3"))
    );
}

#[test]
fn everything_that_is_missing_is_named_at_once() {
    let found = wrong(&GatewayConfig::default());
    assert_eq!(
        found,
        [
            "db_engine",
            "django_secret_key",
            "redis_cache_url",
            "channel_redis_url",
            "django_allowed_hosts"
        ]
    );
    let keyless = GatewayConfig {
        django_secret_key: Hidden::default(),
        ..docker()
    };
    assert_eq!(wrong(&keyless), ["django_secret_key"]);
}

#[test]
fn sessions_of_the_backend_that_both_deployments_have_count_and_no_others() {
    let settings = Settings::new(&docker());
    let sessions = settings
        .map_err(|error| error.to_string())
        .unwrap()
        .sessions;
    assert_eq!(
        sessions.authentication_backends,
        ["openwisp_users.backends.UsersAuthenticationBackend"]
    );
}

#[test]
fn what_cannot_work_is_refused_with_its_key() {
    let with = |change: fn(&mut GatewayConfig)| {
        let mut config = docker();
        change(&mut config);
        wrong(&config)
    };
    assert_eq!(
        with(|it| it.db_engine = "django.contrib.gis.db.backends.mysql".into()),
        ["db_engine"]
    );
    assert_eq!(
        with(|it| it.db_engine = "django.db.backends.dummy".into()),
        ["db_engine"]
    );
    assert_eq!(with(|it| it.db_sslmode = "perhaps".into()), ["db_sslmode"]);
    assert_eq!(with(|it| it.db_options = "[]".into()), ["db_options"]);
    assert_eq!(
        with(|it| it.session_engine = "django.contrib.sessions.backends.file".into()),
        ["session_engine"]
    );
    assert_eq!(
        with(|it| it.channel_layer = "channels.layers.InMemoryChannelLayer".into()),
        ["channel_layer"]
    );
    assert_eq!(
        with(|it| it.channel_hosts = vec![HiddenUrl("http://redis".into())]),
        ["channel_hosts"]
    );
    assert_eq!(with(|it| it.listen = "8002".into()), ["listen"]);
    assert_eq!(
        with(|it| it.fallback = "ftp://daphne:1".into()),
        ["fallback"]
    );
    assert_eq!(
        with(|it| it.dashboard_domain = "dashboard.co.uk".into()),
        Vec::<&str>::new()
    );
    assert_eq!(
        with(|it| it.dashboard_domain = "co.uk".into()),
        ["django_allowed_hosts"]
    );
}

#[test]
fn urls_of_redis_py_are_understood() {
    for (given, ours) in [
        ("redis://redis:6379/3", Some("redis://redis:6379/3")),
        (
            "redis://:pass@redis:6379?db=3",
            Some("redis://:pass@redis:6379/3"),
        ),
        (
            "unix:///run/redis.sock?db=7",
            Some("unix:///run/redis.sock?db=7"),
        ),
        (
            "redis://redis:6379/2?username=fleet&password=p%40ss%20w&db=3&socket_timeout=5",
            Some("redis://fleet:p%40ss%20w@redis:6379/3"),
        ),
        (
            "rediss://:first@redis/1?password=second",
            Some("rediss://:first@redis/1"),
        ),
        (
            "unix:///run/redis.sock?password=p%40ss%20w&username=fleet&db=7",
            Some("unix:///run/redis.sock?db=7&user=fleet&pass=p%40ss+w"),
        ),
        (
            "unix:///run/redis.sock?db=7&pass=word",
            Some("unix:///run/redis.sock?db=7&pass=word"),
        ),
        ("redis://redis?db=seven", None),
        ("redis:6379", None),
        ("memcached://redis", None),
    ] {
        assert_eq!(redis_url(given).as_deref(), ours, "{given}");
    }
}

#[test]
fn what_docker_openwisp_allows_beside_its_hosts_is_allowed_there_alone() {
    let hosts = |config: &GatewayConfig| {
        let settings = Settings::new(config);
        settings
            .map_err(|error| error.to_string())
            .unwrap()
            .allowed_hosts
    };
    let named = GatewayConfig {
        django_allowed_hosts: vec!["wisp.example.org".into()],
        ..docker()
    };
    assert!(hosts(&named).accept("http://localhost"));
    let ansible = GatewayConfig {
        dashboard_domain: String::new(),
        ..named.clone()
    };
    assert!(hosts(&ansible).accept("https://wisp.example.org"));
    assert!(!hosts(&ansible).accept("http://localhost"));
    let service = GatewayConfig {
        dashboard_app_service: "dashboard".into(),
        ..ansible
    };
    assert!(hosts(&service).accept("http://localhost"));
    assert!(hosts(&service).accept("http://dashboard:8000"));
}

#[test]
fn a_password_may_hold_anything() {
    let config = GatewayConfig {
        redis_pass: Hidden("p@ss/w:rd".into()),
        redis_use_tls: true,
        ..docker()
    };
    let settings = Settings::new(&config)
        .map_err(|error| error.to_string())
        .unwrap();
    assert_eq!(
        settings.layer.hosts,
        ["rediss://:p%40ss%2Fw%3Ard@redis:6379/1"]
    );
}
