//! What a repair tells, and what it leaves to messages and to its second reading.

use serde_json::json;
use uuid::Uuid;

use super::super::testing::{Scene, heard};
use super::*;
use crate::hub::testing::Listener;

/// A device with a command, and somebody who listens to it.
struct Listened {
    scene: Scene,
    device: Uuid,
    command: Uuid,
    listener: Listener,
}

impl Listened {
    async fn set() -> Self {
        let scene = Scene::set().await;
        let (device, command) = (Uuid::new_v4(), Uuid::new_v4());
        let organization = scene.house.organization("metro", true).await;
        scene.house.device(device, organization).await;
        let saved = "2020-01-01 12:00:01";
        scene.house.command(command, device, "old", saved).await;
        let listener = scene.listen(Topic::DeviceCommands(DeviceId(device)));
        Self {
            scene,
            device,
            command,
            listener,
        }
    }

    fn first_reading(&self) -> Reading {
        let since = "2020-01-01T12:00:00Z".parse().unwrap();
        lock(&self.scene.feed.arrivals).gap_begins(since);
        let mut none = VecDeque::new();
        self.scene.feed.next_reading(&mut none).unwrap()
    }

    /// The second reading, of which it is not waited that it is due.
    async fn read(&self, reading: Reading) -> Option<Reading> {
        self.scene.feed.read_gap(reading).await
    }

    /// A message of OpenWISP says this, whatever is in the row.
    fn is_told(&self, status: &str) {
        let message = json!({"type": "send.update", "model": "Command", "data": {
            "id": self.command, "modified": "2020-01-01T12:00:02Z", "status": status}});
        let group = format!("config.device-{}", self.device);
        self.scene.feed.hear(&group, message);
    }

    async fn is_committed(&self, status: &str) {
        let sql = format!(
            "UPDATE connection_command SET status = '{status}', modified = '2020-01-01 12:00:02'
             WHERE id = '{}'",
            self.command.simple()
        );
        self.scene.house.alter(sql).await;
    }

    /// What was heard since the last call.
    fn heard(&self) -> Vec<String> {
        let texts = heard(&self.listener);
        let status = |text: String| {
            let message: serde_json::Value = serde_json::from_str(&text).unwrap();
            message["data"]["status"].as_str().unwrap().to_owned()
        };
        texts.into_iter().map(status).collect()
    }
}

#[tokio::test]
async fn what_is_committed_after_the_first_reading_is_told_by_the_second() {
    let it = Listened::set().await;
    let second = it.read(it.first_reading()).await.unwrap();
    assert_eq!(it.heard(), ["old"]);
    it.is_committed("new").await;
    assert!(it.read(second).await.is_none());
    assert_eq!(it.heard(), ["new"]);
}

#[tokio::test]
async fn what_the_first_reading_told_is_not_told_again() {
    let it = Listened::set().await;
    let second = it.read(it.first_reading()).await.unwrap();
    it.heard();
    it.read(second).await;
    assert_eq!(it.heard(), [""; 0]);
}

#[tokio::test]
async fn a_row_whose_message_came_before_its_commit_is_left_to_the_second_reading() {
    let it = Listened::set().await;
    it.is_told("new");
    let second = it.read(it.first_reading()).await.unwrap();
    assert_eq!(it.heard(), ["new"]);
    it.is_committed("new").await;
    it.read(second).await;
    assert_eq!(it.heard(), ["new"]);
}

#[tokio::test]
async fn a_message_that_comes_after_the_gap_is_the_last_that_is_heard_whatever_begins_meanwhile() {
    let it = Listened::set().await;
    let first = it.first_reading();
    it.is_told("new");
    // Another gap, which is another repair's.
    it.scene.feed.begin_repair(Timestamp::now());
    let second = it.read(first).await.unwrap();
    it.read(second).await;
    assert_eq!(it.heard(), ["new"]);
}

#[tokio::test]
async fn a_gap_that_could_not_be_read_remains() {
    let it = Listened::set().await;
    let away = "ALTER TABLE connection_command RENAME TO away";
    it.scene.house.alter(away).await;
    assert!(it.read(it.first_reading()).await.is_none());
    let back = "ALTER TABLE away RENAME TO connection_command";
    it.scene.house.alter(back).await;
    let again = it.scene.feed.next_reading(&mut VecDeque::new()).unwrap();
    it.read(again).await;
    assert_eq!(it.heard(), ["old"]);
}

#[tokio::test]
async fn the_second_reading_waits_until_it_is_due() {
    let it = Listened::set().await;
    let second = it.read(it.first_reading()).await.unwrap();
    let mut again = VecDeque::from([second]);
    assert!(it.scene.feed.next_reading(&mut again).is_none());
    // A gap that was noted meanwhile is read first.
    let newer = it.first_reading();
    assert!(newer.due.is_none());
    again[0].due = Some(Instant::now());
    let due = it.scene.feed.next_reading(&mut again).unwrap();
    assert!(due.due.is_some() && again.is_empty());
}
