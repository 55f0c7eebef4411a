use futures_util::future::join_all;

use super::*;
use crate::event::Timestamp;
use crate::store::{CoordinatesError, OrganizationChange, Report};

fn report(device: &Device, longitude: f64, time: Option<&str>) -> Report {
    Report {
        device: device.id,
        key: device.key.clone(),
        geometry: point(longitude, 1.0),
        time: time.map(|time| time.parse::<Timestamp>().unwrap()),
    }
}

over_both! {
    async fn the_first_report_makes_the_devices_mobile_location(house: House) {
        let device = house.device(&house.organization().await).await;
        let answer = house.store.coordinates(device.id, &device.key).await;
        assert!(matches!(answer, Err(CoordinatesError::NoLocation)));
        let stored = house.store.report_coordinates(report(&device, 7.5, None)).await.unwrap();
        assert_eq!((stored.name.as_str(), stored.geometry), (device.name.as_str(), point(7.5, 1.0)));
        let location = house.store.device_location(device.id).await.unwrap().unwrap();
        assert!(location.is_mobile);
        assert_eq!(house.store.coordinates(device.id, &device.key).await.unwrap(), stored);
    }

    async fn a_crowd_of_reports_is_stored_each_as_an_update_of_its_own(house: House) {
        let organization = house.organization().await;
        let mut devices = Vec::new();
        for _ in 0..7 {
            devices.push(house.device(&organization).await);
        }
        let rounds = (0..20).flat_map(|round| devices.iter().map(move |device| (round, device)));
        let reports = rounds.map(|(round, device)| {
            house.store.report_coordinates(report(device, f64::from(round), None))
        });
        for answer in join_all(reports).await {
            answer.unwrap();
        }
        for device in &devices {
            let location = house.store.device_location(device.id).await.unwrap().unwrap();
            // Made, then moved twenty times.
            assert_eq!(location.version, 21);
        }
    }

    async fn a_wrong_key_is_refused_amid_right_ones(house: House) {
        let organization = house.organization().await;
        let (right, wrong) = (house.device(&organization).await, house.device(&organization).await);
        let forged = Report { key: right.key.clone(), ..report(&wrong, 1.0, None) };
        let (taken, refused) = tokio::join!(
            house.store.report_coordinates(report(&right, 1.0, None)),
            house.store.report_coordinates(forged),
        );
        taken.unwrap();
        assert!(matches!(refused, Err(CoordinatesError::Unauthenticated)));
        assert_eq!(house.store.device_location(wrong.id).await.unwrap().map(|at| at.id), None);
    }

    async fn an_older_report_never_replaces_a_newer_one(house: House) {
        let device = house.device(&house.organization().await).await;
        let (early, late) = (Some("2026-11-01T10:00:00Z"), Some("2026-11-01T10:00:05Z"));
        house.store.report_coordinates(report(&device, 1.0, late)).await.unwrap();
        let kept = house.store.report_coordinates(report(&device, 2.0, early)).await.unwrap();
        assert_eq!(kept.geometry, point(1.0, 1.0));
        let location = house.store.device_location(device.id).await.unwrap().unwrap();
        assert_eq!(location.version, 2);
        // Without a time it is simply the newest.
        let moved = house.store.report_coordinates(report(&device, 3.0, None)).await.unwrap();
        assert_eq!(moved.geometry, point(3.0, 1.0));
        let again = house.store.report_coordinates(report(&device, 4.0, late)).await.unwrap();
        assert_eq!(again.geometry, point(4.0, 1.0));
    }

    async fn devices_of_an_inactive_organization_are_refused(house: House) {
        let organization = house.organization().await;
        let device = house.device(&organization).await;
        let inactive = OrganizationChange { is_active: Some(false), ..OrganizationChange::default() };
        house.store.change_organization(organization.id, &inactive).await.unwrap();
        let refused = house.store.report_coordinates(report(&device, 1.0, None)).await;
        assert!(matches!(refused, Err(CoordinatesError::OrganizationInactive)));
    }

    async fn every_double_of_a_report_comes_back_as_it_was(house: House) {
        let device = house.device(&house.organization().await).await;
        for longitude in [0.1 + 0.2, -33.333_333_333_333_336, 5e-324, 12.512_124] {
            let stored =
                house.store.report_coordinates(report(&device, longitude, None)).await.unwrap();
            assert_eq!(stored.geometry.longitude().to_bits(), longitude.to_bits());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_tells_of_every_update_once_and_in_order() {
    let house = House::sqlite().await;
    let device = house.device(&house.organization().await).await;
    let reports = (0..100).map(|number| {
        house
            .store
            .report_coordinates(report(&device, f64::from(number), None))
    });
    for answer in join_all(reports).await {
        answer.unwrap();
    }
    let moves = house.told_moves();
    let versions: Vec<i64> = moves.iter().map(|moved| moved.moved_version).collect();
    assert_eq!(versions, (2..=101).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_notifies_of_every_update_once_and_in_order() {
    let house = House::postgres().await;
    let device = house.device(&house.organization().await).await;
    let mut listener = house.store.listen().await.unwrap().unwrap();
    // A second node over the same database, so that commits race.
    let other = Store::open(&house.engine).await.unwrap();
    // Also for the first report, which makes the location.
    let reports = (0..100).map(|number| {
        let node = if number % 2 == 0 {
            &house.store
        } else {
            &other
        };
        node.report_coordinates(report(&device, f64::from(number), None))
    });
    for answer in join_all(reports).await {
        answer.unwrap();
    }
    for version in 2..=101 {
        let Some(Event::LocationMoved(moved)) = listener.next().await.unwrap() else {
            panic!("a hint of a move, not a call to read the tail");
        };
        assert_eq!(moved.moved_version, version);
    }
    other.close().await;
    house.end().await;
}
