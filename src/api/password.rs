//! Setting a password: one's own, or somebody else's.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::body::{Object, UnreadBody};
use super::error::ApiError;
use super::field::{Fields, Mode};
use super::identity::{PathId, Requester};
use super::user::person_seen;
use crate::access::administration::may_set_password;
use crate::access::login::LoginError;
use crate::access::request::Client;
use crate::access::{Action, Model, password};
use crate::app::App;
use crate::event::UserId;
use crate::store::{AccountChange, FieldErrors};

const WRONG: &str = "Your old password was entered incorrectly. Please enter it again.";

/// The two fields that OpenWISP answers with.
#[derive(Serialize, ToSchema)]
#[schema(as = PasswordSet)]
struct PasswordAnswer {
    /// `Success`.
    status: &'static str,
    message: &'static str,
}

/// A password, and what proves that one may set it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field: this says what may be there")]
#[expect(clippy::struct_field_names, reason = "OpenWISP's names")]
struct PasswordBody {
    /// One's own; null where somebody else's is set.
    #[schema(required, write_only)]
    current_password: Option<String>,
    /// At least 8 characters, not digits alone, and not like the user name.
    #[schema(min_length = 8, max_length = 128, write_only)]
    new_password: String,
    /// The same again.
    #[schema(write_only)]
    confirm_password: String,
}

/// What is to be set, and what proves that one may.
struct Passwords {
    current: Option<String>,
    new: String,
}

/// Sets a password.
///
/// One's own takes no permission but the present one, which is counted as a log-in is; somebody else's
/// may be set who may no more than the one who asks. What the old one had opened ends.
#[utoipa::path(
    put,
    path = "/api/v1/users/user/{id}/password/",
    tag = "Users",
    request_body(content = PasswordBody, example = json!({"current_password": "correct horse battery", "new_password": "incorrect donkey battery", "confirm_password": "incorrect donkey battery"})),
    responses((status = 200, body = PasswordAnswer), (status = 429)),
    security(("user" = ["openwisp_users.change_user"]))
)]
pub async fn set_user_password(
    State(app): State<Arc<App>>,
    PathId(id): PathId<UserId>,
    requester: Requester,
    client: Client,
    body: UnreadBody,
) -> Result<impl IntoResponse, ApiError> {
    set(&app, id, &requester, &client, body).await
}

/// Sets a password in the same way.
#[utoipa::path(
    patch,
    path = "/api/v1/users/user/{id}/password/",
    tag = "Users",
    request_body(content = PasswordBody, example = json!({"current_password": "correct horse battery", "new_password": "incorrect donkey battery", "confirm_password": "incorrect donkey battery"})),
    responses((status = 200, body = PasswordAnswer), (status = 429)),
    security(("user" = ["openwisp_users.change_user"]))
)]
pub async fn patch_user_password(
    State(app): State<Arc<App>>,
    PathId(id): PathId<UserId>,
    requester: Requester,
    client: Client,
    body: UnreadBody,
) -> Result<impl IntoResponse, ApiError> {
    set(&app, id, &requester, &client, body).await
}

async fn set(
    app: &App,
    id: UserId,
    requester: &Requester,
    client: &Client,
    body: UnreadBody,
) -> Result<impl IntoResponse + use<>, ApiError> {
    if id == requester.user.id {
        let object = body.object().await?;
        set_own(app, requester, client, &object).await?;
    } else {
        requester.require(Action::Change, Model::User)?;
        let account = app.store.user(id, &requester.scope()).await?;
        let object = body.object().await?;
        let passwords = Passwords::read(&object, &account.username)?;
        set_others(app, requester, id, passwords).await?;
    }
    app.leases.rights_changed();
    Ok(Json(PasswordAnswer {
        status: "Success",
        message: "Password updated successfully",
    })
    .into_response())
}

async fn set_own(
    app: &App,
    requester: &Requester,
    client: &Client,
    object: &Object,
) -> Result<(), ApiError> {
    let username = &requester.user.username;
    let Passwords { current, new } = Passwords::read(object, username)?;
    let Some(current) = current else {
        return Err(FieldErrors::one("current_password", "This field may not be null.").into());
    };
    let proved = match app.logins.log_in(username, current, client.address).await {
        Err(LoginError::Invalid) => {
            return Err(FieldErrors::one("current_password", WRONG).into());
        }
        proved => proved?,
    };
    let change = AccountChange {
        password_hash: Some(app.logins.hash(new).await?),
        ..AccountChange::default()
    };
    let desk = requester.administer(app).await?;
    let now = desk.requester();
    // Another one may have been set since, or the user renamed.
    if (proved.user, proved.password_version) != (now.id, now.password_version) {
        return Err(FieldErrors::one("current_password", WRONG).into());
    }
    desk.change_user(proved.user, &change).await?;
    Ok(())
}

async fn set_others(
    app: &App,
    requester: &Requester,
    id: UserId,
    passwords: Passwords,
) -> Result<(), ApiError> {
    let change = AccountChange {
        password_hash: Some(app.logins.hash(passwords.new).await?),
        ..AccountChange::default()
    };
    let mut desk = requester.administer(app).await?;
    let person = person_seen(&mut desk, id).await?;
    may_set_password(desk.requester(), &person)?;
    desk.change_user(id, &change).await?;
    Ok(())
}

impl Passwords {
    fn read(object: &Object, username: &str) -> Result<Self, FieldErrors> {
        let mut fields = Fields::new(object, Mode::Whole);
        // OpenWISP asks for it always; null says that there is none to show.
        let current = match fields.present("current_password") {
            None | Some(Value::Null) => None,
            Some(_) => fields.required_password("current_password"),
        };
        let new = fields.required_password("new_password");
        let confirmed = fields.required_password("confirm_password");
        if let Some(new) = &new {
            if current.as_ref() == Some(new) {
                let reason = "New password cannot be the same as your old password.";
                fields.refuse("new_password", reason);
            }
            for reason in password::weaknesses(new, username) {
                fields.refuse("new_password", reason);
            }
            if confirmed.is_some_and(|confirmed| confirmed != *new) {
                let reason = "The two password fields didn’t match.";
                fields.refuse("confirm_password", reason);
            }
        }
        fields.finish()?;
        Ok(Self {
            current,
            // Read as required, so it is there.
            new: new.unwrap_or_default(),
        })
    }
}
