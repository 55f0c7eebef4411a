//! Over the databases that a real OpenWISP made and a real Redis.

use redis::AsyncCommands;
use tokio::net::TcpListener;

use super::*;
use crate::event::UserId;
use crate::openwisp::directory::tests::{
    SECRET, content, redis_url, settings as sessions_of, signed,
};
use crate::openwisp::hosts::AllowedHosts;
use crate::openwisp::settings::{LayerKind, LayerSettings, SessionSettings};
use crate::openwisp::tables::testing::House;

/// The check looks through all of a database of Redis: each test here has one that no other test uses, and
/// that is empty when it begins.
struct OwnRedis(u8);

impl OwnRedis {
    async fn empty(database: u8) -> Self {
        let own = Self(database);
        let mut connection = own.connect().await;
        let () = redis::cmd("FLUSHDB")
            .query_async(&mut connection)
            .await
            .unwrap();
        own
    }

    fn url(&self) -> String {
        redis_url().replace("db=9", &format!("db={}", self.0))
    }

    async fn connect(&self) -> redis::aio::MultiplexedConnection {
        let client = redis::Client::open(self.url()).unwrap();
        client.get_multiplexed_async_connection().await.unwrap()
    }

    fn sessions(&self, engine: SessionEngine) -> SessionSettings {
        SessionSettings {
            cache_url: Some(self.url()),
            ..sessions_of(engine)
        }
    }

    /// Puts a session there.
    async fn cache(&self, settings: &Settings, key: &str, value: String) {
        let key = format!("{}{key}", settings.sessions.cache_key_start());
        let () = self.connect().await.set_ex(key, value, 60).await.unwrap();
    }
}

fn settings(house: &House, sessions: SessionSettings) -> Settings {
    Settings {
        listen: Address::Tcp("127.0.0.1:0".into()),
        fallback: None,
        database: house.address.clone(),
        layer: LayerSettings {
            kind: LayerKind::Core,
            hosts: sessions.cache_url.clone().into_iter().collect(),
            // Of each test its own.
            prefix: uuid::Uuid::new_v4().to_string(),
            group_expiry_s: 60,
            capacity: 100,
            encryption_keys: Vec::new(),
        },
        sessions,
        allowed_hosts: AllowedHosts::new(["example.org"]),
    }
}

/// The one finding with these words in it.
fn finding<'a>(report: &'a Report, words: &str) -> &'a Finding {
    let mut fitting = report.findings.iter().filter(|it| it.text.contains(words));
    let found = fitting
        .next()
        .unwrap_or_else(|| panic!("{words}: {report:#?}"));
    assert_eq!(fitting.next(), None, "{words}");
    found
}

fn wrong(report: &Report, words: &[&str]) {
    let wrong = report.findings.iter().filter(|it| it.grade == Grade::Wrong);
    let wrong: Vec<&str> = wrong.map(|it| &*it.text).collect();
    assert_eq!(wrong.len(), words.len(), "{wrong:#?}");
    for (text, words) in wrong.iter().zip(words) {
        assert!(text.contains(words), "{text}: {words}");
    }
    assert_eq!(report.is_good(), words.is_empty());
}

async fn row(house: &House, key: &str, data: &str) {
    house
        .alter(format!(
            "INSERT INTO django_session (session_key, session_data, expire_date)
             VALUES ('{key}', '{data}', '2126-01-01 00:00:00')"
        ))
        .await;
}

#[tokio::test]
async fn where_all_is_in_order_nothing_is_wrong_or_doubtful() {
    let redis = OwnRedis::empty(10).await;
    for house in [House::spatialite().await, House::postgis().await] {
        let ada = UserId(house.user("ada", "").await);
        let mut settings = settings(&house, redis.sessions(SessionEngine::Cache));
        redis
            .cache(
                &settings,
                "0123456789abcdef",
                content(ada, "hash of ada").to_string(),
            )
            .await;
        redis
            .cache(&settings, "0123456789abcdee", "{}".into())
            .await;
        let group = format!(
            "{}:group:loci.mobile-location.common",
            settings.layer.prefix
        );
        let mut layer = redis.connect().await;
        for member in ["specific.a!1", "specific.a!2", "specific.b!1"] {
            let () = layer.zadd(&group, member, 1).await.unwrap();
        }
        let () = layer.expire(&group, 60).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fallback = listener.local_addr().unwrap().to_string();
        settings.fallback = Some(Address::Tcp(fallback));
        let report = check(&settings).await;
        let lesser = report.findings.iter().filter(|it| it.grade != Grade::Good);
        assert_eq!(lesser.collect::<Vec<_>>(), Vec::<&Finding>::new());
        finding(&report, "it is OpenWISP controller 1.3 or later");
        finding(&report, "1 of 1 sessions that were tried fit");
        finding(&report, "1 group is listened to by 2 processes");
        finding(&report, "the fallback accepts connections");
        assert!(!format!("{report:?}").contains("0123456789abcdef"));
        assert!(!format!("{report:?}").contains(SECRET));
    }
}

#[tokio::test]
async fn a_database_that_is_away_or_another_is_wrong() {
    let house = House::spatialite().await;
    let redis = OwnRedis::empty(11).await;
    let sessions = redis.sessions(SessionEngine::Cache);
    let away = Settings {
        database: DatabaseAddress::Sqlite("/no/such/file".into()),
        ..settings(&house, sessions.clone())
    };
    wrong(&check(&away).await, &["gateway.db_name (DB_NAME)"]);
    let options = sqlx::postgres::PgConnectOptions::new_without_pgpass().host("/no/such/directory");
    let away = Settings {
        database: DatabaseAddress::Postgres(Box::new(options)),
        ..settings(&house, sessions.clone())
    };
    wrong(&check(&away).await, &["gateway.db_host"]);
    house
        .alter("DROP TABLE geo_devicelocation; DROP TABLE geo_location")
        .await;
    let altered = settings(&house, sessions);
    wrong(&check(&altered).await, &["there is no table geo_location"]);
}

#[tokio::test]
async fn another_secret_is_told_from_one_session_that_does_not_fit() {
    let redis = OwnRedis::empty(12).await;
    let house = House::spatialite().await;
    let users = [house.user("ada", "").await, house.user("ben", "").await].map(UserId);
    let settings = settings(&house, redis.sessions(SessionEngine::Cache));
    let report = check(&settings).await;
    assert_eq!(
        finding(&report, "could not be tried").grade,
        Grade::Doubtful
    );
    assert_eq!(finding(&report, "has no sessions").grade, Grade::Doubtful);
    redis
        .cache(
            &settings,
            "0123456789abcdef",
            content(users[0], "other").to_string(),
        )
        .await;
    let report = check(&settings).await;
    assert_eq!(
        finding(&report, "perhaps gateway.django_secret_key").grade,
        Grade::Doubtful
    );
    redis
        .cache(
            &settings,
            "0123456789abcdee",
            content(users[1], "other").to_string(),
        )
        .await;
    wrong(
        &check(&settings).await,
        &["gateway.django_secret_key (DJANGO_SECRET_KEY) is not the one"],
    );
}

#[tokio::test]
async fn sessions_that_are_elsewhere_are_found() {
    let redis = OwnRedis::empty(13).await;
    let house = House::spatialite().await;
    let ada = UserId(house.user("ada", "").await);
    let mut settings = settings(&house, redis.sessions(SessionEngine::Cache));
    let salt = "django.contrib.sessions.SessionStore";
    row(
        &house,
        "session-of-ada-0",
        &signed(salt, &content(ada, "hash of ada")),
    )
    .await;
    let report = check(&settings).await;
    wrong(&report, &["see gateway.session_engine"]);
    let mut other = redis.connect().await;
    let name = "prefix:2:django.contrib.sessions.cached_db0123456789abcdef";
    let () = other.set_ex(name, "{}", 60).await.unwrap();
    let report = check(&settings).await;
    wrong(
        &report,
        &["only as \"prefix:2:django.contrib.sessions.cached_db…\""],
    );
    settings.sessions.engine = SessionEngine::Db;
    let report = check(&settings).await;
    wrong(&report, &[]);
    finding(&report, "1 of 1 sessions that were tried fit");
    settings.sessions.secret_keys = vec!["another".into()];
    wrong(
        &check(&settings).await,
        &["1 of 1 sessions that were tried cannot be read"],
    );
}

#[tokio::test]
async fn a_redis_or_a_fallback_that_is_away_is_wrong() {
    let redis = OwnRedis::empty(14).await;
    let house = House::spatialite().await;
    let mut settings = settings(&house, redis.sessions(SessionEngine::Cache));
    settings.sessions.cache_url = Some("unix:///no/such/socket".into());
    settings.layer.hosts = vec![redis.url(), "unix:///no/such/socket".into()];
    settings.fallback = Some(Address::Unix("/no/such/socket".into()));
    settings.allowed_hosts = AllowedHosts::new(["*"]);
    let report = check(&settings).await;
    wrong(
        &report,
        &[
            "gateway.redis_cache_url",
            "the channel layer's host 2",
            "gateway.fallback",
        ],
    );
    assert_eq!(finding(&report, "pages of any host").grade, Grade::Doubtful);
    settings.layer.kind = LayerKind::PubSub;
    settings.layer.hosts.pop();
    let report = check(&settings).await;
    finding(&report, "nobody listens to it under the prefix");
    let pass = redis.url() + "&user=nobody&pass=s3cret";
    settings.layer.hosts = vec![pass];
    let report = check(&settings).await;
    let refused = finding(
        &report,
        "Redis refuses the password: see gateway.redis_user",
    );
    assert_eq!(refused.grade, Grade::Wrong);
    assert!(!format!("{report:?}").contains("s3cret"));
}
