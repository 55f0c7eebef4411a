//! OpenWISP as the directory: its sessions and tokens prove who somebody is, its tables what they may and
//! what belongs to whom.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use sha2::{Digest, Sha256};

use super::redis_server::{RedisServer, RedisServerError};
use super::session::{self, Login, SessionError};
use super::settings::{SessionEngine, SessionSettings};
use super::tables::{Tables, TablesError};
use crate::access::{Credential, Directory, DirectoryError, Identity, Proof, Resource, User};
use crate::event::{OrganizationId, SessionId, Timestamp, TokenId, UserId};
use crate::telemetry::{Metrics, Throttled};

/// How long a proof is remembered that no lease asks about: a handshake takes less.
const REMEMBERED: Duration = Duration::from_mins(1);

const LINES_PER_SECOND: u32 = 5;

/// Shorter keys of sessions count for nobody in Django.
const SHORTEST_SESSION_KEY: usize = 8;

/// No key of a session or token is longer in the tables.
const LONGEST_KEY: usize = 40;

/// Who somebody is, by OpenWISP's own sessions and tables. A session ends with its logout, its time, its
/// user's password, or its user; one in a signed cookie ends by the last three alone, as there is nothing
/// that a logout could remove.
pub struct OpenWispDirectory {
    tables: Tables,
    sessions: SessionSettings,
    /// Where the engine needs it.
    cache: Option<RedisServer>,
    metrics: Arc<Metrics>,
    log: Throttled,
    // A std lock around a map, never held across an await.
    book: Mutex<Book>,
}

/// What proofs stand for. It holds secrets: there is no `Debug`.
#[derive(Default)]
struct Book {
    entries: HashMap<Proof, Entry>,
    cleared: Option<Instant>,
}

struct Entry {
    credential: Credential,
    user: UserId,
    /// When it was last asked about.
    named: Instant,
    /// Whether it was found unasked for long. What is found so again is forgotten: after a stall all are
    /// found so once, and those that leases hold are asked about before the next time.
    is_old: bool,
}

/// Why a credential proves nobody.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("there is no such session, or it is over")]
    Absent,
    #[error("{0}")]
    Session(#[from] SessionError),
    #[error("its user is gone, inactive or past the last day")]
    User,
    #[error("its user has another password now, or gateway.django_secret_key is not OpenWISP's")]
    Password,
    #[error("there is no such token")]
    Token,
}

impl Refusal {
    fn label(&self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Session(error) => error.label(),
            Self::User => "user",
            Self::Password => "password",
            Self::Token => "token",
        }
    }

    /// Whether it happens where all is in order.
    fn is_ordinary(&self) -> bool {
        !matches!(self, Self::Session(error) if !matches!(error, SessionError::Nobody | SessionError::Expired))
    }
}

impl From<TablesError> for DirectoryError {
    fn from(error: TablesError) -> Self {
        Self(error.into())
    }
}

impl From<RedisServerError> for DirectoryError {
    fn from(error: RedisServerError) -> Self {
        Self(error.into())
    }
}

#[async_trait]
impl Directory for OpenWispDirectory {
    async fn identify(&self, credential: &Credential) -> Result<Option<Identity>, DirectoryError> {
        let proof = proof(credential);
        let asked = vec![(proof, credential.clone())];
        match self.proved(asked).await?.remove(&proof) {
            Some(Ok(user)) => {
                self.remember(proof, credential, user.id);
                Ok(Some(identity(user, proof)))
            }
            Some(Err(refusal)) => {
                self.tell(credential, &refusal);
                Ok(None)
            }
            None => Ok(None),
        }
    }

    async fn renew(&self, proofs: &[Proof]) -> Result<HashMap<Proof, Identity>, DirectoryError> {
        let (asked, users) = self.named(proofs);
        let proved = self.proved(asked).await?;
        // While nobody answers, who is asked about later in a round is not forgotten.
        self.book().clear(Instant::now());
        // Whoever logs in as somebody else within the same session is not who the lease was granted to.
        let same = proved.into_iter().filter_map(|(proof, outcome)| {
            let user = outcome.ok()?;
            (users.get(&proof) == Some(&user.id)).then_some((proof, identity(user, proof)))
        });
        Ok(same.collect())
    }

    async fn organizations_of(
        &self,
        resources: &[Resource],
    ) -> Result<HashMap<Resource, OrganizationId>, DirectoryError> {
        Ok(self.tables.owners(resources).await?)
    }
}

impl OpenWispDirectory {
    /// The directory of the OpenWISP whose `tables` and `sessions` these are.
    #[must_use]
    pub fn new(tables: Tables, sessions: SessionSettings, metrics: Arc<Metrics>) -> Self {
        Self {
            tables,
            cache: sessions.cache_url.clone().map(RedisServer::new),
            sessions,
            metrics,
            log: Throttled::new(LINES_PER_SECOND),
            book: Mutex::default(),
        }
    }

    /// Whom each credential proves, or why nobody: one question to the cache and at most one to each
    /// table, however many they are.
    async fn proved(
        &self,
        asked: Vec<(Proof, Credential)>,
    ) -> Result<HashMap<Proof, Result<User, Refusal>>, DirectoryError> {
        let (mut cookies, mut tokens) = (Vec::new(), Vec::new());
        for (proof, credential) in asked {
            match credential {
                Credential::Session(cookie) => cookies.push((proof, cookie)),
                Credential::Token(token) => tokens.push((proof, token)),
            }
        }
        let logins = self.logins(cookies).await?;
        let owners = self.token_owners(tokens).await?;
        let users = logins
            .iter()
            .filter_map(|(_, it)| Some(it.as_ref().ok()?.user));
        let wanted = users.chain(owners.iter().filter_map(|(_, it)| *it));
        let accounts = self.tables.users(wanted).await?;

        let by_session = logins.into_iter().map(|(proof, login)| {
            let user = login.and_then(|login| {
                let account = accounts.get(&login.user).ok_or(Refusal::User)?;
                if !session::is_of_password(&login, &account.password, &self.sessions) {
                    return Err(Refusal::Password);
                }
                Ok(account.user.clone())
            });
            (proof, user)
        });
        let by_token = owners.into_iter().map(|(proof, owner)| {
            let user = owner.ok_or(Refusal::Token).and_then(|owner| {
                let account = accounts.get(&owner).ok_or(Refusal::User)?;
                Ok(account.user.clone())
            });
            (proof, user)
        });
        Ok(by_session.chain(by_token).collect())
    }

    async fn token_owners(
        &self,
        tokens: Vec<(Proof, String)>,
    ) -> Result<Vec<(Proof, Option<UserId>)>, DirectoryError> {
        let keys = tokens.iter().map(|(_, key)| key);
        let keys: Vec<String> = keys.filter(|key| can_be_key(key)).cloned().collect();
        let owners = self.tables.users_of_tokens(&keys).await?;
        let owner = |(proof, key): (Proof, String)| (proof, owners.get(&key).copied());
        Ok(tokens.into_iter().map(owner).collect())
    }

    /// What each session says, where Django would look for it.
    async fn logins(
        &self,
        cookies: Vec<(Proof, String)>,
    ) -> Result<Vec<(Proof, Result<Login, Refusal>)>, DirectoryError> {
        let settings = &self.sessions;
        if settings.engine == SessionEngine::SignedCookies {
            let now = Timestamp::now();
            let read = |(proof, cookie): (Proof, String)| {
                let login = session::from_cookie(&cookie, settings, now);
                (proof, login.map_err(Refusal::from))
            };
            return Ok(cookies.into_iter().map(read).collect());
        }
        let can_be = |key: &str| key.len() >= SHORTEST_SESSION_KEY && can_be_key(key);
        let (keys, wrong): (Vec<_>, Vec<_>) = cookies.into_iter().partition(|(_, key)| can_be(key));
        let mut logins: Vec<_> = wrong
            .into_iter()
            .map(|(proof, _)| (proof, Err(Refusal::Absent)))
            .collect();
        let keys = match settings.engine {
            SessionEngine::Db => keys,
            SessionEngine::Cache => {
                logins.extend(self.cached(keys).await?);
                return Ok(logins);
            }
            _ => {
                let (read, rest) = self.cached_or_not(keys).await;
                logins.extend(read);
                rest
            }
        };
        let wanted: Vec<String> = keys.iter().map(|(_, key)| key.clone()).collect();
        let rows = self.tables.sessions(&wanted).await?;
        logins.extend(keys.into_iter().map(|(proof, key)| {
            let row = rows.get(&key).ok_or(Refusal::Absent);
            let login = row.and_then(|data| Ok(session::from_database(data, settings)?));
            (proof, login)
        }));
        Ok(logins)
    }

    /// What the cache has of these sessions.
    async fn cached(
        &self,
        keys: Vec<(Proof, String)>,
    ) -> Result<Vec<(Proof, Result<Login, Refusal>)>, RedisServerError> {
        let Some(cache) = &self.cache else {
            // Settings without a cache are none of these engines'.
            return Ok(Vec::new());
        };
        let names: Vec<String> = keys
            .iter()
            .map(|(_, key)| self.sessions.cache_key(key))
            .collect();
        let values = cache.values(&names).await?;
        let read = |value: Option<Vec<u8>>| {
            let value = value.ok_or(Refusal::Absent)?;
            Ok(session::from_cache(&value, &self.sessions)?)
        };
        let proofs = keys.into_iter().map(|(proof, _)| proof);
        Ok(proofs.zip(values.into_iter().map(read)).collect())
    }

    /// What the cache has of these sessions, and those to look for in the table: as in Django, a cache that
    /// is away or holds something else is no reason to refuse anybody.
    async fn cached_or_not(
        &self,
        keys: Vec<(Proof, String)>,
    ) -> (Vec<(Proof, Result<Login, Refusal>)>, Vec<(Proof, String)>) {
        match self.cached(keys.clone()).await {
            Ok(found) => {
                // They come in the order in which they were asked for.
                let (read, rest): (Vec<_>, Vec<_>) = found
                    .into_iter()
                    .zip(keys)
                    .partition(|((_, it), _)| it.is_ok());
                let read = read.into_iter().map(|(login, _)| login).collect();
                (read, rest.into_iter().map(|(_, key)| key).collect())
            }
            Err(error) => {
                if let Some(held_back) = self.log.pass() {
                    tracing::warn!(code = "session_cache_away", %error, held_back, "sessions are read from the table, not from the cache");
                }
                (Vec::new(), keys)
            }
        }
    }

    fn remember(&self, proof: Proof, credential: &Credential, user: UserId) {
        self.book()
            .remember(proof, credential, user, Instant::now());
    }

    /// What these proofs stand for and whom they proved; others that nobody has named for long are
    /// forgotten.
    fn named(&self, proofs: &[Proof]) -> (Vec<(Proof, Credential)>, HashMap<Proof, UserId>) {
        self.book().named(proofs, Instant::now())
    }

    fn book(&self) -> std::sync::MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, credential: &Credential, refusal: &Refusal) {
        let reason = refusal.label();
        if matches!(credential, Credential::Session(_)) {
            self.metrics.session_refused(reason);
        }
        let Some(held_back) = self.log.pass() else {
            return;
        };
        if refusal.is_ordinary() {
            tracing::info!(reason, held_back, "a credential proves nobody: {refusal}");
        } else {
            tracing::warn!(
                code = "session_refused",
                reason,
                held_back,
                "a session was refused: {refusal}"
            );
        }
    }
}

impl Book {
    fn remember(&mut self, proof: Proof, credential: &Credential, user: UserId, now: Instant) {
        // While no socket is open, nobody renews.
        self.clear(now);
        let entry = Entry {
            credential: credential.clone(),
            user,
            named: now,
            is_old: false,
        };
        self.entries.insert(proof, entry);
    }

    fn named(
        &mut self,
        proofs: &[Proof],
        now: Instant,
    ) -> (Vec<(Proof, Credential)>, HashMap<Proof, UserId>) {
        let (mut asked, mut users) = (Vec::new(), HashMap::new());
        for proof in proofs {
            if let Some(entry) = self.entries.get_mut(proof) {
                entry.named = now;
                asked.push((*proof, entry.credential.clone()));
                users.insert(*proof, entry.user);
            }
        }
        (asked, users)
    }

    /// Forgets what nobody asks about. Not between the questions of one round, which come soon after one
    /// another.
    fn clear(&mut self, now: Instant) {
        let is_soon = |last: Instant| now.duration_since(last) <= REMEMBERED;
        if self.cleared.is_some_and(is_soon) {
            return;
        }
        self.entries.retain(|_, entry| {
            let was_old = entry.is_old;
            entry.is_old = now.duration_since(entry.named) > REMEMBERED;
            !(was_old && entry.is_old)
        });
        self.cleared = Some(now);
    }
}

impl SessionSettings {
    /// What the keys of sessions begin with in the cache.
    pub(super) fn cache_key_start(&self) -> String {
        let engine = match self.engine {
            SessionEngine::CachedDb => "cached_db",
            _ => "cache",
        };
        format!(
            "{}:{}:django.contrib.sessions.{engine}",
            self.key_prefix, self.key_version
        )
    }

    fn cache_key(&self, key: &str) -> String {
        self.cache_key_start() + key
    }
}

/// Whether somebody can have this key: others are not asked for.
fn can_be_key(key: &str) -> bool {
    key.len() <= LONGEST_KEY && key.bytes().all(|byte| byte.is_ascii_graphic())
}

fn identity(user: User, proof: Proof) -> Identity {
    // Everybody is asked about in every round: nothing has to be known beforehand.
    let until = None;
    Identity { user, proof, until }
}

/// A proof is copied, compared and printed: of the secret it holds only a digest.
fn proof(credential: &Credential) -> Proof {
    let (kind, secret) = match credential {
        Credential::Session(cookie) => ("session", cookie),
        Credential::Token(token) => ("token", token),
    };
    let digest = Sha256::digest(format!("fleetwire {kind} {secret}"));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    let id = uuid::Builder::from_custom_bytes(bytes).into_uuid();
    match credential {
        Credential::Session(_) => Proof::Session(SessionId(id)),
        Credential::Token(_) => Proof::Token(TokenId(id)),
    }
}

#[cfg(test)]
#[path = "directory_tests.rs"]
pub(super) mod tests;
