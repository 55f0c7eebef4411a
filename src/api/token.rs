//! Tokens for scripts.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::header::CACHE_CONTROL;
use serde::Serialize;
use utoipa::ToSchema;

use super::body::{Object, UnreadBody};
use super::error::ApiError;
use super::field::{Fields, Mode};
use crate::access::login::LoginError;
use crate::access::request::Client;
use crate::app::App;
use crate::store::{FieldErrors, StoreError};

/// What is to be logged in with.
pub struct LoginFields {
    /// Without the space around it.
    pub username: String,
    /// Every character counts.
    pub password: String,
}

impl LoginFields {
    /// Reads a user name and a password.
    ///
    /// # Errors
    /// What is missing, blank or no text.
    pub fn read(object: &Object) -> Result<Self, FieldErrors> {
        let mut fields = Fields::new(object, Mode::Whole);
        let username = fields.required_text("username");
        let password = fields.required_password("password");
        fields.finish()?;
        Ok(Self {
            // Read as required, so both are there.
            username: username.unwrap_or_default(),
            password: password.unwrap_or_default(),
        })
    }
}

/// What is logged in with.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field: this says what may be there")]
pub struct LoginBody {
    username: String,
    password: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Token)]
struct TokenAnswer {
    /// Shown as `Authorization: Bearer …`. It is not answered again.
    token: String,
}

/// Obtains a token for a user name and a password.
///
/// Beyond the newest 100 tokens of a user that were had this way, the oldest end.
#[utoipa::path(
    post,
    path = "/api/v1/users/token/",
    tag = "Log-in",
    request_body(content(
        (LoginBody = "application/json", example = json!({"username": "ada", "password": "a secret"})),
        (LoginBody = "application/x-www-form-urlencoded")
    )),
    responses((status = 200, body = TokenAnswer), (status = 429))
)]
pub async fn obtain_token(
    State(app): State<Arc<App>>,
    client: Client,
    body: UnreadBody,
) -> Result<impl IntoResponse, ApiError> {
    let (object, _) = body.login_fields().await?;
    let LoginFields { username, password } = LoginFields::read(&object)?;
    let proved = app
        .logins
        .log_in(&username, password, client.address)
        .await?;
    let (_, secret) = app.store.add_login_token(proved).await.map_err(overtaken)?;
    Ok((
        [(CACHE_CONTROL, "no-store")],
        Json(TokenAnswer { token: secret }),
    ))
}

/// The password that was right a moment ago has been changed, or its user removed.
pub fn overtaken(error: StoreError) -> ApiError {
    match error {
        StoreError::NotFound(_) => LoginError::Invalid.into(),
        other => other.into(),
    }
}
