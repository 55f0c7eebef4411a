//! The first superuser of a store in which there has never been a user: made with a token that a server
//! printed in its log. Of a token only a digest is kept, and whichever node is asked knows the tokens of all.

use subtle::{Choice, ConstantTimeEq as _};

use super::db::on_pool;
use super::key::hexadecimal;
use super::session::digest;
use super::transaction::{Write, on_write};
use super::{Account, Actor, NewAccount, Scope, Store, StoreError};
use crate::event::{NodeId, UserId};

/// 160 bits.
const TOKEN_BYTES: usize = 20;

/// Why there is no first superuser.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// There is, or was, a user already.
    #[error("the first user has been made")]
    Over,
    /// No running server has printed this token.
    #[error("the token is not the one that this server has printed")]
    WrongToken,
    /// What else goes wrong when a user is made.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for SetupError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Store {
    /// Whether the first user is still to be made.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_setup_open(&self) -> Result<bool, StoreError> {
        let ended: Option<i32> = on_pool!(self, pool => {
            sqlx::query_scalar("SELECT id FROM setup_end").fetch_optional(pool).await?
        });
        Ok(ended.is_none())
    }

    /// A new token for the log of `node`, in place of its last one; `None` if there is, or was, a user.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_setup(&self, node: NodeId) -> Result<Option<String>, StoreError> {
        if !self.is_setup_open().await? {
            return Ok(None);
        }
        let mut write = self.write_people().await?;
        // A user may have been made since.
        if !write.is_setup_open().await? {
            return Ok(None);
        }
        let token = hexadecimal(&rand::random::<[u8; TOKEN_BYTES]>());
        on_write!(write, connection => {
            sqlx::query(
                "INSERT INTO setup_token (node_id, digest, created) VALUES ($1, $2, $3)
                 ON CONFLICT (node_id) DO UPDATE SET digest = $2, created = $3",
            )
            .bind(node)
            .bind(digest(&token))
            .bind(self.instant())
            .execute(connection)
            .await
            .map(|_| ())?;
        });
        write.commit().await?;
        Ok(Some(token))
    }

    /// Whether the first superuser may be made with `token`.
    ///
    /// # Errors
    /// When not.
    pub async fn prove_setup(&self, token: &str) -> Result<(), SetupError> {
        if !self.is_setup_open().await? {
            return Err(SetupError::Over);
        }
        let digests: Vec<Vec<u8>> = on_pool!(self, pool => {
            sqlx::query_scalar("SELECT digest FROM setup_token").fetch_all(pool).await?
        });
        check(token, &digests)
    }

    /// Makes the first superuser, in whose own name the audit log has it. Of several at once one succeeds.
    ///
    /// # Errors
    /// As [`Store::prove_setup`] and [`Store::add_user`].
    pub async fn set_up(&self, token: &str, new: &NewAccount) -> Result<Account, SetupError> {
        let id = UserId::random();
        let username = new.username.clone();
        let mut write = self.by(Actor::User { id, username }).write_people().await?;
        if !write.is_setup_open().await? {
            return Err(SetupError::Over);
        }
        let digests: Vec<Vec<u8>> = on_write!(write, connection => {
            sqlx::query_scalar("SELECT digest FROM setup_token").fetch_all(connection).await?
        });
        check(token, &digests)?;
        write.add_user(id, new).await?;
        write.commit().await?;
        Ok(self.user(id, &Scope::All).await?)
    }
}

impl Write {
    async fn is_setup_open(&mut self) -> Result<bool, StoreError> {
        let ended: Option<i32> = on_write!(self, connection => {
            sqlx::query_scalar("SELECT id FROM setup_end").fetch_optional(connection).await?
        });
        Ok(ended.is_none())
    }
}

fn check(token: &str, digests: &[Vec<u8>]) -> Result<(), SetupError> {
    let given = digest(token);
    // All of them, whichever it is.
    let is_one = digests
        .iter()
        .fold(Choice::from(0), |is_one, it| is_one | given[..].ct_eq(it));
    if is_one.into() {
        Ok(())
    } else {
        Err(SetupError::WrongToken)
    }
}
