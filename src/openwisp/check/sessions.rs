//! Where the sessions are, whether they can be read, and whether the secret is OpenWISP's.

use std::collections::BTreeSet;

use super::{Report, literally};
use crate::openwisp::redis_server::{RedisServer, RedisServerError};
use crate::openwisp::session::{self, Login, SessionError};
use crate::openwisp::settings::{SessionEngine, SessionSettings};
use crate::openwisp::tables::Tables;

/// How many sessions are tried.
const TRIED: usize = 20;

/// How many looks of a thousand keys each are taken for them: a cache has much else.
const ROUNDS: usize = 200;

/// What every key of a session has in it, whatever is before.
const NAME: &str = "django.contrib.sessions.cache";

pub(super) async fn check(
    settings: &SessionSettings,
    tables: Option<&Tables>,
    report: &mut Report,
) {
    let read = match settings.engine {
        SessionEngine::SignedCookies => {
            report.doubtful(
                "sessions are in signed cookies: whether gateway.django_secret_key (DJANGO_SECRET_KEY) is \
                 OpenWISP's cannot be tried",
            );
            return;
        }
        SessionEngine::Db => in_table(settings, tables, report).await,
        SessionEngine::Cache => in_cache(settings, tables, report).await,
        SessionEngine::CachedDb => {
            let mut read = in_cache(settings, tables, report).await;
            read.extend(in_table(settings, tables, report).await);
            read
        }
    };
    let logins = readable(read, report);
    match tables {
        Some(tables) => secret(settings, tables, &logins, report).await,
        None => report.doubtful(
            "whether gateway.django_secret_key (DJANGO_SECRET_KEY) is OpenWISP's could not be tried without \
             its database",
        ),
    }
}

type Read = Result<Login, SessionError>;

async fn in_table(
    settings: &SessionSettings,
    tables: Option<&Tables>,
    report: &mut Report,
) -> Vec<Read> {
    let Some(tables) = tables else {
        return Vec::new();
    };
    let most = u32::try_from(TRIED).unwrap_or(u32::MAX);
    match tables.some_sessions(most).await {
        Ok(found) => {
            report.good("sessions are looked for in the table django_session");
            let read = |data: &String| session::from_database(data, settings);
            found.iter().map(read).collect()
        }
        Err(error) => {
            report.wrong(format!(
                "sessions cannot be looked for in the table django_session: {error}; see \
                 gateway.session_engine"
            ));
            Vec::new()
        }
    }
}

async fn in_cache(
    settings: &SessionSettings,
    tables: Option<&Tables>,
    report: &mut Report,
) -> Vec<Read> {
    let Some(url) = settings.cache_url.clone() else {
        return Vec::new();
    };
    let server = RedisServer::new(url);
    let found = match look(settings, &server).await {
        Ok(found) => found,
        Err(error) => {
            report.wrong(format!(
                "the cache of sessions cannot be read: {error}; see gateway.redis_cache_url \
                 (REDIS_CACHE_URL), or gateway.redis_host (REDIS_HOST) with those beside it"
            ));
            return Vec::new();
        }
    };
    let start = settings.cache_key_start();
    if !found.values.is_empty() {
        report.good(format!("the cache has sessions (\"{start}…\")"));
        let read = |value: &Vec<u8>| session::from_cache(value, settings);
        return found.values.iter().map(read).collect();
    }
    if let Some(other) = found.others.first() {
        report.wrong(format!(
            "the cache has sessions, but not as \"{start}…\", only as \"{other}…\": see \
             gateway.cache_key_prefix, gateway.cache_version and gateway.session_engine"
        ));
        return Vec::new();
    }
    let has_rows = match tables {
        Some(tables) => tables.some_sessions(1).await.is_ok_and(|it| !it.is_empty()),
        None => false,
    };
    if settings.engine == SessionEngine::Cache && has_rows {
        report.wrong(format!(
            "the cache answers and has no sessions (\"{start}…\"), while the table django_session has: see \
             gateway.session_engine, gateway.cache_key_prefix and gateway.redis_cache_url (REDIS_CACHE_URL)"
        ));
    } else {
        report.doubtful(format!(
            "the cache answers and has no sessions (\"{start}…\"): nobody is logged in, or it is another \
             cache; see gateway.redis_cache_url (REDIS_CACHE_URL), gateway.cache_key_prefix and \
             gateway.session_engine"
        ));
    }
    Vec::new()
}

/// What a look into a cache has found.
struct Found {
    /// Sessions that are named as the settings say.
    values: Vec<Vec<u8>>,
    /// What the names of others begin with.
    others: BTreeSet<String>,
}

async fn look(settings: &SessionSettings, server: &RedisServer) -> Result<Found, RedisServerError> {
    server.ping().await?;
    let start = settings.cache_key_start();
    let own = format!("{}*", literally(&start));
    let names = server.some_keys(&own, TRIED, ROUNDS).await?;
    let names = names
        .into_iter()
        .filter_map(|it| String::from_utf8(it).ok());
    // The name of one engine begins that of the other; a key has no underscore.
    let own = names.filter(|name| is_key(name.strip_prefix(&start).unwrap_or_default()));
    let own: Vec<String> = own.take(TRIED).collect();
    let values = server.values(&own).await?;
    let mut found = Found {
        values: values.into_iter().flatten().collect(),
        others: BTreeSet::new(),
    };
    if found.values.is_empty() {
        let others = server
            .some_keys(&format!("*{NAME}*"), TRIED, ROUNDS)
            .await?;
        let others = others
            .into_iter()
            .filter_map(|it| String::from_utf8(it).ok());
        found.others = others.filter_map(|name| beginning(&name)).collect();
    }
    Ok(found)
}

/// What the name of a session's key begins with: all but the key, which is a secret.
fn beginning(name: &str) -> Option<String> {
    let after = name.find(NAME)? + NAME.len();
    let rest = name.get(after..)?;
    let (engine, key) = match rest.strip_prefix("d_db") {
        Some(key) => ("d_db", key),
        None => ("", rest),
    };
    is_key(key).then(|| format!("{}{engine}", &name[..after]))
}

fn is_key(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// The logins of those that could be read; why others could not is told once for each reason.
fn readable(read: Vec<Read>, report: &mut Report) -> Vec<Login> {
    let all = read.len();
    let (mut logins, mut errors) = (Vec::new(), Vec::new());
    for outcome in read {
        match outcome {
            Ok(login) => logins.push(login),
            // Whoever has not logged in yet may have a session, too.
            Err(SessionError::Nobody | SessionError::Expired) => {}
            Err(error) => errors.push(error),
        }
    }
    let reasons: BTreeSet<String> = errors.iter().map(ToString::to_string).collect();
    for reason in reasons {
        let times = errors.iter().filter(|it| it.to_string() == reason).count();
        let text = format!("{times} of {all} sessions that were tried cannot be read: {reason}");
        if logins.is_empty() {
            report.wrong(text);
        } else {
            report.doubtful(text);
        }
    }
    logins
}

async fn secret(
    settings: &SessionSettings,
    tables: &Tables,
    logins: &[Login],
    report: &mut Report,
) {
    const KEY: &str = "gateway.django_secret_key (DJANGO_SECRET_KEY)";
    let accounts = match tables.users(logins.iter().map(|it| it.user)).await {
        Ok(accounts) => accounts,
        Err(error) => {
            report.wrong(format!("users and their rights cannot be read: {error}"));
            return;
        }
    };
    let tried = logins.iter().filter_map(|login| {
        let account = accounts.get(&login.user)?;
        Some(session::is_of_password(login, &account.password, settings))
    });
    let tried: Vec<bool> = tried.collect();
    let fitting = tried.iter().filter(|fits| **fits).count();
    match (tried.len(), fitting) {
        (0, _) => report.doubtful(format!(
            "whether {KEY} is OpenWISP's could not be tried: there is no session of a user who counts; log \
             in to OpenWISP and check again"
        )),
        (1, 0) => report.doubtful(format!(
            "perhaps {KEY} is not the one that OpenWISP has: the only session that there is does not fit \
             its user's password"
        )),
        (all, 0) => report.wrong(format!(
            "{KEY} is not the one that OpenWISP has: of {all} sessions that were tried none fits its \
             user's password"
        )),
        (all, _) => report.good(format!(
            "{KEY} is OpenWISP's: {fitting} of {all} sessions that were tried fit"
        )),
    }
}
