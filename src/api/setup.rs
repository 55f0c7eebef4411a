//! Ours: the first start. Whoever reads the server's log makes the first superuser.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::header::CACHE_CONTROL;
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::body::UnreadBody;
use super::error::ApiError;
use super::field::{Fields, Mode};
use super::identity::refuse_foreign_origin;
use super::user_body::UserBody;
use crate::access::login::LoginError;
use crate::access::request::Client;
use crate::app::App;
use crate::store::{FieldErrors, SetupError};

/// Whether the first superuser is still to be made.
#[derive(Serialize, ToSchema)]
#[schema(as = Setup)]
struct SetupAnswer {
    /// True until there has been a user, in whatever way: then false for good.
    is_open: bool,
}

/// The first superuser, and what proves that one may be that.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field: this says what may be there")]
struct SetupBody {
    /// As the log of `fleetwire serve` has it.
    #[schema(write_only)]
    token: String,
    #[schema(min_length = 1, max_length = 150)]
    username: String,
    #[schema(max_length = 254)]
    email: String,
    /// At least 8 characters, not digits alone, and not like the user name.
    #[schema(min_length = 8, max_length = 128, write_only)]
    password: String,
    #[schema(max_length = 150, nullable = false)]
    first_name: Option<String>,
    #[schema(max_length = 150, nullable = false)]
    last_name: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SetUp)]
struct SetUpAnswer<'a> {
    /// To log in with.
    username: &'a str,
}

/// Tells whether the first superuser is still to be made.
///
/// Ours, not OpenWISP's.
#[utoipa::path(
    get,
    path = "/api/v1/setup/",
    tag = "Log-in",
    responses((status = 200, body = SetupAnswer))
)]
pub async fn get_setup(State(app): State<Arc<App>>) -> Result<impl IntoResponse, ApiError> {
    let is_open = app.store.is_setup_open().await?;
    Ok(([(CACHE_CONTROL, "no-store")], Json(SetupAnswer { is_open })))
}

/// Makes the first superuser.
///
/// With the token that `fleetwire serve` prints in its log while there has never been a user; of several nodes,
/// any one's. Of several requests at once one succeeds, and whatever comes after it is refused. Wrong tokens are
/// counted by address, as log-ins are. Ours, not OpenWISP's.
#[utoipa::path(
    post,
    path = "/api/v1/setup/",
    tag = "Log-in",
    request_body(content = SetupBody, example = json!({"token": "3f1c0b0e5f5d4c7c8d8e9f6a7b2c1d0e4f3a2b1c", "username": "ada", "email": "ada@example.org", "password": "correct horse battery"})),
    responses((status = 201, body = SetUpAnswer), (status = 403), (status = 409), (status = 429))
)]
pub async fn create_first_superuser(
    State(app): State<Arc<App>>,
    client: Client,
    headers: HeaderMap,
    body: UnreadBody,
) -> Result<impl IntoResponse, ApiError> {
    refuse_foreign_origin(&headers, &client, &app)?;
    let object = body.object().await?;
    let mut fields = Fields::new(&object, Mode::Whole);
    let token = fields.required_text("token");
    let mut asked = UserBody::read(fields)?;
    // Read as required, so it is there.
    let token = token.unwrap_or_default();
    // Before the costly hash; whether it still holds is asked again where the user is made.
    match app.logins.prove_setup(&token, client.address).await {
        Err(LoginError::Invalid) => return Err(refused(SetupError::WrongToken)),
        proved => proved?,
    }
    let password_hash = app.logins.hash(asked.take_password()).await?;
    let new = asked.into_superuser(password_hash);
    let account = app.store.set_up(&token, &new).await.map_err(refused)?;
    tracing::info!(%client.address, username = account.username, "the first superuser was made");
    let username = &account.username;
    Ok((StatusCode::CREATED, Json(SetUpAnswer { username })).into_response())
}

fn refused(error: SetupError) -> ApiError {
    match error {
        SetupError::Over => ApiError::set_up_already(),
        SetupError::WrongToken => {
            let reason =
                "This is not the token that the server printed in its log when it started last.";
            FieldErrors::one("token", reason).into()
        }
        SetupError::Store(error) => error.into(),
    }
}
