//! Connections: who may touch them, the host key, and the devices that they are of.

use serde_json::{Value, json};

use super::stage::{CREDENTIALS, Client, Stage};
use crate::event::ConnectionId;

const HOST_KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ";

/// The path and the id of the one connection of a device.
async fn only(client: &Client, device: &str) -> (String, ConnectionId) {
    let list = client
        .get(&format!("{device}connection/"))
        .await
        .expect(200);
    assert_eq!(list["count"], json!(1));
    let id = list["results"][0]["id"].as_str().unwrap();
    (format!("{device}connection/{id}/"), id.parse().unwrap())
}

#[tokio::test]
async fn a_host_key_is_shown_and_forgotten_but_never_set() {
    let stage = Stage::set_up().await;
    let device = stage.add_router("router").await;
    let (path, id) = only(&stage.root, &device).await;
    let show = async || {
        let key = Some(HOST_KEY);
        stage.app.store.note_attempt(id, key, None).await.unwrap();
    };
    show().await;
    let seen = stage.operator.get(&path).await.expect(200);
    assert_eq!(
        (&seen["host_key"], &seen["is_working"]),
        (&json!(HOST_KEY), &json!(true))
    );
    assert!(seen["last_attempt"].is_string());
    // What was read is written back: nothing is forgotten by that, not even what came later.
    let mut outdated = seen.clone();
    outdated["host_key"] = json!(null);
    for body in [seen.clone(), outdated] {
        let kept = stage.operator.put(&path, body).await.expect(200);
        assert_eq!(kept["host_key"], json!(HOST_KEY));
    }
    for wrong in [json!("ssh-ed25519 AAAA"), json!(""), json!(1), json!(true)] {
        let body = json!({"host_key": wrong, "enabled": false});
        for method in ["PUT", "PATCH"] {
            let told = stage.operator.send(method, &path, Some(body.clone())).await;
            assert!(told.expect(400)["host_key"][0].is_string());
        }
    }
    let enabled = stage.operator.get(&path).await.expect(200)["enabled"].clone();
    assert_eq!(
        enabled,
        json!(true),
        "a request is done as a whole or not at all"
    );
    let forgotten = json!({"host_key": null});
    let forgotten = stage.operator.patch(&path, forgotten).await.expect(200);
    assert_eq!(forgotten["host_key"], json!(null));
    show().await;
    let kept = stage.operator.patch(&path, json!({"enabled": false})).await;
    assert_eq!(kept.expect(200)["host_key"], json!(HOST_KEY));
    let pinned = json!({"credentials": stage.add_credential("more").await, "host_key": HOST_KEY});
    let list = format!("{device}connection/");
    stage.operator.post(&list, pinned).await.expect(400);
}

#[tokio::test]
async fn a_device_uses_each_credential_of_its_organization_once() {
    let stage = Stage::set_up().await;
    let device = stage.add_router("router").await;
    let list = format!("{device}connection/");
    let (path, _) = only(&stage.root, &device).await;
    let first = stage.root.get(&path).await.expect(200)["credentials"].clone();
    let params = json!({"username": "root", "password": "kept to itself"});
    let foreign = json!({"name": "a", "organization": stage.other, "params": params});
    let foreign = stage.root.make(CREDENTIALS, foreign).await;
    let no_such = |id: &str| format!("Invalid pk \"{id}\" - object does not exist.");
    for (credential, reason) in [
        (
            first,
            "The device uses these credentials already.".to_owned(),
        ),
        (json!(foreign), no_such(&foreign)),
        (json!("nope"), "“nope” is not a valid UUID.".to_owned()),
        (json!(null), "This field may not be null.".to_owned()),
        (
            json!(5),
            "Incorrect type. Expected pk value, received int.".to_owned(),
        ),
    ] {
        // Also for a superuser: the device would be logged in to with what is somebody else's.
        let told = stage
            .root
            .post(&list, json!({"credentials": credential}))
            .await;
        assert_eq!(told.expect(400), json!({"credentials": [reason]}));
    }
    let second = json!({"credentials": stage.add_credential("second").await, "enabled": false});
    let second = stage.operator.post(&list, second).await.expect(201);
    assert_eq!(second["enabled"], json!(false));
    let second_path = format!("{list}{}/", second["id"].as_str().unwrap());
    let move_to_foreign = json!({"credentials": foreign});
    let told = stage.operator.patch(&second_path, move_to_foreign).await;
    assert_eq!(
        told.expect(400),
        json!({"credentials": [no_such(&foreign)]})
    );
    let listed = stage.operator.get(&list).await.expect(200);
    assert_eq!(
        listed["results"][1]["id"], second["id"],
        "in the order of trying"
    );
    // With the credential goes its use.
    let credential = second["credentials"].as_str().unwrap();
    let credential = format!("{CREDENTIALS}{credential}/");
    stage.root.delete(&credential).await.expect(204);
    stage.operator.get(&second_path).await.expect(404);
}

#[tokio::test]
async fn what_is_wrong_with_a_connection_is_told_by_field() {
    let stage = Stage::set_up().await;
    let device = stage.add_router("router").await;
    let list = format!("{device}connection/");
    let wrong = json!({"credentials": [], "enabled": "perhaps", "update_strategy": "Telepathy"});
    let told = stage.operator.post(&list, wrong).await.expect(400);
    let fields: Vec<_> = told.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["credentials", "enabled", "update_strategy"]);
    let (path, _) = only(&stage.operator, &device).await;
    for strategy in [
        Value::Null,
        json!(""),
        json!("openwisp_controller.connection.connectors.openwrt.ssh.OpenWrt"),
    ] {
        let body = json!({"update_strategy": strategy});
        let answer = stage.operator.patch(&path, body).await.expect(200);
        assert_eq!(answer["update_strategy"], json!(""));
    }
}

#[tokio::test]
async fn a_connection_is_found_below_its_own_device_only() {
    let stage = Stage::set_up().await;
    let router = stage.add_router("router").await;
    let other = stage.add_device("other").await;
    let (path, id) = only(&stage.operator, &router).await;
    let detail = json!({"detail": "No DeviceConnection matches the given query."});
    let elsewhere = format!("{other}connection/{id}/");
    for method in ["GET", "PUT", "PATCH", "DELETE"] {
        let told = stage
            .operator
            .send(method, &elsewhere, Some(json!({})))
            .await;
        assert_eq!(told.expect(404), detail, "{method}");
    }
    let malformed = stage
        .operator
        .get(&format!("{router}connection/xyz/"))
        .await;
    assert_eq!(malformed.expect(404), json!({"detail": "Not found."}));
    for (permission, statuses) in [
        ("view", [200, 200, 403, 403, 403]),
        ("add", [403, 403, 400, 403, 403]),
        ("change", [200, 200, 403, 200, 403]),
        ("delete", [403, 403, 403, 403, 204]),
    ] {
        let right = format!("connection.{permission}_deviceconnection");
        let client = stage.add_manager(permission, &[&right]).await;
        let list = format!("{router}connection/");
        let answers = [
            client.get(&list).await,
            client.get(&path).await,
            client.post(&list, json!({})).await,
            client.patch(&path, json!({})).await,
            client.delete(&path).await,
        ];
        assert_eq!(
            answers.map(|answer| answer.status),
            statuses,
            "{permission}"
        );
    }
}

#[tokio::test]
async fn a_device_is_switched_off_and_on_by_who_may_change_it() {
    let stage = Stage::set_up().await;
    let device = stage.add_device("router").await;
    let viewer = stage.add_manager("viewer", &["config.view_device"]).await;
    for (action, is_active) in [
        ("deactivate", false),
        ("deactivate", false),
        ("activate", true),
    ] {
        let path = format!("{device}{action}/");
        viewer.send("POST", &path, None).await.expect(403);
        let answer = stage.operator.send("POST", &path, None).await.expect(200);
        assert_eq!(answer["is_active"], json!(is_active));
        let seen = stage.operator.get(&device).await.expect(200);
        assert_eq!(seen["is_active"], json!(is_active));
    }
}
