//! Who has a socket open: the leases as a list, for those who look after this node.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use uuid::Uuid;

use super::book::Topics;
use super::{Leases, close_spread};
use crate::access::policy::Endpoint;
use crate::access::{DirectoryError, Resource};
use crate::event::{OrganizationId, SocketId, Timestamp, Topic, UserId};
use crate::hub::{CloseReason, Subscriber, SubscriberId};

/// So many things are asked about in one question.
const TOGETHER: usize = 1000;

/// A shard that needs longer says nothing of what waits.
const PATIENCE: Duration = Duration::from_secs(1);

/// Over how long many sockets are closed.
const CLOSING_WINDOW: Duration = Duration::from_secs(5);

/// An open socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenSocket {
    /// Of no other socket, also of other nodes and after a restart.
    pub id: SocketId,
    /// Whose it is.
    pub user: UserId,
    /// Where it was opened.
    pub endpoint: Endpoint,
    /// The device or location that it is about, where it is one.
    pub resource: Option<Uuid>,
    /// Where its client is, as far as trusted proxies say.
    pub address: IpAddr,
    /// Since when, to the second.
    pub opened: Timestamp,
    /// Bytes that its client has not taken yet, ours and the kernel's; `None` where that cannot be told.
    pub waiting_bytes: Option<u64>,
}

/// Which open sockets are meant: those of which all of this is true. What it does not know, from a node of a later
/// version, would have narrowed it: then it is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SocketFilter {
    /// This one.
    pub id: Option<SocketId>,
    /// Of this user.
    pub user: Option<UserId>,
    /// About this organization's devices or locations. Not the feed of all organizations.
    pub organization: Option<OrganizationId>,
    /// Opened there.
    pub endpoint: Option<Endpoint>,
    /// From clients in this network.
    pub address: Option<IpNet>,
}

impl SocketFilter {
    /// Whether it means every socket.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether `socket` is meant, whatever its organization is.
    pub(super) fn means(&self, socket: &OpenSocket) -> bool {
        self.id.is_none_or(|id| id == socket.id)
            && self.user.is_none_or(|user| user == socket.user)
            && self.endpoint.is_none_or(|it| it == socket.endpoint)
            && self.address.is_none_or(|it| it.contains(&socket.address))
    }
}

impl fmt::Display for SocketFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        parts.extend(self.id.map(|it| format!("id {it}")));
        parts.extend(self.user.map(|it| format!("user {it}")));
        parts.extend(self.organization.map(|it| format!("organization {it}")));
        parts.extend(self.endpoint.map(|it| format!("endpoint {}", it.label())));
        parts.extend(self.address.map(|it| format!("address {it}")));
        if parts.is_empty() {
            return f.write_str("all sockets");
        }
        write!(f, "sockets of {}", parts.join(", "))
    }
}

/// A socket, and what is needed to do something with it.
pub struct Held {
    pub socket: OpenSocket,
    pub resource: Option<Resource>,
    pub topics: Topics,
    pub holder: Subscriber,
}

impl Leases {
    /// How many open sockets of this node `filter` means, and the `most` that have been open for the
    /// longest.
    ///
    /// # Errors
    /// When it cannot be told what belongs to an organization.
    pub async fn list(
        &self,
        filter: &SocketFilter,
        most: usize,
    ) -> Result<(usize, Vec<OpenSocket>), DirectoryError> {
        let mut found = self.find(filter).await?;
        let count = found.len();
        found.sort_unstable_by_key(|held| (held.socket.opened, held.socket.id));
        found.truncate(most);
        weigh(&mut found).await;
        Ok((count, found.into_iter().map(|held| held.socket).collect()))
    }

    /// Asks for the end of all open sockets of this node that `filter` means, and says how many they are.
    /// They end over the next seconds.
    ///
    /// # Errors
    /// When it cannot be told what belongs to an organization; then none ends.
    pub async fn close(&self, filter: &SocketFilter) -> Result<usize, DirectoryError> {
        let found = self.find(filter).await?;
        let holders: Vec<_> = found.into_iter().map(|held| held.holder).collect();
        let count = holders.len();
        let closing = close_spread(holders, CLOSING_WINDOW, CloseReason::Administrator);
        tokio::spawn(closing);
        Ok(count)
    }

    async fn find(&self, filter: &SocketFilter) -> Result<Vec<Held>, DirectoryError> {
        let mut found = self.book().find(filter);
        let Some(organization) = filter.organization else {
            return Ok(found);
        };
        let resources: Vec<_> = found.iter().filter_map(|held| held.resource).collect();
        let mut owners = HashMap::new();
        for some in resources.chunks(TOGETHER) {
            owners.extend(self.directory.organizations_of(some).await?);
        }
        found.retain(|held| match held.resource {
            Some(resource) => owners.get(&resource) == Some(&organization),
            None => held.topics.contains(&Topic::OrgLocations(organization)),
        });
        Ok(found)
    }
}

/// Asks the shards what waits for these sockets.
async fn weigh(found: &mut [Held]) {
    let mut shards: HashMap<usize, Vec<usize>> = HashMap::new();
    for (place, held) in found.iter().enumerate() {
        let shard = held.holder.inbox().number();
        shards.entry(shard).or_default().push(place);
    }
    for places in shards.into_values() {
        let ids: Vec<SubscriberId> = places.iter().map(|it| found[*it].holder.id()).collect();
        let inbox = found[places[0]].holder.inbox();
        let Ok(Ok(weights)) = timeout(PATIENCE, inbox.weigh(ids)).await else {
            continue;
        };
        for (place, weight) in places.into_iter().zip(weights) {
            found[place].socket.waiting_bytes = weight;
        }
    }
}
