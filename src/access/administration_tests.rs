use std::collections::BTreeSet;

use super::*;
use crate::event::{GroupId, OrganizationId, Timestamp, UserId};

/// Every right there is over people, and one over devices.
const MANAGER: [&str; 12] = [
    "openwisp_users.add_user",
    "openwisp_users.change_user",
    "openwisp_users.delete_user",
    "openwisp_users.add_group",
    "openwisp_users.change_group",
    "openwisp_users.delete_group",
    "openwisp_users.add_organizationuser",
    "openwisp_users.change_organizationuser",
    "openwisp_users.delete_organizationuser",
    "openwisp_users.change_organization",
    "openwisp_users.add_organization",
    "config.change_device",
];

const OWN: OrganizationId = OrganizationId(uuid::Uuid::from_u128(1));
/// The requester's as well.
const SECOND: OrganizationId = OrganizationId(uuid::Uuid::from_u128(4));
const OTHER: OrganizationId = OrganizationId(uuid::Uuid::from_u128(2));
const GROUP: GroupId = GroupId(uuid::Uuid::from_u128(3));

fn set(names: &[&str]) -> PermissionSet {
    names
        .iter()
        .map(|name| name.parse::<Permission>().unwrap())
        .collect()
}

fn lacking_right() -> Permission {
    "geo.add_location".parse().unwrap()
}

/// Who asks: `flags` may say `super` and `staff`.
fn requester(flags: &str, permissions: &[&str]) -> User {
    User {
        id: UserId::random(),
        username: "ada".into(),
        is_superuser: flags.contains("super"),
        is_staff: flags.contains("staff"),
        permissions: set(permissions),
        manages: [OWN, SECOND].into(),
        member_of: BTreeSet::new(),
        password_version: 1,
    }
}

fn manager() -> User {
    requester("staff", &MANAGER)
}

/// A plain member of the requester's organization without any right.
fn member() -> Person {
    Person {
        memberships: [(OWN, false)].into(),
        ..Person::blank()
    }
}

fn altered(person: &Person, alter: impl FnOnce(&mut Person)) -> Person {
    let mut person = person.clone();
    alter(&mut person);
    person
}

fn renamed(person: &Person) -> Person {
    altered(person, |it| it.profile.username = "other".into())
}

#[test]
fn a_manager_sees_who_belongs_to_an_organization_managed_and_is_no_superuser() {
    let root = requester("super", &[]);
    for (who, person, is_seen) in [
        ("a member", member(), true),
        (
            "somebody elsewhere",
            altered(&member(), |it| it.memberships = [(OTHER, true)].into()),
            false,
        ),
        ("somebody nowhere", Person::blank(), false),
        (
            "one here and elsewhere",
            altered(&member(), |it| {
                it.memberships.insert(OTHER, true);
            }),
            true,
        ),
        (
            "a superuser",
            altered(&member(), |it| it.is_superuser = true),
            false,
        ),
        (
            "an inactive one",
            altered(&member(), |it| it.is_active = false),
            true,
        ),
    ] {
        assert_eq!(may_see(&manager(), &person), is_seen, "{who}");
        assert!(may_see(&root, &person), "{who}");
    }
}

#[test]
fn whoever_may_more_or_belongs_elsewhere_is_not_for_a_manager_to_administer() {
    let lacking = lacking_right();
    let cases: [(&str, Person, Option<Refusal>); 11] = [
        ("a member", member(), None),
        (
            "a manager of the same",
            altered(&member(), |it| it.memberships = [(OWN, true)].into()),
            None,
        ),
        ("staff", altered(&member(), |it| it.is_staff = true), None),
        (
            "with a right of the requester's",
            altered(&member(), |it| {
                it.permissions = set(&["config.change_device"]);
            }),
            None,
        ),
        (
            "with a right implied by one",
            altered(&member(), |it| {
                it.permissions = set(&["config.view_device"]);
            }),
            None,
        ),
        (
            "a superuser",
            altered(&member(), |it| it.is_superuser = true),
            Some(Refusal::OfSuperuser),
        ),
        (
            "with more rights",
            altered(&member(), |it| {
                it.permissions = [lacking].into_iter().collect();
            }),
            Some(Refusal::OfMore(lacking)),
        ),
        (
            "with more by a group",
            altered(&member(), |it| {
                it.groups = [(GROUP, [lacking].into_iter().collect())].into();
            }),
            Some(Refusal::OfMore(lacking)),
        ),
        (
            "elsewhere as well",
            altered(&member(), |it| {
                it.memberships.insert(OTHER, false);
            }),
            Some(Refusal::OfOthers),
        ),
        ("nowhere", Person::blank(), Some(Refusal::OfOthers)),
        (
            "inactive with more rights",
            altered(&member(), |it| {
                it.is_active = false;
                it.permissions = [lacking].into_iter().collect();
            }),
            Some(Refusal::OfMore(lacking)),
        ),
    ];
    let root = requester("super", &[]);
    for (who, person, refusal) in cases {
        let expected = refusal.map_or(Ok(()), Err);
        assert_eq!(may_administer(&manager(), &person), expected, "{who}");
        assert_eq!(may_set_password(&manager(), &person), expected, "{who}");
        assert_eq!(may_remove(&manager(), &person), expected, "{who}");
        assert_eq!(
            may_change(&manager(), &person, &renamed(&person)),
            expected,
            "{who}"
        );
        assert_eq!(may_administer(&root, &person), Ok(()), "{who}");
    }
    let clerk = requester("", &MANAGER);
    let staff = altered(&member(), |it| it.is_staff = true);
    assert_eq!(may_administer(&clerk, &staff), Err(Refusal::OfStaff));
    assert_eq!(may_administer(&clerk, &member()), Ok(()));
}

/// Makes something else of a person.
type Alter = Box<dyn Fn(&mut Person)>;

/// What a manager makes of a member: each line alters one thing.
#[test]
fn nobody_gives_or_takes_what_they_lack() {
    let lacking = lacking_right();
    let more: PermissionSet = [lacking].into_iter().collect();
    let cases: [(&str, Alter, Option<Refusal>); 14] = [
        ("nothing", Box::new(|_| {}), None),
        ("inactive", Box::new(|it| it.is_active = false), None),
        ("ends", Box::new(|it| it.expires = Some(Timestamp(1))), None),
        ("staff", Box::new(|it| it.is_staff = true), None),
        (
            "superuser",
            Box::new(|it| it.is_superuser = true),
            Some(Refusal::Superuser),
        ),
        (
            "a right held",
            Box::new(|it| it.permissions = set(&["config.change_device"])),
            None,
        ),
        (
            "a right implied",
            Box::new(|it| it.permissions = set(&["config.view_device"])),
            None,
        ),
        (
            "a right lacked",
            Box::new(move |it| it.permissions = more),
            Some(Refusal::Lacking(lacking)),
        ),
        (
            "a group held",
            Box::new(|it| {
                it.groups.insert(GROUP, set(&["config.change_device"]));
            }),
            None,
        ),
        (
            "a group that gives nothing",
            Box::new(|it| {
                it.groups.insert(GROUP, set(&[]));
            }),
            None,
        ),
        (
            "a group lacked",
            Box::new(move |it| {
                it.groups.insert(GROUP, more);
            }),
            Some(Refusal::Group(lacking)),
        ),
        (
            "manager of the own",
            Box::new(|it| {
                it.memberships.insert(OWN, true);
            }),
            None,
        ),
        (
            "out of the own",
            Box::new(|it| it.memberships.clear()),
            None,
        ),
        (
            "into another",
            Box::new(|it| {
                it.memberships.insert(OTHER, false);
            }),
            Some(Refusal::Organization),
        ),
    ];
    let root = requester("super", &[]);
    for (what, alter, refusal) in cases {
        let before = member();
        let after = altered(&before, |it| alter(it));
        let expected = refusal.map_or(Ok(()), Err);
        assert_eq!(may_change(&manager(), &before, &after), expected, "{what}");
        assert_eq!(
            may_make(&manager(), &after),
            expected,
            "{what} from the start"
        );
        assert_eq!(may_change(&root, &before, &after), Ok(()), "{what}");
        assert_eq!(may_make(&root, &after), Ok(()), "{what} from the start");
        assert_eq!(
            may_change(&manager(), &after, &before).is_ok(),
            refusal.is_none() && may_see(&manager(), &after),
            "{what} taken back"
        );
        assert_eq!(
            may_change(&root, &after, &before),
            Ok(()),
            "{what} taken back"
        );
    }
    let clerk = requester("", &MANAGER);
    let staff = altered(&member(), |it| it.is_staff = true);
    assert_eq!(may_change(&clerk, &member(), &staff), Err(Refusal::Staff));
    assert_eq!(may_make(&clerk, &staff), Err(Refusal::Staff));
}

#[test]
fn a_place_in_the_own_organization_is_given_and_taken_whoever_has_it() {
    let shared = altered(&member(), |it| {
        it.permissions = [lacking_right()].into_iter().collect();
        it.memberships.insert(OTHER, true);
    });
    let out = altered(&shared, |it| {
        it.memberships.remove(&OWN);
    });
    let up = altered(&shared, |it| {
        it.memberships.insert(OWN, true);
    });
    let out_there = altered(&shared, |it| {
        it.memberships.remove(&OTHER);
    });
    assert_eq!(may_change(&manager(), &shared, &out), Ok(()));
    assert_eq!(may_change(&manager(), &shared, &up), Ok(()));
    assert_eq!(
        may_change(&manager(), &shared, &out_there),
        Err(Refusal::Organization)
    );
    assert!(
        may_change(&manager(), &shared, &renamed(&out)).is_err(),
        "a rename beside it"
    );
    let added = altered(&shared, |it| {
        it.memberships.insert(SECOND, false);
    });
    for (action, after) in [("add", &added), ("change", &up), ("delete", &out)] {
        let without = format!("openwisp_users.{action}_organizationuser");
        let rights: Vec<&str> = MANAGER
            .into_iter()
            .filter(|name| *name != without)
            .collect();
        let refused = may_change(&requester("staff", &rights), &shared, after);
        assert_eq!(refused, Err(Refusal::Permission), "{action}");
        let just = ["openwisp_users.change_user", &without];
        assert_eq!(
            may_change(&requester("", &just), &shared, after),
            Ok(()),
            "{action}"
        );
    }
}

#[test]
fn nobody_but_a_superuser_changes_their_own_rights() {
    let ada = manager();
    let own = altered(&member(), |it| {
        it.id = ada.id;
        it.is_staff = true;
        it.permissions = set(&MANAGER);
        it.memberships = [(OWN, true)].into();
    });
    assert_eq!(may_change(&ada, &own, &own), Ok(()), "sent back as it was");
    assert_eq!(may_change(&ada, &own, &renamed(&own)), Ok(()));
    for after in [
        altered(&own, |it| it.is_active = false),
        altered(&own, |it| it.is_staff = false),
        altered(&own, |it| it.is_superuser = true),
        altered(&own, |it| it.expires = Some(Timestamp(1))),
        altered(&own, |it| it.permissions = set(&["config.change_device"])),
        altered(&own, |it| {
            it.groups.insert(GROUP, set(&[]));
        }),
        altered(&own, |it| {
            it.memberships.insert(OWN, false);
        }),
        altered(&own, |it| it.memberships.clear()),
    ] {
        assert_eq!(may_change(&ada, &own, &after), Err(Refusal::Own));
        assert_eq!(may_change(&ada, &own, &renamed(&after)), Err(Refusal::Own));
    }
    assert_eq!(may_remove(&ada, &own), Err(Refusal::Own));
}

#[test]
fn each_action_needs_its_own_permission() {
    let without = |name: &str| {
        let rights: Vec<&str> = MANAGER.into_iter().filter(|it| *it != name).collect();
        requester("staff", &rights)
    };
    let none = PermissionSet::default();
    let denied = Err(Refusal::Permission);
    assert_eq!(
        may_make(&without("openwisp_users.add_user"), &member()),
        denied
    );
    let clerk = without("openwisp_users.change_user");
    assert_eq!(may_change(&clerk, &member(), &member()), denied);
    assert_eq!(may_set_password(&clerk, &member()), denied);
    assert_eq!(
        may_remove(&without("openwisp_users.delete_user"), &member()),
        denied
    );
    assert_eq!(
        may_make_group(&without("openwisp_users.add_group"), none),
        denied
    );
    for (action, name) in [(Action::Change, "change"), (Action::Delete, "delete")] {
        let clerk = without(&format!("openwisp_users.{name}_group"));
        assert_eq!(may_change_group(&clerk, action, none, none, &[]), denied);
        assert_eq!(
            may_change_group(&manager(), action, none, none, &[]),
            Ok(())
        );
    }
    let clerk = without("openwisp_users.change_organization");
    assert_eq!(may_organize(&clerk, Action::Change, false), denied);
}

#[test]
fn a_group_is_for_who_holds_all_it_gives_and_may_administer_all_its_users() {
    let (ada, root) = (manager(), requester("super", &[]));
    let lacking = lacking_right();
    let (held, more) = (
        set(&["config.change_device"]),
        [lacking].into_iter().collect(),
    );
    let none = PermissionSet::default();
    let beyond = Err(Refusal::Group(lacking));
    assert_eq!(may_make_group(&ada, held), Ok(()));
    assert_eq!(may_make_group(&ada, more), beyond);
    assert_eq!(may_make_group(&root, more), Ok(()));
    let own = altered(&member(), |it| it.id = ada.id);
    let shared = altered(&member(), |it| {
        it.memberships.insert(OTHER, false);
    });
    for (what, before, after, users, expected) in [
        ("given what is held", none, held, vec![member()], Ok(())),
        ("taken what is held", held, none, vec![member()], Ok(())),
        ("given what is lacked", none, more, vec![], beyond),
        ("taken what is lacked", more, none, vec![], beyond),
        ("renamed while it gives more", more, more, vec![], beyond),
        (
            "with a user elsewhere",
            none,
            held,
            vec![member(), shared],
            Err(Refusal::UserOfGroup),
        ),
        (
            "with a user nowhere",
            none,
            held,
            vec![Person::blank()],
            Err(Refusal::UserOfGroup),
        ),
        ("with oneself", held, none, vec![own], Err(Refusal::Own)),
    ] {
        let change = may_change_group(&ada, Action::Change, before, after, &users);
        assert_eq!(change, expected, "{what}");
        let change = may_change_group(&root, Action::Change, before, after, &users);
        assert_eq!(change, Ok(()), "{what}");
    }
}

#[test]
fn tenants_come_and_go_by_superusers_alone() {
    let (ada, root) = (manager(), requester("super", &[]));
    for action in [Action::Add, Action::Change] {
        assert_eq!(may_organize(&ada, action, true), Err(Refusal::Tenant));
        assert_eq!(may_organize(&root, action, true), Ok(()));
    }
    assert_eq!(may_organize(&ada, Action::Change, false), Ok(()));
}

#[test]
fn a_superuser_who_goes_needs_another() {
    let root = altered(&Person::blank(), |it| it.is_superuser = true);
    assert!(needs_another_superuser(&root, None));
    assert!(!needs_another_superuser(&member(), None));
    let inactive = altered(&root, |it| it.is_active = false);
    assert!(!needs_another_superuser(&inactive, None), "gone already");
    for (after, is_needed) in [
        (altered(&root, |it| it.is_superuser = false), true),
        (altered(&root, |it| it.is_active = false), true),
        (altered(&root, |it| it.expires = Some(Timestamp(1))), true),
        (altered(&root, |it| it.is_staff = true), false),
        (renamed(&root), false),
    ] {
        assert_eq!(needs_another_superuser(&root, Some(&after)), is_needed);
    }
    let temporary = altered(&root, |it| it.expires = Some(Timestamp(1)));
    assert!(!needs_another_superuser(
        &temporary,
        Some(&renamed(&temporary))
    ));
    assert!(
        !needs_another_superuser(&temporary, Some(&root)),
        "now it lasts"
    );
}
