//! Who am I, and what may I.

use serde_json::json;

use super::shape::fits;
use super::stage::{ME, Stage, with};

#[tokio::test]
async fn everybody_learns_who_they_are_and_may_be_called_otherwise() {
    let stage = Stage::set_up().await;
    let group = stage.app.store.find_group("Operator").await.unwrap();
    let me = stage.operator.get(ME).await.expect(200);
    let shape = json!({
        "id": stage.id_of("operator").await, "username": "operator", "first_name": "",
        "last_name": "", "email": "", "is_staff": true, "is_superuser": false,
        "expiration_date": null, "date_joined": "<time>", "permissions": me["permissions"],
        "organizations": [{"id": stage.own, "name": "Own", "slug": "own", "is_manager": true}],
        "groups": [{"id": group.id, "name": "Operator"}],
    });
    assert!(fits(&me, &shape), "{me}");
    let held = |name: &str| me["permissions"].as_array().unwrap().contains(&json!(name));
    assert!(
        held("geo.change_location") && held("geo.view_location"),
        "implied by it"
    );
    assert!(!held("openwisp_users.view_user"));
    let root = stage.root.get(ME).await.expect(200);
    assert_eq!(root["permissions"].as_array().unwrap().len(), 40);
    let change = json!({
        "first_name": "Olga", "last_name": "O", "email": "olga@example.org",
        "is_superuser": true, "username": "root2", "permissions": [], "organizations": [],
    });
    let changed = stage.operator.patch(ME, change).await.expect(200);
    let expected = with(
        me,
        &json!({"first_name": "Olga", "last_name": "O", "email": "olga@example.org"}),
    );
    assert_eq!(changed, expected, "and nothing else");
    let told = stage
        .root
        .patch(ME, json!({"email": "olga@example.org"}))
        .await
        .expect(400);
    assert_eq!(
        told,
        json!({"email": ["user with this email address already exists."]})
    );
    stage.nobody.get(ME).await.expect(401);
}
