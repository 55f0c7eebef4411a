//! The seam behind which users, and what belongs to which organization, live.

use std::collections::{HashMap, HashSet};
use std::fmt;

use async_trait::async_trait;
use uuid::Uuid;

use super::User;
use crate::event::{DeviceId, LocationId, OrganizationId, SessionId, Timestamp, TokenId, UserId};

/// What a request shows to prove who sends it. Its secret is never printed.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// The value of the session cookie.
    Session(String),
    /// The token of an `Authorization: Bearer` header.
    Token(String),
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Session(_) => "Session(…)",
            Self::Token(_) => "Token(…)",
        })
    }
}

/// Which session or token proved a user: what a lease is renewed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Proof {
    /// A browser's session.
    Session(SessionId),
    /// An API token.
    Token(TokenId),
}

/// A user together with what proved it.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Who.
    pub user: User,
    /// By what.
    pub proof: Proof,
    /// When the proof, or the user, comes to an end by itself; `None` where nobody knows.
    pub until: Option<Timestamp>,
}

/// Something of one organization that a socket can be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// A device, for its commands.
    Device(DeviceId),
    /// A location, for its moves.
    Location(LocationId),
}

impl Resource {
    /// Its identifier, whatever it is.
    #[must_use]
    pub const fn id(self) -> Uuid {
        match self {
            Self::Device(id) => id.0,
            Self::Location(id) => id.0,
        }
    }
}

/// How far the changes of rights have been read. What it counts is the directory's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark(pub String);

/// Whose rights may have changed.
#[derive(Clone, Debug, Default)]
pub struct RightsChanged {
    /// From where to read on.
    pub mark: Option<Mark>,
    /// Anybody's, or else those below.
    pub all: bool,
    /// Of these users.
    pub users: HashSet<UserId>,
    /// To these things.
    pub resources: HashSet<Resource>,
}

impl RightsChanged {
    /// What a directory says that cannot tell.
    #[must_use]
    pub fn unknown(mark: Option<Mark>) -> Self {
        Self {
            mark,
            all: true,
            ..Self::default()
        }
    }

    /// Whether nobody's have.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.all && self.users.is_empty() && self.resources.is_empty()
    }
}

/// The directory could not be asked. This is no refusal: who asks keeps what it has, or says that
/// it cannot tell now.
#[derive(Debug, thiserror::Error)]
#[error("the user directory cannot be reached: {0}")]
pub struct DirectoryError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// Users and tenancy, always as of the last commit, also when another process made it.
#[async_trait]
pub trait Directory: Send + Sync + 'static {
    /// The user behind a credential, or `None` when it proves nobody (unknown, expired, revoked;
    /// user inactive or expired).
    async fn identify(&self, credential: &Credential) -> Result<Option<Identity>, DirectoryError>;

    /// Who still stands behind `proofs`; a proof that proves nobody any more is absent.
    async fn renew(&self, proofs: &[Proof]) -> Result<HashMap<Proof, Identity>, DirectoryError>;

    /// Whose rights have changed since `mark`, of all that was committed before this call; anybody's
    /// if there is no mark. What ends by its [time](Identity::until) is not told. Most directories
    /// cannot tell.
    async fn rights_changed(&self, mark: Option<Mark>) -> Result<RightsChanged, DirectoryError> {
        Ok(RightsChanged::unknown(mark))
    }

    /// What the clock shows that [times](Identity::until) are of.
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    /// The organizations that `resources` belong to now; one that does not exist is absent.
    async fn organizations_of(
        &self,
        resources: &[Resource],
    ) -> Result<HashMap<Resource, OrganizationId>, DirectoryError>;
}
