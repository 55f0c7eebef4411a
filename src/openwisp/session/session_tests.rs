//! Sessions that a real Django made: captured from an OpenWISP 1.3, and those of
//! `tests/openwisp/sessions.json`, which `sessions.py` beside it makes.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;
use crate::openwisp::settings::SessionEngine;

const CAPTURED_KEY: &str = "fn)t*+$)ugeyip6-#txyy$5wf2ervc0d2n#h)qb)y5@ly$t*@w";
const CAPTURED_BACKEND: &str = "django.contrib.auth.backends.ModelBackend";

#[derive(Deserialize)]
struct Vectors {
    key: String,
    fallback: String,
    now: i64,
    user: UserId,
    password: String,
    cache: BTreeMap<String, String>,
    database: BTreeMap<String, String>,
    cookie: BTreeMap<String, String>,
}

impl Vectors {
    fn read() -> Self {
        serde_json::from_str(include_str!("../../../tests/openwisp/sessions.json")).unwrap()
    }

    fn settings(&self) -> SessionSettings {
        settings(&[&self.key, &self.fallback])
    }

    fn cache(&self, name: &str) -> Vec<u8> {
        unhex(&self.cache[name])
    }

    fn is_user(&self, login: &Login) -> bool {
        login.user == self.user && is_of_password(login, &self.password, &self.settings())
    }

    fn at(&self, second: u64) -> Timestamp {
        Timestamp((self.now + i64::try_from(second).unwrap()) * 1_000_000)
    }
}

fn settings(keys: &[&str]) -> SessionSettings {
    SessionSettings {
        engine: SessionEngine::Cache,
        cache_url: None,
        key_prefix: String::new(),
        key_version: 1,
        secret_keys: keys.iter().map(|&key| key.to_owned()).collect(),
        cookie_age_s: 1_209_600,
        authentication_backends: [
            CAPTURED_BACKEND,
            "openwisp_users.backends.UsersAuthenticationBackend",
        ]
        .map(str::to_owned)
        .to_vec(),
    }
}

fn unhex(digits: &str) -> Vec<u8> {
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}

fn label<T>(result: Result<T, SessionError>) -> &'static str {
    result.err().map_or("read", |error| error.label())
}

fn of_json(json: &str) -> Result<Login, SessionError> {
    from_cache(json.as_bytes(), &settings(&[CAPTURED_KEY]))
}

/// A session in JSON with these values, as JSON, of the three entries.
fn login_json(user: &str, backend: &str, hash: &str) -> String {
    format!(
        r#"{{"_auth_user_id": {user}, "_auth_user_backend": {backend}, "_auth_user_hash": {hash}}}"#
    )
}

#[test]
fn a_captured_session_of_the_cache_is_read() {
    let value = unhex(
        "800495d2000000000000007d94288c0d5f617574685f757365725f6964948c24\
         32303136386661332d323466362d343132332d383937662d343165396332346435353763948c125f61757468\
         5f757365725f6261636b656e64948c29646a616e676f2e636f6e747269622e617574682e6261636b656e6473\
         2e4d6f64656c4261636b656e64948c0f5f617574685f757365725f68617368948c4065353239333963656336\
         6262326139306330346639646235623636346534323166333664643262643965343762316532303836303236\
         64656361643236666132\
         94752e",
    );
    let settings = settings(&[CAPTURED_KEY]);
    let login = from_cache(&value, &settings).unwrap();
    assert_eq!(
        login.user.to_string(),
        "20168fa3-24f6-4123-897f-41e9c24d557c"
    );
    assert_eq!(login.backend, CAPTURED_BACKEND);
    let password =
        "pbkdf2_sha256$1000000$BlfjvF9QyXE4dwnYH4y9T7$VaI4jFc8sXJv75DUIUV5V8q1IGPHHz9nvvulGwUz4vg=";
    assert!(is_of_password(&login, password, &settings));
    assert!(!is_of_password(&login, &password[1..], &settings));
    // A session of somebody who did not log in.
    let value = unhex("8004950a000000000000007d948c0178944b01732e");
    assert_eq!(
        from_cache(&value, &settings).err(),
        Some(SessionError::Nobody)
    );
}

#[test]
fn a_captured_session_of_the_database_is_read() {
    let settings = settings(&[CAPTURED_KEY]);
    let login = from_database(
        ".eJxVzLsOwjAMheF3yUwighs7YWTnGSondmgBtVIvE-LdoVIHmM__nZdpeV26dp11ansxZ4O1BBIfLWbyttGglrOo\
         TTVE1IoJYzKHX5a5PHTYrNx5uI2ujMMy9dltidvX2V1H0edlb_8OOp67r06qXgULHCNicwJIiSAKVioUsGjiAB6aE3pCTqTi\
         BTBzBAJPrMW8PxQsQMw:1xVdcb:y7yEb3dxyf5t8xQk8nJ069u_QhHGh-qv4GhYHMW_vYY",
        &settings,
    )
    .unwrap();
    assert_eq!(
        login.user.to_string(),
        "6fc57d18-6b71-4e5e-abde-9f586ef69689"
    );
    let password =
        "pbkdf2_sha256$1000000$8YhENUVNAAYloeRCRGImdH$byEqpt3iRN5sMn12Lnwaip6+oeLnI6imjWh4rq75OgY=";
    assert!(is_of_password(&login, password, &settings));
    let nobody = "eyJ4IjoxfQ:1xVdcc:MevwM0PIJE8P4qRuTl36xS6OKJjvv-WJ-F4foGkQBTA";
    assert_eq!(
        from_database(nobody, &settings).err(),
        Some(SessionError::Nobody)
    );
}

#[test]
fn every_way_of_django_and_django_redis_to_keep_a_session_is_read() {
    let vectors = Vectors::read();
    let settings = vectors.settings();
    assert_eq!(vectors.cache.len(), 15);
    for name in vectors.cache.keys() {
        let login = from_cache(&vectors.cache(name), &settings);
        assert!(vectors.is_user(&login.unwrap()), "{name}");
    }
    for name in ["login", "compressed", "fallback"] {
        let login = from_database(&vectors.database[name], &settings);
        assert!(vectors.is_user(&login.unwrap()), "database, {name}");
        let login = from_cookie(&vectors.cookie[name], &settings, vectors.at(0));
        assert!(vectors.is_user(&login.unwrap()), "cookie, {name}");
    }
}

#[test]
fn a_signature_counts_for_its_keys_and_its_purpose_alone() {
    let vectors = Vectors::read();
    let of_database = |name: &str, settings: &SessionSettings| {
        label(from_database(&vectors.database[name], settings))
    };
    let of_cookie = |name: &str, settings: &SessionSettings| {
        label(from_cookie(&vectors.cookie[name], settings, vectors.at(0)))
    };
    let first = settings(&[&vectors.key]);
    for (name, settings, expected) in [
        ("other key", vectors.settings(), "signature"),
        ("fallback", first, "signature"),
        ("empty", vectors.settings(), "nobody"),
        ("login", settings(&[]), "signature"),
    ] {
        assert_eq!(of_database(name, &settings), expected, "{name}");
        assert_eq!(of_cookie(name, &settings), expected, "{name}");
    }
    // What the database holds is no cookie, and the other way round.
    let (row, cookie) = (&vectors.database["login"], &vectors.cookie["login"]);
    assert_eq!(
        label(from_database(cookie, &vectors.settings())),
        "signature"
    );
    assert_eq!(
        label(from_cookie(row, &vectors.settings(), vectors.at(0))),
        "signature"
    );
}

#[test]
fn a_signed_session_changed_anywhere_is_refused() {
    let vectors = Vectors::read();
    let settings = vectors.settings();
    let cookie = &vectors.cookie["login"];
    let read = |cookie: &str| label(from_cookie(cookie, &settings, vectors.at(0)));
    for at in 0..cookie.len() {
        let mut changed = cookie.clone();
        let other = if cookie.as_bytes()[at] == b'A' {
            "B"
        } else {
            "A"
        };
        changed.replace_range(at..=at, other);
        assert_eq!(read(&changed), "signature", "{at}");
        assert_eq!(read(&cookie[..at]), "signature", "{at}");
    }
    for other in [
        "",
        ":",
        "::",
        "a:b:c",
        "\u{e9}:1:\u{e9}",
        &format!("{cookie}="),
    ] {
        assert_eq!(read(other), "signature", "{other}");
    }
}

#[test]
fn a_cookie_ends_by_its_age() {
    let vectors = Vectors::read();
    let settings = vectors.settings();
    let read = |now| label(from_cookie(&vectors.cookie["login"], &settings, now));
    let last = vectors.at(settings.cookie_age_s);
    assert_eq!(read(last), "read");
    assert_eq!(read(Timestamp(last.0 + 1)), "expired");
    assert_eq!(read(Timestamp(i64::MAX)), "expired");
    // A clock that is behind does no harm.
    assert_eq!(read(Timestamp(i64::MIN)), "read");
}

#[test]
fn a_login_is_of_one_password_by_any_of_our_keys() {
    let vectors = Vectors::read();
    let login = from_cache(&vectors.cache("json"), &vectors.settings()).unwrap();
    let check = |keys: &[&str]| is_of_password(&login, &vectors.password, &settings(keys));
    assert!(check(&[&vectors.key]));
    assert!(check(&["new", &vectors.key, "older"]));
    assert!(!check(&["new", "older"]));
    assert!(!check(&[]));
    for auth_hash in [
        String::new(),
        login.auth_hash[1..].to_owned(),
        login.auth_hash.to_uppercase(),
    ] {
        let login = Login {
            auth_hash,
            ..login.clone()
        };
        assert!(!is_of_password(
            &login,
            &vectors.password,
            &vectors.settings()
        ));
    }
}

#[test]
fn a_login_keeps_its_hash_to_itself() {
    let vectors = Vectors::read();
    let login = from_cache(&vectors.cache("json"), &vectors.settings()).unwrap();
    let shown = format!("{login:?}");
    assert!(shown.contains("UsersAuthenticationBackend"), "{shown}");
    assert!(!shown.contains(&login.auth_hash[..8]), "{shown}");
}

#[test]
fn only_a_user_of_a_known_backend_is_logged_in() {
    let user = r#""6fc57d18-6b71-4e5e-abde-9f586ef69689""#;
    let backend = &format!("\"{CAPTURED_BACKEND}\"");
    let hash = r#""0011""#;
    for (json, expected) in [
        (login_json(user, backend, hash), "read"),
        (login_json(&user.replace('-', ""), backend, hash), "read"),
        (login_json("7", backend, hash), "unreadable"),
        (login_json(r#""7""#, backend, hash), "unreadable"),
        (login_json(r#""""#, backend, hash), "unreadable"),
        (login_json("null", backend, hash), "unreadable"),
        (
            login_json(&format!("[{user}]"), backend, hash),
            "unreadable",
        ),
        (
            login_json(&format!("{{\"a\": {user}}}"), backend, hash),
            "unreadable",
        ),
        (
            login_json(user, r#""sesame.backends.ModelBackend""#, hash),
            "backend",
        ),
        (login_json(user, r#""""#, hash), "backend"),
        (login_json(user, "null", hash), "backend"),
        (login_json(user, &format!("[{backend}]"), hash), "backend"),
        ("{}".to_owned(), "nobody"),
        (format!(r#"{{"_auth_user_id": {user}}}"#), "nobody"),
        (format!(r#"{{"_auth_user_backend": {backend}}}"#), "nobody"),
        (
            format!(r#"{{"deeper": {}}}"#, login_json(user, backend, hash)),
            "nobody",
        ),
    ] {
        assert_eq!(label(of_json(&json)), expected, "{json}");
    }
    // Without a hash it is of no password.
    let login = of_json(&login_json(user, backend, "true")).unwrap();
    assert!(!is_of_password(&login, "", &settings(&[CAPTURED_KEY])));
}

#[test]
fn of_two_entries_with_one_key_the_last_counts() {
    let user = r#""6fc57d18-6b71-4e5e-abde-9f586ef69689""#;
    let last = r#""20168fa3-24f6-4123-897f-41e9c24d557c""#;
    let login = login_json(user, &format!("\"{CAPTURED_BACKEND}\""), "\"\"");
    let twice = |value: &str| login.replace('}', &format!(", \"_auth_user_id\": {value}}}"));
    let read = of_json(&twice(last)).unwrap();
    assert_eq!(format!("\"{}\"", read.user), last);
    assert_eq!(label(of_json(&twice("0"))), "unreadable");
}

#[test]
fn json_that_is_no_session_is_refused() {
    for json in [
        "{",
        "{]",
        "{\"a\": 1} {}",
        "{\"a\": NaN}",
        "{\"a\"}",
        "{1: 2}",
    ] {
        assert_eq!(label(of_json(json)), "unreadable", "{json}");
    }
    for json in ["[]", "\"text\"", "7", "-7", "null", "true", "false"] {
        assert_eq!(of_json(json).err(), Some(NO_DICT), "{json}");
    }
    // What stands beside the entries may be as deep as it likes; it is not built.
    let deep = |key: &str| {
        let depth = 100_000;
        format!("{{\"{key}\": {}{}}}", "[".repeat(depth), "]".repeat(depth))
    };
    assert_eq!(label(of_json(&deep("other"))), "nobody");
    assert_eq!(label(of_json(&deep("_auth_user_id"))), "unreadable");
}

#[test]
fn what_is_kept_in_another_form_is_named() {
    let settings = settings(&[CAPTURED_KEY]);
    for (value, expected) in [
        (&b"\x80"[..], "MessagePack"),
        (b"\x83\xad_auth_user_id", "MessagePack"),
        (b"\xde\x00\x10", "MessagePack"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"\xfd7zXZ\x00", "lzma"),
        (b"\x04\x22\x4d\x18", "lz4"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"(dp0\n", "pickle of another protocol"),
        (b"}q\x00(", "pickle of another protocol"),
        (b"\x80\x06}.", "pickle of another protocol"),
        (b"\x80\x01}.", "pickle of another protocol"),
    ] {
        let error = from_cache(value, &settings).unwrap_err();
        assert_eq!(error.label(), "unknown_serializer", "{value:?}");
        assert!(error.to_string().contains(expected), "{error}");
    }
    for value in [
        &b""[..],
        b"x\x9c",
        b"xyz",
        b"\0",
        b" {}",
        b"nul",
        b"\xff\xfe",
    ] {
        assert_eq!(
            label(from_cache(value, &settings)),
            "unreadable",
            "{value:?}"
        );
    }
}

#[test]
fn what_is_too_large_is_refused_before_it_is_read() {
    let settings = settings(&[CAPTURED_KEY]);
    let large = "{".repeat(MOST_BYTES + 1);
    assert_eq!(label(from_cache(large.as_bytes(), &settings)), "too_large");
    assert_eq!(label(from_database(&large, &settings)), "too_large");
    assert_eq!(
        label(from_cookie(&large, &settings, Timestamp(0))),
        "too_large"
    );
    assert_eq!(label(pickle::read(large.as_bytes())), "too_large");
}

#[test]
fn a_session_damaged_anywhere_is_the_same_login_or_proves_nobody() {
    let vectors = Vectors::read();
    let settings = vectors.settings();
    for name in vectors.cache.keys().filter(|name| !name.contains("rich")) {
        let value = vectors.cache(name);
        let whole = from_cache(&value, &settings).unwrap();
        for at in 0..value.len() {
            let cut = from_cache(&value[..at], &settings);
            assert!(cut.is_err(), "{name}, cut at {at}");
            for bit in 0..8 {
                let mut flipped = value.clone();
                flipped[at] ^= 1 << bit;
                let Ok(read) = from_cache(&flipped, &settings) else {
                    continue;
                };
                // One of the two may be another now; together they fit nobody then.
                let is_same_user = read.user == whole.user;
                let is_same_hash = read.auth_hash == whole.auth_hash;
                assert!(is_same_user || is_same_hash, "{name}, {at}, {bit}");
                assert_eq!(read.backend, whole.backend, "{name}, {at}, {bit}");
                assert_eq!(
                    is_of_password(&read, &vectors.password, &settings),
                    is_same_hash,
                    "{name}, {at}, {bit}"
                );
            }
        }
    }
}
