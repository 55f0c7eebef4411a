//! Credentials: SSH login data. What is secret in them goes in here and never comes out.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use utoipa::ToSchema;

use super::body::{Object, UnreadBody, python_type};
use super::error::ApiError;
use super::field::{Fields, Mode};
use super::identity::{PathId, Requester};
use super::page::{Listing, OrganizationQuery, PageAnswer, PageQuery, ROWS};
use crate::access::{Action, Model, User};
use crate::app::App;
use crate::command::ssh::{KeyError, open_private_key};
use crate::event::{CredentialId, OrganizationId, Timestamp};
use crate::store::{
    Credential, CredentialChange, CredentialFilter, FieldErrors, LoginSecret, NewCredential,
};

/// OpenWISP's name of the one way to log in that there is here.
const CONNECTOR: &str = "openwisp_controller.connection.connectors.ssh.Ssh";

/// Private keys that are tried out at the same time: one with a passphrase keeps a core busy.
static KEY_CHECKS: Semaphore = Semaphore::const_new(2);

/// A credential as it is answered: OpenWISP's fields in its order, without what is secret, and
/// behind them what is ours.
#[derive(Serialize, ToSchema)]
#[schema(as = Credential, description = "A credential, without what is secret in it.")]
struct CredentialAnswer<'a> {
    id: CredentialId,
    /// OpenWISP's name of the one way to log in that there is.
    connector: &'static str,
    name: &'a str,
    organization: OrganizationId,
    /// Always false.
    auto_add: bool,
    params: ParamsAnswer<'a>,
    created: Timestamp,
    modified: Timestamp,
    /// Whether what only old SSH servers need is allowed.
    old_algorithms: bool,
}

#[derive(Serialize, ToSchema)]
#[schema(as = CredentialParams)]
struct ParamsAnswer<'a> {
    username: &'a str,
    port: i32,
}

/// What a credential is made of.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field: this says what may be there")]
struct CredentialBody {
    /// Unique in the organization.
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    /// One that the user manages; it does not change.
    organization: OrganizationId,
    params: CredentialParamsBody,
    /// Allows what only old SSH servers need (SHA-1, CBC ciphers, `ssh-rsa`).
    #[schema(nullable = false)]
    old_algorithms: Option<bool>,
    /// `openwisp_controller.connection.connectors.ssh.Ssh`, if it is there.
    #[schema(
        pattern = r"^openwisp_controller\.connection\.connectors\.ssh\.Ssh$",
        nullable = false
    )]
    connector: Option<String>,
    /// False, if it is there.
    #[schema(nullable = false)]
    auto_add: Option<bool>,
}

/// Who logs in where, and with what: on `POST` either `password` or `key` is there. What is secret is kept
/// where it is left out, null or empty. Nothing else may be there.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field: this says what may be there")]
struct CredentialParamsBody {
    #[schema(min_length = 1, max_length = 64)]
    username: String,
    /// 22 unless told otherwise.
    #[schema(minimum = 1, maximum = 65535, nullable = false)]
    port: Option<i64>,
    #[schema(max_length = 256, write_only)]
    password: Option<String>,
    /// A private key (RSA, Ed25519 or ECDSA) in OpenSSH's form or PEM.
    #[schema(max_length = 20_000, write_only)]
    key: Option<String>,
    /// Of a private key that is encrypted.
    #[schema(max_length = 256, write_only)]
    passphrase: Option<String>,
}

impl<'a> From<&'a Credential> for CredentialAnswer<'a> {
    fn from(credential: &'a Credential) -> Self {
        Self {
            id: credential.id,
            connector: CONNECTOR,
            name: &credential.name,
            organization: credential.organization,
            auto_add: false,
            params: ParamsAnswer {
                username: &credential.username,
                port: credential.port,
            },
            created: credential.created,
            modified: credential.modified,
            old_algorithms: credential.old_algorithms,
        }
    }
}

/// Lists credentials.
#[utoipa::path(
    get,
    path = "/api/v1/controller/credential/",
    tag = "Credentials",
    params(PageQuery, OrganizationQuery),
    responses((status = 200, body = PageAnswer<CredentialAnswer>)),
    security(("user" = ["connection.view_credentials"]))
)]
pub async fn list_credentials(
    State(app): State<Arc<App>>,
    requester: Requester,
    mut listing: Listing,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::View, Model::Credentials)?;
    let filter = CredentialFilter {
        organization: listing.organization(),
        organization_slug: listing.organization_slug(),
    };
    let page = listing.page(ROWS)?;
    let scope = requester.scope();
    let credentials = app.store.credentials(&scope, &filter, page).await?;
    let answer: PageAnswer<CredentialAnswer> = listing.answer(page, &credentials)?;
    Ok(Json(answer).into_response())
}

/// Makes a credential.
///
/// With a password or a private key. A key that no login could use is refused at once.
#[utoipa::path(
    post,
    path = "/api/v1/controller/credential/",
    tag = "Credentials",
    request_body(content = CredentialBody, example = json!({"name": "routers", "organization": "2f6d7a52-90cf-4f57-8cbe-6a3bb3f9d8b1", "params": {"username": "root", "password": "a secret"}})),
    responses((status = 201, body = CredentialAnswer)),
    security(("user" = ["connection.add_credentials"]))
)]
pub async fn create_credential(
    State(app): State<Arc<App>>,
    requester: Requester,
    body: UnreadBody,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::Add, Model::Credentials)?;
    let object = body.object().await?;
    let mut new = new_credential(&object, &requester.user)?;
    new.secret = opened(new.secret).await?;
    let store = app.store.by(requester.actor());
    let credential = store.add_credential(&new).await?;
    Ok((
        StatusCode::CREATED,
        Json(CredentialAnswer::from(&credential)),
    )
        .into_response())
}

/// Reads a credential.
///
/// What is secret in it is never answered.
#[utoipa::path(
    get,
    path = "/api/v1/controller/credential/{id}/",
    tag = "Credentials",
    responses((status = 200, body = CredentialAnswer)),
    security(("user" = ["connection.view_credentials"]))
)]
pub async fn get_credential(
    State(app): State<Arc<App>>,
    PathId(id): PathId<CredentialId>,
    requester: Requester,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::View, Model::Credentials)?;
    let credential = app.store.credential(id, &requester.scope()).await?;
    Ok(Json(CredentialAnswer::from(&credential)).into_response())
}

/// Changes a credential.
///
/// What is required must be there, the rest may be left as it is, also the password or key. The
/// organization does not change.
#[utoipa::path(
    put,
    path = "/api/v1/controller/credential/{id}/",
    tag = "Credentials",
    request_body(content = CredentialBody, example = json!({"name": "routers", "organization": "2f6d7a52-90cf-4f57-8cbe-6a3bb3f9d8b1", "params": {"username": "root", "password": "a secret"}})),
    responses((status = 200, body = CredentialAnswer)),
    security(("user" = ["connection.change_credentials"]))
)]
pub async fn update_credential(
    State(app): State<Arc<App>>,
    PathId(id): PathId<CredentialId>,
    requester: Requester,
    body: UnreadBody,
) -> Result<impl IntoResponse, ApiError> {
    change_credential(&app, id, &requester, body, Mode::Whole).await
}

/// Changes a credential in part.
///
/// Each of `params` may be left out, too.
#[utoipa::path(
    patch,
    path = "/api/v1/controller/credential/{id}/",
    tag = "Credentials",
    request_body(content = CredentialBody, example = json!({"params": {"port": 2222}})),
    responses((status = 200, body = CredentialAnswer)),
    security(("user" = ["connection.change_credentials"]))
)]
pub async fn patch_credential(
    State(app): State<Arc<App>>,
    PathId(id): PathId<CredentialId>,
    requester: Requester,
    body: UnreadBody,
) -> Result<impl IntoResponse, ApiError> {
    change_credential(&app, id, &requester, body, Mode::Partial).await
}

async fn change_credential(
    app: &App,
    id: CredentialId,
    requester: &Requester,
    body: UnreadBody,
    mode: Mode,
) -> Result<impl IntoResponse + use<>, ApiError> {
    requester.require(Action::Change, Model::Credentials)?;
    let before = app.store.credential(id, &requester.scope()).await?;
    let object = body.object().await?;
    let mut fields = Fields::new(&object, mode);
    let organization = fields.organization(&requester.user);
    if organization.is_some_and(|organization| organization != before.organization) {
        let reason = "Credentials stay in the organization that they were made for.";
        fields.refuse("organization", reason);
    }
    let mut change = credential_change(&mut fields, mode);
    fields.finish()?;
    change.secret = opened(change.secret).await?;
    let store = app.store.by(requester.actor());
    let credential = store.change_credential(id, &change).await?;
    Ok(Json(CredentialAnswer::from(&credential)).into_response())
}

/// Removes a credential.
///
/// The connections that use it go with it.
#[utoipa::path(
    delete,
    path = "/api/v1/controller/credential/{id}/",
    tag = "Credentials",
    responses((status = 204)),
    security(("user" = ["connection.delete_credentials"]))
)]
pub async fn delete_credential(
    State(app): State<Arc<App>>,
    PathId(id): PathId<CredentialId>,
    requester: Requester,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::Delete, Model::Credentials)?;
    app.store.credential(id, &requester.scope()).await?;
    let store = app.store.by(requester.actor());
    store.remove_credential(id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) fn new_credential(object: &Object, user: &User) -> Result<NewCredential, FieldErrors> {
    let mut fields = Fields::new(object, Mode::Whole);
    let organization = fields.organization(user);
    let change = credential_change(&mut fields, Mode::Whole);
    let mut check = Ok(());
    if change.secret.is_none() && object.contains_key("params") {
        let reason = "A password or a private key is required.";
        check = Err(FieldErrors::one("params", reason));
    }
    fields.refuse_too(check);
    fields.finish()?;
    Ok(NewCredential {
        // Read as required, so these are there.
        name: change.name.unwrap_or_default(),
        organization,
        username: change.username.unwrap_or_default(),
        port: change.port,
        secret: change.secret,
        old_algorithms: change.old_algorithms.unwrap_or_default(),
    })
}

/// Reads all but the organization.
fn credential_change(fields: &mut Fields, mode: Mode) -> CredentialChange {
    if let Some(connector) = fields.raw("connector") {
        let known = |word: &str| (word == CONNECTOR).then_some(());
        fields.choice_of("connector", connector, known);
    }
    if fields.boolean("auto_add") == Some(true) {
        let reason = "Credentials are not added to devices by themselves here: make connections.";
        fields.refuse("auto_add", reason);
    }
    let named = CredentialChange {
        name: fields.required_text("name"),
        ..CredentialChange::default()
    };
    fields.refuse_too(named.check());
    CredentialChange {
        name: named.name,
        old_algorithms: fields.boolean("old_algorithms"),
        ..params(fields, mode).unwrap_or_default()
    }
}

/// Reads `params`: who logs in where, and with what.
fn params(fields: &mut Fields, mode: Mode) -> Option<CredentialChange> {
    let object = match fields.required("params")? {
        Value::Object(object) => object,
        other => {
            let found = python_type(other);
            let reason = format!("Invalid data. Expected a dictionary, but got {found}.");
            fields.refuse("params", reason);
            return None;
        }
    };
    for name in object.keys() {
        if !["username", "port", "password", "key", "passphrase"].contains(&&**name) {
            let reason = format!("Additional properties are not allowed ('{name}' was unexpected)");
            fields.refuse("params", reason);
        }
    }
    let mut nested = Fields::new(object, mode);
    let change = CredentialChange {
        username: nested.required_text("username"),
        port: nested.integer("port"),
        secret: secret(&mut nested),
        ..CredentialChange::default()
    };
    nested.refuse_too(change.check());
    for (name, reasons) in nested.finish().err().unwrap_or_default().0 {
        for reason in reasons {
            fields.refuse("params", format!("{name}: {reason}"));
        }
    }
    Some(change)
}

/// Reads a password or a private key; `None` for neither.
fn secret(params: &mut Fields) -> Option<LoginSecret> {
    let passphrase = params.password("passphrase");
    match (params.password("password"), params.password("key")) {
        (Some(_), Some(_)) => {
            params.refuse("key", "There is a password already: only one of them.");
            None
        }
        (None, Some(pem)) => Some(LoginSecret::PrivateKey { pem, passphrase }),
        (password, None) => {
            if passphrase.is_some() {
                params.refuse("passphrase", "A passphrase comes with the key it is for.");
            }
            password.map(LoginSecret::Password)
        }
    }
}

/// The secret as it is kept. Refuses a private key that no login could use.
async fn opened(secret: Option<LoginSecret>) -> Result<Option<LoginSecret>, ApiError> {
    let (pem, passphrase) = match secret {
        Some(LoginSecret::PrivateKey { pem, passphrase }) => (pem, passphrase),
        other => return Ok(other),
    };
    let open = move || open_private_key(&pem, passphrase.as_deref());
    let opened = in_turn(open).await?.map(|key| Some(key.secret));
    opened.map_err(|error| {
        let field = match error {
            KeyError::PassphraseNeeded | KeyError::WrongPassphrase => "passphrase",
            _ => "key",
        };
        FieldErrors::one("params", format!("{field}: {error}.")).into()
    })
}

/// Runs the check of a private key beside the async threads, once it is its turn.
async fn in_turn<T: Send + 'static>(
    check: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    // Never closed.
    let turn = KEY_CHECKS.acquire().await;
    // A thread cannot be ended: the turn is over when it is, not when the client hangs up.
    let checking = spawn_blocking(move || {
        let _turn = turn;
        check()
    });
    checking.await.map_err(|error| ApiError::internal(&error))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_client_that_hangs_up_does_not_end_the_turn_of_its_key() {
        let (end, wait) = mpsc::sync_channel::<()>(0);
        let checking = in_turn(move || wait.recv());
        assert!(
            timeout(Duration::from_millis(50), checking).await.is_err(),
            "the check has ended"
        );
        assert!(KEY_CHECKS.available_permits() < 2);
        drop(end);
        assert!(in_turn(|| ()).await.is_ok());
    }
}
