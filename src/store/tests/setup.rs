use super::*;
use crate::event::NodeId;
use crate::store::{NewAccount, SetupError};

fn root(name: &str) -> NewAccount {
    NewAccount {
        username: name.into(),
        is_superuser: true,
        ..NewAccount::default()
    }
}

over_both! {
    async fn the_last_token_of_each_node_counts_until_there_is_a_user(house: House) {
        let store = &house.store;
        let (one, other) = (NodeId::random(), NodeId::random());
        let old = store.open_setup(one).await.unwrap().unwrap();
        let new = store.open_setup(one).await.unwrap().unwrap();
        let beside = store.open_setup(other).await.unwrap().unwrap();
        for token in [&old, "", &new[1..], &new.to_uppercase()] {
            let refused = store.prove_setup(token).await.unwrap_err();
            assert!(matches!(refused, SetupError::WrongToken), "{token}");
        }
        for token in [&new, &beside] {
            store.prove_setup(token).await.unwrap();
        }
        let made = store.set_up(&beside, &root("ada")).await.unwrap();
        assert!(made.is_superuser);
        assert!(!store.is_setup_open().await.unwrap());
        assert!(store.open_setup(one).await.unwrap().is_none());
        for token in [&new, &beside] {
            let refused = store.prove_setup(token).await.unwrap_err();
            assert!(matches!(refused, SetupError::Over));
        }
        let entries = store.audit(&crate::store::AuditFilter { most: 10, ..Default::default() }).await.unwrap();
        let added = entries.iter().find(|entry| entry.model == "User").unwrap();
        assert_eq!((added.actor.as_str(), added.user), ("ada", Some(made.id)));
    }

    async fn of_many_set_ups_at_once_one_succeeds(house: House) {
        let store = &house.store;
        let token = store.open_setup(NodeId::random()).await.unwrap().unwrap();
        let attempts = (0..6).map(|number| {
            let (store, token) = (store.clone(), token.clone());
            tokio::spawn(async move { store.set_up(&token, &root(&format!("root{number}"))).await })
        });
        let mut made = 0;
        for attempt in attempts.collect::<Vec<_>>() {
            match attempt.await.unwrap() {
                Ok(_) => made += 1,
                Err(error) => assert!(matches!(error, SetupError::Over), "{error}"),
            }
        }
        assert_eq!((made, store.users().await.unwrap().len()), (1, 1));
    }

    async fn a_user_who_was_made_in_another_way_ends_the_set_up_for_good(house: House) {
        let store = &house.store;
        let token = store.open_setup(NodeId::random()).await.unwrap().unwrap();
        let made = store.add_user(&NewAccount { username: "ada".into(), ..NewAccount::default() }).await.unwrap();
        store.remove_user(made.id).await.unwrap();
        let refused = store.set_up(&token, &root("eve")).await.unwrap_err();
        assert!(matches!(refused, SetupError::Over));
    }

    async fn a_refused_name_leaves_the_set_up_open(house: House) {
        let store = &house.store;
        let token = store.open_setup(NodeId::random()).await.unwrap().unwrap();
        let refused = store.set_up(&token, &root("")).await.unwrap_err();
        assert!(matches!(refused, SetupError::Store(_)));
        store.set_up(&token, &root("ada")).await.unwrap();
    }
}
