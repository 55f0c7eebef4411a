//! Why a handshake is refused: told to the log in full, to the client only as far as it may know.

use std::ops::RangeInclusive;

use axum::response::{IntoResponse, Response};
use http::header::{CONNECTION, CONTENT_TYPE, HeaderName, RETRY_AFTER, UPGRADE};
use http::request::Parts;
use http::{HeaderValue, StatusCode};

use super::{Sockets, handshake};
use crate::access::Crowded;
use crate::telemetry::Limit;

/// Seconds after which a client refused with 503 may try again.
const RETRY_S: u64 = 5;

/// The same where too many came at once: some of them sooner than others.
const SPREAD_S: RangeInclusive<u64> = 1..=10;

/// The same of one who has to close sockets of its own before.
const RETRY_OWN_S: u64 = 30;

/// Why a handshake did not become a socket.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The path's identifier is no UUID.
    #[error("there is no such endpoint")]
    UnknownPath,
    /// A request that wants no upgrade.
    #[error("this endpoint is a WebSocket: an upgrade is required")]
    NoUpgrade,
    /// Not a handshake of RFC 6455, section 4.2.1.
    #[error("not a valid WebSocket handshake: {0}")]
    BadHandshake(&'static str),
    /// `?since=` is no instant.
    #[error("since must be an ISO 8601 date and time with an offset, such as 2026-11-24T10:15:00Z")]
    BadSince,
    /// A browser on a page of another site.
    #[error("pages of the origin {0} may not open sockets here")]
    Origin(String),
    /// Neither a session cookie nor a token.
    #[error("no session cookie and no token")]
    NoCredential,
    /// The session or token proves nobody (unknown, expired, revoked, user inactive).
    #[error("the session or token is not valid")]
    BadCredential,
    /// The user lacks a right.
    #[error("{0} lacks the right to listen to this")]
    NotPermitted(String),
    /// There is no such device or location.
    #[error("there is no such device or location")]
    NoResource,
    /// The users cannot be asked about.
    #[error("access cannot be checked now: {0}")]
    Unavailable(String),
    /// The server is stopping.
    #[error("the server is stopping")]
    Draining,
    /// This node has all sockets that it may.
    #[error("this node has as many sockets as it may (limits.sockets)")]
    NodeFull,
    /// More handshakes come than this node answers.
    #[error("there are more handshakes a second than limits.handshakes_per_second")]
    TooFast,
    /// More of them come from one address.
    #[error(
        "there are more handshakes a second of this address than \
         limits.handshakes_per_second_per_address"
    )]
    AddressTooFast,
    /// The user has all sockets that one may.
    #[error("this user has as many sockets here as one may (limits.sockets_per_user)")]
    UserFull,
    /// The address has all sockets that one may.
    #[error("this address has as many sockets here as one may (limits.sockets_per_address)")]
    AddressFull,
}

impl From<Crowded> for Refusal {
    fn from(crowded: Crowded) -> Self {
        match crowded {
            Crowded::Node => Self::NodeFull,
            Crowded::User => Self::UserFull,
            Crowded::Address => Self::AddressFull,
        }
    }
}

/// Of a text that the client wrote, no more than a log line should hold.
fn cut(text: &str) -> &str {
    const MOST: usize = 200;
    text.char_indices()
        .nth(MOST)
        .map_or(text, |(end, _)| &text[..end])
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::UnknownPath => StatusCode::NOT_FOUND,
            Self::NoUpgrade => StatusCode::UPGRADE_REQUIRED,
            Self::BadHandshake(_) | Self::BadSince => StatusCode::BAD_REQUEST,
            Self::Origin(_)
            | Self::NoCredential
            | Self::BadCredential
            | Self::NotPermitted(_)
            | Self::NoResource => StatusCode::FORBIDDEN,
            Self::UserFull | Self::AddressFull | Self::AddressTooFast => {
                StatusCode::TOO_MANY_REQUESTS
            }
            Self::Unavailable(_) | Self::Draining | Self::NodeFull | Self::TooFast => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    /// The value of the `reason` label of metrics and logs.
    const fn label(&self) -> &'static str {
        match self {
            Self::UnknownPath => "unknown_path",
            Self::NoUpgrade => "no_upgrade",
            Self::BadHandshake(_) => "bad_handshake",
            Self::BadSince => "bad_since",
            Self::Origin(_) => "origin",
            Self::NoCredential => "no_credential",
            Self::BadCredential => "bad_credential",
            Self::NotPermitted(_) => "not_permitted",
            Self::NoResource => "no_resource",
            Self::Unavailable(_) => "unavailable",
            Self::Draining => "draining",
            Self::NodeFull => "sockets",
            Self::TooFast => "handshakes_per_second",
            Self::AddressTooFast => "handshakes_per_second_per_address",
            Self::UserFull => "sockets_per_user",
            Self::AddressFull => "sockets_per_address",
        }
    }

    /// What the client is told. A refusal does not say which of its reasons it has: whether a
    /// device exists is nobody's business who may not see it.
    fn detail(&self) -> String {
        match self.status() {
            _ if *self == Self::AddressTooFast => {
                "Too many handshakes come from this address. Try again later.".to_owned()
            }
            StatusCode::FORBIDDEN => "You may not listen to this.".to_owned(),
            StatusCode::SERVICE_UNAVAILABLE => "Try again later.".to_owned(),
            StatusCode::TOO_MANY_REQUESTS => {
                "Too many sockets are open here already. Close others first.".to_owned()
            }
            _ => self.to_string(),
        }
    }

    /// The limit that was met, where it was one.
    fn limit(&self) -> Option<Limit> {
        match self {
            Self::NodeFull => Some(Limit::Sockets),
            Self::TooFast => Some(Limit::HandshakesPerSecond),
            Self::AddressTooFast => Some(Limit::HandshakesPerSecondPerAddress),
            Self::UserFull => Some(Limit::SocketsPerUser),
            Self::AddressFull => Some(Limit::SocketsPerAddress),
            _ => None,
        }
    }

    /// Seconds after which trying again is worthwhile, where it is.
    fn retry_s(&self) -> Option<u64> {
        match self {
            // Not all of them in the same moment: that is what was too much.
            Self::TooFast | Self::AddressTooFast => Some(rand::random_range(SPREAD_S)),
            Self::UserFull | Self::AddressFull => Some(RETRY_OWN_S),
            _ if self.status() == StatusCode::SERVICE_UNAVAILABLE => Some(RETRY_S),
            _ => None,
        }
    }

    /// Counts and logs the refusal, and answers it.
    pub fn answer(self, sockets: &Sockets, parts: &Parts) -> Response {
        sockets.metrics.handshake_refused(self.label());
        if let Some(limit) = self.limit() {
            sockets.metrics.limit_hit(limit);
        }
        if let Some(held_back) = sockets.refusals.pass() {
            let client = handshake::client(sockets, parts);
            // The path alone: the query is not ours to print.
            tracing::info!(
                reason = self.label(),
                client = %client.address,
                path = cut(parts.uri.path()),
                held_back,
                "a handshake was refused: {}",
                cut(&self.to_string())
            );
        }
        let body = serde_json::json!({ "detail": self.detail() }).to_string();
        let mut response =
            (self.status(), [(CONTENT_TYPE, "application/json")], body).into_response();
        let headers = response.headers_mut();
        match self.status() {
            StatusCode::UPGRADE_REQUIRED => {
                headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
                headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            }
            StatusCode::BAD_REQUEST => {
                let version = HeaderName::from_static("sec-websocket-version");
                headers.insert(version, HeaderValue::from_static("13"));
            }
            _ => {}
        }
        if let Some(seconds) = self.retry_s() {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
