//! The limits of the configuration, by the names of their keys.

/// A limit that was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// `limits.sockets`.
    Sockets,
    /// `limits.sockets_per_user`.
    SocketsPerUser,
    /// `limits.sockets_per_address`.
    SocketsPerAddress,
    /// `limits.handshakes_per_second`.
    HandshakesPerSecond,
    /// `limits.handshakes_per_second_per_address`.
    HandshakesPerSecondPerAddress,
    /// `limits.connections`.
    Connections,
    /// `limits.connections_per_address`.
    ConnectionsPerAddress,
    /// `limits.reports_per_second`.
    ReportsPerSecond,
    /// `limits.commands_per_device`.
    CommandsPerDevice,
    /// `limits.commands_per_organization`.
    CommandsPerOrganization,
    /// `login.attempts_per_user` or `login.attempts_per_address`.
    LoginAttempts,
    /// `server.head_limit_bytes`.
    HeadBytes,
    /// `server.header_timeout_s`.
    HeaderTimeout,
    /// `server.body_limit_bytes`, or the less that a log-in may have.
    BodyBytes,
    /// `socket.inbound_bytes_per_second`.
    InboundBytesPerSecond,
}

impl Limit {
    /// The value of the `limit` label of metrics: the key of the configuration, without its section.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Sockets => "sockets",
            Self::SocketsPerUser => "sockets_per_user",
            Self::SocketsPerAddress => "sockets_per_address",
            Self::HandshakesPerSecond => "handshakes_per_second",
            Self::HandshakesPerSecondPerAddress => "handshakes_per_second_per_address",
            Self::Connections => "connections",
            Self::ConnectionsPerAddress => "connections_per_address",
            Self::ReportsPerSecond => "reports_per_second",
            Self::CommandsPerDevice => "commands_per_device",
            Self::CommandsPerOrganization => "commands_per_organization",
            Self::LoginAttempts => "login_attempts",
            Self::HeadBytes => "head_limit_bytes",
            Self::HeaderTimeout => "header_timeout_s",
            Self::BodyBytes => "body_limit_bytes",
            Self::InboundBytesPerSecond => "inbound_bytes_per_second",
        }
    }
}
