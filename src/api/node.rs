//! The nodes that run on this database, for superusers: ours, not OpenWISP's.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::error::ApiError;
use super::identity::Requester;
use crate::app::App;
use crate::event::{NodeId, Timestamp};
use crate::store::NodeEntry;

/// A node as it is answered.
#[derive(Serialize, ToSchema)]
#[schema(as = Node, description = "A process that serves this database.")]
struct NodeAnswer<'a> {
    /// The same after a restart.
    id: NodeId,
    /// Its host and port.
    name: &'a str,
    version: &'a str,
    started: Timestamp,
    /// When it was heard of last.
    seen: Timestamp,
    /// Whether that was within the last 15 seconds.
    is_alive: bool,
    /// Open sockets by then.
    sockets: i64,
    /// Commands that it ran by then.
    commands: i64,
}

impl<'a> From<&'a NodeEntry> for NodeAnswer<'a> {
    fn from(node: &'a NodeEntry) -> Self {
        Self {
            id: node.id,
            name: &node.name,
            version: &node.version,
            started: node.started,
            seen: node.seen,
            is_alive: node.is_alive,
            sockets: node.sockets,
            commands: node.commands,
        }
    }
}

/// All nodes.
#[derive(Serialize, ToSchema)]
#[schema(as = Nodes, description = "The nodes of this database.")]
struct NodesAnswer<'a> {
    count: usize,
    results: Vec<NodeAnswer<'a>>,
}

/// Lists the nodes of this database.
///
/// Those that run, and for a day those that ended without taking leave.
#[utoipa::path(
    get,
    path = "/api/v1/nodes/",
    tag = "Nodes",
    responses((status = 200, body = NodesAnswer)),
    security(("user" = ["superuser"]))
)]
pub async fn list_nodes(
    State(app): State<Arc<App>>,
    requester: Requester,
) -> Result<impl IntoResponse, ApiError> {
    requester.require_superuser()?;
    let nodes = app.store.nodes().await?;
    let answer = NodesAnswer {
        count: nodes.len(),
        results: nodes.iter().map(NodeAnswer::from).collect(),
    };
    Ok(Json(answer).into_response())
}
