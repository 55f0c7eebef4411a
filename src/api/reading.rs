//! Bodies read as their handlers read them, without a server behind: for who looks for bodies that break the
//! readers (`fuzz/checks.rs`).

use std::collections::BTreeSet;

use http::StatusCode;
use uuid::Uuid;

use super::body::{Object, object_of, pairs_of};
use super::command::type_and_input;
use super::coordinates::feature;
use super::credential::new_credential;
use super::device::new_device;
use super::error::ApiError;
use super::field::{Fields, Mode};
use super::organization::organization_change;
use super::token::LoginFields;
use super::user_body::UserBody;
use crate::access::{PermissionSet, User};
use crate::command::types::CommandTypes;
use crate::config::CommandsConfig;
use crate::event::{Timestamp, UserId};

/// Whose body it is.
#[derive(Clone, Copy, Debug)]
pub enum Reading {
    /// A device's report of where it is.
    Coordinates,
    /// A command, of the built-in types.
    Command,
    /// An SSH login, made.
    Credential,
    /// A device, made.
    Device,
    /// An organization, changed.
    Organization,
    /// A user, made.
    User,
    /// A log-in, as JSON.
    Login,
    /// A log-in, as a browser's form.
    LoginForm,
}

impl Reading {
    /// Each of them.
    pub const ALL: [Self; 8] = [
        Self::Coordinates,
        Self::Command,
        Self::Credential,
        Self::Device,
        Self::Organization,
        Self::User,
        Self::Login,
        Self::LoginForm,
    ];

    /// Reads `bytes` for a superuser.
    ///
    /// # Errors
    /// The status and the body of the refusal.
    pub fn read(self, bytes: &[u8]) -> Result<(), (StatusCode, String)> {
        self.attempt(bytes).map_err(ApiError::into_parts)
    }

    fn attempt(self, bytes: &[u8]) -> Result<(), ApiError> {
        let object: Object = match self {
            Self::LoginForm => pairs_of(bytes)
                .map(|(name, value)| (name, value.into()))
                .collect(),
            _ => object_of(bytes)?,
        };
        match self {
            Self::Coordinates => feature(&object, Timestamp(0)).map(|_| ())?,
            Self::Command => {
                let types = CommandTypes::new(&CommandsConfig::default());
                let mut fields = Fields::new(&object, Mode::Whole);
                type_and_input(&mut fields, |name| types.get(name));
                fields.finish()?;
            }
            Self::Credential => new_credential(&object, &superuser()).map(|_| ())?,
            Self::Device => new_device(&object, &superuser()).map(|_| ())?,
            Self::Organization => organization_change(&object, Mode::Partial).map(|_| ())?,
            Self::User => UserBody::new(&object).map(|_| ())?,
            Self::Login | Self::LoginForm => LoginFields::read(&object).map(|_| ())?,
        }
        Ok(())
    }
}

fn superuser() -> User {
    User {
        id: UserId(Uuid::nil()),
        username: "root".to_owned(),
        is_superuser: true,
        is_staff: true,
        permissions: PermissionSet::default(),
        manages: BTreeSet::new(),
        member_of: BTreeSet::new(),
        password_version: 1,
    }
}
