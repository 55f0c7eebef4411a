//! The answers of OpenWISP that were captured, for what we keep of them: `captured.json` says who
//! sends which method, path and body, and which status and shape comes back, with every documented
//! field in its order. Where we do better on purpose, our answer stands there.

use serde_json::Value;

use super::cast::{Cast, Line};

/// Plays one scene of the table on a stage of its own.
async fn play(scene: &str) {
    let scenes: Value = serde_json::from_str(include_str!("captured.json")).unwrap();
    let lines: Vec<Line> = serde_json::from_value(scenes[scene].clone()).unwrap();
    assert!(!lines.is_empty());
    let cast = Cast::gather().await;
    for line in lines {
        cast.play(line).await;
    }
}

#[tokio::test]
async fn tokens_answer_as_captured() {
    play("tokens").await;
}

#[tokio::test]
async fn devices_answer_as_captured() {
    play("devices").await;
}

#[tokio::test]
async fn coordinates_answer_as_captured() {
    play("coordinates").await;
}

#[tokio::test]
async fn locations_answer_as_captured() {
    play("locations").await;
}

#[tokio::test]
async fn the_map_and_who_is_where_answer_as_captured() {
    play("where devices are").await;
}

#[tokio::test]
async fn credentials_and_connections_answer_as_captured() {
    play("credentials and connections").await;
}

#[tokio::test]
async fn commands_answer_as_captured() {
    play("commands").await;
}
