//! Sessions: a browser's login, a row that can be revoked. Only a digest of the cookie is kept.

use rand::RngExt;
use rand::distr::Alphanumeric;
use sha2::{Digest, Sha256};

use super::db::on_pool;
use super::transaction::on_write;
use super::{Proved, Store, StoreError};
use crate::event::{SessionId, Timestamp, UserId};

/// Characters of a session cookie: 62 possible ones each, about 256 bits.
const COOKIE: usize = 43;

/// A login of a browser.
#[derive(Clone, Debug, serde::Serialize, sqlx::FromRow)]
pub struct Session {
    /// Identifier; not what the cookie holds.
    pub id: SessionId,
    /// Whose.
    pub user: UserId,
    /// Whose, by name.
    pub username: String,
    /// When it began.
    pub created: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
}

impl Store {
    /// A new session and the cookie's value, which is shown only here. Ended sessions of the user
    /// are cleared away on the way.
    ///
    /// # Errors
    /// When there is no such user.
    pub async fn add_session(
        &self,
        user: UserId,
        expires: Timestamp,
    ) -> Result<(Session, String), StoreError> {
        self.insert_session(user, None, expires).await
    }

    /// A session of a log in with the password `proved`.
    ///
    /// # Errors
    /// When there is no such user, or the password has been changed meanwhile.
    pub async fn add_login_session(
        &self,
        proved: Proved,
        expires: Timestamp,
    ) -> Result<(Session, String), StoreError> {
        self.insert_session(proved.user, Some(proved.password_version), expires)
            .await
    }

    async fn insert_session(
        &self,
        user: UserId,
        password_version: Option<i64>,
        expires: Timestamp,
    ) -> Result<(Session, String), StoreError> {
        let (id, cookie, now) = (SessionId::random(), secret(COOKIE), self.instant());
        let mut write = self.write().await?;
        on_write!(write, connection => {
            sqlx::query(
                "DELETE FROM session WHERE user_id = $1 AND (expires <= $2 OR password_version <>
                     (SELECT password_version FROM users WHERE users.id = $1))",
            )
            .bind(user)
            .bind(now)
            .execute(connection)
            .await
            .map(|_| ())?;
        });
        let added = on_write!(write, connection => {
            sqlx::query(
                "INSERT INTO session (id, digest, user_id, password_version, created, expires)
                 SELECT $1, $2, id, password_version, $4, $5 FROM users
                 WHERE id = $3 AND ($6 IS NULL OR password_version = $6)",
            )
            .bind(id)
            .bind(digest(&cookie))
            .bind(user)
            .bind(now)
            .bind(expires)
            .bind(password_version)
            .execute(connection)
            .await?
            .rows_affected()
        });
        if added == 0 {
            return Err(StoreError::NotFound("User"));
        }
        write.commit().await?;
        Ok((self.session(id).await?, cookie))
    }

    /// All, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sessions(&self) -> Result<Vec<Session>, StoreError> {
        Ok(on_pool!(self, pool => {
            sqlx::query_as(
                "SELECT session.id, user_id AS \"user\", username, session.created, session.expires
                 FROM session JOIN users ON users.id = user_id ORDER BY session.created DESC",
            )
            .fetch_all(pool)
            .await?
        }))
    }

    /// One session.
    ///
    /// # Errors
    /// When it does not exist.
    pub async fn session(&self, id: SessionId) -> Result<Session, StoreError> {
        let found = on_pool!(self, pool => {
            sqlx::query_as(
                "SELECT session.id, user_id AS \"user\", username, session.created, session.expires
                 FROM session JOIN users ON users.id = user_id WHERE session.id = $1",
            )
            .bind(id)
            .fetch_optional(pool)
            .await?
        });
        found.ok_or(StoreError::NotFound("Session"))
    }

    /// Lets a session end at another time.
    ///
    /// # Errors
    /// When it does not exist.
    pub async fn set_session_expiry(
        &self,
        id: SessionId,
        expires: Timestamp,
    ) -> Result<Session, StoreError> {
        let mut write = self.write().await?;
        on_write!(write, connection => {
            sqlx::query("UPDATE session SET expires = $2 WHERE id = $1")
                .bind(id)
                .bind(expires)
                .execute(connection)
                .await
                .map(|_| ())?;
        });
        write.commit().await?;
        self.session(id).await
    }

    /// Ends a session.
    ///
    /// # Errors
    /// When it does not exist.
    pub async fn remove_session(&self, id: SessionId) -> Result<(), StoreError> {
        self.remove(
            "Session",
            "DELETE FROM session WHERE id = $1 RETURNING
             (SELECT username FROM users WHERE users.id = user_id)",
            id.0,
        )
        .await
    }
}

/// Random letters and digits, from the system's source of secrets.
pub(super) fn secret(characters: usize) -> String {
    rand::rng()
        .sample_iter(Alphanumeric)
        .take(characters)
        .map(char::from)
        .collect()
}

/// What is kept of a secret: enough to recognize it, not to use it.
pub(super) fn digest(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}
