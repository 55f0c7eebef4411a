//! What loading promises: every mistake named with its place, nothing secret told.

use std::io::Write;

use super::super::{Config, ConfigError, DEFAULT_FILE, LogFormat};
use super::*;

fn env<'a>(variables: &'a [(&str, &str)]) -> impl Iterator<Item = (String, String)> + use<'a> {
    variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
}

/// The mistakes of a file, each without the file's name: `line: key: reason`.
fn mistakes(text: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    match Config::load(Some(file.path()), env(variables)) {
        Ok(_) => Vec::new(),
        Err(ConfigError::Mistakes(mistakes)) => {
            let path = format!("{}:", file.path().display());
            mistakes
                .iter()
                .map(|mistake| mistake.to_string().replace(&path, ""))
                .collect()
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn the_embedded_file_holds_every_key_with_its_default_and_no_other() {
    assert_eq!(
        toml::from_str::<Config>(DEFAULT_FILE).unwrap(),
        Config::default()
    );
    assert_eq!(
        DEFAULT_FILE.parse::<Table>().unwrap(),
        table_of(&Config::default())
    );
}

#[test]
fn every_key_of_the_embedded_file_is_explained() {
    let mut explained = false;
    for line in DEFAULT_FILE.lines() {
        assert!(
            explained || line.is_empty() || line.starts_with(['#', '[']),
            "{line}"
        );
        explained = !line.is_empty() && !line.starts_with('[');
    }
}

#[test]
fn the_environment_overrides_the_file_and_the_file_the_defaults() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    write!(
        file,
        "log.level = \"warn\"\n[server]\nlisten = \"[::1]:1\"\ndrain_s = 3\n"
    )
    .unwrap();
    let config = Config::load(
        Some(file.path()),
        env(&[("FLEETWIRE_SERVER__LISTEN", "0.0.0.0:80")]),
    )
    .unwrap();
    assert_eq!(config.server.listen, ([0, 0, 0, 0], 80).into());
    assert_eq!(config.server.drain_s, 3);
    assert_eq!(config.log.level, "warn");
    assert_eq!(config.socket, Config::default().socket);
}

#[test]
fn a_variable_is_read_as_toml_if_that_fits_and_else_as_text() {
    let config = Config::load(
        None,
        env(&[
            ("FLEETWIRE_BIN", "not ours"),
            ("FLEETWIRE_SOCKET__PING_S", "5"),
            ("FLEETWIRE_LOGIN__COOKIE_NAME", "1234"),
            ("FLEETWIRE_LOG__LEVEL", "\"debug\""),
            ("FLEETWIRE_LOG__FORMAT", "json"),
            (
                "FLEETWIRE_SERVER__ALLOWED_ORIGINS",
                "https://a.example, http://b.example:81",
            ),
            (
                "FLEETWIRE_SERVER__TRUSTED_PROXIES",
                "[\"10.0.0.0/8\", \"::1\"]",
            ),
        ]),
    )
    .unwrap();
    assert_eq!(config.socket.ping_s, 5);
    assert_eq!(config.login.cookie_name, "1234");
    assert_eq!(config.log.level, "debug");
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(
        config.server.allowed_origins,
        ["https://a.example", "http://b.example:81"]
    );
    assert_eq!(
        config.server.trusted_proxies[0],
        "10.0.0.0/8".parse().unwrap()
    );
    assert_eq!(config.server.trusted_proxies[1], "::1/128".parse().unwrap());
    let one = env(&[("FLEETWIRE_SERVER__TRUSTED_PROXIES", "192.0.2.1")]);
    assert_eq!(
        Config::load(None, one)
            .unwrap()
            .server
            .trusted_proxies
            .len(),
        1
    );
    let none = env(&[("FLEETWIRE_SERVER__TRUSTED_PROXIES", "")]);
    assert!(
        Config::load(None, none)
            .unwrap()
            .server
            .trusted_proxies
            .is_empty()
    );
}

#[test]
fn every_mistake_of_a_file_is_named_with_its_line_and_key() {
    let text = "[server]\nlisten = \"nowhere\"\nlissten = 1\n\n[sockets]\nping_s = 1\n\n[socket]\n\
                ping_s = \"soon\"\nidle_s = -1\n[log]\nformat = \"xml\"\n";
    let told = mistakes(text, &[]);
    let begins = [
        "2: server.listen: \"nowhere\" is no IP address with a port",
        "3: server.lissten: there is no such key; [server] has listen, trusted_proxies,",
        "5: sockets: there is no such section; there are server, database,",
        "9: socket.ping_s: must be a whole number, 0 or more, not \"soon\"",
        "10: socket.idle_s: must be a whole number, 0 or more, not -1",
        "12: log.format: unknown variant `xml`, expected `text` or `json`",
    ];
    assert_eq!(told.len(), begins.len(), "{told:#?}");
    for (told, begin) in told.iter().zip(begins) {
        assert!(told.starts_with(begin), "{told}");
    }
}

#[test]
fn what_is_no_toml_is_named_with_its_line() {
    let told = mistakes("[server]\ndrain_s = 1\nlisten = \"half\n", &[]);
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("3: "), "{told:?}");
}

#[test]
fn values_that_make_no_sense_are_named_where_they_stand() {
    let text = "[socket]\nping_s = 0\nidle_s = 5\n[server]\nallowed_origins = [\n\"example.org\", \"*\"]\n\
                [metrics]\nlisten = \"9100\"\n[log]\nlevel = \"inof\"\n[lease]\ncheck_ms = 0\n";
    let told = mistakes(text, &[("FLEETWIRE_INGEST__TAIL_MS", "0")]);
    for begin in [
        "5: server.allowed_origins: \"example.org\" must be scheme://host[:port]",
        "5: server.allowed_origins: \"*\" must be",
        "2: socket.ping_s: 0 is not from 1 to",
        "8: metrics.listen: \"9100\" is no IP address",
        "10: log.level: \"inof\" is no level",
        "12: lease.check_ms: 0 is not from",
        "FLEETWIRE_INGEST__TAIL_MS: ingest.tail_ms: 0 is not from",
    ] {
        assert!(
            told.iter().any(|line| line.starts_with(begin)),
            "{begin} in {told:#?}"
        );
    }
}

#[test]
fn a_ping_rarer_than_the_idle_limit_is_refused() {
    let told = mistakes("[socket]\nping_s = 30\n", &[]);
    assert_eq!(told.len(), 1, "{told:#?}");
    // The one that was set is blamed, at its line.
    assert!(
        told[0].starts_with("2: socket.ping_s: must be less than socket.idle_s (30)"),
        "{told:#?}"
    );
    let told = mistakes("[socket]\nidle_s = 5\n", &[]);
    assert!(
        told[0].starts_with("2: socket.idle_s: must be more than socket.ping_s (20)"),
        "{told:#?}"
    );
}

#[test]
fn an_unknown_variable_is_a_mistake() {
    let told = mistakes(
        "",
        &[
            ("FLEETWIRE_SERVER__LISSTEN", "x"),
            ("FLEETWIRE_server__listen", "x"),
        ],
    );
    assert_eq!(told.len(), 2);
    assert!(
        told[0].starts_with("FLEETWIRE_SERVER__LISSTEN: there is no such variable"),
        "{told:?}"
    );
}

#[test]
fn a_missing_file_is_named() {
    let error = Config::load(Some(Path::new("/nowhere/fleetwire.toml")), env(&[])).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("cannot read the configuration /nowhere/fleetwire.toml: ")
    );
}

#[test]
fn a_password_is_in_no_message_however_it_went_wrong() {
    let url = "postgres://fleet:s3cret@db/fleetwire";
    for text in [
        format!("database = \"{url}\""),
        format!("[database]\nurl = {url}"),
        format!("[database]\nurl = \"{url}"),
        format!("[database]\n{url}"),
        format!("[database]\nurl = [\"{url}\"]"),
        format!("[database]\nurl = \"mysql{url}\""),
        format!("[server]\nlisten = \"{url}\""),
        format!("[server]\ndrain_s = \"{url}\""),
        format!("[server]\ntrusted_proxies = \"{url}\""),
        format!("[server]\ntrusted_proxies = [\"{url}\"]"),
        format!("[server]\nallowed_origins = [\"{url}\"]"),
        format!("[metrics]\nlisten = \"{url}\""),
        format!("[log]\nlevel = \"{url}\""),
        format!("[log]\nformat = \"{url}\""),
    ] {
        let told = mistakes(&text, &[("FLEETWIRE_DATABASE__URL", "s3cret")]);
        assert!(!told.is_empty(), "{text}");
        assert!(!told.join(" ").contains("s3cret"), "{text}: {told:?}");
    }
}

#[test]
fn a_key_is_in_no_message_however_it_went_wrong() {
    let key = "0123456789abcdef".repeat(4);
    for text in [
        format!("secrets = \"{key}\""),
        format!("[secrets]\nkey = {key}"),
        format!("[secrets]\nkey = \"{key}"),
        format!("[secrets]\nkey = [\"{key}\"]"),
        format!("[secrets]\nkey = {{ {key} = 1 }}"),
        format!("[secrets]\nkey = \"{}\"", &key[1..]),
        format!("[secrets]\n{key} = 1"),
        format!("{key} = 1"),
        format!("[server]\nlisten = \"{key}\""),
        format!("[server]\ndrain_s = \"{key}\""),
        format!("[log]\nformat = \"{key}\""),
    ] {
        let told = mistakes(&text, &[("FLEETWIRE_SECRETS__KEY", &key[2..])]);
        assert!(!told.is_empty(), "{text}");
        assert!(!told.join(" ").contains(&key[2..40]), "{text}: {told:?}");
    }
    let digits = ("FLEETWIRE_SECRETS__KEY", &*"1234567e".repeat(8));
    let config = Config::load(None, env(&[digits])).unwrap();
    assert_eq!(config.secrets.key, digits.1);
}

#[test]
fn variables_show_everything_but_the_password() {
    let url = (
        "FLEETWIRE_DATABASE__URL",
        "postgres://fleet:s3cret@db/fleetwire",
    );
    let config = Config::load(None, env(&[url, ("FLEETWIRE_SERVER__DRAIN_S", "4")])).unwrap();
    assert_eq!(config.database.url, url.1);
    let shown = config.variables();
    let of = |name: &str| {
        shown
            .iter()
            .find(|(known, _)| known == name)
            .unwrap()
            .1
            .clone()
    };
    assert_eq!(
        of("FLEETWIRE_DATABASE__URL").as_str(),
        Some("postgres://fleet:********@db/fleetwire")
    );
    assert_eq!(of("FLEETWIRE_SERVER__DRAIN_S").as_integer(), Some(4));
}

#[test]
fn beside_an_openwisp_the_variables_of_its_docker_images_count_as_they_are() {
    let docker = [
        ("DB_HOST", "postgres"),
        ("DB_PORT", "5432"),
        ("DB_PASS", "0123"),
        ("DB_SSLKEY", "None"),
        ("REDIS_USE_TLS", "True"),
        ("DJANGO_ALLOWED_HOSTS", ".example.org, localhost"),
        ("WEBSOCKET_APP_PORT", "8003"),
        ("FLEETWIRE_GATEWAY__DB_HOST", "replica"),
    ];
    let gateway = Config::load_beside_openwisp(None, env(&docker))
        .unwrap()
        .gateway;
    assert_eq!(
        (gateway.db_host.as_str(), gateway.db_port),
        ("replica", 5432)
    );
    assert_eq!(
        (gateway.db_pass.0.as_str(), gateway.db_sslkey.as_str()),
        ("0123", "")
    );
    assert!(gateway.redis_use_tls);
    assert_eq!(gateway.django_allowed_hosts, [".example.org", "localhost"]);
    assert_eq!(gateway.websocket_app_port, 8003);
    // `serve` has nothing to do with them.
    assert_eq!(
        Config::load(None, env(&docker[..7])).unwrap().gateway,
        Config::default().gateway
    );
    let error = Config::load_beside_openwisp(None, env(&[("DB_PORT", "many")])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "DB_PORT: gateway.db_port: must be a whole number, 0 or more, not \"many\""
    );
}

#[test]
fn a_text_in_a_variable_is_no_number_or_date() {
    for text in ["1_000", "0x10", "true", "\"half", "1979-05-27", "0123"] {
        let variables = [
            ("FLEETWIRE_GATEWAY__DB_PASS", text),
            ("FLEETWIRE_GATEWAY__DJANGO_SECRET_KEY", text),
            ("FLEETWIRE_GATEWAY__CHANNEL_PREFIX", text),
        ];
        let gateway = Config::load(None, env(&variables)).unwrap().gateway;
        assert_eq!(gateway.db_pass.0, text);
        assert_eq!(gateway.django_secret_key.0, text);
        assert_eq!(gateway.channel_prefix, text);
    }
}

#[test]
fn a_port_of_docker_openwisp_that_is_empty_is_the_usual_one_and_none_is_zero() {
    let empty = [
        ("DB_PORT", ""),
        ("REDIS_PORT", ""),
        ("WEBSOCKET_APP_PORT", ""),
    ];
    let gateway = Config::load_beside_openwisp(None, env(&empty))
        .unwrap()
        .gateway;
    assert_eq!(gateway, Config::default().gateway);
    let error = Config::load_beside_openwisp(None, env(&[("REDIS_PORT", "0")])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "REDIS_PORT: gateway.redis_port: must be a port, from 1 to 65535; leave it out for the usual one"
    );
}
