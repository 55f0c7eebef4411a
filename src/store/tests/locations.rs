use super::*;
use crate::event::LocationId;
use crate::store::{Location, LocationChange, Scope, StoreError};

/// (version, `moved_version`, `fleet_version`) of a location.
async fn versions(house: &House, id: LocationId) -> (i64, i64, i64) {
    let location = house.store.location(id, &Scope::All).await.unwrap();
    let moved = house.store.moves_of(&[id]).await.unwrap();
    let (moved, fleet) = moved
        .first()
        .map_or((0, 0), |moved| (moved.moved_version, moved.fleet_version));
    (location.version, moved, fleet)
}

async fn change(house: &House, id: LocationId, change: LocationChange) -> Location {
    house.store.change_location(id, &change).await.unwrap()
}

fn to(longitude: f64) -> LocationChange {
    LocationChange {
        geometry: Some(Some(point(longitude, 1.0))),
        ..LocationChange::default()
    }
}

over_both! {
    async fn only_updates_of_the_geometry_are_moves(house: House) {
        let organization = house.organization().await;
        let bus = mobile(&organization, Some(point(1.0, 1.0)));
        let id = house.store.add_location(&bus).await.unwrap().id;
        assert_eq!(versions(house, id).await, (1, 1, 1));
        let rename = LocationChange { name: Some("Bus 2".into()), ..LocationChange::default() };
        change(house, id, rename).await;
        assert_eq!(versions(house, id).await, (2, 1, 1));
        change(house, id, to(1.0)).await;
        assert_eq!(versions(house, id).await, (3, 3, 3));
    }

    async fn a_move_counts_for_the_fleet_if_it_is_mobile_before_or_after(house: House) {
        let organization = house.organization().await;
        let depot = NewLocation {
            is_mobile: false,
            ..mobile(&organization, Some(point(1.0, 1.0)))
        };
        let id = house.store.add_location(&depot).await.unwrap().id;
        assert_eq!(versions(house, id).await, (1, 1, 0));
        change(house, id, to(2.0)).await;
        assert_eq!(versions(house, id).await, (2, 2, 0));
        change(house, id, LocationChange { is_mobile: Some(true), ..to(3.0) }).await;
        assert_eq!(versions(house, id).await, (3, 3, 3));
        change(house, id, LocationChange { is_mobile: Some(false), ..to(4.0) }).await;
        assert_eq!(versions(house, id).await, (4, 4, 4));
        change(house, id, to(5.0)).await;
        assert_eq!(versions(house, id).await, (5, 5, 4));
    }

    async fn every_double_comes_back_as_it_was(house: House) {
        let organization = house.organization().await;
        let id = house.store.add_location(&mobile(&organization, None)).await.unwrap().id;
        for longitude in [0.1 + 0.2, -33.333_333_333_333_336, 5e-324, 179.999_999_999_999_97] {
            let location = change(house, id, to(longitude)).await;
            let stored = location.geometry.unwrap().longitude();
            assert_eq!(stored.to_bits(), longitude.to_bits(), "{longitude}");
        }
    }

    async fn a_fixed_location_needs_a_geometry(house: House) {
        let organization = house.organization().await;
        let depot = NewLocation { is_mobile: false, ..mobile(&organization, None) };
        let refused = house.store.add_location(&depot).await.unwrap_err();
        assert!(refused.to_string().starts_with("geometry: "), "{refused}");
        let id = house.store.add_location(&mobile(&organization, None)).await.unwrap().id;
        let fixed = LocationChange { is_mobile: Some(false), ..LocationChange::default() };
        let refused = house.store.change_location(id, &fixed).await.unwrap_err();
        assert!(refused.to_string().starts_with("geometry: "), "{refused}");
    }

    async fn what_is_out_of_scope_is_not_there(house: House) {
        let (own, other) = (house.organization().await, house.organization().await);
        let id = house.store.add_location(&mobile(&own, None)).await.unwrap().id;
        let scope = Scope::Organizations([other.id].into());
        let missing = house.store.location(id, &scope).await.unwrap_err();
        assert!(matches!(missing, StoreError::NotFound("Location")));
        let page = crate::store::Page { number: 1, size: 10 };
        let filter = crate::store::LocationFilter::default();
        let listed = house.store.locations(&scope, &filter, page).await.unwrap();
        assert_eq!((listed.count, listed.rows.len()), (0, 0));
        let scope = Scope::Organizations([own.id].into());
        let listed = house.store.locations(&scope, &filter, page).await.unwrap();
        assert_eq!((listed.count, listed.rows[0].id), (1, id));
    }

    async fn filters_narrow_a_list(house: House) {
        let organization = house.organization().await;
        let bus = house.store.add_location(&mobile(&organization, None)).await.unwrap();
        let depot = NewLocation { is_mobile: false, ..mobile(&organization, Some(point(1.0, 1.0))) };
        let depot = house.store.add_location(&depot).await.unwrap();
        let page = crate::store::Page { number: 1, size: 10 };
        let filter = |is_mobile, with_geometry| crate::store::LocationFilter {
            organization_slug: Some(organization.slug.clone()),
            is_mobile,
            with_geometry,
            kind: Some(crate::event::LocationType::Outdoor),
            ..crate::store::LocationFilter::default()
        };
        for (filter, expected) in [
            (filter(None, false), vec![depot.id, bus.id]),
            (filter(Some(true), false), vec![bus.id]),
            (filter(None, true), vec![depot.id]),
        ] {
            let listed = house.store.locations(&Scope::All, &filter, page).await.unwrap();
            let ids: Vec<_> = listed.rows.iter().map(|row| row.id).collect();
            assert_eq!((listed.count, ids), (i64::try_from(expected.len()).unwrap(), expected));
        }
    }
}
