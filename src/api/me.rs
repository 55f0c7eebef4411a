//! Ours: who am I, what may I, and where.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::body::{Object, UnreadBody};
use super::error::ApiError;
use super::field::{Fields, Mode};
use super::identity::Requester;
use super::user::expiration_date;
use crate::access::{Permission, User};
use crate::app::App;
use crate::event::{GroupId, OrganizationId, Timestamp, UserId};
use crate::store::{Account, AccountChange, FieldErrors, Place, Scope};

/// The one who asks.
#[derive(Serialize, ToSchema)]
#[schema(as = Me, description = "The one who asks.")]
struct MeAnswer<'a> {
    id: UserId,
    username: &'a str,
    first_name: &'a str,
    last_name: &'a str,
    email: &'a str,
    is_staff: bool,
    is_superuser: bool,
    /// A day (its first moment in UTC) or an instant.
    #[schema(required, examples("2027-01-31"))]
    expiration_date: Option<String>,
    date_joined: Timestamp,
    /// All that are held, given directly and by groups; a superuser has every one.
    permissions: Vec<String>,
    /// Those that are active.
    organizations: Vec<PlaceAnswer>,
    groups: Vec<GroupName<'a>>,
}

/// An organization that one belongs to.
#[derive(Serialize, ToSchema)]
#[schema(as = Place)]
struct PlaceAnswer {
    id: OrganizationId,
    name: String,
    slug: String,
    /// Whether one manages it.
    is_manager: bool,
}

impl From<Place> for PlaceAnswer {
    fn from(place: Place) -> Self {
        Self {
            id: place.id,
            name: place.name,
            slug: place.slug,
            is_manager: place.is_manager,
        }
    }
}

/// What may be changed by oneself.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field: this says what may be there")]
struct MeBody {
    #[schema(max_length = 150, nullable = false)]
    first_name: Option<String>,
    #[schema(max_length = 150, nullable = false)]
    last_name: Option<String>,
    #[schema(max_length = 254)]
    email: Option<String>,
}

/// A group that one is in.
#[derive(Serialize, ToSchema)]
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
            organizations: organizations.into_iter().map(Into::into).collect(),
            groups: groups
                .map(|(id, name)| GroupName { id: *id, name })
                .collect(),
        }
    }
}

/// Who am I, what may I, and where.
///
/// Ours, not OpenWISP's.
#[utoipa::path(
    get,
    path = "/api/v1/users/me/",
    tag = "Users",
    responses((status = 200, body = MeAnswer)),
    security(("user" = []))
)]
pub async fn get_me(
    State(app): State<Arc<App>>,
    requester: Requester,
) -> Result<impl IntoResponse, ApiError> {
    let account = app.store.user(requester.user.id, &Scope::All).await?;
    answer(&app, &requester.user, &account).await
}

/// Changes one's own name and address.
///
/// Ours, not OpenWISP's.
#[utoipa::path(
    patch,
    path = "/api/v1/users/me/",
    tag = "Users",
    request_body(content = MeBody, example = json!({"first_name": "Ada"})),
    responses((status = 200, body = MeAnswer)),
    security(("user" = []))
)]
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
