//! How a connection ends.

use crate::hub::CloseReason;

/// Who ended a connection, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// We closed it.
    Closed(CloseReason),
    /// The client sent a close frame.
    ByClient,
    /// The TCP connection broke or was ended without a close frame.
    Lost,
    /// Neither inbound bytes nor progress for too long.
    Idle,
}

impl Ended {
    /// The value of the `reason` label of metrics and logs.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Closed(reason) => reason.label(),
            Self::ByClient => "client",
            Self::Lost => "lost",
            Self::Idle => "idle",
        }
    }

    /// Whether no close frame of the client is to be waited for: it has come, or would not be found.
    pub const fn is_by_client_or_unframed(self) -> bool {
        matches!(
            self,
            Self::ByClient | Self::Closed(CloseReason::ProtocolError)
        )
    }
}
