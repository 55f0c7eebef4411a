//! `device/{id}/location/`: put, altered, made, taken away.

use serde_json::{Value, json};

use super::stage::{DEVICES, LOCATIONS, Stage};
use crate::store::AuditFilter;

const NOBODYS: &str = "00000000-0000-4000-8000-000000000009";

fn point(longitude: f64, latitude: f64) -> Value {
    json!({"type": "Point", "coordinates": [longitude, latitude]})
}

/// A stage with a device of the first organization, and the path of its location.
async fn set_up() -> (Stage, String) {
    let stage = Stage::set_up().await;
    let device = stage
        .root
        .make(DEVICES, json!({"name": "bus-7", "organization": stage.own}))
        .await;
    let path = format!("{DEVICES}{device}/location/");
    (stage, path)
}

#[tokio::test]
async fn a_location_is_made_in_the_devices_organization_and_then_altered_in_place() {
    let (stage, path) = set_up().await;
    let new = json!({"name": "Domus Aurea", "type": "outdoor", "address": "Rome", "geometry": point(12.5, 41.9)});
    let made = stage
        .operator
        .put(&path, json!({"location": new}))
        .await
        .expect(201);
    let id = made["location"]["id"].as_str().unwrap();
    let one = stage
        .operator
        .get(&format!("{LOCATIONS}{id}/"))
        .await
        .expect(200);
    assert_eq!(
        (&one["organization"], &one["is_mobile"]),
        (&json!(stage.own), &json!(false))
    );
    assert_eq!(stage.operator.get(&path).await.expect(200), made);

    let change = json!({"location": {"geometry": point(1.0, 2.0), "is_mobile": true}});
    let patched = stage.operator.patch(&path, change).await.expect(200);
    assert_eq!(patched["location"]["id"], json!(id));
    assert_eq!(patched["location"]["geometry"], point(1.0, 2.0));
    assert_eq!(
        patched["location"]["properties"]["name"],
        json!("Domus Aurea")
    );
    assert_eq!(patched["location"]["properties"]["is_mobile"], json!(true));

    // As it is answered it is taken back.
    let same = stage.operator.put(&path, patched.clone()).await.expect(200);
    assert_eq!(same, patched);
    assert_eq!(
        stage.operator.patch(&path, json!({})).await.expect(200),
        patched
    );
    assert_eq!(
        stage.operator.get(LOCATIONS).await.expect(200)["count"],
        json!(1)
    );
}

#[tokio::test]
async fn a_device_is_put_at_a_location_of_its_own_organization_only() {
    let (stage, path) = set_up().await;
    let location = async |organization| {
        let body = json!({"name": "depot", "type": "indoor", "organization": organization, "geometry": point(3.0, 4.0)});
        stage.root.make(LOCATIONS, body).await
    };
    let (own, second, foreign) = (
        location(stage.own).await,
        location(stage.own).await,
        location(stage.other).await,
    );
    stage
        .operator
        .put(&path, json!({"location": own}))
        .await
        .expect(201);
    let moved = stage
        .operator
        .put(&path, json!({"location": second}))
        .await
        .expect(200);
    assert_eq!(moved["location"]["id"], json!(second));
    stage
        .operator
        .patch(&path, json!({"location": own}))
        .await
        .expect(200);
    for id in [&*foreign, NOBODYS] {
        let refused = stage
            .operator
            .put(&path, json!({"location": id}))
            .await
            .expect(400);
        let reason = format!("Invalid pk \"{id}\" - object does not exist.");
        assert_eq!(refused, json!({"location": [reason]}));
    }
    // Even who may everything cannot mix tenants.
    let refused = stage
        .root
        .put(&path, json!({"location": foreign}))
        .await
        .expect(400);
    assert!(refused["location"][0].is_string(), "{refused}");
    let there = stage.operator.get(&path).await.expect(200);
    assert_eq!(there["location"]["id"], json!(own));
}

#[tokio::test]
async fn a_device_taken_away_leaves_the_location() {
    let (stage, path) = set_up().await;
    let nowhere = json!({"detail": "No DeviceLocation matches the given query."});
    assert_eq!(
        stage
            .operator
            .patch(&path, json!({"location": {}}))
            .await
            .expect(404),
        nowhere
    );
    assert_eq!(stage.operator.delete(&path).await.expect(404), nowhere);
    let new = json!({"location": {"name": "bus", "type": "outdoor", "is_mobile": true}});
    let made = stage.operator.put(&path, new).await.expect(201);
    stage.operator.delete(&path).await.expect(204);
    assert_eq!(stage.operator.get(&path).await.expect(404), nowhere);
    let id = made["location"]["id"].as_str().unwrap();
    stage
        .operator
        .get(&format!("{LOCATIONS}{id}/"))
        .await
        .expect(200);
}

#[tokio::test]
async fn what_is_wrong_with_the_location_is_told_within_it() {
    let (stage, path) = set_up().await;
    let required = "This field is required.";
    for (body, expected) in [
        (json!({}), json!({"location": [required]})),
        (
            json!({"location": null}),
            json!({"location": ["This field may not be null."]}),
        ),
        (
            json!({"location": "xyz"}),
            json!({"location": ["“xyz” is not a valid UUID."]}),
        ),
        (
            json!({"location": 7}),
            json!({"location": ["Invalid data. Expected a dictionary, but got int."]}),
        ),
        (
            json!({"location": {}}),
            json!({"location": {"name": [required], "type": [required]}}),
        ),
        (
            json!({"location": {"name": "", "type": "flying", "is_mobile": "perhaps"}}),
            json!({"location": {
                "is_mobile": ["Must be a valid boolean."],
                "name": ["This field may not be blank."],
                "type": ["\"flying\" is not a valid choice."],
            }}),
        ),
        (
            json!({"location": {}, "floorplan": {"floor": 1}, "indoor": "1,2"}),
            json!({"floorplan": ["Floor plans are not kept here."], "indoor": ["Places on floor plans are not kept here."]}),
        ),
    ] {
        assert_eq!(stage.operator.put(&path, body).await.expect(400), expected);
    }
    let fixed = json!({"location": {"name": "depot", "type": "outdoor"}});
    let refused = stage.operator.put(&path, fixed).await.expect(400);
    assert!(refused["location"]["geometry"][0].is_string(), "{refused}");
    assert_eq!(
        stage.operator.get(LOCATIONS).await.expect(200)["count"],
        json!(0)
    );
}

#[tokio::test]
async fn writing_a_location_this_way_needs_the_right_to_write_locations() {
    let (stage, path) = set_up().await;
    let new = json!({"location": {"name": "bus", "type": "outdoor", "is_mobile": true}});
    let here = ["geo.add_devicelocation", "geo.change_devicelocation"];
    let bare = stage.add_manager("bare", &here).await;
    bare.put(&path, new.clone()).await.expect(403);
    let adder = stage
        .add_manager("adder", &[here[0], here[1], "geo.add_location"])
        .await;
    adder.put(&path, new.clone()).await.expect(201);
    adder
        .patch(&path, json!({"location": {"name": "x"}}))
        .await
        .expect(403);
    let changer = stage
        .add_manager("changer", &[here[1], "geo.change_location"])
        .await;
    changer
        .patch(&path, json!({"location": {"name": "x"}}))
        .await
        .expect(200);
    changer.delete(&path).await.expect(403);
    stage.operator.delete(&path).await.expect(204);
    // Making one is an addition, also by PUT.
    changer.put(&path, new).await.expect(403);
}

#[tokio::test]
async fn a_device_of_another_organization_is_nowhere() {
    let (stage, _) = set_up().await;
    let device = json!({"name": "bus-8", "organization": stage.other});
    let path = format!(
        "{DEVICES}{}/location/",
        stage.root.make(DEVICES, device).await
    );
    let new = json!({"location": {"name": "bus", "type": "outdoor", "is_mobile": true}});
    stage.operator.get(&path).await.expect(404);
    stage.operator.put(&path, new.clone()).await.expect(404);
    stage.operator.patch(&path, new.clone()).await.expect(404);
    stage.operator.delete(&path).await.expect(404);
    stage.root.put(&path, new).await.expect(201);
}

#[tokio::test]
async fn whoever_alters_a_location_through_a_device_is_named_in_the_audit_log() {
    let (stage, path) = set_up().await;
    let new = json!({"location": {"name": "bus", "type": "outdoor", "is_mobile": true}});
    stage.operator.put(&path, new).await.expect(201);
    let name = json!({"location": {"name": "coach"}});
    stage.operator.patch(&path, name).await.expect(200);
    let filter = AuditFilter {
        actor: Some("operator".into()),
        most: 100,
        ..AuditFilter::default()
    };
    let entries = stage.app.store.audit(&filter).await.unwrap();
    let of_a_location = entries.iter().filter(|entry| entry.model == "Location");
    let actions: Vec<&str> = of_a_location.map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["change", "add"]);
}
