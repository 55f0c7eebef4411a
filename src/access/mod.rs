//! Who may: the people, what proves them, and what they are allowed.
//!
//! [`policy`] is pure: it decides over a [`User`], a [`Feed`](policy::Feed) and an organization,
//! and is asked at the handshake, at each lease renewal and by REST. Everything it needs to know
//! comes through the [`Directory`], the seam behind which the users live. [`Leases`] keep asking
//! for as long as a socket is open. [`administration`] is the policy of who may give and take rights.
//!
//! [`request`] reads who asks out of a request's headers; [`login`] is where passwords are checked;
//! [`Rate`] keeps what is done to so many a second.

pub mod administration;
mod argon;
mod directory;
mod lease;
pub mod login;
pub mod password;
mod permission;
mod person;
pub mod policy;
mod rate;
pub mod request;
mod strangers;
mod throttle;
mod user;

pub use directory::{
    Credential, Directory, DirectoryError, Identity, Mark, Proof, Resource, RightsChanged,
};
pub use lease::{Crowded, Granted, Grounds, Leases, OpenSocket, SocketFilter};
pub use permission::{Action, Model, Permission, PermissionSet, UnknownPermission};
pub use person::{Person, Profile};
pub use policy::Endpoint;
pub use rate::{Rate, RateOfEach};
pub use strangers::{Shown, Strangers};
pub use throttle::{Wait, network};
pub use user::User;
