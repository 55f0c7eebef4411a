//! What is asked of all nodes at once, through the database: who has which sockets open, and to close
//! some. Who asks may be a node, or the command line, which no node knows.
//!
//! An inquiry is a row that every node looks for, told of by a hint where there are hints; each adds its
//! reply. Who asked waits until all that are alive have replied, removes the rows, and says of which
//! nodes nothing came.

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::AssertSqlSafe;
use tokio::time::{Instant, sleep};

use super::db::on_pool;
use super::transaction::on_write;
use super::{NodeEntry, Store, StoreError};
use crate::access::{OpenSocket, SocketFilter};
use crate::event::{InquiryId, NodeId, UserId};

/// How long nodes have for their replies.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between two looks for them.
const LOOK: Duration = Duration::from_millis(50);

/// Nobody waits for the reply to an inquiry that is older, in microseconds of the database's clock.
const STALE_US: i64 = 10_000_000;

/// What is asked of every node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Inquiry {
    /// How many open sockets are meant, and at most so many of them.
    ListSockets(SocketFilter, u32),
    /// To close all that are meant.
    CloseSockets(SocketFilter),
}

/// What a node says to that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// How many it has, and some of them.
    Sockets(u64, Vec<OpenSocket>),
    /// How many it is closing.
    Closing(u64),
    /// It could not do it.
    Failed(String),
}

/// What became of an inquiry at one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodeReply {
    /// Which node.
    pub id: NodeId,
    /// What people call it.
    pub name: String,
    /// Why what it has is not in the answer; `None` where it is.
    pub trouble: Option<String>,
}

/// An open socket, and where it is.
#[derive(Clone, Debug, Serialize)]
pub struct ListedSocket {
    /// The socket.
    #[serde(flatten)]
    pub socket: OpenSocket,
    /// The name of its user; `None` where that is gone.
    pub username: Option<String>,
    /// On which node.
    pub node: NodeId,
    /// What people call the node.
    pub node_name: String,
}

/// Open sockets of all nodes.
#[derive(Clone, Debug)]
pub struct SocketList {
    /// How many are meant.
    pub count: u64,
    /// Those that have been open for the longest.
    pub sockets: Vec<ListedSocket>,
    /// The nodes that were asked.
    pub nodes: Vec<NodeReply>,
}

/// Sockets of all nodes that were told to close.
#[derive(Clone, Debug)]
pub struct ClosedSockets {
    /// How many they are.
    pub count: u64,
    /// The nodes that were asked.
    pub nodes: Vec<NodeReply>,
}

/// The reply in a row, of a node of whatever version.
fn reply_of(text: &str) -> Reply {
    serde_json::from_str(text).unwrap_or_else(|_| Reply::Failed(UNKNOWN.to_owned()))
}

const UNKNOWN: &str = "its version is another one, and does not understand this one";
const SILENT: &str = "it did not answer";

impl Store {
    /// The open sockets of all living nodes that `filter` means: how many, and the `most` that have been
    /// open for the longest. Nodes that fell silent less than `grace` ago are named: they may have lost the
    /// database alone, and hold their sockets for so long (`lease.grace_s`).
    ///
    /// # Errors
    /// When the database fails. That a node does not answer is no error.
    pub async fn open_sockets(
        &self,
        filter: &SocketFilter,
        most: u32,
        grace: Duration,
    ) -> Result<SocketList, StoreError> {
        let inquiry = Inquiry::ListSockets(filter.clone(), most);
        let (mut all, mut sockets, mut nodes) = (0, Vec::new(), Vec::new());
        for (node, reply) in self.ask_nodes(&inquiry, grace).await? {
            let trouble = match reply {
                Some(Reply::Sockets(count, some)) => {
                    all += count;
                    sockets.extend(some.into_iter().map(|socket| ListedSocket {
                        socket,
                        username: None,
                        node: node.id,
                        node_name: node.name.clone(),
                    }));
                    None
                }
                other => Some(trouble(&node, other)),
            };
            nodes.push(NodeReply::of(node, trouble));
        }
        sockets.sort_by_key(|it| (it.socket.opened, it.socket.id));
        sockets.truncate(most as usize);
        self.name_users(&mut sockets).await?;
        Ok(SocketList {
            count: all,
            sockets,
            nodes,
        })
    }

    /// Has all living nodes close the open sockets that `filter` means. Nodes are named as by
    /// [`Store::open_sockets`].
    ///
    /// # Errors
    /// When the database fails. That a node does not answer is no error.
    pub async fn close_sockets(
        &self,
        filter: &SocketFilter,
        grace: Duration,
    ) -> Result<ClosedSockets, StoreError> {
        let inquiry = Inquiry::CloseSockets(filter.clone());
        let (mut all, mut nodes) = (0, Vec::new());
        for (node, reply) in self.ask_nodes(&inquiry, grace).await? {
            let trouble = match reply {
                Some(Reply::Closing(count)) => {
                    all += count;
                    None
                }
                other => Some(trouble(&node, other)),
            };
            nodes.push(NodeReply::of(node, trouble));
        }
        Ok(ClosedSockets { count: all, nodes })
    }

    async fn name_users(&self, sockets: &mut [ListedSocket]) -> Result<(), StoreError> {
        let users: Vec<_> = sockets.iter().map(|it| it.socket.user.0).collect();
        let select = "SELECT id, username FROM users WHERE id";
        let found: Vec<(UserId, String)> = self.for_ids(select, None, &users).await?;
        let names: HashMap<_, _> = found.into_iter().collect();
        for listed in sockets {
            listed.username = names.get(&listed.socket.user).cloned();
        }
        Ok(())
    }

    /// Asks all nodes that are alive, and waits for their replies for a few seconds. Nobody waits for those that
    /// fell silent less than `grace` ago, though a reply may come.
    async fn ask_nodes(
        &self,
        inquiry: &Inquiry,
        grace: Duration,
    ) -> Result<Vec<(NodeEntry, Option<Reply>)>, StoreError> {
        let mut nodes = self.nodes().await?;
        let is_in_grace = |node: &NodeEntry| {
            u64::try_from(node.silent_s).is_ok_and(|silent| silent <= grace.as_secs())
        };
        nodes.retain(|node| node.is_alive || is_in_grace(node));
        let id = self.put_inquiry(inquiry).await?;
        let deadline = Instant::now() + PATIENCE;
        let mut replies = loop {
            let replies = self.replies(id).await?;
            let have_all = nodes
                .iter()
                .filter(|node| node.is_alive)
                .all(|node| replies.contains_key(&node.id));
            if have_all || Instant::now() >= deadline {
                break replies;
            }
            sleep(LOOK).await;
        };
        self.remove_inquiry(id).await?;
        let of_each = nodes.into_iter().map(|node| {
            let reply = replies.remove(&node.id);
            (node, reply)
        });
        Ok(of_each.collect())
    }

    async fn put_inquiry(&self, inquiry: &Inquiry) -> Result<InquiryId, StoreError> {
        let id = InquiryId::random();
        let now = self.now();
        let mut write = self.write().await?;
        if let Inquiry::CloseSockets(filter) = inquiry {
            let object = filter.id.map_or(id.0, |socket| socket.0);
            write
                .audit("close", "Socket", object, &filter.to_string())
                .await?;
        }
        on_write!(write, connection => {
            sqlx::query(AssertSqlSafe(format!(
                "INSERT INTO inquiry (id, inquiry, asked) VALUES ($1, $2, {now})"
            )))
            .bind(id)
            .bind(serde_json::to_string(inquiry).unwrap_or_default())
            .execute(connection)
            .await
            .map(|_| ())?;
        });
        write.is_inquiry();
        write.commit().await?;
        Ok(id)
    }

    pub(super) async fn replies(
        &self,
        id: InquiryId,
    ) -> Result<HashMap<NodeId, Reply>, StoreError> {
        let rows: Vec<(NodeId, String)> = on_pool!(self, pool => {
            sqlx::query_as("SELECT node_id, reply FROM inquiry_reply WHERE inquiry_id = $1")
                .bind(id)
                .fetch_all(pool)
                .await?
        });
        let replies = rows.into_iter().map(|(node, text)| (node, reply_of(&text)));
        Ok(replies.collect())
    }

    async fn remove_inquiry(&self, id: InquiryId) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        on_write!(write, connection => {
            sqlx::query("DELETE FROM inquiry WHERE id = $1")
                .bind(id)
                .execute(connection)
                .await
                .map(|_| ())?;
        });
        write.commit().await
    }

    /// What `node` has been asked and has not replied to; `None` in place of what is not understood.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn inquiries(
        &self,
        node: NodeId,
    ) -> Result<Vec<(InquiryId, Option<Inquiry>)>, StoreError> {
        let sql = format!(
            "SELECT id, inquiry FROM inquiry WHERE asked > {} - {STALE_US} AND NOT EXISTS
                 (SELECT 1 FROM inquiry_reply WHERE inquiry_id = inquiry.id AND node_id = $1)
             ORDER BY asked, id",
            self.now()
        );
        let rows: Vec<(InquiryId, String)> = on_pool!(self, pool => {
            sqlx::query_as(AssertSqlSafe(sql)).bind(node).fetch_all(pool).await?
        });
        let inquiries = rows.into_iter();
        Ok(inquiries
            .map(|(id, text)| (id, serde_json::from_str(&text).ok()))
            .collect())
    }

    /// Adds the reply of `node`, unless nobody waits for it any more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reply(
        &self,
        node: NodeId,
        id: InquiryId,
        reply: Option<&Reply>,
    ) -> Result<(), StoreError> {
        let unknown = Reply::Failed(UNKNOWN.to_owned());
        let text = serde_json::to_string(reply.unwrap_or(&unknown)).unwrap_or_default();
        let mut write = self.write().await?;
        let lock = match write.row_lock() {
            "" => "",
            // It stays until the reply is there.
            _ => "FOR SHARE",
        };
        on_write!(write, connection => {
            sqlx::query(AssertSqlSafe(format!(
                "INSERT INTO inquiry_reply (inquiry_id, node_id, reply)
                 SELECT id, $2, $3 FROM inquiry WHERE id = $1 {lock} ON CONFLICT DO NOTHING"
            )))
            .bind(id)
            .bind(node)
            .bind(text)
            .execute(connection)
            .await
            .map(|_| ())?;
        });
        write.commit().await
    }

    /// Returns when something may have been asked of all nodes since the last call, as far as this
    /// process was told; one caller at a time.
    pub async fn inquired(&self) {
        self.inner.inquired.notified().await;
    }

    pub(super) fn wake_for_inquiry(&self) {
        self.inner.inquired.notify_one();
    }
}

impl NodeReply {
    fn of(node: NodeEntry, trouble: Option<String>) -> Self {
        Self {
            id: node.id,
            name: node.name,
            trouble,
        }
    }
}

fn trouble(node: &NodeEntry, reply: Option<Reply>) -> String {
    match reply {
        None if node.is_alive => SILENT.to_owned(),
        None => format!(
            "it says nothing to the database for {} s; if it still runs, its sockets stay open until lease.grace_s is over",
            node.silent_s
        ),
        Some(Reply::Failed(reason)) => reason,
        Some(_) => UNKNOWN.to_owned(),
    }
}
