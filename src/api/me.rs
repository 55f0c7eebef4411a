//! Ours: who am I, what may I, and where.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::Serialize;

use super::body::{Object, UnreadBody};
use super::error::ApiError;
use super::field::{Fields, Mode};
use super::identity::Requester;
use super::user::expiration_date;
use crate::access::{Permission, User};
use crate::app::App;
use crate::event::{GroupId, Timestamp, UserId};
use crate::store::{Account, AccountChange, FieldErrors, Place, Scope};

/// The one who asks.
#[derive(Serialize)]
struct MeAnswer<'a> {
    id: UserId,
    username: &'a str,
    first_name: &'a str,
    last_name: &'a str,
    email: &'a str,
    is_staff: bool,
    is_superuser: bool,
    expiration_date: Option<String>,
    date_joined: Timestamp,
    permissions: Vec<String>,
    organizations: Vec<Place>,
    groups: Vec<GroupName<'a>>,
}

#[derive(Serialize)]
struct GroupName<'a> {
    id: GroupId,
    name: &'a str,
}

impl<'a> MeAnswer<'a> {
    fn new(user: &User, account: &'a Account, organizations: Vec<Place>) -> Self {
        let held = Permission::all().filter(|permission| user.has(*permission));
        let groups = account.groups.iter();
        Self {
            id: account.id,
            username: &account.username,
            first_name: &account.first_name,
            last_name: &account.last_name,
            email: &account.email,
            is_staff: user.is_staff,
            is_superuser: user.is_superuser,
            expiration_date: account.expires.map(expiration_date),
            date_joined: account.created,
            permissions: held.map(|permission| permission.to_string()).collect(),
            organizations,
            groups: groups
                .map(|(id, name)| GroupName { id: *id, name })
                .collect(),
        }
    }
}

/// `GET me/`.
pub async fn get_me(
    State(app): State<Arc<App>>,
    requester: Requester,
) -> Result<impl IntoResponse, ApiError> {
    let account = app.store.user(requester.user.id, &Scope::All).await?;
    answer(&app, &requester.user, &account).await
}

/// `PATCH me/`: what one is called and reached by, but for the name to log in with.
pub async fn patch_me(
    State(app): State<Arc<App>>,
    requester: Requester,
    body: UnreadBody,
) -> Result<impl IntoResponse, ApiError> {
    let change = own_change(&body.object().await?)?;
    let desk = requester.administer(&app).await?;
    let account = desk.change_user(requester.user.id, &change).await?;
    answer(&app, &requester.user, &account).await
}

async fn answer(
    app: &App,
    user: &User,
    account: &Account,
) -> Result<impl IntoResponse + use<>, ApiError> {
    let organizations = app.store.places_of(user.id).await?;
    Ok(Json(MeAnswer::new(user, account, organizations)).into_response())
}

fn own_change(object: &Object) -> Result<AccountChange, FieldErrors> {
    let mut fields = Fields::new(object, Mode::Partial);
    let change = AccountChange {
        first_name: fields.text("first_name"),
        last_name: fields.text("last_name"),
        email: fields.nullable_text("email").map(Option::unwrap_or_default),
        ..AccountChange::default()
    };
    fields.refuse_too(change.check());
    fields.finish()?;
    Ok(change)
}
