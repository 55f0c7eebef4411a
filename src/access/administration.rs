//! Who may administer people: pure functions, default deny.
//!
//! A superuser may everything but leave the house without one. Everybody else needs OpenWISP's model
//! permission for what is done, gives and takes only what they hold themselves, only in organizations
//! that they manage, and never to themselves.

use super::{Action, Model, Permission, PermissionSet, Person, User};

/// Why not, in the sentence that the one who asked reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The model permission is missing.
    #[error("You do not have permission to perform this action.")]
    Permission,
    /// Only superusers make and unmake superusers.
    #[error("Only superusers may make somebody a superuser, or take it back.")]
    Superuser,
    /// Only staff makes and unmakes staff.
    #[error("Only staff may make somebody staff, or take it back.")]
    Staff,
    /// A permission to give or take that the requester lacks.
    #[error("You can neither give nor take the permission {0}, which you do not have.")]
    Lacking(Permission),
    /// A group to join, leave or make that gives what the requester lacks.
    #[error("The group gives the permission {0}, which you do not have.")]
    Group(Permission),
    /// A membership in an organization that the requester does not manage.
    #[error("You can neither give nor take a place in an organization that you do not manage.")]
    Organization,
    /// One's own rights.
    #[error("You cannot change your own rights, nor remove yourself.")]
    Own,
    /// The user may more than the requester.
    #[error("This user is a superuser, which you are not.")]
    OfSuperuser,
    /// The user may more than the requester.
    #[error("This user is staff, which you are not.")]
    OfStaff,
    /// The user may more than the requester.
    #[error("This user has the permission {0}, which you do not have.")]
    OfMore(Permission),
    /// The user is somebody else's, too.
    #[error(
        "This user belongs to an organization that you do not manage: only their place in yours is \
         for you to change."
    )]
    OfOthers,
    /// Nobody would be left who may everything.
    #[error("This would leave no superuser.")]
    LastSuperuser,
    /// A group is all its users': not all are the requester's to administer.
    #[error("The group has a user whom you may not administer: it is not yours to change.")]
    UserOfGroup,
    /// Tenants come and go by superusers alone.
    #[error(
        "Only superusers may make, remove, activate or deactivate organizations, or change a slug."
    )]
    Tenant,
}

/// Whether `requester` sees this person at all: a superuser everybody, others who belongs to an
/// organization that they manage and is no superuser.
#[must_use]
pub fn may_see(requester: &User, person: &Person) -> bool {
    let mut organizations = person.memberships.keys();
    requester.is_superuser
        || (!person.is_superuser && organizations.any(|id| requester.manages(*id)))
}

/// Whether `requester` may act on the whole of this person: rename, deactivate or remove them, set
/// their password. It takes somebody who may all that they may, in all of their organizations, since
/// whoever has their account has their rights.
///
/// # Errors
/// What they have that the requester has not.
pub fn may_administer(requester: &User, person: &Person) -> Result<(), Refusal> {
    if requester.is_superuser {
        return Ok(());
    }
    if person.is_superuser {
        return Err(Refusal::OfSuperuser);
    }
    if person.is_staff && !requester.is_staff {
        return Err(Refusal::OfStaff);
    }
    if let Some(more) = lacking(requester, person.all_permissions()) {
        return Err(Refusal::OfMore(more));
    }
    let is_managed = |id| requester.manages(id);
    if person.memberships.is_empty() || !person.memberships.keys().copied().all(is_managed) {
        return Err(Refusal::OfOthers);
    }
    Ok(())
}

/// Whether `requester` may make this person.
///
/// # Errors
/// Why not.
pub fn may_make(requester: &User, person: &Person) -> Result<(), Refusal> {
    require(requester, Action::Add, Model::User)?;
    let blank = Person {
        profile: person.profile.clone(),
        is_active: person.is_active,
        expires: person.expires,
        ..Person::blank()
    };
    may_exchange(requester, &blank, person)
}

/// Whether `requester` may make of `before` what `after` is.
///
/// # Errors
/// Why not.
pub fn may_change(requester: &User, before: &Person, after: &Person) -> Result<(), Refusal> {
    require(requester, Action::Change, Model::User)?;
    if requester.id == before.id && !requester.is_superuser {
        let renamed = Person {
            profile: after.profile.clone(),
            ..before.clone()
        };
        return if *after == renamed {
            Ok(())
        } else {
            Err(Refusal::Own)
        };
    }
    // A place in the requester's own organization is theirs to give and take, whoever has it.
    let placed = Person {
        memberships: after.memberships.clone(),
        ..before.clone()
    };
    if *after != placed {
        may_administer(requester, before)?;
    } else if !may_see(requester, before) {
        return Err(Refusal::OfOthers);
    }
    may_exchange(requester, before, after)
}

/// Whether `requester` may set this person's password without knowing the present one.
///
/// # Errors
/// Why not.
pub fn may_set_password(requester: &User, person: &Person) -> Result<(), Refusal> {
    require(requester, Action::Change, Model::User)?;
    may_administer(requester, person)
}

/// Whether `requester` may remove this person.
///
/// # Errors
/// Why not.
pub fn may_remove(requester: &User, person: &Person) -> Result<(), Refusal> {
    require(requester, Action::Delete, Model::User)?;
    if requester.id == person.id && !requester.is_superuser {
        return Err(Refusal::Own);
    }
    may_administer(requester, person)
}

/// Whether a superuser goes with this change (`None`: with this removal): then another one has to be
/// there.
#[must_use]
pub fn needs_another_superuser(before: &Person, after: Option<&Person>) -> bool {
    let rank = |person: &Person| (person.is_superuser, person.is_active, person.expires);
    let stays =
        after.is_some_and(|after| after.is_lasting_superuser() || rank(before) == rank(after));
    before.is_superuser && before.is_active && !stays
}

/// Whether `requester` may make a group that gives these permissions.
///
/// # Errors
/// Why not.
pub fn may_make_group(requester: &User, gives: PermissionSet) -> Result<(), Refusal> {
    require(requester, Action::Add, Model::Group)?;
    holds_group(requester, gives)
}

/// Whether `requester` may alter (or, with [`Action::Delete`], remove) a group of these users, that
/// gives `before` and is to give `after`.
///
/// # Errors
/// Why not.
pub fn may_change_group(
    requester: &User,
    action: Action,
    before: PermissionSet,
    after: PermissionSet,
    users: &[Person],
) -> Result<(), Refusal> {
    require(requester, action, Model::Group)?;
    holds_group(requester, before.with(after))?;
    if requester.is_superuser {
        return Ok(());
    }
    if users.iter().any(|user| user.id == requester.id) {
        return Err(Refusal::Own);
    }
    if users
        .iter()
        .any(|user| may_administer(requester, user).is_err())
    {
        return Err(Refusal::UserOfGroup);
    }
    Ok(())
}

/// Whether `requester` may do `action` to an organization that they manage. `is_tenancy` says that it
/// is about whether the organization is there, counts, or what it is found by.
///
/// # Errors
/// Why not.
pub fn may_organize(requester: &User, action: Action, is_tenancy: bool) -> Result<(), Refusal> {
    require(requester, action, Model::Organization)?;
    if is_tenancy && !requester.is_superuser {
        return Err(Refusal::Tenant);
    }
    Ok(())
}

/// Whether everything in which the two differ is the requester's to give and to take.
fn may_exchange(requester: &User, before: &Person, after: &Person) -> Result<(), Refusal> {
    if requester.is_superuser {
        return Ok(());
    }
    if before.is_superuser != after.is_superuser {
        return Err(Refusal::Superuser);
    }
    if before.is_staff != after.is_staff && !requester.is_staff {
        return Err(Refusal::Staff);
    }
    let given = after.permissions.without(before.permissions);
    let taken = before.permissions.without(after.permissions);
    if let Some(permission) = lacking(requester, given.with(taken)) {
        return Err(Refusal::Lacking(permission));
    }
    let joined = after
        .groups
        .iter()
        .filter(|(id, _)| !before.groups.contains_key(id));
    let left = before
        .groups
        .iter()
        .filter(|(id, _)| !after.groups.contains_key(id));
    for (_, gives) in joined.chain(left) {
        holds_group(requester, *gives)?;
    }
    may_place(requester, before, after)
}

fn may_place(requester: &User, before: &Person, after: &Person) -> Result<(), Refusal> {
    for organization in before.memberships.keys().chain(after.memberships.keys()) {
        let action = match (
            before.memberships.get(organization),
            after.memberships.get(organization),
        ) {
            (was, is) if was == is => continue,
            (None, _) => Action::Add,
            (_, None) => Action::Delete,
            _ => Action::Change,
        };
        if !requester.manages(*organization) {
            return Err(Refusal::Organization);
        }
        require(requester, action, Model::OrganizationUser)?;
    }
    Ok(())
}

fn require(requester: &User, action: Action, model: Model) -> Result<(), Refusal> {
    if requester.has(Permission::new(action, model)) {
        Ok(())
    } else {
        Err(Refusal::Permission)
    }
}

fn holds_group(requester: &User, gives: PermissionSet) -> Result<(), Refusal> {
    lacking(requester, gives).map_or(Ok(()), |permission| Err(Refusal::Group(permission)))
}

/// The first of `permissions` that the requester does not hold.
fn lacking(requester: &User, permissions: PermissionSet) -> Option<Permission> {
    permissions
        .iter()
        .find(|permission| !requester.has(*permission))
}

#[cfg(test)]
#[path = "administration_tests.rs"]
mod tests;
