//! What a body says of a user, and whom it makes of one.

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::ToSchema;

use super::body::{Object, python_type};
use super::error::ApiError;
use super::field::{Fields, Mode, id, no_such_pk};
use crate::access::{PermissionSet, Person, password};
use crate::event::{GroupId, OrganizationId, Timestamp};
use crate::store::{AccountChange, Administration, FieldErrors, NewAccount};

const PLACES: &str = "organization_users";

/// What is to be; `None` leaves a field as it is.
#[derive(Default)]
#[expect(
    clippy::option_option,
    reason = "left out, taken away or set, as in `AccountChange`"
)]
pub struct UserBody {
    username: Option<String>,
    email: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    is_active: Option<bool>,
    is_staff: Option<bool>,
    is_superuser: Option<bool>,
    expires: Option<Option<Timestamp>>,
    groups: Option<Vec<GroupId>>,
    permissions: Option<PermissionSet>,
    places: Option<Places>,
    password: Option<String>,
}

/// What a user may, and where.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field: this says what may be there")]
struct RightsBody {
    /// One who is not counts for nothing.
    #[schema(nullable = false)]
    is_active: Option<bool>,
    /// Whether the sockets may be used. For staff to give.
    #[schema(nullable = false)]
    is_staff: Option<bool>,
    /// For superusers to give.
    #[schema(nullable = false)]
    is_superuser: Option<bool>,
    /// A day (its first moment in UTC) or an instant, from which on the user counts for nothing.
    #[schema(examples("2027-01-31"))]
    expiration_date: Option<String>,
    /// All groups.
    #[schema(nullable = false)]
    groups: Option<Vec<GroupId>>,
    /// All permissions that are given directly, by their names, such as `geo.view_location`.
    #[schema(nullable = false)]
    user_permissions: Option<Vec<String>>,
    /// All places in the organizations that the one who asks manages, or one that is to be given
    /// besides.
    #[schema(nullable = false)]
    organization_users: Option<PlacesBody>,
}

/// Places in organizations.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "read field by field: this says what may be there")]
enum PlacesBody {
    /// All of them.
    All(Vec<PlaceBody>),
    /// One besides the others.
    One(PlaceBody),
}

/// A place in an organization.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field: this says what may be there")]
struct PlaceBody {
    organization: OrganizationId,
    /// Whether to manage it.
    #[schema(nullable = false)]
    is_admin: Option<bool>,
}

/// A user to be made. Other fields of OpenWISP's (`phone_number`, `birth_date`, `bio`, `url`, `company`,
/// `location`, `notes`, `last_login`, `email_verified`) are accepted and not kept.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field: this says what may be there")]
pub struct NewUserBody {
    /// Unique.
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
    #[serde(flatten)]
    rights: RightsBody,
}

/// What a user is to be. As in a new user; the password has a path of its own.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field: this says what may be there")]
pub struct UserChangeBody {
    /// Unique.
    #[schema(min_length = 1, max_length = 150)]
    username: String,
    #[schema(max_length = 254)]
    email: Option<String>,
    #[schema(max_length = 150, nullable = false)]
    first_name: Option<String>,
    #[schema(max_length = 150, nullable = false)]
    last_name: Option<String>,
    #[serde(flatten)]
    rights: RightsBody,
}

/// Organizations to belong to, and whether to manage them.
enum Places {
    /// This one besides the others.
    One(OrganizationId, bool),
    /// These of those that the requester manages, and no others of them.
    All(BTreeMap<OrganizationId, bool>),
}

impl UserBody {
    /// A user to be made.
    ///
    /// # Errors
    /// What is wrong with which field.
    pub fn new(object: &Object) -> Result<Self, ApiError> {
        Self::read(Fields::new(object, Mode::Whole))
    }

    /// A user to be made, of a body that others have read from already.
    ///
    /// # Errors
    /// What is wrong with which field.
    pub fn read(mut fields: Fields) -> Result<Self, ApiError> {
        let email = fields.required_text("email");
        let password = fields.required_password("password");
        let body = Self {
            email,
            password,
            ..Self::names(&mut fields, "")
        };
        if let Some(password) = &body.password {
            let username = body.username.as_deref().unwrap_or_default();
            for reason in password::weaknesses(password, username) {
                fields.refuse("password", reason);
            }
        }
        body.rights(fields)
    }

    /// A change of the user who is called `username` now.
    ///
    /// # Errors
    /// What is wrong with which field.
    pub fn change(object: &Object, mode: Mode, username: &str) -> Result<Self, ApiError> {
        let mut fields = Fields::new(object, mode);
        let body = Self {
            email: fields.nullable_text("email").map(Option::unwrap_or_default),
            ..Self::names(&mut fields, username)
        };
        let reason = "A password is set at the path of its own: password/.";
        fields.nothing_but_empty("password", reason);
        body.rights(fields)
    }

    /// The password of a user to be made.
    pub fn take_password(&mut self) -> String {
        // Read as required, so it is there.
        self.password.take().unwrap_or_default()
    }

    /// The first superuser, who has this password: what else the body says of rights does not matter.
    pub fn into_superuser(self, password_hash: String) -> NewAccount {
        NewAccount {
            // Read as required, so it is there.
            username: self.username.unwrap_or_default(),
            email: self.email.unwrap_or_default(),
            first_name: self.first_name.unwrap_or_default(),
            last_name: self.last_name.unwrap_or_default(),
            password_hash: Some(password_hash),
            is_staff: true,
            is_superuser: true,
            ..NewAccount::default()
        }
    }

    fn names(fields: &mut Fields, present: &str) -> Self {
        let username = fields.required_text("username");
        if username
            .as_deref()
            .is_some_and(|name| name != present && !is_username(name))
        {
            let reason = "Enter a valid username. This value may contain only letters, numbers, \
                          and @/./+/-/_ characters.";
            fields.refuse("username", reason);
        }
        Self {
            username,
            first_name: fields.text("first_name"),
            last_name: fields.text("last_name"),
            ..Self::default()
        }
    }

    fn rights(self, mut fields: Fields) -> Result<Self, ApiError> {
        let mut nested = FieldErrors::default();
        let body = Self {
            is_active: fields.boolean("is_active"),
            is_staff: fields.boolean("is_staff"),
            is_superuser: fields.boolean("is_superuser"),
            expires: expiration(&mut fields),
            groups: group_ids(&mut fields),
            permissions: permissions(&mut fields, "user_permissions"),
            places: fields
                .not_null(PLACES)
                .and_then(|value| places(value, &mut nested)),
            ..self
        };
        let texts = AccountChange {
            username: body.username.clone(),
            email: body.email.clone(),
            first_name: body.first_name.clone(),
            last_name: body.last_name.clone(),
            ..AccountChange::default()
        };
        fields.refuse_too(texts.check());
        match (fields.finish(), nested.into_result()) {
            (Ok(()), Ok(())) => Ok(body),
            (Err(errors), Ok(())) => Err(errors.into()),
            (others, Err(nested)) => {
                let others = others.err().unwrap_or_default();
                Err(ApiError::beside(&others, PLACES, &nested))
            }
        }
    }

    /// Whom this makes of `before`, as far as the requester sees groups and organizations.
    ///
    /// # Errors
    /// When a group or organization is not there.
    pub async fn applied_to(
        &self,
        before: &Person,
        desk: &mut Administration,
    ) -> Result<Person, ApiError> {
        let mut after = before.clone();
        let profile = &mut after.profile;
        for (field, value) in [
            (&mut profile.username, &self.username),
            (&mut profile.email, &self.email),
            (&mut profile.first_name, &self.first_name),
            (&mut profile.last_name, &self.last_name),
        ] {
            if let Some(value) = value {
                field.clone_from(value);
            }
        }
        after.is_active = self.is_active.unwrap_or(before.is_active);
        after.is_staff = self.is_staff.unwrap_or(before.is_staff);
        after.is_superuser = self.is_superuser.unwrap_or(before.is_superuser);
        after.expires = self.expires.unwrap_or(before.expires);
        after.permissions = self.permissions.unwrap_or(before.permissions);
        if let Some(ids) = &self.groups {
            after.groups = groups(ids, desk).await?;
        }
        if let Some(places) = &self.places {
            places.put(&mut after, desk).await?;
        }
        Ok(after)
    }
}

impl Places {
    async fn put(&self, after: &mut Person, desk: &mut Administration) -> Result<(), ApiError> {
        let named = match self {
            Self::One(id, is_admin) => BTreeMap::from([(*id, *is_admin)]),
            Self::All(all) => all.clone(),
        };
        for id in named.keys() {
            // One that the requester does not manage is not there for them.
            let is_there = desk.requester().manages(*id) && desk.organization(*id).await?.is_some();
            if !is_there {
                let errors = FieldErrors::one("organization", no_such_pk(id));
                return Err(ApiError::within(PLACES, &errors));
            }
        }
        if matches!(self, Self::All(_)) {
            let requester = desk.requester();
            after.memberships.retain(|id, _| !requester.manages(*id));
        }
        after.memberships.extend(named);
        Ok(())
    }
}

async fn groups(
    ids: &[GroupId],
    desk: &mut Administration,
) -> Result<BTreeMap<GroupId, PermissionSet>, ApiError> {
    let mut groups = BTreeMap::new();
    for id in ids {
        let gives = desk.group(*id).await?;
        let gives = gives.ok_or_else(|| FieldErrors::one("groups", no_such_pk(id)))?;
        groups.insert(*id, gives);
    }
    Ok(groups)
}

/// Permissions by their names.
pub fn permissions(fields: &mut Fields, name: &str) -> Option<PermissionSet> {
    let names = fields.texts(name)?;
    let mut known = Vec::with_capacity(names.len());
    for text in &names {
        match text.parse() {
            Ok(permission) => known.push(permission),
            Err(_) => fields.refuse(name, no_such_pk(text)),
        }
    }
    (known.len() == names.len()).then(|| known.into_iter().collect())
}

fn group_ids(fields: &mut Fields) -> Option<Vec<GroupId>> {
    const NAME: &str = "groups";
    let value = fields.not_null(NAME)?;
    let items = fields.items_of(NAME, value)?;
    match items.iter().map(id).collect() {
        Ok(ids) => Some(ids),
        Err(reason) => {
            fields.refuse(NAME, reason);
            None
        }
    }
}

/// OpenWISP's date (which means its first moment in UTC), or an instant; null for never.
#[expect(
    clippy::option_option,
    reason = "left out, taken away or set, as in `AccountChange`"
)]
fn expiration(fields: &mut Fields) -> Option<Option<Timestamp>> {
    const NAME: &str = "expiration_date";
    let value = fields.raw(NAME)?;
    if value.is_null() {
        return Some(None);
    }
    let text = value.as_str().unwrap_or_default();
    let instant = text.parse().ok().or_else(|| Timestamp::of_day(text));
    if instant.is_none() {
        let reason = "Date has wrong format. Use one of these formats instead: YYYY-MM-DD.";
        fields.refuse(NAME, reason);
    }
    instant.map(Some)
}

/// One place as OpenWISP's clients write it, or a list of them.
fn places(value: &Value, errors: &mut FieldErrors) -> Option<Places> {
    let Value::Array(items) = value else {
        return place(value, errors)?.map(|(id, is_admin)| Places::One(id, is_admin));
    };
    let mut all = BTreeMap::new();
    for item in items {
        let Some((id, is_admin)) = place(item, errors).flatten() else {
            continue;
        };
        if all.insert(id, is_admin).is_some() {
            errors.add("organization", format!("\"{id}\" is there twice."));
        }
    }
    Some(Places::All(all))
}

/// An organization and whether it is managed; `Some(None)` for none, `None` for what is wrong.
#[expect(clippy::option_option, reason = "wrong, none or one")]
fn place(value: &Value, errors: &mut FieldErrors) -> Option<Option<(OrganizationId, bool)>> {
    let Value::Object(object) = value else {
        let found = python_type(value);
        let reason = format!("Invalid data. Expected a dictionary, but got {found}.");
        errors.add("non_field_errors", reason);
        return None;
    };
    let mut fields = Fields::new(object, Mode::Whole);
    // OpenWISP takes null for no place at all.
    let is_none = fields.raw("organization").is_some_and(Value::is_null);
    let organization = if is_none {
        None
    } else {
        fields.required_id("organization")
    };
    let is_admin = fields.boolean("is_admin").unwrap_or_default();
    if let Err(found) = fields.finish() {
        errors.0.extend(found.0);
        return None;
    }
    Some(organization.map(|id| (id, is_admin)))
}

/// As Django has it: letters and digits of any script, and a few signs.
fn is_username(name: &str) -> bool {
    name.chars()
        .all(|letter| letter.is_alphanumeric() || "@.+-_".contains(letter))
}
