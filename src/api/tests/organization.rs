//! Organizations.

use serde_json::json;

use super::shape::fits;
use super::stage::{ORGANIZATIONS, Stage};

#[tokio::test]
async fn an_organization_has_openwisps_fields_and_keeps_its_slug() {
    let stage = Stage::set_up().await;
    let body = json!({
        "name": "Metro Transit", "description": "Trams", "email": "metro@example.org",
        "url": "https://metro.example.org", "owner": {"organization_user": null},
    });
    let made = stage.root.post(ORGANIZATIONS, body).await.expect(201);
    let shape = json!({
        "id": "<uuid>", "name": "Metro Transit", "is_active": true, "slug": "metro-transit",
        "description": "Trams", "email": "metro@example.org", "url": "https://metro.example.org",
        "created": "<time>", "modified": "<time>",
    });
    assert!(fits(&made, &shape), "{made}");
    let path = format!("{ORGANIZATIONS}{}/", made["id"].as_str().unwrap());
    assert_eq!(stage.root.get(&path).await.expect(200), made);
    let list = stage.root.get(ORGANIZATIONS).await.expect(200);
    assert_eq!((&list["count"], &list["results"][0]), (&json!(3), &made));
    let renamed = stage
        .root
        .patch(&path, json!({"name": "Metro Lines"}))
        .await
        .expect(200);
    assert_eq!(renamed["slug"], json!("metro-transit"));
    let moved = stage
        .root
        .patch(&path, json!({"slug": "metro_lines-2"}))
        .await
        .expect(200);
    assert_eq!(moved["slug"], json!("metro_lines-2"));
    for (body, told) in [
        (json!({}), json!({"name": ["This field is required."]})),
        (
            json!({"name": "a", "slug": "own"}),
            json!({"slug": ["organization with this slug already exists."]}),
        ),
        (
            json!({"name": "own"}),
            json!({"name": ["An organization with this name exists already."]}),
        ),
        (
            json!({"name": "a", "slug": "a b", "email": "x", "url": "y"}),
            json!({
                "email": ["Enter a valid email address."],
                "slug": ["Enter a valid \"slug\" consisting of letters, numbers, underscores or hyphens."],
                "url": ["Enter a valid URL."],
            }),
        ),
    ] {
        assert_eq!(stage.root.post(ORGANIZATIONS, body).await.expect(400), told);
    }
    let administrator = stage.administrator().await;
    administrator.get(&path).await.expect(404);
    assert_eq!(
        administrator.get(ORGANIZATIONS).await.expect(200)["count"],
        json!(1)
    );
    let own = format!("{ORGANIZATIONS}{}/", stage.own);
    let mut body = administrator.get(&own).await.expect(200);
    body["name"] = json!("Own Lines");
    administrator.put(&own, body).await.expect(200);
    stage.root.delete(&path).await.expect(204);
    let told = stage.root.get(&path).await.expect(404);
    assert_eq!(
        told,
        json!({"detail": "No Organization matches the given query."})
    );
}
