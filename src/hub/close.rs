//! Why the server ends a connection: every close code in one place.

/// A reason to close a socket, told to the client as a code and a text (RFC 6455, section 7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// The server stops or restarts. Come back at once: another node, or the same, takes over.
    Draining,
    /// The client broke the framing of RFC 6455. Coming back the same way ends the same way.
    ProtocolError,
    /// Login, permission, organization or the thing itself is gone. Coming back is refused until
    /// the right is given again.
    AccessLost,
    /// The client reads too slowly even for conflated snapshots. Come back with `?since=`.
    TooSlow,
    /// For too long nobody could say whether the user may still listen, or a replay could not be
    /// read. Come back later.
    Unavailable,
    /// Somebody who looks after this server closed it; no right was taken away. Come back later, with
    /// `?since=`.
    Administrator,
}

impl CloseReason {
    /// The status code on the wire.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Draining => 1001,
            Self::ProtocolError => 1002,
            Self::AccessLost => 1008,
            Self::TooSlow | Self::Unavailable | Self::Administrator => 1013,
        }
    }

    /// The text on the wire, at most 123 bytes.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Draining => "the server restarts, please reconnect",
            Self::ProtocolError => "the WebSocket framing was broken",
            Self::AccessLost => "access to this resource has ended",
            Self::TooSlow => "reading too slowly, please reconnect with since",
            Self::Unavailable => "the server cannot reach its database, try again later",
            Self::Administrator => "closed by an administrator, please reconnect later with since",
        }
    }

    /// The value of the `reason` label of metrics and logs.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Draining => "draining",
            Self::ProtocolError => "protocol_error",
            Self::AccessLost => "access_lost",
            Self::TooSlow => "too_slow",
            Self::Unavailable => "unavailable",
            Self::Administrator => "administrator",
        }
    }
}
