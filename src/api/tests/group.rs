//! Groups.

use serde_json::json;

use super::shape::fits;
use super::stage::{GROUPS, Stage};

#[tokio::test]
async fn a_group_has_a_name_and_permissions_by_name() {
    let stage = Stage::set_up().await;
    let body =
        json!({"name": "Viewers", "permissions": ["geo.view_location", "config.view_device"]});
    let made = stage.root.post(GROUPS, body).await.expect(201);
    let permissions = ["config.view_device", "geo.view_location"];
    let shape = json!({"id": "<uuid>", "name": "Viewers", "permissions": permissions});
    assert!(fits(&made, &shape), "{made}");
    let path = format!("{GROUPS}{}/", made["id"].as_str().unwrap());
    assert_eq!(stage.root.get(&path).await.expect(200), made);
    assert_eq!(stage.root.put(&path, made.clone()).await.expect(200), made);
    let list = stage
        .root
        .get(&format!("{GROUPS}?page_size=2"))
        .await
        .expect(200);
    let names: Vec<_> = list["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["name"])
        .collect();
    assert_eq!(names, ["Administrator", "Operator"], "by name");
    assert_eq!(list["count"], json!(3));
    let change = json!({"permissions": ["geo.add_location"]});
    let changed = stage.root.patch(&path, change).await.expect(200);
    assert_eq!(changed["permissions"], json!(["geo.add_location"]));
    for (body, told) in [
        (json!({}), json!({"name": ["This field is required."]})),
        (
            json!({"name": "Operator"}),
            json!({"name": ["group with this name already exists."]}),
        ),
        (
            json!({"name": "a", "permissions": ["1: x | y"]}),
            json!({"permissions": ["Invalid pk \"1: x | y\" - object does not exist."]}),
        ),
    ] {
        assert_eq!(stage.root.post(GROUPS, body).await.expect(400), told);
    }
    stage.root.delete(&path).await.expect(204);
    let told = stage.root.get(&path).await.expect(404);
    assert_eq!(told, json!({"detail": "No Group matches the given query."}));
}
