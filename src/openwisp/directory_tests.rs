//! Over the databases that a real OpenWISP made and a real Redis.

use hmac::{Hmac, KeyInit, Mac};
use redis::AsyncCommands;
use serde_json::{Value, json};

use super::*;
use crate::openwisp::settings::DatabaseAddress;
use crate::openwisp::tables::testing::{House, variable};

pub(in crate::openwisp) const SECRET: &str = "the secret key of a test";
const BACKEND: &str = "django.contrib.auth.backends.ModelBackend";

/// An OpenWISP with a user, and the directory over it.
struct Stage {
    house: House,
    directory: OpenWispDirectory,
    ada: UserId,
}

pub(in crate::openwisp) fn redis_url() -> String {
    format!("unix://{}?db=9", variable("FLEETWIRE_TEST_OPENWISP_REDIS"))
}

pub(in crate::openwisp) fn settings(engine: SessionEngine) -> SessionSettings {
    SessionSettings {
        engine,
        cache_url: Some(redis_url()),
        // Of each test its own.
        key_prefix: uuid::Uuid::new_v4().to_string(),
        key_version: 1,
        secret_keys: vec![SECRET.to_owned()],
        cookie_age_s: 60,
        authentication_backends: vec![BACKEND.to_owned()],
    }
}

/// As `django.utils.crypto.salted_hmac` makes it.
fn signature(salt: &str, message: &str) -> Vec<u8> {
    let key = Sha256::digest(format!("{salt}{SECRET}"));
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

pub(in crate::openwisp) fn content(user: UserId, password: &str) -> Value {
    let salt = "django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash";
    let hash = signature(salt, password);
    let hash = hash
        .iter()
        .fold(String::new(), |hash, byte| format!("{hash}{byte:02x}"));
    json!({
        "_auth_user_id": user.to_string(),
        "_auth_user_backend": BACKEND,
        "_auth_user_hash": hash,
    })
}

/// A signed text, made now, as `django.core.signing.dumps` makes it.
pub(in crate::openwisp) fn signed(salt: &str, content: &Value) -> String {
    use base64::Engine as _;
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let encode = |bytes: &[u8]| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    let mut second = usize::try_from(Timestamp::now().0 / 1_000_000).unwrap();
    let mut time = Vec::new();
    while second > 0 {
        time.insert(0, DIGITS[second % 62]);
        second /= 62;
    }
    let value = format!(
        "{}:{}",
        encode(content.to_string().as_bytes()),
        String::from_utf8(time).unwrap()
    );
    let signature = signature(&format!("{salt}signer"), &value);
    format!("{value}:{}", encode(&signature))
}

impl Stage {
    async fn open(engine: SessionEngine) -> Self {
        Self::of(House::spatialite().await, settings(engine)).await
    }

    async fn of(house: House, sessions: SessionSettings) -> Self {
        let ada = UserId(house.user("ada", "").await);
        let metrics = Arc::new(Metrics::default());
        let directory = OpenWispDirectory::new(house.tables.clone(), sessions, metrics);
        Self {
            house,
            directory,
            ada,
        }
    }

    async fn cache(&self, key: &str, value: Option<String>) {
        let client = redis::Client::open(redis_url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let key = self.directory.sessions.cache_key(key);
        let () = match value {
            Some(value) => connection.set_ex(key, value, 60).await.unwrap(),
            None => connection.del(key).await.unwrap(),
        };
    }

    async fn row(&self, key: &str, data: &str) {
        self.house
            .alter(format!(
                "INSERT INTO django_session (session_key, session_data, expire_date)
                 VALUES ('{key}', '{data}', '2126-01-01 00:00:00')"
            ))
            .await;
    }

    async fn password(&self, password: &str) {
        let id = self.ada.0.simple();
        let sql =
            format!("UPDATE openwisp_users_user SET password = '{password}' WHERE id = '{id}'");
        self.house.alter(sql).await;
    }

    async fn identify(&self, cookie: &str) -> Option<Identity> {
        let credential = Credential::Session(cookie.to_owned());
        self.directory.identify(&credential).await.unwrap()
    }

    async fn is_renewed(&self, identity: &Identity) -> bool {
        let renewed = self.directory.renew(&[identity.proof]).await.unwrap();
        renewed.get(&identity.proof).is_some_and(|found| {
            let version = found.user.password_version;
            found.user.id == identity.user.id && version == identity.user.password_version
        })
    }
}

#[tokio::test]
async fn a_session_of_the_cache_lives_until_it_is_removed() {
    let stage = Stage::open(SessionEngine::Cache).await;
    let (key, value) = (
        "session-of-ada-0",
        content(stage.ada, "hash of ada").to_string(),
    );
    assert!(stage.identify(key).await.is_none());
    stage.cache(key, Some(value)).await;
    let ada = stage.identify(key).await.unwrap();
    assert_eq!((ada.user.id, &*ada.user.username), (stage.ada, "ada"));
    assert!(stage.is_renewed(&ada).await);
    stage.cache(key, None).await;
    assert!(!stage.is_renewed(&ada).await);
}

#[tokio::test]
async fn another_password_and_an_end_of_the_user_end_a_session() {
    let stage = Stage::open(SessionEngine::Cache).await;
    let key = "session-of-ada-0";
    let old = content(stage.ada, "hash of ada").to_string();
    stage.cache(key, Some(old.clone())).await;
    let ada = stage.identify(key).await.unwrap();
    stage.password("other").await;
    assert!(stage.identify(key).await.is_none());
    assert!(!stage.is_renewed(&ada).await);
    // The session itself was made anew, as Django does it for whoever changes the own password: what was
    // opened with the old one ends all the same.
    stage
        .cache(key, Some(content(stage.ada, "other").to_string()))
        .await;
    assert!(!stage.is_renewed(&ada).await);
    let ada = stage.identify(key).await.unwrap();
    assert!(stage.is_renewed(&ada).await);
    stage
        .house
        .alter("UPDATE openwisp_users_user SET is_active = false")
        .await;
    assert!(!stage.is_renewed(&ada).await);
}

#[tokio::test]
async fn whoever_takes_over_a_session_does_not_keep_the_others_sockets() {
    let stage = Stage::open(SessionEngine::Cache).await;
    let key = "session-of-two-0";
    stage
        .cache(key, Some(content(stage.ada, "hash of ada").to_string()))
        .await;
    let ada = stage.identify(key).await.unwrap();
    let ben = UserId(stage.house.user("ben", "").await);
    stage
        .cache(key, Some(content(ben, "hash of ben").to_string()))
        .await;
    assert!(!stage.is_renewed(&ada).await);
    let ben = stage.identify(key).await.unwrap();
    assert!(!stage.is_renewed(&ada).await);
    assert!(stage.is_renewed(&ben).await);
}

#[tokio::test]
async fn what_cannot_be_a_key_or_a_session_is_nobody() {
    let stage = Stage::open(SessionEngine::Cache).await;
    let value = content(stage.ada, "hash of ada").to_string();
    for key in [
        "short-7",
        "",
        "séssion-of-ada",
        "session of ada",
        &"k".repeat(41),
    ] {
        stage.cache(key, Some(value.clone())).await;
        assert!(stage.identify(key).await.is_none(), "{key}");
    }
    for (value, reason) in [
        ("not a session", "unreadable"),
        ("{}", "nobody"),
        (&*value.replace(BACKEND, "other.Backend"), "backend"),
        (
            &*value.replace(&stage.ada.to_string(), &UserId::random().to_string()),
            "user",
        ),
        (&*content(stage.ada, "other").to_string(), "password"),
    ] {
        stage
            .cache("session-of-ada-0", Some(value.to_owned()))
            .await;
        let credential = Credential::Session("session-of-ada-0".into());
        let asked = vec![(proof(&credential), credential)];
        let mut outcome = stage.directory.proved(asked).await.unwrap();
        let refusal = outcome.drain().next().unwrap().1.unwrap_err();
        assert_eq!(refusal.label(), reason);
        assert!(!refusal.to_string().contains(&stage.ada.to_string()));
    }
}

#[tokio::test]
async fn a_session_of_the_table_lives_until_it_is_removed() {
    for house in [House::spatialite().await, House::postgis().await] {
        let stage = Stage::of(house, settings(SessionEngine::Db)).await;
        let salt = "django.contrib.sessions.SessionStore";
        let data = signed(salt, &content(stage.ada, "hash of ada"));
        stage.row("session-of-ada-0", &data).await;
        stage.row("session-forged-0", &data.replace(':', ".")).await;
        let ada = stage.identify("session-of-ada-0").await.unwrap();
        assert_eq!(ada.user.id, stage.ada);
        assert!(stage.is_renewed(&ada).await);
        assert!(stage.identify("session-forged-0").await.is_none());
        stage.house.alter("DELETE FROM django_session").await;
        assert!(!stage.is_renewed(&ada).await);
    }
}

#[tokio::test]
async fn a_cached_session_of_the_table_is_found_in_either() {
    let mut stage = Stage::open(SessionEngine::CachedDb).await;
    let salt = "django.contrib.sessions.SessionStore";
    let of_ada = content(stage.ada, "hash of ada");
    stage.row("session-in-table", &signed(salt, &of_ada)).await;
    stage.row("session-in-both-", &signed(salt, &of_ada)).await;
    stage
        .cache("session-in-cache", Some(of_ada.to_string()))
        .await;
    stage
        .cache("session-in-both-", Some("damaged".into()))
        .await;
    let mut found = Vec::new();
    for key in ["session-in-table", "session-in-cache", "session-in-both-"] {
        found.push(stage.identify(key).await.unwrap().proof);
    }
    assert_eq!(stage.directory.renew(&found).await.unwrap().len(), 3);
    assert!(stage.identify("session-in-none-").await.is_none());
    // As in Django, the table is enough while the cache is away.
    let sessions = SessionSettings {
        cache_url: Some("unix:///no/such/socket".into()),
        ..settings(SessionEngine::CachedDb)
    };
    let tables = stage.house.tables.clone();
    let metrics = Arc::new(Metrics::default());
    stage.directory = OpenWispDirectory::new(tables, sessions, metrics);
    assert!(stage.identify("session-in-table").await.is_some());
    assert!(stage.identify("session-in-cache").await.is_none());
}

#[tokio::test]
async fn a_session_in_a_signed_cookie_ends_with_its_password_alone() {
    let stage = Stage::open(SessionEngine::SignedCookies).await;
    let salt = "django.contrib.sessions.backends.signed_cookies";
    let cookie = signed(salt, &content(stage.ada, "hash of ada"));
    let ada = stage.identify(&cookie).await.unwrap();
    assert!(stage.is_renewed(&ada).await);
    assert!(stage.identify(&format!("{cookie}x")).await.is_none());
    stage.password("other").await;
    assert!(!stage.is_renewed(&ada).await);
}

#[tokio::test]
async fn a_token_lives_until_it_is_removed() {
    for house in [House::spatialite().await, House::postgis().await] {
        let stage = Stage::of(house, settings(SessionEngine::Db)).await;
        let key = "0123456789abcdef0123456789abcdef01234567";
        stage
            .house
            .alter(format!(
                "INSERT INTO authtoken_token (key, user_id, created)
             VALUES ('{key}', '{}', '2026-11-25 12:00:00')",
                stage.ada.0.simple()
            ))
            .await;
        let identify = async |key: &str| {
            let credential = Credential::Token(key.to_owned());
            stage.directory.identify(&credential).await.unwrap()
        };
        let ada = identify(key).await.unwrap();
        assert_eq!(ada.user.id, stage.ada);
        assert!(identify(&key[1..]).await.is_none());
        assert!(identify("'; DROP TABLE x --").await.is_none());
        assert!(stage.is_renewed(&ada).await);
        stage.house.alter("DELETE FROM authtoken_token").await;
        assert!(!stage.is_renewed(&ada).await);
    }
}

#[tokio::test]
async fn many_are_renewed_together() {
    let stage = Stage::open(SessionEngine::Cache).await;
    let mut proofs = Vec::new();
    for number in 0..30 {
        let user = UserId(stage.house.user(&format!("user-{number}"), "").await);
        let (key, hash) = (
            format!("session-{number}"),
            format!("hash of user-{number}"),
        );
        stage
            .cache(&key, Some(content(user, &hash).to_string()))
            .await;
        proofs.push((stage.identify(&key).await.unwrap().proof, user));
    }
    let asked: Vec<Proof> = proofs.iter().map(|(proof, _)| *proof).collect();
    let renewed = stage.directory.renew(&asked).await.unwrap();
    assert!(
        proofs
            .iter()
            .all(|(proof, user)| renewed[proof].user.id == *user)
    );
    assert!(stage.directory.renew(&[]).await.unwrap().is_empty());
    let unknown = Proof::Session(SessionId::random());
    assert!(stage.directory.renew(&[unknown]).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_away_is_no_refusal() {
    let stage = Stage::open(SessionEngine::Cache).await;
    let key = "session-of-ada-0";
    stage
        .cache(key, Some(content(stage.ada, "hash of ada").to_string()))
        .await;
    let credential = Credential::Session(key.into());
    let metrics = Arc::new(Metrics::default());
    let away = SessionSettings {
        cache_url: Some("unix:///no/such/socket".into()),
        ..stage.directory.sessions.clone()
    };
    let directory = OpenWispDirectory::new(stage.house.tables.clone(), away, Arc::clone(&metrics));
    assert!(directory.identify(&credential).await.is_err());
    let nowhere = DatabaseAddress::Sqlite("/no/such/file".into());
    let sessions = stage.directory.sessions.clone();
    let directory = OpenWispDirectory::new(Tables::open(&nowhere), sessions, metrics);
    assert!(directory.identify(&credential).await.is_err());
}

#[tokio::test]
async fn a_connection_that_redis_ended_is_made_anew() {
    let stage = Stage::open(SessionEngine::Cache).await;
    let key = "session-of-ada-0";
    stage
        .cache(key, Some(content(stage.ada, "hash of ada").to_string()))
        .await;
    let ada = stage.identify(key).await.unwrap();
    let server = stage.directory.cache.as_ref().unwrap();
    for _ in 0..3 {
        let answers: Vec<u64> = server
            .ask(redis::pipe().cmd("CLIENT").arg("ID"))
            .await
            .unwrap();
        let client = redis::Client::open(redis_url()).unwrap();
        let mut other = client.get_multiplexed_async_connection().await.unwrap();
        let mut kill = redis::cmd("CLIENT");
        kill.arg("KILL").arg("ID").arg(answers[0]);
        let _: u64 = kill.query_async(&mut other).await.unwrap();
        assert!(stage.is_renewed(&ada).await);
    }
}

#[tokio::test]
async fn what_nobody_asks_about_is_forgotten_and_no_secret_is_shown() {
    let stage = Stage::open(SessionEngine::Cache).await;
    let key = "session-of-ada-0";
    stage
        .cache(key, Some(content(stage.ada, "hash of ada").to_string()))
        .await;
    let ada = stage.identify(key).await.unwrap();
    assert!(!format!("{ada:?}").contains(key));
    assert_eq!(proof(&Credential::Session(key.into())), ada.proof);
    assert_ne!(proof(&Credential::Token(key.into())), ada.proof);
    let later = Instant::now() + REMEMBERED + Duration::from_secs(1);
    stage.directory.book().clear(later);
    stage.directory.book().clear(later + REMEMBERED * 2);
    assert!(stage.directory.book().entries.is_empty());
    assert!(!stage.is_renewed(&ada).await);
}

#[test]
fn after_a_stall_what_leases_hold_is_still_known_and_the_rest_is_forgotten() {
    let mut book = Book::default();
    let begin = Instant::now();
    let user = UserId(uuid::Uuid::new_v4());
    let remember = |book: &mut Book, name: &str, now| {
        let credential = Credential::Session(name.to_owned());
        let proof = proof(&credential);
        book.remember(proof, &credential, user, now);
        proof
    };
    let held = remember(&mut book, "held", begin);
    let refused = remember(&mut book, "refused", begin);
    assert_eq!(book.named(&[held], begin).0.len(), 1);
    // The process stood still; a handshake that waited comes before the leases' next turn.
    let later = begin + REMEMBERED * 2;
    let new = remember(&mut book, "new", later);
    assert_eq!(book.named(&[held, new], later).0.len(), 2);
    let next = later + REMEMBERED * 2;
    assert_eq!(book.named(&[held, new], next).0.len(), 2);
    book.clear(next);
    assert!(!book.entries.contains_key(&refused));
    // Also where no lease asks, nothing is remembered for ever.
    remember(&mut book, "another", next + REMEMBERED * 2);
    remember(&mut book, "the last", next + REMEMBERED * 4);
    assert!(!book.entries.contains_key(&held));
}

#[test]
fn after_a_stall_no_question_of_the_round_forgets_what_the_next_one_asks() {
    let mut book = Book::default();
    let begin = Instant::now();
    let held = ["one", "two", "three"].map(|name| {
        let credential = Credential::Session(name.to_owned());
        let proof = proof(&credential);
        book.remember(proof, &credential, UserId::random(), begin);
        proof
    });
    let later = begin + REMEMBERED * 2;
    for proof in held {
        assert_eq!(book.named(&[proof], later).0.len(), 1);
        book.clear(later);
    }
}
