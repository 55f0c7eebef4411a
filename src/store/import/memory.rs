//! What was imported, as it was there.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::super::StoreError;
use super::super::key::hexadecimal;
use super::super::transaction::{Write, on_write};
use super::merge::Fields;

/// The field that stands for what is secret of a thing: a digest of it, in memory alone.
pub(super) const SECRET: &str = "secret";

/// One thing as it was there.
pub(super) struct Remembered {
    pub model: String,
    pub fields: Fields,
}

/// Recognizes a secret without holding it.
pub(super) fn digest(secret: &[u8]) -> Value {
    Value::String(hexadecimal(&Sha256::digest(secret)))
}

impl Write {
    /// All that was imported from `source`.
    pub(super) async fn remembered(
        &mut self,
        source: Uuid,
    ) -> Result<BTreeMap<Uuid, Remembered>, StoreError> {
        let rows: Vec<(Uuid, String, String, Option<Vec<u8>>)> = on_write!(self, connection => {
            sqlx::query_as("SELECT id, model, fields, secret FROM imported WHERE source = $1")
                .bind(source)
                .fetch_all(connection)
                .await?
        });
        let mut all = BTreeMap::new();
        for (id, model, text, sealed) in rows {
            // Written by us alone, always an object.
            let mut fields: Fields = serde_json::from_str(&text).unwrap_or_default();
            if let Some(sealed) = sealed {
                let plain = self.store().unseal(&sealed, id)?;
                fields.insert(SECRET.to_owned(), digest(&plain));
            }
            all.insert(id, Remembered { model, fields });
        }
        Ok(all)
    }

    /// Remembers a thing as it is there now.
    pub(super) async fn remember(
        &mut self,
        source: Uuid,
        id: Uuid,
        model: &str,
        fields: &Fields,
        secret: Option<&[u8]>,
    ) -> Result<(), StoreError> {
        let sealed = match secret {
            Some(secret) => Some(self.seal(secret, id).await?),
            None => None,
        };
        let mut fields = fields.clone();
        fields.remove(SECRET);
        on_write!(self, connection => {
            sqlx::query(
                "INSERT INTO imported (id, source, model, fields, secret)
                 VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (id) DO UPDATE SET source = excluded.source, model = excluded.model,
                     fields = excluded.fields, secret = excluded.secret",
            )
            .bind(id)
            .bind(source)
            .bind(model)
            .bind(json!(fields).to_string())
            .bind(sealed)
            .execute(connection)
            .await
            .map(|_| ())?;
        });
        Ok(())
    }

    /// Forgets a thing that is gone.
    pub(super) async fn forget(&mut self, id: Uuid) -> Result<(), StoreError> {
        on_write!(self, connection => {
            sqlx::query("DELETE FROM imported WHERE id = $1")
                .bind(id)
                .execute(connection)
                .await
                .map(|_| ())?;
        });
        Ok(())
    }
}
