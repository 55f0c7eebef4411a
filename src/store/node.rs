//! The nodes that run on this database: each says every few seconds that it is there.

use sqlx::AssertSqlSafe;

use super::db::on_pool;
use super::transaction::{Write, on_write};
use super::{Store, StoreError};
use crate::event::{NodeId, Timestamp};

/// A node that was not heard of for longer is taken for dead, by the database's clock.
const ALIVE_S: i64 = 15;

/// What a node says of itself.
#[derive(Clone, Debug)]
pub struct NodeReport {
    /// The same after a restart.
    pub id: NodeId,
    /// What people call it: its host and port.
    pub name: String,
    /// The version of its program.
    pub version: &'static str,
    /// When it was started.
    pub started: Timestamp,
    /// Open sockets.
    pub sockets: i64,
    /// Commands that it has claimed and not ended.
    pub commands: i64,
}

/// A node, as it last spoke.
#[derive(Clone, Debug, serde::Serialize, sqlx::FromRow)]
pub struct NodeEntry {
    /// The same after a restart.
    pub id: NodeId,
    /// What people call it: its host and port.
    pub name: String,
    /// The version of its program.
    pub version: String,
    /// When it was started.
    pub started: Timestamp,
    /// When it was heard of last, by the database's clock.
    pub seen: Timestamp,
    /// Whether that was a moment ago.
    pub is_alive: bool,
    /// How many seconds ago that was.
    #[serde(skip)]
    pub silent_s: i64,
    /// Open sockets by then.
    pub sockets: i64,
    /// Commands that it had claimed and not ended by then.
    pub commands: i64,
}

impl Store {
    /// Says that a node is there, and how it is. Answers with the name of another process that said so under
    /// the same id since this one did last, if there is one: it has the same identity.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn report_node(&self, node: &NodeReport) -> Result<Option<String>, StoreError> {
        let now = self.now();
        let own = format!(
            "UPDATE node SET name = $2, version = $3, sockets = $5, commands = $6, seen = {now}
             WHERE id = $1 AND started = $4"
        );
        let of_another = format!(
            "INSERT INTO node (id, name, version, started, sockets, commands, seen)
             VALUES ($1, $2, $3, $4, $5, $6, {now})
             ON CONFLICT (id) DO UPDATE SET name = $2, version = $3, started = $4, sockets = $5,
                 commands = $6, seen = {now}"
        );
        let mut write = self.write().await?;
        let mut other = None;
        if write.put_node(own, node).await? == 0 {
            other = on_write!(write, connection => {
                sqlx::query_scalar("SELECT name FROM node WHERE id = $1")
                    .bind(node.id)
                    .fetch_optional(connection)
                    .await?
            });
            write.put_node(of_another, node).await?;
        }
        write.commit().await?;
        Ok(other)
    }

    /// Takes leave: the node ends, and nobody waits for it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_node(&self, id: NodeId) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        on_write!(write, connection => {
            sqlx::query("DELETE FROM node WHERE id = $1")
                .bind(id)
                .execute(connection)
                .await
                .map(|_| ())?;
        });
        write.commit().await
    }

    /// All nodes that are there, or were a while ago and did not take leave; by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn nodes(&self) -> Result<Vec<NodeEntry>, StoreError> {
        let now = self.now();
        let sql = format!(
            "SELECT id, name, version, started, seen, seen > {now} - {} AS is_alive,
                 ({now} - seen) / 1000000 AS silent_s, sockets, commands
             FROM node ORDER BY name, id",
            ALIVE_S * 1_000_000
        );
        Ok(on_pool!(self, pool => {
            sqlx::query_as(AssertSqlSafe(sql)).fetch_all(pool).await?
        }))
    }
}

impl Write {
    /// How many rows that was.
    async fn put_node(&mut self, sql: String, node: &NodeReport) -> Result<u64, StoreError> {
        Ok(on_write!(self, connection => {
            sqlx::query(AssertSqlSafe(sql))
                .bind(node.id)
                .bind(&node.name)
                .bind(node.version)
                .bind(node.started)
                .bind(node.sockets)
                .bind(node.commands)
                .execute(connection)
                .await?
                .rows_affected()
        }))
    }
}
