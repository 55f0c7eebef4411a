//! `credential/`: login data that goes in and is never seen again.

use serde_json::json;

use super::{CREDENTIALS, NOBODYS_ID, Stage, assert_timestamp, keys, one, text};

const SSH: &str = "openwisp_controller.connection.connectors.ssh.Ssh";

#[tokio::test]
async fn a_credential_has_openwisps_fields_without_its_secret() {
    let stage = Stage::set_up().await;
    let body = json!({
        "name": "routers", "organization": stage.own, "connector": SSH, "auto_add": false,
        "params": {"username": "root", "password": "pass1234", "port": 22},
    });
    let made = stage.root.post(CREDENTIALS, &body).await.expect(201);
    let expected = [
        "id",
        "connector",
        "name",
        "organization",
        "auto_add",
        "params",
        "created",
        "modified",
        "old_algorithms",
    ];
    assert_eq!(keys(&made), expected);
    assert_eq!(made["params"], json!({"username": "root", "port": 22}));
    assert_eq!(made["connector"], json!(SSH));
    assert_timestamp(&made["created"]);
    let path = one(CREDENTIALS, &text(&made["id"]));
    assert_eq!(stage.root.get(&path).await.expect(200), made);
    let list = stage.root.get(CREDENTIALS).await.expect(200);
    assert_eq!(list["results"], json!([made]));
    stage.root.delete(&path).await.expect(204);
    let detail = json!({"detail": "No Credentials matches the given query."});
    assert_eq!(stage.root.get(&path).await.expect(404), detail);
    let nobodys = one(CREDENTIALS, NOBODYS_ID);
    assert_eq!(stage.root.get(&nobodys).await.expect(404), detail);
}

#[tokio::test]
async fn what_was_read_can_be_written_back_with_something_else_in_it() {
    let stage = Stage::set_up().await;
    let id = stage.credential("routers", "kept to itself").await;
    let path = one(CREDENTIALS, &id);
    let mut body = stage.root.get(&path).await.expect(200);
    body["name"] = json!("gateways");
    body["params"]["port"] = json!(2222);
    let written = stage.root.put(&path, &body).await.expect(200);
    assert_eq!(written["name"], json!("gateways"));
    assert_eq!(written["params"], body["params"]);
    let another = json!({"params": {"password": "another one"}});
    let written = stage.root.patch(&path, &another).await.expect(200);
    assert_eq!(written["params"], body["params"]);
}

#[tokio::test]
async fn what_is_wrong_is_said_by_field_and_repeats_no_secret() {
    let stage = Stage::set_up().await;
    let required = json!(["This field is required."]);
    assert_eq!(
        stage.root.post(CREDENTIALS, &json!({})).await.expect(400),
        json!({"name": required, "organization": required, "params": required})
    );
    for params in [
        json!({"username": "root"}),
        json!({"password": "t0psecret"}),
        json!({"username": "root", "password": "t0psecret", "key": "t0psecret"}),
        json!({"username": "root", "key": "t0psecret"}),
        json!({"username": "root", "password": ["t0psecret"]}),
        json!({"username": "root", "password": "t0psecret", "port": 99999}),
        json!({"username": "root", "password": "t0psecret", "port": "t0psecret"}),
        json!({"username": "root", "password": "t0psecret".repeat(100)}),
        json!("t0psecret"),
    ] {
        let body = json!({"name": "a", "organization": stage.own, "params": params});
        let told = stage.root.post(CREDENTIALS, &body).await;
        assert!(!told.text.contains("t0psecret"), "{params}: {}", told.text);
        let told = told.expect(400);
        assert_eq!(keys(&told), ["params"], "{params}");
    }
    assert_eq!(
        stage.root.get(CREDENTIALS).await.expect(200)["count"],
        json!(0)
    );
}

#[tokio::test]
async fn operators_use_credentials_that_they_do_not_see() {
    let stage = Stage::set_up().await;
    let path = one(
        CREDENTIALS,
        &stage.credential("routers", "kept to itself").await,
    );
    stage.operator.get(CREDENTIALS).await.expect(403);
    stage.operator.get(&path).await.expect(403);
    stage.nobody.get(&path).await.expect(401);
    let flags = [
        "--staff",
        "--group",
        "Administrator",
        "--manages",
        &stage.own,
    ];
    let administrator = stage.client_of("administrator", &flags);
    administrator.get(&path).await.expect(200);
    let params = json!({"username": "root", "password": "kept to itself"});
    let foreign = json!({"name": "a", "organization": stage.other, "params": params});
    let detail = format!("Invalid pk \"{}\" - object does not exist.", stage.other);
    assert_eq!(
        administrator.post(CREDENTIALS, &foreign).await.expect(400),
        json!({"organization": [detail]})
    );
    let foreign = stage.root.post(CREDENTIALS, &foreign).await.expect(201);
    let foreign = one(CREDENTIALS, &text(&foreign["id"]));
    administrator.get(&foreign).await.expect(404);
    administrator.delete(&foreign).await.expect(404);
}

#[tokio::test]
async fn a_password_is_in_no_file() {
    let stage = Stage::set_up_with(&[("LOG__LEVEL", "trace")]).await;
    let id = stage.credential("routers", "t0psecret-1").await;
    let another = json!({"params": {"password": "t0psecret-2"}});
    let path = one(CREDENTIALS, &id);
    stage.root.patch(&path, &another).await.expect(200);
    let broken = r#"{"params": {"password": "t0psecret-3""#.to_owned();
    let method = reqwest::Method::PATCH;
    let told = stage.root.send(method, &path, Some(broken)).await;
    assert!(!told.text.contains("t0psecret"), "{}", told.text);
    told.expect(400);
    assert!(!stage.server.files_with("routers").is_empty());
    assert_eq!(
        stage.server.files_with("t0psecret"),
        [] as [std::path::PathBuf; 0]
    );
}
