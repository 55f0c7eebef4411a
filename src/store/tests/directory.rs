use super::*;
use crate::access::{Credential, Directory, Proof, Resource};
use crate::event::Timestamp;
use crate::store::{Account, AccountChange, NewAccount, OrganizationChange};

async fn user(house: &House, new: NewAccount) -> Account {
    let username = format!("user {}", Uuid::new_v4().simple());
    house
        .store
        .add_user(&NewAccount { username, ..new })
        .await
        .unwrap()
}

/// The user that a fresh token of `account` proves.
async fn seen(house: &House, account: &Account) -> Option<crate::access::User> {
    let (_, secret) = house.store.add_token(account.id, "test").await.unwrap();
    let identity = house
        .store
        .identify(&Credential::Token(secret))
        .await
        .unwrap();
    identity.map(|identity| identity.user)
}

async fn set(house: &House, account: &Account, change: AccountChange) {
    house.store.change_user(account.id, &change).await.unwrap();
}

over_both! {
    async fn rights_are_the_direct_ones_and_those_of_groups(house: House) {
        let organization = house.organization().await;
        let operator = house.store.find_group("Operator").await.unwrap();
        let account = user(house, NewAccount {
            permissions: vec!["connection.change_credentials".parse().unwrap()],
            groups: vec![operator.id],
            manages: vec![organization.id],
            ..NewAccount::default()
        }).await;
        let seen = seen(house, &account).await.unwrap();
        assert!(seen.has("geo.view_location".parse().unwrap()), "by change_location of the group");
        assert!(seen.has("connection.view_credentials".parse().unwrap()), "implied");
        assert!(!seen.has("openwisp_users.add_user".parse().unwrap()));
        assert!(seen.manages(organization.id));
    }

    async fn inactive_organizations_count_for_nothing(house: House) {
        let (own, joined) = (house.organization().await, house.organization().await);
        let account = user(house, NewAccount {
            manages: vec![own.id],
            member_of: vec![joined.id],
            ..NewAccount::default()
        }).await;
        let before = seen(house, &account).await.unwrap();
        assert_eq!((before.manages.len(), before.member_of.len()), (1, 1));
        let inactive = OrganizationChange { is_active: Some(false), ..OrganizationChange::default() };
        house.store.change_organization(own.id, &inactive).await.unwrap();
        assert!(!seen(house, &account).await.unwrap().manages(own.id));
    }

    async fn inactive_and_expired_users_are_nobody(house: House) {
        let past = Timestamp::now().plus_seconds(-1);
        let account = user(house, NewAccount::default()).await;
        assert!(seen(house, &account).await.is_some());
        set(house, &account, AccountChange { expires: Some(Some(past)), ..AccountChange::default() }).await;
        assert!(seen(house, &account).await.is_none());
        assert!(house.store.password_of(&account.username).await.unwrap().is_none());
        set(house, &account, AccountChange { expires: Some(None), ..AccountChange::default() }).await;
        assert!(seen(house, &account).await.is_some());
        set(house, &account, AccountChange { is_active: Some(false), ..AccountChange::default() }).await;
        assert!(seen(house, &account).await.is_none());
    }

    async fn a_new_password_ends_sessions_and_counts(house: House) {
        let account = user(house, NewAccount::default()).await;
        let later = Timestamp::now().plus_seconds(60);
        let (session, cookie) = house.store.add_session(account.id, later).await.unwrap();
        let (token, _) = house.store.add_token(account.id, "test").await.unwrap();
        let proved = house.store.password_of(&account.username).await.unwrap().unwrap().proves;
        let (_, by_login) = house.store.add_login_token(proved).await.unwrap();
        let proofs = [Proof::Session(session.id), Proof::Token(token.id)];
        let before = house.store.renew(&proofs).await.unwrap();
        assert_eq!(before.len(), 2);
        let hash = Some("$argon2id$…".to_owned());
        set(house, &account, AccountChange { password_hash: hash, ..AccountChange::default() }).await;
        let identity = house.store.identify(&Credential::Session(cookie)).await.unwrap();
        assert!(identity.is_none());
        let identity = house.store.identify(&Credential::Token(by_login)).await.unwrap();
        assert!(identity.is_none(), "a token that the old password was shown for");
        assert!(house.store.add_login_token(proved).await.is_err(), "the old password, late");
        assert!(house.store.add_login_session(proved, later).await.is_err());
        let after = house.store.renew(&proofs).await.unwrap();
        assert!(!after.contains_key(&proofs[0]));
        assert_eq!(after[&proofs[1]].user.password_version, before[&proofs[1]].user.password_version + 1);
    }

    async fn expired_and_removed_sessions_prove_nobody(house: House) {
        let account = user(house, NewAccount::default()).await;
        let past = Timestamp::now().plus_seconds(-1);
        let (_, cookie) = house.store.add_session(account.id, past).await.unwrap();
        assert!(house.store.identify(&Credential::Session(cookie)).await.unwrap().is_none());
        let later = Timestamp::now().plus_seconds(60);
        let (session, cookie) = house.store.add_session(account.id, later).await.unwrap();
        let credential = Credential::Session(cookie);
        assert!(house.store.identify(&credential).await.unwrap().is_some());
        house.store.remove_session(session.id).await.unwrap();
        assert!(house.store.identify(&credential).await.unwrap().is_none());
    }

    async fn things_belong_to_their_organizations_until_they_are_gone(house: House) {
        let organization = house.organization().await;
        let device = house.device(&organization).await;
        let location = house.store.add_location(&mobile(&organization, None)).await.unwrap();
        let both = [Resource::Device(device.id), Resource::Location(location.id)];
        let owners = house.store.organizations_of(&both).await.unwrap();
        assert_eq!((owners[&both[0]], owners[&both[1]]), (organization.id, organization.id));
        house.store.remove_location(location.id).await.unwrap();
        let owners = house.store.organizations_of(&both).await.unwrap();
        assert!(!owners.contains_key(&both[1]));
    }
}

over_both! {
    async fn a_hash_is_replaced_only_while_it_is_the_one_that_was_checked(house: House) {
        let account = user(house, NewAccount {
            password_hash: Some("old".into()),
            ..NewAccount::default()
        }).await;
        let record = async || {
            let record = house.store.password_of(&account.username).await.unwrap();
            record.unwrap()
        };
        let shown = record().await.proves;
        house.store.replace_password_hash(shown, "another", "new").await.unwrap();
        assert_eq!(record().await.password_hash, "old");
        house.store.replace_password_hash(shown, "old", "new").await.unwrap();
        assert_eq!(record().await.password_hash, "new");
        assert_eq!(record().await.proves, shown, "the same password, so nothing ends");
        let changed = AccountChange { password_hash: Some("set".into()), ..AccountChange::default() };
        set(house, &account, changed).await;
        house.store.replace_password_hash(shown, "set", "new").await.unwrap();
        assert_eq!(record().await.password_hash, "set", "another password was set meanwhile");
    }
}
