//! Open sockets of all nodes, for superusers: ours, not OpenWISP's.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::body::UnreadBody;
use super::error::ApiError;
use super::field::{Fields, Mode};
use super::identity::Requester;
use super::page::Listing;
use crate::access::request::network;
use crate::access::{Endpoint, SocketFilter};
use crate::app::App;
use crate::event::{NodeId, OrganizationId, SocketId, Timestamp, UserId};
use crate::store::{ListedSocket, NodeReply};

/// How many sockets are listed where the client says nothing, and at most.
const USUAL: u32 = 100;
const MOST: u32 = 1000;

/// An open socket as it is answered.
#[derive(Serialize, ToSchema)]
#[schema(as = Socket, description = "An open socket.")]
struct SocketAnswer<'a> {
    id: SocketId,
    node: NodeId,
    /// The node's host and port.
    node_name: &'a str,
    user: UserId,
    /// Null where the user is gone.
    #[schema(required)]
    username: Option<&'a str>,
    endpoint: Endpoint,
    /// The device or location that it is about; null for `locations`.
    #[schema(required)]
    resource: Option<Uuid>,
    /// Where its client is, as far as trusted proxies say.
    #[schema(value_type = String)]
    address: IpAddr,
    opened: Timestamp,
    /// Bytes that its client has not taken yet; null where that could not be told.
    #[schema(required)]
    waiting_bytes: Option<u64>,
}

impl<'a> From<&'a ListedSocket> for SocketAnswer<'a> {
    fn from(listed: &'a ListedSocket) -> Self {
        let socket = &listed.socket;
        Self {
            id: socket.id,
            node: listed.node,
            node_name: &listed.node_name,
            user: socket.user,
            username: listed.username.as_deref(),
            endpoint: socket.endpoint,
            resource: socket.resource,
            address: socket.address,
            opened: socket.opened,
            waiting_bytes: socket.waiting_bytes,
        }
    }
}

/// Whether a node's sockets are in an answer.
#[derive(Serialize, ToSchema)]
#[schema(as = NodeReply, description = "A node that was asked.")]
struct NodeReplyAnswer<'a> {
    id: NodeId,
    name: &'a str,
    /// Why its sockets are not in this answer; null where they are.
    #[schema(required)]
    trouble: Option<&'a str>,
}

impl<'a> From<&'a NodeReply> for NodeReplyAnswer<'a> {
    fn from(reply: &'a NodeReply) -> Self {
        Self {
            id: reply.id,
            name: &reply.name,
            trouble: reply.trouble.as_deref(),
        }
    }
}

/// Open sockets of all nodes.
#[derive(Serialize, ToSchema)]
#[schema(as = Sockets, description = "Open sockets of all nodes.")]
struct SocketsAnswer<'a> {
    /// How many there are, listed or not.
    count: u64,
    /// Those that have been open for the longest.
    results: Vec<SocketAnswer<'a>>,
    /// The nodes that were asked.
    nodes: Vec<NodeReplyAnswer<'a>>,
}

/// What was closed.
#[derive(Serialize, ToSchema)]
#[schema(as = ClosedSockets, description = "Sockets of all nodes that are closed.")]
struct ClosedAnswer<'a> {
    /// How many they are.
    count: u64,
    /// The nodes that were asked.
    nodes: Vec<NodeReplyAnswer<'a>>,
}

/// Which sockets are meant, and how many are wanted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read by `Listing`: this says what may be there")]
struct SocketQuery {
    /// Only those of this user.
    user: Option<UserId>,
    /// Only those about this organization's devices and locations; the feed of all organizations is none.
    organization: Option<OrganizationId>,
    /// Only those opened there.
    endpoint: Option<Endpoint>,
    /// Only those of clients at this address, or in this network.
    #[param(example = "10.0.0.0/8")]
    address: Option<String>,
    /// So many: 100, and at most 1000.
    #[param(minimum = 1)]
    limit: Option<u32>,
}

/// Which sockets are meant: at least one of these, and nothing else; several narrow each other.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read field by field: this says what may be there")]
struct CloseSocketsBody {
    /// This one.
    id: Option<SocketId>,
    /// Those of this user.
    user: Option<UserId>,
    /// Those about this organization's devices and locations; the feed of all organizations is none.
    organization: Option<OrganizationId>,
    /// Those opened there.
    endpoint: Option<Endpoint>,
    /// Those of clients at this address, or in this network.
    #[schema(examples("10.0.0.0/8"))]
    address: Option<String>,
}

/// Lists open sockets.
///
/// Of all nodes, which are asked now and have five seconds to answer.
#[utoipa::path(
    get,
    path = "/api/v1/sockets/",
    tag = "Nodes",
    params(SocketQuery),
    responses((status = 200, body = SocketsAnswer)),
    security(("user" = ["superuser"]))
)]
pub async fn list_sockets(
    State(app): State<Arc<App>>,
    requester: Requester,
    mut listing: Listing,
) -> Result<impl IntoResponse, ApiError> {
    requester.require_superuser()?;
    let filter = SocketFilter {
        id: None,
        user: listing.id("user"),
        organization: listing.organization(),
        endpoint: listing.choice("endpoint"),
        address: listing.network("address"),
    };
    let most = listing.limit(USUAL, MOST)?;
    let list = app
        .store
        .open_sockets(&filter, most, app.config.lease.grace())
        .await?;
    let answer = SocketsAnswer {
        count: list.count,
        results: list.sockets.iter().map(SocketAnswer::from).collect(),
        nodes: list.nodes.iter().map(NodeReplyAnswer::from).collect(),
    };
    Ok(Json(answer).into_response())
}

/// Closes open sockets.
///
/// Of all nodes, over the next five seconds, with the close code 1013. Their clients may come back: whoever
/// is to stay away loses a right or a log-in, which closes their sockets by itself.
#[utoipa::path(
    post,
    path = "/api/v1/sockets/close/",
    tag = "Nodes",
    request_body(content = CloseSocketsBody, example = json!({"address": "10.0.0.17"})),
    responses((status = 200, body = ClosedAnswer)),
    security(("user" = ["superuser"]))
)]
pub async fn close_sockets(
    State(app): State<Arc<App>>,
    requester: Requester,
    body: UnreadBody,
) -> Result<impl IntoResponse, ApiError> {
    requester.require_superuser()?;
    let object = body.object().await?;
    let mut fields = Fields::new(&object, Mode::Whole);
    // Each narrows what is closed: a mistyped one that is ignored would close all that others have.
    let known = ["id", "user", "organization", "endpoint", "address"];
    for name in object.keys().filter(|name| !known.contains(&name.as_str())) {
        fields.refuse(name, "There is no such field.");
    }
    let filter = SocketFilter {
        id: fields.optional_id("id"),
        user: fields.optional_id("user"),
        organization: fields.optional_id("organization"),
        endpoint: optional(&mut fields, "endpoint", |text| text.parse().ok()),
        address: optional(&mut fields, "address", network),
    };
    fields.finish()?;
    if filter.is_empty() {
        return Err(ApiError::non_field(
            "Name the sockets: id, user, organization, endpoint or address.",
        ));
    }
    let store = app.store.by(requester.actor());
    let closed = store
        .close_sockets(&filter, app.config.lease.grace())
        .await?;
    let answer = ClosedAnswer {
        count: closed.count,
        nodes: closed.nodes.iter().map(NodeReplyAnswer::from).collect(),
    };
    Ok(Json(answer).into_response())
}

/// A text that `read` understands; null is the same as nothing.
fn optional<T>(fields: &mut Fields, name: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
    let text = fields.nullable_text(name).flatten()?;
    let value = read(&text);
    if value.is_none() {
        fields.refuse(name, format!("\"{text}\" is not a valid choice."));
    }
    value
}
