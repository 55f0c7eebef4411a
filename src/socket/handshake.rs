//! The handshake (RFC 6455, section 4.2): what must be true before a client is let into the hub.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::extract::{ConnectInfo, Query};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONNECTION, HeaderMap, HeaderName, HeaderValue, ORIGIN, UPGRADE};
use http::request::Parts;
use http::{Method, StatusCode, Version};
use serde::Deserialize;
use sha1::{Digest, Sha1};
use tokio::time::timeout;

use super::refusal::Refusal;
use super::{Origins, Sockets};
use crate::access::policy::{self, Feed};
use crate::access::request::{Client, credential};
use crate::access::{Credential, DirectoryError, Granted, Grounds, network};
use crate::event::{OrganizationId, Timestamp};
use crate::hub::Subscriber;

/// An answer about users that takes longer than this is none.
const PATIENCE: Duration = Duration::from_secs(5);

/// What every server appends to the client's key (RFC 6455, section 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

const SEC_WEBSOCKET_KEY: HeaderName = HeaderName::from_static("sec-websocket-key");
const SEC_WEBSOCKET_VERSION: HeaderName = HeaderName::from_static("sec-websocket-version");
const SEC_WEBSOCKET_ACCEPT: HeaderName = HeaderName::from_static("sec-websocket-accept");

/// What a request asks for that is a handshake, before anybody is asked about users.
#[derive(Debug)]
pub struct Asked {
    /// What proves to the client that it was understood: `Sec-WebSocket-Accept`.
    pub accept: HeaderValue,
    /// From when on it wants what it missed.
    pub since: Option<Timestamp>,
}

/// A client that is let in: in the hub and with a lease from before its 101 is sent.
pub(super) struct Admitted {
    accept: HeaderValue,
    /// Its place in the hub.
    pub joined: Joined,
    /// From when on it asked for what it missed.
    pub since: Option<Timestamp>,
    /// To be held for as long as the socket is open.
    pub lease: Granted,
}

/// A place in the hub. Dropping it gives the place up, until there [is a socket](Self::has_socket).
pub(super) struct Joined(Option<Subscriber>);

impl Joined {
    /// The shard has the socket, and gives the place up when that ends.
    pub fn has_socket(mut self) -> Option<Subscriber> {
        self.0.take()
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        if let Some(subscriber) = &self.0 {
            subscriber.leave();
        }
    }
}

/// Reads the head of a request.
///
/// # Errors
/// When it is no handshake, or asks for what was missed since no instant.
pub fn read(parts: &Parts) -> Result<Asked, Refusal> {
    Ok(Asked {
        accept: accept(parts)?,
        since: since(parts)?,
    })
}

/// Checks a handshake in the order of what it costs, and lets the client into the hub.
pub(super) async fn admit(
    sockets: &Sockets,
    feed: Feed,
    parts: &Parts,
) -> Result<Admitted, Refusal> {
    let Asked { accept, since } = read(parts)?;
    if sockets.is_draining() {
        return Err(Refusal::Draining);
    }
    let client = client(sockets, parts);
    check_origin(sockets, &client, &parts.headers)?;
    // Before anybody is asked; it counts again when all is known.
    sockets.leases.admits(client.address)?;
    // Nor is anybody asked about who shows nothing: that uses up nothing of what others may ask.
    let credential =
        credential(&parts.headers, &sockets.cookie_name).ok_or(Refusal::NoCredential)?;
    let own = sockets.asked_by.take(network(client.address));
    own.map_err(|_| Refusal::AddressTooFast)?;
    sockets.asked.take().map_err(|_| Refusal::TooFast)?;
    let moment = sockets.leases.moment();
    let answered = timeout(PATIENCE, authorize(sockets, feed, &credential)).await;
    let grounds = answered.map_err(|late| Refusal::Unavailable(late.to_string()))??;
    // What was committed before this moment is not this socket's business unless it asks for it.
    timeout(PATIENCE, sockets.source.attend(&grounds.topics))
        .await
        .map_err(|late| Refusal::Unavailable(late.to_string()))?;
    let subscriber = sockets.hub.join(grounds.topics.to_vec());
    let joined = Joined(Some(subscriber.clone()));
    let granted = sockets
        .leases
        .grant(grounds, moment, subscriber, client.address);
    let lease = granted?;
    // The drain may have begun meanwhile: then it has not seen this lease.
    if sockets.is_draining() {
        return Err(Refusal::Draining);
    }
    Ok(Admitted {
        accept,
        joined,
        since,
        lease,
    })
}

/// The answer that makes the connection a WebSocket. No subprotocol and no extension is ever
/// taken up.
pub(super) fn switching_protocols(admitted: &Admitted) -> Response {
    let headers = [
        (UPGRADE, HeaderValue::from_static("websocket")),
        (CONNECTION, HeaderValue::from_static("Upgrade")),
        (SEC_WEBSOCKET_ACCEPT, admitted.accept.clone()),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

/// Who sends a request, as far as its peer and trusted proxies say.
pub(super) fn client(sockets: &Sockets, parts: &Parts) -> Client {
    let unknown = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
    let peer = parts
        .extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(unknown, |ConnectInfo(peer)| *peer);
    Client::new(peer, &parts.headers, &sockets.trusted_proxies)
}

/// Checks that this is a handshake, and computes its `Sec-WebSocket-Accept`.
fn accept(parts: &Parts) -> Result<HeaderValue, Refusal> {
    let headers = &parts.headers;
    if !has_token(headers, &UPGRADE, "websocket") || !has_token(headers, &CONNECTION, "upgrade") {
        return Err(Refusal::NoUpgrade);
    }
    if parts.method != Method::GET {
        return Err(Refusal::BadHandshake("the method must be GET"));
    }
    if parts.version != Version::HTTP_11 {
        return Err(Refusal::BadHandshake("HTTP/1.1 is required"));
    }
    if single(headers, &SEC_WEBSOCKET_VERSION) != Some(b"13") {
        return Err(Refusal::BadHandshake("Sec-WebSocket-Version must be 13"));
    }
    let key = single(headers, &SEC_WEBSOCKET_KEY)
        .filter(|key| STANDARD.decode(key).is_ok_and(|nonce| nonce.len() == 16))
        .ok_or(Refusal::BadHandshake(
            "Sec-WebSocket-Key must be 16 bytes in base64",
        ))?;
    let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    HeaderValue::try_from(STANDARD.encode(digest))
        .map_err(|_| Refusal::BadHandshake("Sec-WebSocket-Key cannot be answered"))
}

/// The value of a header that must come once.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    values
        .next()
        .filter(|_| values.next().is_none())
        .map(HeaderValue::as_bytes)
}

/// Whether a comma-separated header holds `token`, in any case.
fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|value| value.trim().eq_ignore_ascii_case(token))
}

#[derive(Deserialize)]
struct SinceQuery {
    since: Option<String>,
}

fn since(parts: &Parts) -> Result<Option<Timestamp>, Refusal> {
    let Query(query) =
        Query::<SinceQuery>::try_from_uri(&parts.uri).map_err(|_| Refusal::BadSince)?;
    // An unescaped `+` of an offset arrives as a blank.
    let parse = |text: String| {
        text.replace(' ', "+")
            .parse()
            .map_err(|_| Refusal::BadSince)
    };
    query.since.map(parse).transpose()
}

/// A browser says where its page is from; who says nothing is no browser.
fn check_origin(sockets: &Sockets, client: &Client, headers: &HeaderMap) -> Result<(), Refusal> {
    for origin in headers.get_all(ORIGIN) {
        let origin = String::from_utf8_lossy(origin.as_bytes());
        let is_accepted = match &sockets.origins {
            Origins::SameSite(allowed) => client.accepts_origin(&origin, allowed),
            Origins::Judged(judge) => judge(&origin),
        };
        if !is_accepted {
            return Err(Refusal::Origin(origin.into_owned()));
        }
    }
    Ok(())
}

/// Asks who this is and whether that user may listen.
async fn authorize(
    sockets: &Sockets,
    feed: Feed,
    credential: &Credential,
) -> Result<Grounds, Refusal> {
    let unavailable = |error: DirectoryError| Refusal::Unavailable(error.to_string());
    let identified = sockets
        .directory
        .identify(credential)
        .await
        .map_err(unavailable)?;
    let identity = identified.ok_or(Refusal::BadCredential)?;
    let organization = organization(sockets, feed).await.map_err(unavailable)?;
    if matches!(feed, Feed::Of(_)) && organization.is_none() {
        return Err(Refusal::NoResource);
    }
    let user = &identity.user;
    let topics = policy::topics(user, feed, organization)
        .ok_or_else(|| Refusal::NotPermitted(user.username.clone()))?;
    Ok(Grounds::new(&identity, feed, topics))
}

async fn organization(
    sockets: &Sockets,
    feed: Feed,
) -> Result<Option<OrganizationId>, DirectoryError> {
    let Feed::Of(resource) = feed else {
        return Ok(None);
    };
    let found = sockets.directory.organizations_of(&[resource]).await?;
    Ok(found.get(&resource).copied())
}
