//! `location/`: lists, GeoJSON, and the ways to change one.

use serde_json::{Value, json};

use super::{DEVICES, LOCATIONS, NOBODYS_ID, Stage, assert_timestamp, keys, one};
use crate::support::point;

const KEYS: [&str; 10] = [
    "id",
    "organization",
    "name",
    "type",
    "is_mobile",
    "address",
    "geometry",
    "created",
    "modified",
    "floorplan",
];

fn new_location(organization: &str, name: &str) -> Value {
    json!({
        "organization": organization, "name": name, "type": "outdoor", "is_mobile": true,
        "address": "Somewhere", "geometry": point(1.5, 2.5),
    })
}

impl Stage {
    async fn add_location(&self, body: &Value) -> String {
        let made = self.root.post(LOCATIONS, body).await.expect(201);
        made["id"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_location_has_openwisps_fields_in_its_order() {
    let stage = Stage::set_up().await;
    let body = new_location(&stage.own, "Vía Ñandú");
    let made = stage.operator.post(LOCATIONS, &body).await.expect(201);
    assert_eq!(keys(&made), KEYS);
    for (key, value) in body.as_object().unwrap() {
        assert_eq!(made[key], *value, "{key}");
    }
    assert_eq!(made["floorplan"], json!([]));
    assert_timestamp(&made["created"]);
    assert_timestamp(&made["modified"]);
    let path = one(LOCATIONS, made["id"].as_str().unwrap());
    assert_eq!(stage.operator.get(&path).await.expect(200), made);
    let list = stage.operator.get(LOCATIONS).await.expect(200);
    assert_eq!(keys(&list), ["count", "next", "previous", "results"]);
    assert_eq!(
        list,
        json!({"count": 1, "next": null, "previous": null, "results": [made]})
    );
}

#[tokio::test]
async fn a_location_is_patched_replaced_and_removed() {
    let stage = Stage::set_up().await;
    let id = stage.add_location(&new_location(&stage.own, "bus")).await;
    let path = one(LOCATIONS, &id);
    let before = stage.operator.get(&path).await.expect(200);
    let patched = stage
        .operator
        .patch(&path, &json!({"geometry": point(12.6, 41.8)}))
        .await
        .expect(200);
    assert_eq!(patched["geometry"], point(12.6, 41.8));
    for key in [
        "id",
        "name",
        "address",
        "type",
        "is_mobile",
        "organization",
        "created",
    ] {
        assert_eq!(patched[key], before[key], "{key}");
    }
    assert_ne!(patched["modified"], before["modified"]);
    let body = json!({"organization": stage.own, "name": "depot", "type": "indoor", "is_mobile": false, "address": "", "geometry": point(5.0, 6.0)});
    let replaced = stage.operator.put(&path, &body).await.expect(200);
    for (key, value) in body.as_object().unwrap() {
        assert_eq!(replaced[key], *value, "{key}");
    }
    let answer = stage.operator.delete(&path).await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    let detail = json!({"detail": "No Location matches the given query."});
    assert_eq!(stage.operator.get(&path).await.expect(404), detail);
    assert_eq!(stage.operator.delete(&path).await.expect(404), detail);
}

#[tokio::test]
async fn only_a_mobile_location_may_be_without_a_geometry() {
    let stage = Stage::set_up().await;
    let mut body = new_location(&stage.own, "bus");
    body.as_object_mut().unwrap().remove("geometry");
    let made = stage.root.post(LOCATIONS, &body).await.expect(201);
    assert_eq!(made["geometry"], Value::Null);
    body["is_mobile"] = json!(false);
    let refused = stage.root.post(LOCATIONS, &body).await.expect(400);
    assert_eq!(keys(&refused), ["geometry"]);
    let path = one(LOCATIONS, made["id"].as_str().unwrap());
    let refused = stage
        .root
        .patch(&path, &json!({"is_mobile": false}))
        .await
        .expect(400);
    assert_eq!(keys(&refused), ["geometry"]);
}

#[tokio::test]
async fn what_is_wrong_is_said_by_field_in_openwisps_words() {
    let stage = Stage::set_up().await;
    let body =
        json!({"name": "", "type": "flying", "organization": "x", "geometry": {"type": "Nope"}});
    let refused = stage.root.post(LOCATIONS, &body).await.expect(400);
    assert_eq!(refused["name"], json!(["This field may not be blank."]));
    assert_eq!(
        refused["type"],
        json!(["\"flying\" is not a valid choice."])
    );
    assert_eq!(refused["organization"], json!(["“x” is not a valid UUID."]));
    assert!(refused["geometry"][0].is_string(), "{refused}");
    let mut body = new_location(NOBODYS_ID, "bus");
    let invalid = |id: &str| json!({"organization": [format!("Invalid pk \"{id}\" - object does not exist.")]});
    assert_eq!(
        stage.root.post(LOCATIONS, &body).await.expect(400),
        invalid(NOBODYS_ID)
    );
    // An organization that is not managed is not there.
    body["organization"] = json!(stage.other);
    assert_eq!(
        stage.operator.post(LOCATIONS, &body).await.expect(400),
        invalid(&stage.other)
    );
    let required = json!(["This field is required."]);
    let refused = stage.root.post(LOCATIONS, &json!({})).await.expect(400);
    assert_eq!(
        (&refused["name"], &refused["organization"]),
        (&required, &required)
    );
}

#[tokio::test]
async fn lists_are_paged_and_filtered() {
    let stage = Stage::set_up().await;
    for number in 0..12 {
        stage
            .add_location(&new_location(&stage.own, &format!("bus {number}")))
            .await;
    }
    let mut depot = new_location(&stage.other, "depot");
    depot["is_mobile"] = json!(false);
    depot["type"] = json!("indoor");
    stage.add_location(&depot).await;
    let count = async |query: &str| {
        let list = stage
            .root
            .get(&format!("{LOCATIONS}?{query}"))
            .await
            .expect(200);
        (
            list["count"].as_i64().unwrap(),
            list["results"].as_array().unwrap().len(),
        )
    };
    assert_eq!(count("").await, (13, 10));
    assert_eq!(count("page=2").await, (13, 3));
    assert_eq!(count("page_size=5").await, (13, 5));
    assert_eq!(count("page_size=1000").await, (13, 13));
    assert_eq!(
        count(&format!("organization={}", stage.other)).await,
        (1, 1)
    );
    assert_eq!(count("organization_slug=own").await, (12, 10));
    assert_eq!(count("organization_slug=nope").await, (0, 0));
    assert_eq!(count("is_mobile=false").await, (1, 1));
    assert_eq!(count("is_mobile=true&page_size=100").await, (12, 12));
    assert_eq!(count("type=indoor").await, (1, 1));
    let list = stage
        .root
        .get(&format!("{LOCATIONS}?page=2&page_size=5"))
        .await
        .expect(200);
    let base = stage.server.base();
    let link = |page| json!(format!("{base}{LOCATIONS}?page={page}&page_size=5"));
    assert_eq!(list["next"], link(3));
    assert!(
        [link(1), json!(format!("{base}{LOCATIONS}?page_size=5"))].contains(&list["previous"]),
        "{}",
        list["previous"]
    );
    for page in ["99", "0", "-1", "x", "18446744073709551616"] {
        let refused = stage.root.get(&format!("{LOCATIONS}?page={page}")).await;
        assert_eq!(
            refused.expect(404),
            json!({"detail": "Invalid page."}),
            "{page}"
        );
    }
    // The first of the newest: the list is newest first.
    let newest = stage.root.get(LOCATIONS).await.expect(200)["results"][0]["name"].clone();
    assert_eq!(newest, json!("depot"));
}

#[tokio::test]
async fn a_tenant_sees_and_touches_only_its_own() {
    let stage = Stage::set_up().await;
    let own = stage.add_location(&new_location(&stage.own, "own")).await;
    let foreign = stage
        .add_location(&new_location(&stage.other, "foreign"))
        .await;
    let list = stage.operator.get(LOCATIONS).await.expect(200);
    assert_eq!(
        (&list["count"], &list["results"][0]["id"]),
        (&json!(1), &json!(own))
    );
    let map = stage
        .operator
        .get(&format!("{LOCATIONS}geojson/"))
        .await
        .expect(200);
    assert_eq!(map["count"], json!(1));
    let path = one(LOCATIONS, &foreign);
    let detail = json!({"detail": "No Location matches the given query."});
    assert_eq!(stage.operator.get(&path).await.expect(404), detail);
    assert_eq!(
        stage
            .operator
            .patch(&path, &json!({"name": "mine"}))
            .await
            .expect(404),
        detail
    );
    assert_eq!(
        stage
            .operator
            .put(&path, &new_location(&stage.own, "mine"))
            .await
            .expect(404),
        detail
    );
    assert_eq!(stage.operator.delete(&path).await.expect(404), detail);
    stage
        .operator
        .get(&format!("{path}device/"))
        .await
        .expect(404);
    assert_eq!(
        stage.root.get(&path).await.expect(200)["name"],
        json!("foreign")
    );
    // Nor is one's own given away to, or filtered by, what one does not manage.
    let give = json!({"organization": stage.other});
    stage
        .operator
        .patch(&one(LOCATIONS, &own), &give)
        .await
        .expect(400);
    let filtered = stage
        .operator
        .get(&format!("{LOCATIONS}?organization={}", stage.other))
        .await;
    if filtered.status == 200 {
        assert_eq!(filtered.json["count"], json!(0));
    }
}

#[tokio::test]
async fn each_method_needs_its_permission() {
    let stage = Stage::set_up().await;
    let path = one(
        LOCATIONS,
        &stage.add_location(&new_location(&stage.own, "bus")).await,
    );
    let body = new_location(&stage.own, "bus 2");
    for (permission, read, add, change, delete) in [
        ("geo.view_location", 200, 403, 403, 403),
        ("geo.add_location", 403, 201, 403, 403),
        ("geo.change_location", 200, 403, 200, 403),
        ("config.view_device", 403, 403, 403, 403),
        ("geo.delete_location", 403, 403, 403, 204),
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
        assert_eq!(client.get(LOCATIONS).await.status, read, "{permission}");
        assert_eq!(
            client.post(LOCATIONS, &body).await.status,
            add,
            "{permission}"
        );
        assert_eq!(
            client.patch(&path, &json!({"name": "x"})).await.status,
            change,
            "{permission}"
        );
        assert_eq!(client.delete(&path).await.status, delete, "{permission}");
    }
}

#[tokio::test]
async fn geojson_is_a_feature_collection_of_what_has_a_geometry() {
    let stage = Stage::set_up().await;
    let id = stage.add_location(&new_location(&stage.own, "bus")).await;
    let mut nowhere = new_location(&stage.own, "nowhere");
    nowhere["geometry"] = Value::Null;
    stage.add_location(&nowhere).await;
    let device = stage.seed().device("router", &stage.own);
    let at = format!("{}location/", one(DEVICES, &device.id));
    assert!(
        stage
            .root
            .put(&at, &json!({"location": id}))
            .await
            .is_success()
    );
    let map = stage
        .root
        .get(&format!("{LOCATIONS}geojson/"))
        .await
        .expect(200);
    assert_eq!(
        keys(&map),
        ["type", "count", "next", "previous", "features"]
    );
    assert_eq!(
        (&map["type"], &map["count"]),
        (&json!("FeatureCollection"), &json!(1))
    );
    let feature = &map["features"][0];
    assert_eq!(keys(feature), ["id", "type", "geometry", "properties"]);
    assert_eq!(
        (&feature["id"], &feature["geometry"]),
        (&json!(id), &point(1.5, 2.5))
    );
    let properties = &feature["properties"];
    let order = [
        "device_count",
        "created",
        "modified",
        "name",
        "type",
        "is_mobile",
        "address",
        "organization",
        "moved",
    ];
    assert_eq!(keys(properties), order);
    assert_eq!(
        (&properties["device_count"], &properties["name"]),
        (&json!(1), &json!("bus"))
    );

    let devices = stage
        .root
        .get(&format!("{}device/", one(LOCATIONS, &id)))
        .await
        .expect(200);
    assert_eq!(devices["count"], json!(1));
    let listed = &devices["results"][0];
    assert_eq!(
        (&listed["id"], &listed["name"]),
        (&json!(device.id), &json!("router"))
    );
    assert!(listed.get("key").is_none(), "a key is shown: {listed}");
}

#[tokio::test]
async fn geojson_says_when_a_location_moved_and_a_new_name_is_no_move() {
    let stage = Stage::set_up().await;
    let id = stage.add_location(&new_location(&stage.own, "bus")).await;
    let map = format!("{LOCATIONS}geojson/");
    let moments = || async {
        let map = stage.root.get(&map).await.expect(200);
        let properties = &map["features"][0]["properties"];
        ["created", "moved", "modified"].map(|name| properties[name].as_str().unwrap().to_owned())
    };
    let [created, moved, _] = moments().await;
    assert_eq!(moved, created);
    let path = one(LOCATIONS, &id);
    let renamed = stage.root.patch(&path, &json!({"name": "tram"})).await;
    assert!(renamed.is_success());
    let [_, moved, modified] = moments().await;
    assert_eq!(moved, created);
    assert!(modified > moved);
    // A report is one also where the vehicle stands.
    let geometry = json!({"geometry": point(1.5, 2.5)});
    assert!(stage.root.patch(&path, &geometry).await.is_success());
    let [_, moved, modified] = moments().await;
    assert_eq!(moved, modified);
}
