use std::task::Poll;
use std::time::Duration;

use super::*;
use crate::event::{Cursor, Timestamp};
use crate::store::{Changes, LocationChange, Position, SinceScope};

fn moved_to(longitude: f64) -> LocationChange {
    LocationChange {
        geometry: Some(Some(point(longitude, 1.0))),
        ..LocationChange::default()
    }
}

fn ids(changes: &Changes) -> Vec<crate::event::LocationId> {
    changes.locations.iter().map(|change| change.id).collect()
}

/// What the tail reads next, and where it then stands.
async fn next_changes(
    house: &House,
    mut position: Position,
) -> (Vec<crate::event::LocationId>, Position) {
    loop {
        let (changes, next) = house.store.changes_after(&position).await.unwrap();
        if !changes.locations.is_empty() {
            return (ids(&changes), next);
        }
        position = next;
    }
}

over_both! {
    async fn the_tail_reads_each_change_after_its_position(house: House) {
        let organization = house.organization().await;
        let start = house.store.position().await.unwrap();
        let bus = mobile(&organization, Some(point(1.0, 1.0)));
        let first = house.store.add_location(&bus).await.unwrap().id;
        let (changes, next) = next_changes(house, start).await;
        assert_eq!(changes, [first]);
        let second = house.store.add_location(&bus).await.unwrap().id;
        let (changes, next) = next_changes(house, next).await;
        assert_eq!(changes, [second]);
        assert!(house.store.changes_after(&next).await.unwrap().0.locations.is_empty());
    }

    async fn a_change_by_another_process_is_in_the_tail_too(house: House) {
        let organization = house.organization().await;
        let start = house.store.position().await.unwrap();
        let version = house.store.data_version().await.unwrap();
        let other = Store::open(&house.engine).await.unwrap();
        let bus = mobile(&organization, Some(point(1.0, 1.0)));
        let id = other.add_location(&bus).await.unwrap().id;
        assert_eq!(next_changes(house, start).await.0, [id]);
        if version.is_some() {
            assert_ne!(house.store.data_version().await.unwrap(), version);
        }
        other.close().await;
    }

    async fn since_gives_the_present_state_of_what_moved_page_by_page(house: House) {
        let organization = house.organization().await;
        let mut buses = Vec::new();
        for _ in 0..5 {
            let bus = mobile(&organization, Some(point(1.0, 1.0)));
            buses.push(house.store.add_location(&bus).await.unwrap().id);
        }
        house.store.change_location(buses[0], &moved_to(9.0)).await.unwrap();
        buses.rotate_left(1);
        for scope in [None, Some([organization.id].into())] {
            let scope = SinceScope::Fleet(scope);
            let mut cursor = Some(Cursor::begin(Timestamp(0)));
            let mut found = Vec::new();
            while let Some(at) = cursor {
                let (page, next) = house.store.moves_since(&scope, at, 2).await.unwrap();
                assert!(page.len() <= 2);
                found.extend(page);
                cursor = next;
            }
            let ids: Vec<_> = found.iter().map(|moved| moved.id).collect();
            assert_eq!(ids, buses);
            assert_eq!(found[4].geometry, point(9.0, 1.0));
        }
        let nobody = SinceScope::Fleet(Some([house.organization().await.id].into()));
        let begin = Cursor::begin(Timestamp(0));
        assert!(house.store.moves_since(&nobody, begin, 10).await.unwrap().0.is_empty());
        let one = SinceScope::Location(buses[2]);
        let (found, _) = house.store.moves_since(&one, begin, 10).await.unwrap();
        assert_eq!(found.len(), 1);
        let later = Cursor::begin(Timestamp::now().plus_seconds(1));
        assert!(house.store.moves_since(&one, later, 10).await.unwrap().0.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_tail_does_not_skip_a_transaction_that_began_early_and_commits_late() {
    let house = House::postgres().await;
    let organization = house.organization().await;
    let bus = mobile(&organization, Some(point(1.0, 1.0)));
    let (slow, quick) = (
        house.store.add_location(&bus).await.unwrap().id,
        house.store.add_location(&bus).await.unwrap().id,
    );
    let start = house.store.position().await.unwrap();
    let mut early = house.store.write().await.unwrap();
    let stamp = early.change().await.unwrap();
    house
        .store
        .change_location(quick, &moved_to(2.0))
        .await
        .unwrap();
    // The later transaction has committed and is read; the position remembers the earlier one.
    let moved = |changes: &Changes, id| {
        let newest = changes.locations.iter().filter(|change| change.id == id);
        newest.map(|change| change.moved_version).max()
    };
    let (changes, next) = house.store.changes_after(&start).await.unwrap();
    assert_eq!(moved(&changes, quick), Some(2));
    assert_ne!(moved(&changes, slow), Some(2));
    let (again, next) = house.store.changes_after(&next).await.unwrap();
    assert!(again.locations.is_empty(), "nothing is read twice");
    let crate::store::transaction::Transaction::Postgres(transaction) = &mut early.transaction
    else {
        unreachable!("this is PostgreSQL")
    };
    sqlx::query(
        "UPDATE location SET version = version + 1, moved_version = version + 1, change = $2
         WHERE id = $1",
    )
    .bind(slow)
    .bind(stamp)
    .execute(&mut **transaction)
    .await
    .unwrap();
    early.commit().await.unwrap();
    let (changes, _) = house.store.changes_after(&next).await.unwrap();
    assert_eq!(
        moved(&changes, slow),
        Some(2),
        "the late one is not skipped"
    );
    assert_eq!(moved(&changes, quick), None, "nor is the other read again");
    house.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_settles_when_the_hints_before_it_were_handed_over() {
    let house = House::postgres().await;
    let organization = house.organization().await;
    let mut listener = house.store.listen().await.unwrap().unwrap();
    let bus = mobile(&organization, Some(point(1.0, 1.0)));
    house.store.add_location(&bus).await.unwrap();
    let (hints, mut handed_over) = tokio::sync::mpsc::channel(10);
    tokio::spawn(async move {
        while let Ok(hint) = listener.next().await {
            hints.send(hint).await.unwrap();
        }
    });
    tokio::time::timeout(Duration::from_secs(10), house.store.settle())
        .await
        .unwrap();
    assert!(handed_over.try_recv().is_ok());
    house.end().await;
}

/// What comes of a future that its caller gives up after polling it so often; `None` if nothing did.
async fn given_up_after<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    let mut left = polls;
    std::future::poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending if left == 1 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_tells_of_an_update_wherever_its_caller_gave_up() {
    let house = House::sqlite().await;
    let organization = house.organization().await;
    let bus = mobile(&organization, Some(point(1.0, 1.0)));
    let id = house.store.add_location(&bus).await.unwrap().id;
    let change = moved_to(2.0);
    // Polls are not the same from sweep to sweep, so that one alone may miss the moment.
    for _ in 0..10 {
        let mut polls = 1;
        while given_up_after(polls, house.store.change_location(id, &change))
            .await
            .is_none()
        {
            // What was begun is through, or undone, when another write is.
            let last = house.store.change_location(id, &change).await.unwrap();
            let told = house.told_moves();
            let versions: Vec<i64> = told.iter().map(|moved| moved.moved_version).collect();
            assert_eq!(versions, (1..=last.version).collect::<Vec<_>>());
            polls += 1;
        }
    }
}
