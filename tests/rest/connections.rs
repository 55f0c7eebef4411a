//! `device/{id}/connection/`: which login data a device is reached with; and devices switched off.

use serde_json::json;

use super::{CREDENTIALS, DEVICES, NOBODYS_ID, Stage, assert_timestamp, keys, one, text};

#[tokio::test]
async fn a_connection_has_openwisps_fields() {
    let stage = Stage::set_up().await;
    let device = stage.seed().device("router", &stage.own);
    let list = format!("{}connection/", one(DEVICES, &device.id));
    let credential = stage.credential("routers", "kept to itself").await;
    let strategy = "openwisp_controller.connection.connectors.openwrt.ssh.OpenWrt";
    let body = json!({"credentials": credential, "update_strategy": strategy, "enabled": true});
    let made = stage.operator.post(&list, &body).await.expect(201);
    let expected = [
        "id",
        "credentials",
        "update_strategy",
        "enabled",
        "is_working",
        "failure_reason",
        "last_attempt",
        "created",
        "modified",
        "host_key",
    ];
    assert_eq!(keys(&made), expected);
    assert_eq!(made["credentials"], json!(credential));
    assert_timestamp(&made["created"]);
    let path = one(&list, &text(&made["id"]));
    assert_eq!(stage.operator.get(&path).await.expect(200), made);
    let listed = stage.operator.get(&list).await.expect(200);
    assert_eq!(listed["results"], json!([made]));
    let off = json!({"credentials": credential, "enabled": false});
    let off = stage.operator.put(&path, &off).await.expect(200);
    assert_eq!(off["enabled"], json!(false));
    let forgotten = json!({"host_key": null});
    stage.operator.patch(&path, &forgotten).await.expect(200);
    let pinned = json!({"host_key": "ssh-ed25519 AAAA"});
    stage.operator.patch(&path, &pinned).await.expect(400);
    stage.operator.delete(&path).await.expect(204);
    let detail = json!({"detail": "No DeviceConnection matches the given query."});
    assert_eq!(stage.operator.get(&path).await.expect(404), detail);
}

#[tokio::test]
async fn a_tenant_connects_its_own_devices_with_its_own_credentials() {
    let stage = Stage::set_up().await;
    let device = stage.seed().device("router", &stage.own);
    let foreign = stage.seed().device("router", &stage.other);
    let params = json!({"username": "root", "password": "kept to itself"});
    let body = json!({"name": "a", "organization": stage.other, "params": params});
    let made = stage.root.post(CREDENTIALS, &body).await.expect(201);
    let theirs = text(&made["id"]);
    let body = json!({"credentials": theirs});
    for (device, client, expected) in [
        (&device.id, &stage.operator, 400),
        (&device.id, &stage.root, 400),
        (&foreign.id, &stage.operator, 404),
        (&NOBODYS_ID.to_owned(), &stage.root, 404),
        (&foreign.id, &stage.nobody, 401),
        (&foreign.id, &stage.root, 201),
    ] {
        let list = format!("{}connection/", one(DEVICES, device));
        client.post(&list, &body).await.expect(expected);
    }
    // A device does not take somebody's login data along.
    let moved = json!({"organization": stage.own});
    let path = one(DEVICES, &foreign.id);
    let told = stage.root.patch(&path, &moved).await.expect(400);
    assert_eq!(keys(&told), ["organization"]);
}

#[tokio::test]
async fn a_device_that_is_switched_off_takes_no_command() {
    let stage = Stage::set_up().await;
    let path = one(DEVICES, &stage.router("router").await);
    let nothing = json!({});
    let body = json!({"type": "custom", "input": {"command": "uptime"}});
    let (activate, deactivate) = (format!("{path}activate/"), format!("{path}deactivate/"));
    let off = stage.operator.post(&deactivate, &nothing).await.expect(200);
    assert_eq!(off["is_active"], json!(false));
    let commands = format!("{path}command/");
    let told = stage.operator.post(&commands, &body).await.expect(400);
    assert_eq!(told, json!({"device": ["Device is deactivated."]}));
    let on = stage.operator.post(&activate, &nothing).await.expect(200);
    assert_eq!(on["is_active"], json!(true));
    stage.operator.post(&commands, &body).await.expect(201);
    let flags = [
        "--staff",
        "--permission",
        "config.view_device",
        "--manages",
        &stage.own,
    ];
    let viewer = stage.client_of("viewer", &flags);
    viewer.post(&deactivate, &nothing).await.expect(403);
    let foreign = one(DEVICES, &stage.seed().device("router", &stage.other).id);
    let foreign = format!("{foreign}deactivate/");
    stage.operator.post(&foreign, &nothing).await.expect(404);
}
