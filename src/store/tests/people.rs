use super::*;
use crate::access::{Permission, PermissionSet};
use crate::store::{
    Account, AccountChange, GroupChange, NewAccount, NewOrganization, OrganizationChange, Page,
    Scope, StoreError, UserFilter,
};

async fn user(house: &House, name: &str, new: NewAccount) -> Account {
    let username = name.to_owned();
    house
        .store
        .add_user(&NewAccount { username, ..new })
        .await
        .unwrap()
}

fn fields(error: &StoreError) -> Vec<&str> {
    match error {
        StoreError::Invalid(errors) => errors.0.keys().map(String::as_str).collect(),
        other => panic!("not a field's error: {other}"),
    }
}

over_both! {
    async fn a_name_and_an_address_are_one_users(house: House) {
        let email = "ada@example.org".to_owned();
        let ada = NewAccount { email: email.clone(), ..NewAccount::default() };
        let ada = user(house, "ada", ada).await;
        let twin = NewAccount { username: "ada".into(), email: email.clone(), ..NewAccount::default() };
        let error = house.store.add_user(&twin).await.unwrap_err();
        assert_eq!(fields(&error), ["email", "username"]);
        let grace = user(house, "grace", NewAccount::default()).await;
        user(house, "hedy", NewAccount::default()).await;
        let change = AccountChange { email: Some(email), ..AccountChange::default() };
        let error = house.store.change_user(grace.id, &change).await.unwrap_err();
        assert_eq!(fields(&error), ["email"]);
        house.store.change_user(ada.id, &change).await.unwrap();
        let none = AccountChange { email: Some(String::new()), ..AccountChange::default() };
        house.store.change_user(grace.id, &none).await.unwrap();
    }

    async fn an_address_logs_in_who_alone_has_it_unless_it_is_a_name(house: House) {
        let with = |email: &str| NewAccount { email: email.to_owned(), ..NewAccount::default() };
        let ada = user(house, "ada", with("Ada@example.org")).await;
        user(house, "grace", with("grace@example.org")).await;
        user(house, "grace2", with("GRACE@example.org")).await;
        let hedy = user(house, "hedy", with("hedy@example.org")).await;
        let named = user(house, "hedy@example.org", NewAccount::default()).await;
        let found = async |name: &str| {
            let found = house.store.password_of(name).await.unwrap();
            found.map(|record| record.proves.user)
        };
        for (name, expected) in [
            ("ada", Some(ada.id)),
            ("aDA@example.org", Some(ada.id)),
            ("grace@example.org", None),
            ("hedy@example.org", Some(named.id)),
            ("Hedy@example.org", Some(hedy.id)),
            ("", None),
            ("%", None),
        ] {
            assert_eq!(found(name).await, expected, "{name}");
        }
        let off = AccountChange { is_active: Some(false), ..AccountChange::default() };
        house.store.change_user(named.id, &off).await.unwrap();
        assert_eq!(found("hedy@example.org").await, None, "the name is taken");
        house.store.change_user(ada.id, &off).await.unwrap();
        assert_eq!(found("ada@example.org").await, None);
    }

    async fn who_is_seen_belongs_to_an_organization_in_scope_and_is_no_superuser(house: House) {
        let (own, other) = (house.organization().await.id, house.organization().await.id);
        let member_of = vec![own];
        let root = NewAccount { is_superuser: true, member_of: member_of.clone(), ..NewAccount::default() };
        let root = user(house, "root", root).await;
        let stranger = NewAccount { manages: vec![other], ..NewAccount::default() };
        let stranger = user(house, "stranger", stranger).await;
        let shared = NewAccount { member_of, manages: vec![other], ..NewAccount::default() };
        let shared = user(house, "shared", shared).await;
        let scope = Scope::Organizations([own].into());
        let page = Page { number: 1, size: 10 };
        let names = async |scope: &Scope, organization| {
            let filter = UserFilter { organization };
            let found = house.store.user_page(scope, &filter, page).await.unwrap();
            assert_eq!(found.count, i64::try_from(found.rows.len()).unwrap());
            found.rows.into_iter().map(|it| it.username).collect::<Vec<_>>()
        };
        assert_eq!(names(&scope, None).await, ["shared"]);
        assert!(names(&scope, Some(other)).await.is_empty(), "who else belongs there is not told");
        assert_eq!(names(&Scope::All, None).await, ["shared", "stranger", "root"]);
        assert_eq!(names(&Scope::All, Some(own)).await, ["shared", "root"]);
        let seen = house.store.user(shared.id, &scope).await.unwrap();
        assert_eq!((seen.member_of, seen.manages), (vec![own], vec![]));
        for hidden in [root.id, stranger.id] {
            let refused = house.store.user(hidden, &scope).await;
            assert!(matches!(refused, Err(StoreError::NotFound("User"))));
        }
    }

    async fn who_administers_does_so_with_the_rights_of_that_moment(house: House) {
        let (own, off) = (house.organization().await.id, house.organization().await.id);
        let group = house.store.add_group("Drivers", &["geo.view_location".parse().unwrap()]).await.unwrap();
        let ada = user(house, "ada", NewAccount {
            permissions: vec!["openwisp_users.change_user".parse().unwrap()],
            groups: vec![group.id],
            manages: vec![own, off],
            ..NewAccount::default()
        }).await;
        let inactive = OrganizationChange { is_active: Some(false), ..OrganizationChange::default() };
        house.store.change_organization(off, &inactive).await.unwrap();
        let mut desk = house.store.administer(ada.id).await.unwrap();
        let requester = desk.requester();
        assert!(requester.has("geo.view_location".parse().unwrap()), "by the group");
        assert!(requester.has("openwisp_users.change_user".parse().unwrap()));
        assert!(requester.manages(own) && !requester.manages(off), "an inactive one counts for nothing");
        let person = desk.person(ada.id).await.unwrap();
        assert_eq!(person.memberships, [(own, true), (off, true)].into(), "but belongs to it");
        assert_eq!(desk.people_of(group.id).await.unwrap(), [person]);
        assert!(!desk.has_superuser_besides(ada.id).await.unwrap());
        drop(desk);
        let gone = AccountChange { is_active: Some(false), ..AccountChange::default() };
        house.store.change_user(ada.id, &gone).await.unwrap();
        assert!(house.store.administer(ada.id).await.is_err());
    }

    async fn what_was_read_to_decide_by_is_still_so_at_the_commit(house: House) {
        let ada = user(house, "ada", NewAccount { is_superuser: true, ..NewAccount::default() }).await;
        let group = house.store.add_group("Drivers", &[]).await.unwrap();
        for round in 0..10 {
            let mut desk = house.store.administer(ada.id).await.unwrap();
            let before = desk.group(group.id).await.unwrap().unwrap();
            let store = house.store.clone();
            // Waits for the end of the other one, whatever row it is about.
            let other = tokio::spawn(async move {
                let name = Some(format!("Riders {round}"));
                let change = GroupChange { name, ..GroupChange::default() };
                store.change_group(group.id, &change).await.unwrap()
            });
            for _ in 0..20 {
                tokio::task::yield_now().await;
                assert_eq!(desk.group(group.id).await.unwrap(), Some(before));
            }
            let change = GroupChange { name: Some(format!("Drivers {round}")), ..GroupChange::default() };
            desk.change_group(group.id, &change).await.unwrap();
            other.await.unwrap();
            let last = house.store.group(group.id).await.unwrap();
            assert_eq!(last.name, format!("Riders {round}"));
        }
    }

    async fn a_change_is_what_two_persons_differ_in(house: House) {
        let (own, other) = (house.organization().await.id, house.organization().await.id);
        let group = house.store.add_group("Drivers", &[]).await.unwrap();
        let ada = user(house, "ada", NewAccount {
            permissions: vec!["geo.view_location".parse().unwrap()],
            manages: vec![own],
            member_of: vec![other],
            ..NewAccount::default()
        }).await;
        let mut desk = house.store.administer(user(house, "root", NewAccount {
            is_superuser: true,
            ..NewAccount::default()
        }).await.id).await.unwrap();
        let before = desk.person(ada.id).await.unwrap();
        let mut after = before.clone();
        after.profile.first_name = "Ada".into();
        after.permissions = ["geo.add_location".parse::<Permission>().unwrap()].into_iter().collect();
        after.groups = [(group.id, PermissionSet::default())].into();
        after.memberships = [(own, false)].into();
        let change = AccountChange::between(&before, &after);
        desk.change_user(ada.id, &change).await.unwrap();
        let root = house.store.find_user("root").await.unwrap().id;
        let mut desk = house.store.administer(root).await.unwrap();
        assert_eq!(desk.person(ada.id).await.unwrap(), after);
        let back = AccountChange::between(&after, &before);
        desk.change_user(ada.id, &back).await.unwrap();
        let mut desk = house.store.administer(root).await.unwrap();
        assert_eq!(desk.person(ada.id).await.unwrap(), before);
    }

    async fn a_slug_is_given_or_made_and_nobody_elses(house: House) {
        let made = house.store.add_organization("Metro Transit").await.unwrap();
        let new = |name: &str, slug: &str| NewOrganization { slug: Some(slug.into()), ..name.into() };
        let given = house.store.add_organization(new("Trams", "trams_2")).await.unwrap();
        assert_eq!((&*made.slug, &*given.slug), ("metro-transit", "trams_2"));
        for (name, slug, field) in [("a", "trams_2", "slug"), ("Trams", "b", "name"), ("a", "a b", "slug")] {
            let error = house.store.add_organization(new(name, slug)).await.unwrap_err();
            assert_eq!(fields(&error), [field]);
        }
        let error = house.store.add_organization("metro transit").await.unwrap_err();
        assert_eq!(fields(&error), ["name"], "of which the slug is made");
        let change = OrganizationChange { name: Some("Metro".into()), ..OrganizationChange::default() };
        assert_eq!(house.store.change_organization(made.id, &change).await.unwrap().slug, "metro-transit");
    }
}
