//! Credentials that are shown to us: one question for all that come while the last one is under way,
//! as asking takes longer than answering.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::AssertSqlSafe;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::db::{Db, POSTGRES_AMONG, SQLITE_AMONG, digests as as_json};
use super::directory::{ProvedRow, Shown};
use super::session::digest;
use super::{Store, StoreError};
use crate::access::{Credential, DirectoryError, Identity};

/// The most that one question asks.
const TOGETHER: usize = 256;

/// A question that takes longer has failed: those behind it are asked on another connection.
const PATIENCE: Duration = Duration::from_secs(4);

/// Credentials that wait to be looked up.
#[derive(Default)]
pub(super) struct LookUps {
    // A std lock: held for a push or a drain.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: Vec<LookUp>,
    /// Whether somebody is at work who comes back for those that wait.
    is_under_way: bool,
}

struct LookUp {
    shown: Shown,
    digest: Vec<u8>,
    answer: oneshot::Sender<Answer>,
}

type Answer = Result<Option<Identity>, Arc<StoreError>>;

impl LookUps {
    /// Whether the caller is to see to it that it is answered.
    fn add(&self, look_up: LookUp) -> bool {
        let mut state = self.state();
        state.waiting.push(look_up);
        !std::mem::replace(&mut state.is_under_way, true)
    }

    /// Those of the next question; where none waits, the work is over.
    fn next(&self) -> Vec<LookUp> {
        let mut state = self.state();
        // Whoever has gone away needs no answer.
        state.waiting.retain(|it| !it.answer.is_closed());
        let count = state.waiting.len().min(TOGETHER);
        state.is_under_way = count > 0;
        state.waiting.drain(..count).collect()
    }

    /// Nobody is at work any more: those that wait are not answered, and the next one begins anew.
    fn give_up(&self) {
        *self.state() = State::default();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// Whom `credential` proves, as of a commit that is not older than this call.
    pub(super) async fn look_up(
        &self,
        credential: &Credential,
    ) -> Result<Option<Identity>, DirectoryError> {
        let (shown, secret) = match credential {
            Credential::Session(cookie) => (Shown::Session, cookie),
            Credential::Token(token) => (Shown::Token, token),
        };
        let (answer, answered) = oneshot::channel();
        let begins = self.inner.look_ups.add(LookUp {
            shown,
            digest: digest(secret),
            answer,
        });
        if begins {
            // A task of its own: whoever began may go away, the others wait on. One question at a time is
            // no burden on the node's own connections, and who may is asked before anything else.
            tokio::spawn(answer_all(self.for_node()));
        }
        match answered.await {
            Ok(answer) => answer.map_err(|error| DirectoryError(error.into())),
            Err(dropped) => Err(DirectoryError(dropped.into())),
        }
    }

    async fn rows_shown(
        &self,
        shown: Shown,
        digests: &[&[u8]],
    ) -> Result<Vec<ProvedRow>, StoreError> {
        let select = shown.select(self.db(), "digest");
        macro_rules! rows {
            ($among:expr, $wanted:expr, $pool:expr) => {
                sqlx::query_as(AssertSqlSafe(format!("{select} {}", $among)))
                    .bind($wanted)
                    .bind(self.instant())
                    .fetch_all($pool)
                    .await?
            };
        }
        Ok(match self.db() {
            Db::Sqlite { read, .. } => rows!(SQLITE_AMONG, as_json(digests), read),
            Db::Postgres { pool, .. } => rows!(POSTGRES_AMONG, digests, pool),
        })
    }
}

/// Whoever is at work, also if that ends by a panic or with the program.
struct AtWork {
    store: Store,
    is_done: bool,
}

impl Drop for AtWork {
    fn drop(&mut self) {
        if !self.is_done {
            self.store.inner.look_ups.give_up();
        }
    }
}

/// Answers until none waits.
async fn answer_all(store: Store) {
    let mut work = AtWork {
        store,
        is_done: false,
    };
    // Whoever is ready to ask does so first.
    tokio::task::yield_now().await;
    loop {
        let asked = work.store.inner.look_ups.next();
        if asked.is_empty() {
            work.is_done = true;
            return;
        }
        let (sessions, tokens) = asked
            .into_iter()
            .partition(|it: &LookUp| it.shown == Shown::Session);
        for (shown, asked) in [(Shown::Session, sessions), (Shown::Token, tokens)] {
            answer(&work.store, shown, asked).await;
        }
    }
}

async fn answer(store: &Store, shown: Shown, asked: Vec<LookUp>) {
    if asked.is_empty() {
        return;
    }
    let digests: Vec<&[u8]> = asked.iter().map(|it| &it.digest[..]).collect();
    let found = timeout(PATIENCE, store.rows_shown(shown, &digests)).await;
    let found = found.unwrap_or_else(|_| Err(StoreError::late()));
    let found = found.map_err(Arc::new);
    let found = found.map(|rows| {
        let row = |mut row: ProvedRow| (std::mem::take(&mut row.digest), row.identity(shown));
        rows.into_iter().map(row).collect::<HashMap<_, _>>()
    });
    for LookUp { digest, answer, .. } in asked {
        let found = match &found {
            // Several may show the same.
            Ok(found) => Ok(found.get(&digest).cloned()),
            Err(error) => Err(Arc::clone(error)),
        };
        // Whoever asked may have gone away.
        answer.send(found).ok();
    }
}
