//! What is missed where the groups are not those that tell, and that it is noted.

use tokio::time::timeout;
use uuid::Uuid;

use super::super::arrivals::Gap;
use super::super::testing::Scene;
use super::*;

const SAVED: &str = "2026-11-25 12:00:00";

/// Looks until a gap is noted: that waits until all groups are joined.
async fn gap(scene: &Scene) -> Gap {
    let noted = async {
        loop {
            scene.feed.look().await;
            if let Some(gap) = scene.take_gap() {
                return gap;
            }
            sleep(TOGETHER).await;
        }
    };
    let noted = timeout(Duration::from_mins(1), noted).await;
    noted.expect("no gap is noted")
}

/// Notes are made at once, or at the next look.
async fn has_no_gap(scene: &Scene) -> bool {
    for _ in 0..2 {
        scene.feed.look().await;
    }
    scene.take_gap().is_none() && lock(&scene.feed.membership).owed.is_none()
}

async fn moves_to(scene: &Scene, location: Uuid, organization: Uuid) {
    let sql = format!(
        "UPDATE geo_location SET organization_id = '{}' WHERE id = '{}'",
        organization.simple(),
        location.simple()
    );
    scene.house.alter(sql).await;
}

/// As if so much time had passed since locations were found elsewhere.
fn is_settled(scene: &Scene) {
    for (_, at) in &mut lock(&scene.feed.membership).moved {
        *at -= SETTLED;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_to_another_organization_is_a_gap_whoever_reads_of_it_first() {
    let mut scene = Scene::set().await;
    scene.run_layer();
    let (one, other) = (
        scene.house.organization("one", true).await,
        scene.house.organization("other", true).await,
    );
    let location = Uuid::new_v4();
    scene.house.location(location, one, SAVED).await;
    let topics = [Topic::Location(LocationId(location))];
    scene.feed.join_groups_of(&topics).await;
    scene.feed.look().await;
    for by_handshake in [true, false] {
        let known = lock(&scene.feed.membership).known;
        let to = if by_handshake { other } else { one };
        moves_to(&scene, location, to).await;
        if by_handshake {
            scene.feed.join_groups_of(&topics).await;
        }
        scene.feed.look().await;
        // Those who may not see it there are perhaps still here.
        assert!(has_no_gap(&scene).await);
        is_settled(&scene);
        assert!(gap(&scene).await.since <= known);
        assert!(has_no_gap(&scene).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_that_opens_before_its_groups_are_known_misses_nothing() {
    let mut scene = Scene::set().await;
    scene.run_layer();
    let organization = scene.house.organization("metro", true).await;
    let location = Uuid::new_v4();
    scene.house.location(location, organization, SAVED).await;
    scene.feed.look().await;
    let away = "ALTER TABLE geo_location RENAME TO away";
    scene.house.alter(away).await;
    let topics = [Topic::Location(LocationId(location))];
    let before = Timestamp::now();
    scene.feed.join_groups_of(&topics).await;
    let after = Timestamp::now();
    let back = "ALTER TABLE away RENAME TO geo_location";
    scene.house.alter(back).await;
    let since = gap(&scene).await.since;
    assert!(before <= since && since <= after);
    let group = Group::Organization(OrganizationId(organization)).to_string();
    assert!(scene.feed.layer.are_joined(&[group]));
    assert!(has_no_gap(&scene).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn looks_in_vain_are_a_gap_from_the_last_one_on_that_was_not() {
    let mut scene = Scene::set().await;
    scene.run_layer();
    scene.feed.look().await;
    let known = lock(&scene.feed.membership).known;
    let topics = [Topic::Location(LocationId(Uuid::new_v4()))];
    scene.feed.join_groups_of(&topics).await;
    let away = "ALTER TABLE geo_location RENAME TO away";
    scene.house.alter(away).await;
    for _ in 0..2 {
        scene.feed.look().await;
        assert_eq!(scene.take_gap(), None);
    }
    let back = "ALTER TABLE away RENAME TO geo_location";
    scene.house.alter(back).await;
    assert_eq!(gap(&scene).await.since, known);
    assert!(has_no_gap(&scene).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_that_opens_before_its_groups_are_joined_misses_nothing() {
    let mut scene = Scene::set().await;
    scene.feed.look().await;
    let topics = [Topic::AllLocations];
    let before = Timestamp::now();
    // It waits in vain: nothing runs.
    scene.feed.join_groups_of(&topics).await;
    let after = Timestamp::now();
    scene.feed.look().await;
    assert_eq!(scene.take_gap(), None);
    scene.run_layer();
    let since = gap(&scene).await.since;
    assert!(before <= since && since <= after);
    assert!(scene.feed.layer.are_joined(&[Group::Common.to_string()]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_1_3_what_comes_to_a_fleet_is_a_gap_and_what_leaves_it_is_left() {
    let mut scene = Scene::set().await;
    scene.is_old().await;
    scene.run_layer();
    let (fleet, other) = (
        scene.house.organization("fleet", true).await,
        scene.house.organization("other", true).await,
    );
    let (first, second, third) = (Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4());
    scene.house.location(first, fleet, SAVED).await;
    scene.house.location(third, other, SAVED).await;
    let topics = [Topic::OrgLocations(OrganizationId(fleet))];
    let has = |id| {
        let membership = lock(&scene.feed.membership);
        membership.fleet.contains_key(&LocationId(id))
    };
    scene.feed.join_groups_of(&topics).await;
    assert!(has(first) && !has(third));
    assert!(has_no_gap(&scene).await);
    // Also where a handshake reads of it first.
    let known = lock(&scene.feed.membership).known;
    scene.house.location(second, fleet, SAVED).await;
    scene.feed.join_groups_of(&topics).await;
    assert!(has(second));
    assert!(gap(&scene).await.since <= known);
    assert!(has_no_gap(&scene).await);
    moves_to(&scene, third, fleet).await;
    moves_to(&scene, first, other).await;
    gap(&scene).await;
    assert!(has(second) && has(third) && !has(first));
    // Nobody has listened to this one.
    let others = [Topic::OrgLocations(OrganizationId(other))];
    scene.feed.join_groups_of(&others).await;
    assert!(has(first));
    assert!(has_no_gap(&scene).await);
}
