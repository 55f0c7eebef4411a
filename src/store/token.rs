//! API tokens. Only a digest is kept.

use super::{Store, StoreError};
use crate::event::{Timestamp, TokenId, UserId};

#[derive(Clone, Debug, serde::Serialize, sqlx::FromRow)]
pub struct Token {
    pub id: TokenId,
    pub user: UserId,
    pub username: String,
    /// What it is for, in the words of who made it.
    pub description: String,
    pub created: Timestamp,
}

impl Store {
    /// A new token and its secret (40 hexadecimal digits, as Django REST framework's), which is
    /// shown only here.
    pub async fn add_token(&self, user: UserId, description: &str) -> Result<(Token, String), StoreError> { todo!() }
    /// A token for a log in over REST: like `add_token` with the description "login"; beyond the newest
    /// 100 such tokens of a user the oldest end.
    pub async fn add_login_token(&self, user: UserId) -> Result<(Token, String), StoreError> { todo!() }
    pub async fn tokens(&self) -> Result<Vec<Token>, StoreError> { todo!() }
    pub async fn token(&self, id: TokenId) -> Result<Token, StoreError> { todo!() }
    pub async fn set_token_description(&self, id: TokenId, description: &str) -> Result<Token, StoreError> { todo!() }
    pub async fn remove_token(&self, id: TokenId) -> Result<(), StoreError> { todo!() }
}
