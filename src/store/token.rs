//! API tokens. Only a digest is kept.

use super::db::on_pool;
use super::key::hexadecimal;
use super::session::digest;
use super::transaction::{Write, on_write};
use super::{FieldErrors, Proved, Store, StoreError};
use crate::event::{Timestamp, TokenId, UserId};

const DESCRIPTION: usize = 200;

/// How many tokens that a log in over REST made a user keeps.
const LOGIN_TOKENS: i64 = 100;

/// A token, without its secret.
#[derive(Clone, Debug, serde::Serialize, sqlx::FromRow)]
pub struct Token {
    /// Identifier; not what the header holds.
    pub id: TokenId,
    /// Whose.
    pub user: UserId,
    /// Whose, by name.
    pub username: String,
    /// What it is for, in the words of who made it.
    pub description: String,
    /// When it was made.
    pub created: Timestamp,
}

impl Store {
    /// A new token and its secret (40 hexadecimal digits, as Django REST framework's), which is
    /// shown only here.
    ///
    /// # Errors
    /// When there is no such user, or the description is not acceptable.
    pub async fn add_token(
        &self,
        user: UserId,
        description: &str,
    ) -> Result<(Token, String), StoreError> {
        check(description)?;
        let mut write = self.write().await?;
        let (id, secret) = write.insert_token(user, description, None).await?;
        write.audit("add", "Token", id.0, description).await?;
        write.commit().await?;
        Ok((self.token(id).await?, secret))
    }

    /// A token for a log in over REST with the password `proved`: it ends when the password is
    /// changed. Of these a user keeps the newest hundred.
    ///
    /// # Errors
    /// When there is no such user, or the password has been changed meanwhile.
    pub async fn add_login_token(&self, proved: Proved) -> Result<(Token, String), StoreError> {
        let mut write = self.write().await?;
        let version = Some(proved.password_version);
        let (id, secret) = write.insert_token(proved.user, "log in", version).await?;
        on_write!(write, connection => {
            sqlx::query(
                "DELETE FROM token WHERE id IN (SELECT id FROM token
                     WHERE user_id = $1 AND by_login ORDER BY created DESC
                     LIMIT 1000 OFFSET $2)",
            )
            .bind(proved.user)
            .bind(LOGIN_TOKENS)
            .execute(connection)
            .await
            .map(|_| ())?;
        });
        write.commit().await?;
        Ok((self.token(id).await?, secret))
    }

    /// All, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tokens(&self) -> Result<Vec<Token>, StoreError> {
        Ok(on_pool!(self, pool => {
            sqlx::query_as(
                "SELECT token.id, user_id AS \"user\", username, description, token.created
                 FROM token JOIN users ON users.id = user_id ORDER BY token.created DESC",
            )
            .fetch_all(pool)
            .await?
        }))
    }

    /// One token.
    ///
    /// # Errors
    /// When it does not exist.
    pub async fn token(&self, id: TokenId) -> Result<Token, StoreError> {
        let found = on_pool!(self, pool => {
            sqlx::query_as(
                "SELECT token.id, user_id AS \"user\", username, description, token.created
                 FROM token JOIN users ON users.id = user_id WHERE token.id = $1",
            )
            .bind(id)
            .fetch_optional(pool)
            .await?
        });
        found.ok_or(StoreError::NotFound("Token"))
    }

    /// Says anew what a token is for.
    ///
    /// # Errors
    /// When it does not exist, or the description is not acceptable.
    pub async fn set_token_description(
        &self,
        id: TokenId,
        description: &str,
    ) -> Result<Token, StoreError> {
        check(description)?;
        let mut write = self.write().await?;
        on_write!(write, connection => {
            sqlx::query("UPDATE token SET description = $2 WHERE id = $1")
                .bind(id)
                .bind(description)
                .execute(connection)
                .await
                .map(|_| ())?;
        });
        write.commit().await?;
        self.token(id).await
    }

    /// Ends a token.
    ///
    /// # Errors
    /// When it does not exist.
    pub async fn remove_token(&self, id: TokenId) -> Result<(), StoreError> {
        self.remove(
            "Token",
            "DELETE FROM token WHERE id = $1 RETURNING description",
            id.0,
        )
        .await
    }
}

impl Write {
    /// Inserts a token, by a log in with the password of `login_version` if there is one.
    async fn insert_token(
        &mut self,
        user: UserId,
        description: &str,
        login_version: Option<i64>,
    ) -> Result<(TokenId, String), StoreError> {
        let (id, secret) = (TokenId::random(), secret());
        let added = on_write!(self, connection => {
            sqlx::query(
                "INSERT INTO token (id, digest, user_id, description, by_login, created)
                 SELECT $1, $2, id, $4, $5, $6 FROM users
                 WHERE id = $3 AND ($7 IS NULL OR password_version = $7)",
            )
            .bind(id)
            .bind(digest(&secret))
            .bind(user)
            .bind(description)
            .bind(login_version.is_some())
            .bind(self.store.instant())
            .bind(login_version)
            .execute(connection)
            .await?
            .rows_affected()
        });
        if added == 0 {
            return Err(StoreError::NotFound("User"));
        }
        Ok((id, secret))
    }
}

fn check(description: &str) -> Result<(), FieldErrors> {
    let mut errors = FieldErrors::default();
    errors.check_text("description", description, DESCRIPTION);
    errors.into_result()
}

fn secret() -> String {
    let bytes: [u8; 20] = rand::random();
    hexadecimal(&bytes)
}
