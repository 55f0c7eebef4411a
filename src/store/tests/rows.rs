use super::*;
use crate::store::{
    AccountChange, DeviceChange, DeviceFilter, GroupChange, NewAccount, Page, Scope, StoreError,
};

fn field(error: &StoreError) -> String {
    match error {
        StoreError::Invalid(errors) => errors.0.keys().cloned().collect::<Vec<_>>().join(","),
        other => panic!("not a field's error: {other}"),
    }
}

over_both! {
    async fn opening_again_migrates_nothing_and_keeps_everything(house: House) {
        let organization = house.organization().await;
        let again = Store::open(&house.engine).await.unwrap();
        assert_eq!(again.find_organization(&organization.name).await.unwrap().id, organization.id);
        assert_eq!(again.groups().await.unwrap().len(), 2);
        again.close().await;
    }

    async fn a_group_that_was_there_from_the_start_can_be_removed_for_good(house: House) {
        let operator = house.store.find_group("Operator").await.unwrap();
        let names: Vec<_> = operator.permissions.iter().map(ToString::to_string).collect();
        assert_eq!(names.len(), 16, "{names:?}");
        house.store.remove_group(operator.id).await.unwrap();
        let again = Store::open(&house.engine).await.unwrap();
        assert!(again.find_group("Operator").await.is_err());
        assert_eq!(again.find_group("Administrator").await.unwrap().permissions.len(), 31);
        again.close().await;
    }

    async fn a_taken_name_is_an_error_of_its_field(house: House) {
        let organization = house.organization().await;
        let error = house.store.add_organization(&organization.name).await.unwrap_err();
        assert_eq!(field(&error), "name");
        let mut new = NewDevice {
            name: "bus".into(),
            organization: Some(organization.id),
            mac_address: Some("00:11:22:33:44:55".into()),
            ..NewDevice::default()
        };
        let device = house.store.add_device(&new).await.unwrap();
        new.mac_address = None;
        assert_eq!(field(&house.store.add_device(&new).await.unwrap_err()), "name");
        new.name = "tram".into();
        new.mac_address = device.mac_address;
        assert_eq!(field(&house.store.add_device(&new).await.unwrap_err()), "mac_address");
        new.mac_address = None;
        new.key = Some(device.key);
        assert_eq!(field(&house.store.add_device(&new).await.unwrap_err()), "key");
        new.key = None;
        new.organization = Some(house.organization().await.id);
        new.name = "bus".into();
        house.store.add_device(&new).await.unwrap();
    }

    async fn every_bad_field_is_named_at_once(house: House) {
        let new = NewDevice {
            name: " ".into(),
            mac_address: Some("zz".into()),
            management_ip: Some("nowhere".into()),
            notes: "a\0b".into(),
            ..NewDevice::default()
        };
        let error = house.store.add_device(&new).await.unwrap_err();
        assert_eq!(field(&error), "mac_address,management_ip,name,notes,organization");
    }

    async fn a_device_is_found_by_id_or_by_a_name_of_its_own(house: House) {
        let (one, two) = (house.organization().await, house.organization().await);
        let device = house.device(&one).await;
        assert_eq!(house.store.find_device(&device.name).await.unwrap().id, device.id);
        assert_eq!(house.store.find_device(&device.id.to_string()).await.unwrap().id, device.id);
        let twin = NewDevice {
            name: device.name.clone(),
            organization: Some(two.id),
            ..NewDevice::default()
        };
        house.store.add_device(&twin).await.unwrap();
        let error = house.store.find_device(&device.name).await.unwrap_err();
        assert!(error.to_string().contains("names 2 devices"), "{error}");
        assert!(house.store.find_device("nobody").await.is_err());
    }

    async fn a_device_takes_its_own_mobile_location_along(house: House) {
        let (from, to) = (house.organization().await, house.organization().await);
        let device = house.device(&from).await;
        let bus = NewLocation { device: Some(device.id), ..mobile(&from, Some(point(1.0, 1.0))) };
        let location = house.store.add_location(&bus).await.unwrap();
        let change = DeviceChange { organization: Some(to.id), ..DeviceChange::default() };
        assert_eq!(house.store.change_device(device.id, &change).await.unwrap().organization, to.id);
        let moved = house.store.location(location.id, &Scope::All).await.unwrap();
        assert_eq!((moved.organization, moved.version), (to.id, 2));
        assert_eq!(moved.device_count, 1);
    }

    async fn removing_an_organization_removes_what_belongs_to_it(house: House) {
        let organization = house.organization().await;
        let device = house.device(&organization).await;
        house.store.add_location(&mobile(&organization, None)).await.unwrap();
        house.store.remove_organization(organization.id).await.unwrap();
        assert!(house.store.device(device.id, &Scope::All).await.is_err());
        let again = house.store.remove_organization(organization.id).await;
        assert!(matches!(again, Err(StoreError::NotFound("Organization"))));
    }

    async fn devices_are_listed_newest_first_and_by_page(house: House) {
        let organization = house.organization().await;
        let mut devices = Vec::new();
        for _ in 0..3 {
            devices.push(house.device(&organization).await.id);
        }
        devices.reverse();
        let scope = Scope::Organizations([organization.id].into());
        let list = async |number| {
            let page = Page { number, size: 2 };
            let listed = house.store.devices(&scope, &DeviceFilter::default(), page).await.unwrap();
            assert_eq!(listed.count, 3);
            listed.rows.into_iter().map(|device| device.id).collect::<Vec<_>>()
        };
        assert_eq!(list(1).await, devices[..2]);
        assert_eq!(list(2).await, devices[2..]);
    }

    async fn what_is_given_to_a_user_or_a_group_can_be_taken_back(house: House) {
        let (own, joined) = (house.organization().await, house.organization().await);
        let view = "geo.view_location".parse().unwrap();
        let group = house.store.add_group("Drivers", &[view]).await.unwrap();
        let account = house.store.add_user(&NewAccount {
            username: "ada".into(),
            permissions: vec![view],
            groups: vec![group.id],
            manages: vec![own.id],
            member_of: vec![joined.id],
            ..NewAccount::default()
        }).await.unwrap();
        assert_eq!((account.manages, account.member_of), (vec![own.id], vec![joined.id]));
        let bare = house.store.change_user(account.id, &AccountChange {
            remove_permissions: vec![view],
            remove_groups: vec![group.id],
            remove_manages: vec![own.id],
            add_manages: vec![joined.id],
            ..AccountChange::default()
        }).await.unwrap();
        assert!(bare.permissions.is_empty() && bare.groups.is_empty());
        assert_eq!((bare.manages, bare.member_of), (vec![joined.id], vec![]));
        let change = GroupChange { remove_permissions: vec![view], ..GroupChange::default() };
        assert!(house.store.change_group(group.id, &change).await.unwrap().permissions.is_empty());
    }

    async fn a_device_is_at_one_location_of_its_own_organization(house: House) {
        let (own, other) = (house.organization().await, house.organization().await);
        let device = house.device(&own).await;
        let foreign = house.store.add_location(&mobile(&other, None)).await.unwrap();
        let refused = house.store.set_device_location(device.id, foreign.id).await.unwrap_err();
        assert_eq!(field(&refused), "location");
        let home = house.store.add_location(&mobile(&own, None)).await.unwrap();
        house.store.set_device_location(device.id, home.id).await.unwrap();
        let at = house.store.device_location(device.id).await.unwrap().unwrap();
        assert_eq!((at.id, at.device_count), (home.id, 1));
        house.store.clear_device_location(device.id).await.unwrap();
        assert!(house.store.device_location(device.id).await.unwrap().is_none());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_is_migrated_once_by_processes_that_start_at_once() {
    for _ in 0..5 {
        let directory = tempfile::tempdir().unwrap();
        let engine = Engine::Sqlite {
            directory: directory.path().to_owned(),
        };
        let mut starting = tokio::task::JoinSet::new();
        for _ in 0..5 {
            let engine = engine.clone();
            starting.spawn(async move { Store::open(&engine).await.unwrap() });
        }
        for store in starting.join_all().await {
            assert_eq!(store.groups().await.unwrap().len(), 2);
        }
    }
}
