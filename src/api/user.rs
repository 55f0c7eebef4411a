//! Users, and what they may.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::StatusCode;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::body::UnreadBody;
use super::error::ApiError;
use super::field::Mode;
use super::identity::{PathId, Requester};
use super::page::{Listing, PageAnswer, PageQuery, ROWS};
use super::user_body::{NewUserBody, UserBody, UserChangeBody};
use crate::access::administration::{
    Refusal, may_change, may_make, may_remove, may_see, needs_another_superuser,
};
use crate::access::{Action, Model, Person};
use crate::app::App;
use crate::event::{GroupId, OrganizationId, Timestamp, UserId};
use crate::store::{Account, AccountChange, Administration, FieldErrors, NewAccount, UserFilter};

/// A user as it is answered: the fields of OpenWISP's that are kept, in the order of its details.
#[derive(Serialize, ToSchema)]
#[schema(as = User, description = "A user.")]
struct UserAnswer<'a> {
    id: UserId,
    username: &'a str,
    first_name: &'a str,
    last_name: &'a str,
    email: &'a str,
    is_active: bool,
    is_staff: bool,
    is_superuser: bool,
    /// A day (its first moment in UTC) or an instant, from which on the user counts for nothing.
    #[schema(required, examples("2027-01-31"))]
    expiration_date: Option<String>,
    date_joined: Timestamp,
    groups: Vec<GroupId>,
    /// Given directly, beside what the groups give.
    user_permissions: Vec<String>,
    /// Of those that the one who asks manages.
    organization_users: Vec<PlaceAnswer>,
}

/// A place in an organization.
#[derive(Serialize, ToSchema)]
#[schema(as = OrganizationUser)]
struct PlaceAnswer {
    /// Whether the user manages the organization.
    is_admin: bool,
    organization: OrganizationId,
}

/// What the list of users is filtered by.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read by `Listing`: this says what may be there")]
struct UserQuery {
    /// Only those who belong to this organization.
    organization: Option<OrganizationId>,
}

impl<'a> From<&'a Account> for UserAnswer<'a> {
    fn from(account: &'a Account) -> Self {
        let place = |is_admin| {
            move |organization: &OrganizationId| PlaceAnswer {
                is_admin,
                organization: *organization,
            }
        };
        let managed = account.manages.iter().map(place(true));
        Self {
            id: account.id,
            username: &account.username,
            first_name: &account.first_name,
            last_name: &account.last_name,
            email: &account.email,
            is_active: account.is_active,
            is_staff: account.is_staff,
            is_superuser: account.is_superuser,
            expiration_date: account.expires.map(expiration_date),
            date_joined: account.created,
            groups: account.groups.iter().map(|(id, _)| *id).collect(),
            user_permissions: account
                .permissions
                .iter()
                .map(ToString::to_string)
                .collect(),
            organization_users: managed
                .chain(account.member_of.iter().map(place(false)))
                .collect(),
        }
    }
}

/// The first moment of a day in UTC as OpenWISP's date, any other as the instant that it is.
pub fn expiration_date(expires: Timestamp) -> String {
    let text = expires.to_string();
    text.strip_suffix("T00:00:00.000000Z")
        .map_or_else(|| text.clone(), str::to_owned)
}

/// Lists users.
///
/// Those of the organizations that the user manages, without superusers.
#[utoipa::path(
    get,
    path = "/api/v1/users/user/",
    tag = "Users",
    params(PageQuery, UserQuery),
    responses((status = 200, body = PageAnswer<UserAnswer>)),
    security(("user" = ["openwisp_users.view_user"]))
)]
pub async fn list_users(
    State(app): State<Arc<App>>,
    requester: Requester,
    mut listing: Listing,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::View, Model::User)?;
    let filter = UserFilter {
        organization: listing.organization(),
    };
    let page = listing.page(ROWS)?;
    let users = app
        .store
        .user_page(&requester.scope(), &filter, page)
        .await?;
    let answer: PageAnswer<UserAnswer> = listing.answer(page, &users)?;
    Ok(Json(answer).into_response())
}

/// Makes a user.
///
/// Nobody gives a right that they lack: permissions, groups, organizations (one of those that the user
/// manages is needed), staff, superuser.
#[utoipa::path(
    post,
    path = "/api/v1/users/user/",
    tag = "Users",
    request_body(content = NewUserBody, example = json!({"username": "ada", "email": "ada@example.org", "password": "correct horse battery", "is_staff": true, "organization_users": [{"organization": "2f6d7a52-90cf-4f57-8cbe-6a3bb3f9d8b1", "is_admin": true}]})),
    responses((status = 201, body = UserAnswer)),
    security(("user" = ["openwisp_users.add_user"]))
)]
pub async fn create_user(
    State(app): State<Arc<App>>,
    requester: Requester,
    body: UnreadBody,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::Add, Model::User)?;
    let mut asked = UserBody::new(&body.object().await?)?;
    // Before the transaction: it takes a while.
    let password_hash = app.logins.hash(asked.take_password()).await?;
    let mut desk = requester.administer(&app).await?;
    let person = asked.applied_to(&Person::blank(), &mut desk).await?;
    if person.memberships.is_empty() && !desk.requester().is_superuser {
        // Nobody but a superuser would see such a user ever again.
        return Err(FieldErrors::one("organization_users", "This field is required.").into());
    }
    may_make(desk.requester(), &person)?;
    let account = desk.add_user(&new_account(&person, password_hash)).await?;
    let account = account.within(&requester.scope());
    Ok((StatusCode::CREATED, Json(UserAnswer::from(&account))).into_response())
}

/// Reads a user.
#[utoipa::path(
    get,
    path = "/api/v1/users/user/{id}/",
    tag = "Users",
    responses((status = 200, body = UserAnswer)),
    security(("user" = ["openwisp_users.view_user"]))
)]
pub async fn get_user(
    State(app): State<Arc<App>>,
    PathId(id): PathId<UserId>,
    requester: Requester,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::View, Model::User)?;
    let account = app.store.user(id, &requester.scope()).await?;
    Ok(Json(UserAnswer::from(&account)).into_response())
}

/// Changes a user.
///
/// The user name must be there, the rest may be left as it is.
#[utoipa::path(
    put,
    path = "/api/v1/users/user/{id}/",
    tag = "Users",
    request_body(content = UserChangeBody, example = json!({"username": "ada", "first_name": "Ada", "is_active": true})),
    responses((status = 200, body = UserAnswer)),
    security(("user" = ["openwisp_users.change_user"]))
)]
pub async fn update_user(
    State(app): State<Arc<App>>,
    PathId(id): PathId<UserId>,
    requester: Requester,
    body: UnreadBody,
) -> Result<impl IntoResponse, ApiError> {
    change_user(&app, id, &requester, body, Mode::Whole).await
}

/// Changes a user in part.
///
/// A user who may more than the one who asks, or who belongs to an organization that is not managed, can
/// only be given or taken a place in a managed one.
#[utoipa::path(
    patch,
    path = "/api/v1/users/user/{id}/",
    tag = "Users",
    request_body(content = UserChangeBody, example = json!({"is_active": false})),
    responses((status = 200, body = UserAnswer)),
    security(("user" = ["openwisp_users.change_user"]))
)]
pub async fn patch_user(
    State(app): State<Arc<App>>,
    PathId(id): PathId<UserId>,
    requester: Requester,
    body: UnreadBody,
) -> Result<impl IntoResponse, ApiError> {
    change_user(&app, id, &requester, body, Mode::Partial).await
}

async fn change_user(
    app: &App,
    id: UserId,
    requester: &Requester,
    body: UnreadBody,
    mode: Mode,
) -> Result<impl IntoResponse + use<>, ApiError> {
    requester.require(Action::Change, Model::User)?;
    let present = app.store.user(id, &requester.scope()).await?;
    let asked = UserBody::change(&body.object().await?, mode, &present.username)?;
    let mut desk = requester.administer(app).await?;
    let before = person_seen(&mut desk, id).await?;
    let after = asked.applied_to(&before, &mut desk).await?;
    may_change(desk.requester(), &before, &after)?;
    keep_a_superuser(&mut desk, &before, Some(&after)).await?;
    let change = AccountChange::between(&before, &after);
    let account = desk.change_user(id, &change).await?;
    app.leases.rights_changed();
    let account = account.within(&requester.scope());
    Ok(Json(UserAnswer::from(&account)).into_response())
}

/// Removes a user, with sessions and tokens.
#[utoipa::path(
    delete,
    path = "/api/v1/users/user/{id}/",
    tag = "Users",
    responses((status = 204)),
    security(("user" = ["openwisp_users.delete_user"]))
)]
pub async fn delete_user(
    State(app): State<Arc<App>>,
    PathId(id): PathId<UserId>,
    requester: Requester,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::Delete, Model::User)?;
    let mut desk = requester.administer(&app).await?;
    let person = person_seen(&mut desk, id).await?;
    may_remove(desk.requester(), &person)?;
    keep_a_superuser(&mut desk, &person, None).await?;
    desk.remove_user(id).await?;
    app.leases.rights_changed();
    Ok(StatusCode::NO_CONTENT)
}

/// Who a request is about.
///
/// # Errors
/// 404 when there is no such user, or none for the requester.
pub async fn person_seen(desk: &mut Administration, id: UserId) -> Result<Person, ApiError> {
    let person = desk.person(id).await?;
    if !may_see(desk.requester(), &person) {
        return Err(ApiError::no_match("User"));
    }
    Ok(person)
}

async fn keep_a_superuser(
    desk: &mut Administration,
    before: &Person,
    after: Option<&Person>,
) -> Result<(), ApiError> {
    if needs_another_superuser(before, after) && !desk.has_superuser_besides(before.id).await? {
        return Err(Refusal::LastSuperuser.into());
    }
    Ok(())
}

fn new_account(person: &Person, password_hash: String) -> NewAccount {
    let change = AccountChange::between(&Person::blank(), person);
    NewAccount {
        username: person.profile.username.clone(),
        email: person.profile.email.clone(),
        first_name: person.profile.first_name.clone(),
        last_name: person.profile.last_name.clone(),
        password_hash: Some(password_hash),
        is_active: Some(person.is_active),
        is_staff: person.is_staff,
        is_superuser: person.is_superuser,
        expires: person.expires,
        permissions: change.add_permissions,
        groups: change.add_groups,
        manages: change.add_manages,
        member_of: change.add_member,
    }
}
