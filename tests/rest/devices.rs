//! `device/`: who may see, make, change and remove one, and where it is.

use serde_json::json;

use super::{DEVICES, LOCATIONS, NOBODYS_ID, Stage, assert_timestamp, keys, one};
use crate::support::{feature, point};

#[tokio::test]
async fn a_device_has_openwisps_fields() {
    let stage = Stage::set_up().await;
    let body = json!({
        "name": "router-1", "organization": stage.own, "mac_address": "00:11:22:33:44:aa",
        "management_ip": "10.0.0.9",
    });
    let made = stage.operator.post(DEVICES, &body).await.expect(201);
    for key in [
        "id",
        "name",
        "organization",
        "mac_address",
        "key",
        "last_ip",
        "management_ip",
        "notes",
        "created",
        "modified",
        "addresses",
    ] {
        assert!(
            made.get(key).is_some(),
            "{key} is missing: {:?}",
            keys(&made)
        );
    }
    for (key, value) in body.as_object().unwrap() {
        assert_eq!(made[key], *value, "{key}");
    }
    let key = made["key"].as_str().unwrap();
    assert!(
        key.len() == 32 && key.bytes().all(|it| it.is_ascii_alphanumeric()),
        "{key}"
    );
    assert_eq!(
        (&made["last_ip"], &made["notes"]),
        (&json!(null), &json!(""))
    );
    assert_timestamp(&made["created"]);
    assert_timestamp(&made["modified"]);
    let path = one(DEVICES, made["id"].as_str().unwrap());
    assert_eq!(
        stage.operator.get(&path).await.expect(200)["key"],
        made["key"]
    );
    let list = stage.operator.get(DEVICES).await.expect(200);
    assert_eq!(keys(&list), ["count", "next", "previous", "results"]);
    assert_eq!(
        (&list["count"], &list["results"][0]["id"]),
        (&json!(1), &made["id"])
    );
}

#[tokio::test]
async fn what_is_wrong_is_said_by_field_in_openwisps_words() {
    let stage = Stage::set_up().await;
    let body = json!({"name": "", "organization": "nope", "mac_address": "zz"});
    assert_eq!(
        stage.root.post(DEVICES, &body).await.expect(400),
        json!({
            "name": ["This field may not be blank."],
            "organization": ["“nope” is not a valid UUID."],
            "mac_address": ["Must be a valid mac address."],
        })
    );
    let body =
        json!({"name": "router", "organization": stage.other, "mac_address": "00:11:22:33:44:ab"});
    let detail = format!("Invalid pk \"{}\" - object does not exist.", stage.other);
    assert_eq!(
        stage.operator.post(DEVICES, &body).await.expect(400),
        json!({"organization": [detail]})
    );
}

#[tokio::test]
async fn a_device_is_patched_replaced_and_removed() {
    let stage = Stage::set_up().await;
    let device = stage.seed().device("router", &stage.own);
    let path = one(DEVICES, &device.id);
    let patched = stage
        .operator
        .patch(&path, &json!({"notes": "on the roof"}))
        .await
        .expect(200);
    assert_eq!(
        (&patched["notes"], &patched["name"]),
        (&json!("on the roof"), &json!("router"))
    );
    assert_eq!(patched["key"], json!(device.key));
    let body =
        json!({"name": "router-2", "organization": stage.own, "mac_address": "00:11:22:33:44:ac"});
    let replaced = stage.operator.put(&path, &body).await.expect(200);
    assert_eq!(
        (&replaced["name"], &replaced["mac_address"]),
        (&body["name"], &body["mac_address"])
    );
    assert_eq!(stage.operator.delete(&path).await.status, 204);
    let detail = json!({"detail": "No Device matches the given query."});
    assert_eq!(stage.operator.get(&path).await.expect(404), detail);
    assert_eq!(
        stage
            .operator
            .get(&one(DEVICES, NOBODYS_ID))
            .await
            .expect(404),
        detail
    );
}

#[tokio::test]
async fn a_tenant_sees_and_touches_only_its_own() {
    let stage = Stage::set_up().await;
    let own = stage.seed().device("own", &stage.own);
    let foreign = stage.seed().device("foreign", &stage.other);
    let list = stage.operator.get(DEVICES).await.expect(200);
    assert_eq!(
        (&list["count"], &list["results"][0]["id"]),
        (&json!(1), &json!(own.id))
    );
    let path = one(DEVICES, &foreign.id);
    let detail = json!({"detail": "No Device matches the given query."});
    assert_eq!(stage.operator.get(&path).await.expect(404), detail);
    assert_eq!(
        stage
            .operator
            .patch(&path, &json!({"name": "mine"}))
            .await
            .expect(404),
        detail
    );
    assert_eq!(stage.operator.delete(&path).await.expect(404), detail);
    stage
        .operator
        .get(&format!("{path}location/"))
        .await
        .expect(404);
    stage.root.get(&path).await.expect(200);
}

#[tokio::test]
async fn each_method_needs_its_permission() {
    let stage = Stage::set_up().await;
    let device = stage.seed().device("router", &stage.own);
    let path = one(DEVICES, &device.id);
    let body =
        json!({"name": "router-2", "organization": stage.own, "mac_address": "00:11:22:33:44:ad"});
    for (permission, read, add, change, delete) in [
        ("config.view_device", 200, 403, 403, 403),
        ("config.add_device", 403, 201, 403, 403),
        ("config.change_device", 200, 403, 200, 403),
        ("geo.view_location", 403, 403, 403, 403),
        ("config.delete_device", 403, 403, 403, 204),
    ] {
        let flags = [
            "--staff",
            "--permission",
            permission,
            "--manages",
            &stage.own,
        ];
        let client = stage.client_of(permission, &flags);
        assert_eq!(client.get(&path).await.status, read, "{permission}");
        assert_eq!(client.get(DEVICES).await.status, read, "{permission}");
        assert_eq!(
            client.post(DEVICES, &body).await.status,
            add,
            "{permission}"
        );
        assert_eq!(
            client.patch(&path, &json!({"notes": "x"})).await.status,
            change,
            "{permission}"
        );
        assert_eq!(client.delete(&path).await.status, delete, "{permission}");
    }
}

#[tokio::test]
async fn a_new_key_ends_the_old_one() {
    let stage = Stage::set_up().await;
    let device = stage.seed().device("bus-7", &stage.own);
    stage
        .nobody
        .put(&device.coordinates_path(), &feature(1.0, 2.0))
        .await;
    let key = "0123456789abcdefghijKLMNOPQRSTUV";
    let path = one(DEVICES, &device.id);
    assert_eq!(
        stage
            .operator
            .patch(&path, &json!({"key": key}))
            .await
            .expect(200)["key"],
        json!(key)
    );
    stage
        .nobody
        .put(&device.coordinates_path(), &feature(3.0, 4.0))
        .await
        .expect(401);
    let renewed = format!("{path}coordinates/?key={key}");
    stage
        .nobody
        .put(&renewed, &feature(3.0, 4.0))
        .await
        .expect(200);
    for bad in [
        "",
        "short",
        "with a blank and 32 characters  ",
        &"x".repeat(65),
    ] {
        stage
            .operator
            .patch(&path, &json!({"key": bad}))
            .await
            .expect(400);
    }
}

#[tokio::test]
async fn a_key_is_regenerated_on_request() {
    let stage = Stage::set_up().await;
    let device = stage.seed().device("bus-7", &stage.own);
    let path = format!("{}regenerate-key/", one(DEVICES, &device.id));
    let flags = [
        "--staff",
        "--permission",
        "config.view_device",
        "--manages",
        &stage.own,
    ];
    let viewer = stage.client_of("viewer", &flags);
    viewer.post(&path, &json!({})).await.expect(403);
    stage.nobody.post(&path, &json!({})).await.expect(401);
    let renewed = stage.operator.post(&path, &json!({})).await.expect(200);
    let key = renewed["key"].as_str().unwrap();
    assert_ne!(key, device.key);
    assert_eq!(key.len(), 32);
    let old = device.coordinates_path();
    stage.nobody.put(&old, &feature(1.0, 2.0)).await.expect(401);
    let path = format!("{}coordinates/?key={key}", one(DEVICES, &device.id));
    assert!(
        stage
            .nobody
            .put(&path, &feature(1.0, 2.0))
            .await
            .is_success()
    );
}

#[tokio::test]
async fn where_a_device_is_has_openwisps_shape() {
    let stage = Stage::set_up().await;
    let device = stage.seed().device("bus-7", &stage.own);
    let path = format!("{}location/", one(DEVICES, &device.id));
    let detail = json!({"detail": "No DeviceLocation matches the given query."});
    assert_eq!(stage.operator.get(&path).await.expect(404), detail);
    stage
        .nobody
        .put(&device.coordinates_path(), &feature(12.5, 41.9))
        .await;
    let at = stage.operator.get(&path).await.expect(200);
    assert_eq!(keys(&at), ["location", "floorplan", "indoor"]);
    let id = at["location"]["id"].clone();
    assert_eq!(
        at,
        json!({
            "location": {
                "id": id, "type": "Feature", "geometry": point(12.5, 41.9),
                "properties": {"type": "outdoor", "is_mobile": true, "name": "bus-7", "address": ""},
            },
            "floorplan": null,
            "indoor": null,
        })
    );
    // A removed device leaves its location.
    stage.operator.delete(&one(DEVICES, &device.id)).await;
    stage
        .operator
        .get(&one(LOCATIONS, id.as_str().unwrap()))
        .await
        .expect(200);
}
