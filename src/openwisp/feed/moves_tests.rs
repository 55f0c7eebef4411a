//! That what waits for its row is waited for, and is not lost.

use futures_util::poll;
use serde_json::json;
use uuid::Uuid;

use super::super::testing::{Scene, heard};
use super::*;
use crate::event::Topic;

fn is_told(scene: &Scene, location: Uuid) {
    let group = format!("loci.mobile-location.{location}");
    let message = json!({"type": "send_message", "message": {
        "geometry": {"type": "Point", "coordinates": [1.5, 2.5]}, "address": "Elsewhere"}});
    scene.feed.hear(&group, message);
}

async fn location(scene: &Scene) -> Uuid {
    let organization = scene.house.organization("metro", true).await;
    let id = Uuid::new_v4();
    scene
        .house
        .location(id, organization, "2026-11-25 12:00:00")
        .await;
    id
}

#[tokio::test]
async fn who_asks_whether_all_is_told_waits_for_moves_that_wait_for_their_rows() {
    let scene = Scene::set().await;
    let id = location(&scene).await;
    let listener = scene.listen(Topic::Location(LocationId(id)));
    scene.feed.moves.are_told().await;
    is_told(&scene, id);
    let told = scene.feed.moves.are_told();
    tokio::pin!(told);
    assert!(poll!(&mut told).is_pending());
    tokio::select! {
        () = scene.feed.complete_moves() => {}
        () = told => {}
    }
    let heard = heard(&listener);
    assert_eq!(heard.len(), 1);
    assert!(heard[0].contains("Elsewhere"), "{heard:?}");
}

#[tokio::test]
async fn moves_whose_rows_cannot_be_read_are_a_gap_from_the_first_of_them_on() {
    let scene = Scene::set().await;
    let id = location(&scene).await;
    let away = "ALTER TABLE geo_location RENAME TO away";
    scene.house.alter(away).await;
    is_told(&scene, id);
    let since = lock(&scene.feed.moves.waiting).since.unwrap();
    is_told(&scene, id);
    tokio::select! {
        () = scene.feed.complete_moves() => {}
        () = scene.feed.moves.are_told() => {}
    }
    assert_eq!(scene.take_gap().unwrap().since, since);
}

#[tokio::test]
async fn too_many_moves_are_a_gap_from_the_first_of_them_on() {
    let scene = Scene::set().await;
    let id = Uuid::new_v4();
    is_told(&scene, id);
    let since = lock(&scene.feed.moves.waiting).since.unwrap();
    for _ in 0..MOST {
        is_told(&scene, id);
    }
    assert_eq!(scene.take_gap().unwrap().since, since);
    tokio::select! {
        () = scene.feed.complete_moves() => {}
        () = scene.feed.moves.are_told() => {}
    }
}
