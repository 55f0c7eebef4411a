//! A browser's log-in: a session behind a cookie.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::body::{Object, UnreadBody, pairs_of};
use super::error::ApiError;
use super::identity::{actor_of, refuse_foreign_origin, require_own_origin};
use super::token::{LoginBody, LoginFields, overtaken};
use crate::access::request::{self, Client};
use crate::access::{Credential, Proof};
use crate::app::App;
use crate::event::SessionId;
use crate::store::{Actor, StoreError};

/// What a browser's form logs in with.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field: this says what may be there")]
struct LoginFormBody {
    username: String,
    password: String,
    /// Where to go then: a path of this server.
    #[schema(nullable = false)]
    next: Option<String>,
}

/// Where a browser's form leads.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read by `see_other`: this says what may be there")]
struct NextQuery {
    /// Where a form leads that names no `next` itself: a path of this server.
    next: Option<String>,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field: this says what may be there")]
struct LogoutFormBody {
    /// Where to go then: a path of this server.
    #[schema(nullable = false)]
    next: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = LoggedIn)]
struct LoggedInAnswer<'a> {
    username: &'a str,
}

#[derive(Serialize, ToSchema)]
#[schema(as = LoggedOut)]
struct LoggedOutAnswer {
    /// `Logged out.`
    detail: &'static str,
}

/// Starts a session.
///
/// One that the request shows ends with it, so that nobody who planted a cookie shares the new one. A form
/// is answered with `303`. A request of a foreign `Origin` is refused.
#[utoipa::path(
    post,
    path = "/accounts/login/",
    tag = "Log-in",
    params(NextQuery),
    request_body(content(
        (LoginBody = "application/json", example = json!({"username": "ada", "password": "a secret"})),
        (LoginFormBody = "application/x-www-form-urlencoded")
    )),
    responses(
        (status = 200, body = LoggedInAnswer, headers(("Set-Cookie" = String, description = "The session."))),
        (status = 303, description = "To `next`, or to `/`.", headers(
            ("Set-Cookie" = String, description = "The session."), ("Location" = String)
        )),
        (status = 403),
        (status = 429)
    )
)]
pub async fn log_in(
    State(app): State<Arc<App>>,
    client: Client,
    headers: HeaderMap,
    uri: Uri,
    body: UnreadBody,
) -> Result<Response, ApiError> {
    refuse_foreign_origin(&headers, &client, &app)?;
    let (object, is_form) = body.login_fields().await?;
    let LoginFields { username, password } = LoginFields::read(&object)?;
    let proved = app
        .logins
        .log_in(&username, password, client.address)
        .await?;
    if let Some(old) = session_of(&app, &headers).await? {
        end_session(&app, old).await?;
    }
    let lifetime_s = i64::from(app.config.login.session_hours) * 60 * 60;
    let expires = app.store.instant().plus_seconds(lifetime_s);
    let (session, secret) = app
        .store
        .add_login_session(proved, expires)
        .await
        .map_err(overtaken)?;
    let cookie = cookie(&app, &client, &secret, lifetime_s)?;
    let answer = if is_form {
        see_other(&uri, &object)
    } else {
        let username = &session.username;
        Json(LoggedInAnswer { username }).into_response()
    };
    Ok((
        [
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (SET_COOKIE, cookie),
        ],
        answer,
    )
        .into_response())
}

/// Ends the session that the request shows, and the cookie.
///
/// Sockets that the session opened are closed. A form is answered with `303`. A request of a foreign
/// `Origin` is refused, and one that shows a session must name its own.
#[utoipa::path(
    post,
    path = "/accounts/logout/",
    tag = "Log-in",
    params(NextQuery),
    request_body(content = Option<LogoutFormBody>, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, body = LoggedOutAnswer, headers(("Set-Cookie" = String, description = "One that has ended."))),
        (status = 303, description = "To `next`, or to `/`.", headers(
            ("Set-Cookie" = String, description = "One that has ended."), ("Location" = String)
        )),
        (status = 403)
    )
)]
pub async fn log_out(
    State(app): State<Arc<App>>,
    client: Client,
    headers: HeaderMap,
    uri: Uri,
    body: UnreadBody,
) -> Result<Response, ApiError> {
    refuse_foreign_origin(&headers, &client, &app)?;
    if let Some(session) = session_of(&app, &headers).await? {
        require_own_origin(&headers, &client, &app)?;
        end_session(&app, session).await?;
    }
    let cookie = cookie(&app, &client, "", 0)?;
    let answer = if body.is_form() {
        let (object, _) = body.login_fields().await?;
        see_other(&uri, &object)
    } else {
        let detail = "Logged out.";
        Json(LoggedOutAnswer { detail }).into_response()
    };
    Ok((
        [
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (SET_COOKIE, cookie),
        ],
        answer,
    )
        .into_response())
}

/// The session behind the request's cookie, and whose it is. A token beside it is of no interest
/// here.
async fn session_of(
    app: &App,
    headers: &HeaderMap,
) -> Result<Option<(SessionId, Actor)>, ApiError> {
    let Some(cookie) = request::session_cookie(headers, &app.config.login.cookie_name) else {
        return Ok(None);
    };
    let identity = app.directory.identify(&Credential::Session(cookie)).await?;
    Ok(identity.and_then(|identity| match identity.proof {
        Proof::Session(id) => Some((id, actor_of(&identity.user))),
        Proof::Token(_) => None,
    }))
}

async fn end_session(app: &App, (session, whose): (SessionId, Actor)) -> Result<(), ApiError> {
    match app.store.by(whose).remove_session(session).await {
        // Somebody else was quicker; it is gone all the same.
        Ok(()) | Err(StoreError::NotFound(_)) => {}
        Err(error) => return Err(error.into()),
    }
    app.leases.rights_changed();
    Ok(())
}

fn cookie(
    app: &App,
    client: &Client,
    value: &str,
    max_age_s: i64,
) -> Result<HeaderValue, ApiError> {
    let name = &app.config.login.cookie_name;
    let secure = if client.is_https { "; Secure" } else { "" };
    let text =
        format!("{name}={value}; HttpOnly; Max-Age={max_age_s}; Path=/; SameSite=Lax{secure}");
    let mut cookie = HeaderValue::try_from(text).map_err(|error| ApiError::internal(&error))?;
    cookie.set_sensitive(true);
    Ok(cookie)
}

/// Sends a browser on to where it wanted to go, if that is a page of this server, else home.
fn see_other(uri: &Uri, form: &Object) -> Response {
    let asked = form
        .get("next")
        .and_then(|next| next.as_str().map(str::to_owned))
        .or_else(|| {
            pairs_of(uri.query().unwrap_or_default().as_bytes())
                .find(|(name, _)| name == "next")
                .map(|(_, next)| next)
        });
    let next = asked
        .filter(|next| is_local(next))
        .unwrap_or_else(|| "/".into());
    (StatusCode::SEE_OTHER, [(LOCATION, next)]).into_response()
}

/// Whether a browser takes `next` for a path of this very server. Browsers read a backslash as a
/// slash and leave out tabs and line breaks, so neither may stand there.
fn is_local(next: &str) -> bool {
    next.starts_with('/')
        && !next.starts_with("//")
        && next
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_path_of_this_server_is_gone_on_to() {
        for next in [
            "/",
            "/map",
            "/map?x=1#here",
            "/a//b",
            "/@evil.test",
            "/%5C%5Cevil.test",
        ] {
            assert!(is_local(next), "{next}");
        }
        for next in [
            "",
            "map",
            "//evil.test",
            "///evil.test",
            "/\\evil.test",
            "\\\\evil.test",
            "/\t/evil.test",
            "/\n/evil.test",
            "\t//evil.test",
            " /map",
            "/map\u{7f}",
            "/möp",
            "http://evil.test",
            "javascript:alert(1)",
        ] {
            assert!(!is_local(next), "{next:?}");
        }
    }
}
