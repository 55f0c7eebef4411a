//! The seam behind which users, and what belongs to which organization, live.

use std::collections::HashMap;
use std::fmt;

use async_trait::async_trait;

use super::User;
use crate::event::{DeviceId, LocationId, OrganizationId, SessionId, TokenId};

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
}

/// Something of one organization that a socket can be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// A device, for its commands.
    Device(DeviceId),
    /// A location, for its moves.
    Location(LocationId),
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

    /// The users that still stand behind `proofs`; a proof that proves nobody any more is absent.
    async fn renew(&self, proofs: &[Proof]) -> Result<HashMap<Proof, User>, DirectoryError>;

    /// The organizations that `resources` belong to now; one that does not exist is absent.
    async fn organizations_of(
        &self,
        resources: &[Resource],
    ) -> Result<HashMap<Resource, OrganizationId>, DirectoryError>;
}
