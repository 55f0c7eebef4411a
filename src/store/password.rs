//! Hashes of passwords that are kept in another form than ours.

use super::transaction::on_write;
use super::{Proved, Store, StoreError};

impl Store {
    /// Keeps the password that `user` has shown as the hash `new` in place of `old`. It is the same
    /// password, so sessions and tokens stay. Nothing happens if another one was set meanwhile.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn replace_password_hash(
        &self,
        user: Proved,
        old: &str,
        new: &str,
    ) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        on_write!(write, connection => {
            sqlx::query(
                "UPDATE users SET password_hash = $4
                 WHERE id = $1 AND password_version = $2 AND password_hash = $3",
            )
            .bind(user.user)
            .bind(user.password_version)
            .bind(old)
            .bind(new)
            .execute(connection)
            .await
            .map(|_| ())?;
        });
        write.commit().await
    }
}
