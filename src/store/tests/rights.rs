use std::collections::HashSet;

use super::*;
use crate::access::{Credential, Directory, Mark, Resource, RightsChanged};
use crate::event::{Timestamp, UserId};
use crate::store::transaction::on_write;
use crate::store::{
    AccountChange, DeviceChange, GroupChange, Keep, LocationChange, NewAccount, OrganizationChange,
};

impl House {
    async fn mark(&self) -> Option<Mark> {
        self.store.rights_changed(None).await.unwrap().mark
    }

    async fn since(&self, mark: Option<Mark>) -> RightsChanged {
        self.store.rights_changed(mark).await.unwrap()
    }

    /// What is told of `change`.
    async fn told(&self, change: impl Future<Output = ()>) -> RightsChanged {
        let mark = self.mark().await;
        change.await;
        self.since(mark).await
    }

    async fn account(&self, new: NewAccount) -> UserId {
        let username = format!("user {}", Uuid::new_v4().simple());
        let new = NewAccount { username, ..new };
        self.store.add_user(&new).await.unwrap().id
    }

    async fn alter(&self, id: UserId, change: AccountChange) {
        self.store.change_user(id, &change).await.unwrap();
    }
}

over_both! {
    async fn whatever_alters_a_users_rights_is_told(house: House) {
        let organization = house.organization().await;
        let group = house.store.add_group("Watchers", &[]).await.unwrap();
        let none = AccountChange::default;
        let view: crate::access::Permission = "geo.view_location".parse().unwrap();
        let changes = [
            AccountChange { is_staff: Some(true), ..none() },
            AccountChange { is_superuser: Some(true), ..none() },
            AccountChange { password_hash: Some("$argon2id$…".into()), ..none() },
            AccountChange { expires: Some(Some(Timestamp::now().plus_seconds(60))), ..none() },
            AccountChange { expires: Some(None), ..none() },
            AccountChange { add_permissions: vec![view], ..none() },
            AccountChange { remove_permissions: vec![view], ..none() },
            AccountChange { add_groups: vec![group.id], ..none() },
            AccountChange { remove_groups: vec![group.id], ..none() },
            AccountChange { add_member: vec![organization.id], ..none() },
            AccountChange { add_manages: vec![organization.id], ..none() },
            AccountChange { remove_manages: vec![organization.id], ..none() },
            AccountChange { is_active: Some(false), ..none() },
        ];
        let user = house.account(NewAccount::default()).await;
        for change in changes {
            let what = format!("{change:?}");
            let told = house.told(house.alter(user, change)).await;
            assert!(told.users.contains(&user) && !told.all, "{what}: {told:?}");
        }
        let told = house.told(async { house.store.remove_user(user).await.unwrap() }).await;
        assert!(told.users.contains(&user), "{told:?}");
    }

    async fn the_end_of_a_session_or_token_is_told_and_its_beginning_is_not(house: House) {
        let later = Timestamp::now().plus_seconds(60);
        let user = house.account(NewAccount::default()).await;
        let mark = house.mark().await;
        let (session, _) = house.store.add_session(user, later).await.unwrap();
        let (token, _) = house.store.add_token(user, "test").await.unwrap();
        let renamed = AccountChange { email: Some("ada@example.com".into()), ..AccountChange::default() };
        house.alter(user, renamed).await;
        house.store.set_session_expiry(session.id, later.plus_seconds(60)).await.unwrap();
        assert!(!house.since(mark.clone()).await.users.contains(&user));
        let shortened = async { house.store.set_session_expiry(session.id, later).await.map(drop).unwrap() };
        assert!(house.told(shortened).await.users.contains(&user));
        let logged_out = async { house.store.remove_session(session.id).await.unwrap() };
        assert!(house.told(logged_out).await.users.contains(&user));
        let mark = house.mark().await;
        house.store.remove_token(token.id).await.unwrap();
        assert!(house.since(mark.clone()).await.users.contains(&user));
    }

    async fn what_may_concern_anybody_is_told_as_such(house: House) {
        let organization = house.organization().await;
        let group = house.store.add_group("Watchers", &[]).await.unwrap();
        let view: crate::access::Permission = "geo.view_location".parse().unwrap();
        let give = GroupChange { add_permissions: vec![view], ..GroupChange::default() };
        let take = GroupChange { remove_permissions: vec![view], ..GroupChange::default() };
        for change in [give, take] {
            let told = house.told(async { house.store.change_group(group.id, &change).await.map(drop).unwrap() });
            assert!(told.await.all, "{change:?}");
        }
        for is_active in [false, true] {
            let change = OrganizationChange { is_active: Some(is_active), ..OrganizationChange::default() };
            let told = house.told(async {
                house.store.change_organization(organization.id, &change).await.map(drop).unwrap();
            });
            assert!(told.await.all, "{change:?}");
        }
    }

    async fn what_goes_along_with_something_removed_is_told(house: House) {
        let (organization, group) = (
            house.organization().await,
            house.store.add_group("Watchers", &[]).await.unwrap(),
        );
        let manager = house.account(NewAccount { manages: vec![organization.id], ..NewAccount::default() }).await;
        let watcher = house.account(NewAccount { groups: vec![group.id], ..NewAccount::default() }).await;
        let device = house.device(&organization).await;
        let location = house.store.add_location(&mobile(&organization, None)).await.unwrap();
        let told = house.told(async { house.store.remove_group(group.id).await.unwrap() }).await;
        assert!(told.users.contains(&watcher), "{told:?}");
        let told = house.told(async { house.store.remove_organization(organization.id).await.unwrap() }).await;
        assert!(told.users.contains(&manager), "{told:?}");
        let gone = HashSet::from([Resource::Device(device.id), Resource::Location(location.id)]);
        assert!(told.resources.is_superset(&gone), "{told:?}");
    }

    async fn a_thing_that_goes_to_another_organization_is_told(house: House) {
        let (from, to) = (house.organization().await, house.organization().await);
        let device = house.device(&from).await;
        let location = house.store.add_location(&mobile(&from, None)).await.unwrap();
        let mark = house.mark().await;
        let moved = LocationChange { geometry: Some(Some(point(1.0, 2.0))), ..LocationChange::default() };
        house.store.change_location(location.id, &moved).await.unwrap();
        assert!(!house.since(mark.clone()).await.resources.contains(&Resource::Location(location.id)));
        let change = LocationChange { organization: Some(to.id), ..LocationChange::default() };
        house.store.change_location(location.id, &change).await.unwrap();
        let change = DeviceChange { organization: Some(to.id), ..DeviceChange::default() };
        house.store.change_device(device.id, &change).await.unwrap();
        let both = HashSet::from([Resource::Device(device.id), Resource::Location(location.id)]);
        let told = house.since(mark.clone()).await;
        assert!(told.resources.is_superset(&both), "{told:?}");
    }

    async fn a_log_that_was_set_back_tells_nothing(house: House) {
        let Mark(now) = house.mark().await.unwrap();
        let future = match now.split_once(':') {
            Some(_) => "9000000000:9000000000:".to_owned(),
            None => "9000000000".to_owned(),
        };
        let told = house.since(Some(Mark(future))).await;
        assert!(told.all && told.mark.is_some_and(|mark| mark.0.len() <= now.len()), "{now}");
    }

    async fn changes_of_yesterday_are_cleared_away_and_no_later_one_is_missed(house: House) {
        let user = house.account(NewAccount::default()).await;
        let staff = |is_staff| AccountChange { is_staff: Some(is_staff), ..AccountChange::default() };
        house.alter(user, staff(true)).await;
        let mark = house.mark().await;
        let mut write = house.store.write().await.unwrap();
        on_write!(write, connection => {
            sqlx::query("UPDATE rights_change SET created = created - 90000000000")
                .execute(connection).await.map(|_| ()).unwrap();
        });
        write.commit().await.unwrap();
        let keep = Keep { commands_days: 0, audit_days: 0 };
        assert!(house.store.clear_away(keep).await.unwrap() > 0);
        assert_eq!(house.store.clear_away(keep).await.unwrap(), 0);
        house.alter(user, staff(false)).await;
        let told = house.since(mark.clone()).await;
        assert!(told.users.contains(&user) && !told.all, "{told:?}");
    }

    async fn credentials_that_are_shown_together_prove_each_its_own(house: House) {
        let mut shown = Vec::new();
        for number in 0..40 {
            let user = house.account(NewAccount::default()).await;
            let later = Timestamp::now().plus_seconds(60);
            let credential = if number % 2 == 0 {
                Credential::Token(house.store.add_token(user, "test").await.unwrap().1)
            } else {
                Credential::Session(house.store.add_session(user, later).await.unwrap().1)
            };
            shown.push((credential, Some(user)));
        }
        shown.push((Credential::Token("nobody's".into()), None));
        shown.push(shown[0].clone());
        let looked_up = shown.into_iter().map(|(credential, user)| {
            let store = house.store.clone();
            tokio::spawn(async move {
                let found = store.identify(&credential).await.unwrap();
                assert_eq!(found.map(|identity| identity.user.id), user);
            })
        });
        for one in looked_up.collect::<Vec<_>>() {
            one.await.unwrap();
        }
    }
}

/// A transaction that was open when the mark was taken is told of when it has been committed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_under_way_is_not_missed_on_postgres() {
    let house = House::postgres().await;
    let (early, late) = (
        house.account(NewAccount::default()).await,
        house.account(NewAccount::default()).await,
    );
    let mut write = house.store.write().await.unwrap();
    on_write!(write, connection => {
        sqlx::query("UPDATE users SET is_staff = NOT is_staff WHERE id = $1")
            .bind(early).execute(connection).await.map(|_| ()).unwrap();
    });
    let superuser = AccountChange {
        is_superuser: Some(true),
        ..AccountChange::default()
    };
    let before = house.mark().await;
    house.alter(late, superuser).await;
    let told = house.since(before).await;
    assert!(told.users.contains(&late) && !told.users.contains(&early));
    let mark = told.mark;
    assert!(!house.since(mark.clone()).await.users.contains(&early));
    write.commit().await.unwrap();
    let told = house.since(mark).await;
    assert!(told.users.contains(&early));
    let again = house.since(told.mark).await;
    assert!(again.is_empty(), "each change is told once: {again:?}");
    house.end().await;
}
