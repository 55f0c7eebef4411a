//! Reports of devices, and what writes to devices and locations keep.

use serde_json::{Value, json};

use super::stage::{DEVICES, LOCATIONS, Stage};
use crate::event::Timestamp;
use crate::store::OrganizationChange;

/// A device of the first organization: its id and the path it reports to.
async fn device(stage: &Stage, name: &str) -> (String, String) {
    let body = json!({"name": name, "organization": stage.own});
    let made = stage.root.post(DEVICES, body).await.expect(201);
    let id = made["id"].as_str().unwrap().to_owned();
    let path = format!(
        "{DEVICES}{id}/coordinates/?key={}",
        made["key"].as_str().unwrap()
    );
    (id, path)
}

fn report(longitude: f64, time: Option<&str>) -> Value {
    let geometry = json!({"type": "Point", "coordinates": [longitude, 1.0]});
    match time {
        Some(time) => {
            json!({"type": "Feature", "geometry": geometry, "properties": {"time": time}})
        }
        None => json!({"type": "Feature", "geometry": geometry}),
    }
}

#[tokio::test]
async fn an_older_report_is_answered_with_the_present_place_and_alters_nothing() {
    let stage = Stage::set_up().await;
    let (_, path) = device(&stage, "bus").await;
    for (time, sent, place) in [
        (Some("2026-07-01T12:00:00Z"), 1.0, 1.0),
        (Some("2026-07-01T11:59:59.999999Z"), 2.0, 1.0),
        // The same instant, written elsewhere.
        (Some("2026-07-01T14:00:01+02:00"), 3.0, 3.0),
        (None, 4.0, 4.0),
        (Some("2026-07-01T12:00:00Z"), 5.0, 4.0),
        (Some("2026-07-01T12:00:02Z"), 6.0, 6.0),
    ] {
        let answer = stage
            .nobody
            .put(&path, report(sent, time))
            .await
            .expect(200);
        assert_eq!(
            answer["geometry"]["coordinates"][0],
            json!(place),
            "{time:?}"
        );
    }
    let ahead = Timestamp::now().plus_seconds(25 * 3600).to_string();
    let refused = stage
        .nobody
        .put(&path, report(7.0, Some(&ahead)))
        .await
        .expect(400);
    assert!(refused["time"][0].is_string(), "{refused}");
}

#[tokio::test]
async fn what_is_wrong_with_a_report_is_told_to_the_device_alone() {
    let stage = Stage::set_up().await;
    let (id, path) = device(&stage, "bus").await;
    let wrong = format!("{DEVICES}{id}/coordinates/?key=wrong");
    for body in ["{}", "{", "[]", &" ".repeat(2 << 20)] {
        let json = Some("application/json");
        stage
            .nobody
            .send_text("PUT", &wrong, json, body)
            .await
            .expect(401);
        let told = stage.nobody.send_text("PUT", &path, json, body).await;
        assert!([400, 413].contains(&told.status), "{}", told.status);
    }
    stage
        .nobody
        .send_text("PUT", &wrong, Some("text/plain"), "x")
        .await
        .expect(401);
    stage
        .nobody
        .send_text("PUT", &path, Some("text/plain"), "x")
        .await
        .expect(415);
}

#[tokio::test]
async fn a_device_of_an_inactive_organization_does_not_report() {
    let stage = Stage::set_up().await;
    let (_, path) = device(&stage, "bus").await;
    stage.nobody.put(&path, report(1.0, None)).await.expect(200);
    let inactive = OrganizationChange {
        is_active: Some(false),
        ..Default::default()
    };
    stage
        .app
        .store
        .change_organization(stage.own, &inactive)
        .await
        .unwrap();
    let refused = stage.nobody.put(&path, report(2.0, None)).await.expect(403);
    assert_eq!(
        refused,
        json!({"detail": "The organization of this device is not active."})
    );
    stage.nobody.get(&path).await.expect(403);
    stage.nobody.put(&path, json!({})).await.expect(403);
    // Nor does its manager manage it any more; a superuser still sees it.
    assert_eq!(
        stage.operator.get(DEVICES).await.expect(200)["count"],
        json!(0)
    );
    assert_eq!(stage.root.get(DEVICES).await.expect(200)["count"], json!(1));
}

#[tokio::test]
async fn a_regenerated_key_ends_the_old_one() {
    let stage = Stage::set_up().await;
    let (id, old) = device(&stage, "bus").await;
    stage.nobody.put(&old, report(1.0, None)).await.expect(200);
    let path = format!("{DEVICES}{id}/regenerate-key/");
    let viewer = stage.add_manager("viewer", &["config.view_device"]).await;
    viewer.send("POST", &path, None).await.expect(403);
    let renewed = stage.operator.send("POST", &path, None).await.expect(200);
    stage.nobody.put(&old, report(2.0, None)).await.expect(401);
    let new = format!(
        "{DEVICES}{id}/coordinates/?key={}",
        renewed["key"].as_str().unwrap()
    );
    stage.nobody.put(&new, report(2.0, None)).await.expect(200);
}

#[tokio::test]
async fn a_device_keeps_what_is_left_out_and_loses_what_is_null() {
    let stage = Stage::set_up().await;
    let whole = json!({
        "name": "router", "organization": stage.own, "mac_address": "00:11:22:33:44:AA",
        "key": "0123456789abcdefghijKLMNOPQRSTUV", "last_ip": "10.0.0.1", "management_ip": "::1",
        "notes": "on the roof", "addresses": ["router.test", "10.0.0.1"],
        // Not kept, and not minded.
        "group": null, "model": "x", "os": "", "config": {"backend": "y"}, "id": "ignored",
    });
    let made = stage
        .operator
        .post(DEVICES, whole.clone())
        .await
        .expect(201);
    let kept = [
        "name",
        "organization",
        "mac_address",
        "key",
        "last_ip",
        "management_ip",
        "notes",
        "addresses",
    ];
    for field in kept {
        assert_eq!(made[field], whole[field], "{field}");
    }
    let path = format!("{DEVICES}{}/", made["id"].as_str().unwrap());
    let renamed = json!({"name": "renamed", "organization": stage.own});
    let put = stage.operator.put(&path, renamed).await.expect(200);
    for field in kept.iter().filter(|field| **field != "name") {
        assert_eq!(put[field], whole[field], "{field}");
    }
    let cleared = json!({"mac_address": null, "last_ip": "", "management_ip": null, "addresses": [], "notes": ""});
    let cleared = stage.operator.patch(&path, cleared).await.expect(200);
    for (field, empty) in [
        ("mac_address", json!(null)),
        ("last_ip", json!(null)),
        ("management_ip", json!(null)),
        ("addresses", json!([])),
        ("notes", json!("")),
    ] {
        assert_eq!(cleared[field], empty, "{field}");
    }
}

#[tokio::test]
async fn everything_wrong_with_a_device_is_told_at_once() {
    let stage = Stage::set_up().await;
    let wrong = json!({
        "name": "x".repeat(65), "organization": 7, "mac_address": "zz", "key": "short",
        "last_ip": "localhost", "management_ip": "10.0.0.256", "notes": [], "addresses": [" "],
    });
    let told = stage
        .operator
        .post(DEVICES, wrong.clone())
        .await
        .expect(400);
    let fields: Vec<_> = told.as_object().unwrap().keys().collect();
    let mut expected: Vec<_> = wrong.as_object().unwrap().keys().collect();
    expected.sort();
    assert_eq!(fields, expected, "{told}");
    let wrong = json!({"name": "x".repeat(76), "type": 7, "address": "x".repeat(257), "geometry": 7, "organization": "", "is_mobile": null, "floorplan": [1]});
    let told = stage
        .operator
        .post(LOCATIONS, wrong.clone())
        .await
        .expect(400);
    let fields: Vec<_> = told.as_object().unwrap().keys().collect();
    let mut expected: Vec<_> = wrong.as_object().unwrap().keys().collect();
    expected.sort();
    assert_eq!(fields, expected, "{told}");
}

#[tokio::test]
async fn nothing_is_given_away_to_an_organization_that_is_not_managed() {
    let stage = Stage::set_up().await;
    let (id, _) = device(&stage, "bus").await;
    let away = json!({"organization": stage.other});
    stage
        .operator
        .patch(&format!("{DEVICES}{id}/"), away.clone())
        .await
        .expect(400);
    stage
        .root
        .patch(&format!("{DEVICES}{id}/"), away.clone())
        .await
        .expect(200);
    stage
        .operator
        .get(&format!("{DEVICES}{id}/"))
        .await
        .expect(404);
    let location =
        json!({"name": "bus", "type": "outdoor", "is_mobile": true, "organization": stage.own});
    let id = stage.operator.make(LOCATIONS, location).await;
    stage
        .operator
        .patch(&format!("{LOCATIONS}{id}/"), away)
        .await
        .expect(400);
    assert_eq!(
        stage.operator.get(LOCATIONS).await.expect(200)["count"],
        json!(1)
    );
}

#[tokio::test]
async fn made_up_keys_have_an_end_and_who_is_known_goes_by() {
    let stage = Stage::set_up().await;
    let (id, path) = device(&stage, "bus").await;
    let place = report(1.0, None);
    stage.nobody.put(&path, place.clone()).await.expect(200);
    let mut number = 0;
    let refused = loop {
        let forged = format!("{DEVICES}{id}/coordinates/?key=made-up-{number}");
        let answer = stage.nobody.get(&forged).await;
        number += 1;
        if answer.status != 401 {
            break answer;
        }
    };
    assert_eq!(refused.status, 429);
    let forged = format!("{DEVICES}{id}/coordinates/?key=made-up");
    let put = stage.nobody.put(&forged, place.clone()).await;
    assert!([401, 429].contains(&put.status), "{}", put.status);
    stage.nobody.put(&path, place).await.expect(200);
}
