//! Sessions: a browser's login, a row that can be revoked. Only a digest of the cookie is kept.

use super::{Store, StoreError};
use crate::event::{SessionId, Timestamp, UserId};

#[derive(Clone, Debug, serde::Serialize, sqlx::FromRow)]
pub struct Session {
    pub id: SessionId,
    pub user: UserId,
    pub username: String,
    pub created: Timestamp,
    pub expires: Timestamp,
}

impl Store {
    /// A new session and the cookie's value, which is shown only here. Ended sessions of the user are
    /// cleared away on the way.
    pub async fn add_session(&self, user: UserId, expires: Timestamp) -> Result<(Session, String), StoreError> { todo!() }
    pub async fn sessions(&self) -> Result<Vec<Session>, StoreError> { todo!() }
    pub async fn session(&self, id: SessionId) -> Result<Session, StoreError> { todo!() }
    pub async fn set_session_expiry(&self, id: SessionId, expires: Timestamp) -> Result<Session, StoreError> { todo!() }
    pub async fn remove_session(&self, id: SessionId) -> Result<(), StoreError> { todo!() }
}
