//! `device/{id}/coordinates/`: what a vehicle speaks.

use reqwest::Method;
use serde_json::json;

use super::{DEVICES, NOBODYS_ID, Stage, keys, one};
use crate::support::{feature, point};

const UNAUTHENTICATED: &str = "Authentication credentials were not provided.";

#[tokio::test]
async fn a_report_is_a_feature_in_and_a_feature_out() {
    let stage = Stage::set_up().await;
    let device = stage.seed().device("bus-7", &stage.own);
    let path = device.coordinates_path();
    assert_eq!(
        stage.nobody.get(&path).await.expect(404),
        json!({"detail": "Not found."})
    );
    let first = stage
        .nobody
        .put(&path, &feature(12.512_124, 41.898_903))
        .await;
    assert!(first.is_success(), "{} {}", first.status, first.text);
    for answer in [
        first,
        stage
            .nobody
            .put(&path, &feature(12.512_124, 41.898_903))
            .await,
        stage.nobody.get(&path).await,
    ] {
        assert_eq!(
            answer.json,
            json!({
                "type": "Feature",
                "geometry": point(12.512_124, 41.898_903),
                "properties": {"name": "bus-7"},
            })
        );
        assert_eq!(keys(&answer.json), ["type", "geometry", "properties"]);
    }
}

#[tokio::test]
async fn the_first_report_makes_the_devices_mobile_location_and_later_ones_move_it() {
    let stage = Stage::set_up().await;
    let device = stage.seed().device("bus-7", &stage.own);
    let location = format!("{}location/", one(DEVICES, &device.id));
    stage.root.get(&location).await.expect(404);
    stage
        .nobody
        .put(&device.coordinates_path(), &feature(1.0, 2.0))
        .await;
    let made = stage.root.get(&location).await.expect(200)["location"].clone();
    assert_eq!(
        made["properties"],
        json!({"type": "outdoor", "is_mobile": true, "name": "bus-7", "address": ""})
    );
    stage
        .nobody
        .put(&device.coordinates_path(), &feature(3.0, 4.0))
        .await
        .expect(200);
    let moved = stage.root.get(&location).await.expect(200)["location"].clone();
    assert_eq!(
        (&moved["id"], &moved["geometry"]),
        (&made["id"], &point(3.0, 4.0))
    );
    assert_eq!(
        stage.root.get(super::LOCATIONS).await.expect(200)["count"],
        json!(1)
    );
}

#[tokio::test]
async fn only_the_devices_own_key_reports_and_reads() {
    let stage = Stage::set_up().await;
    let device = stage.seed().device("bus-7", &stage.own);
    let another = stage.seed().device("bus-8", &stage.own);
    stage
        .nobody
        .put(&device.coordinates_path(), &feature(1.0, 2.0))
        .await;
    let path = |id: &str, query: &str| format!("{}coordinates/{query}", one(DEVICES, id));
    let upper = device.key.to_ascii_uppercase();
    let lower = device.key.to_ascii_lowercase();
    let mut wrong = vec![
        path(&device.id, ""),
        path(&device.id, "?key="),
        path(&device.id, "?key=wrong"),
        path(&device.id, &format!("?key={}", another.key)),
        path(&device.id, &format!("?key={}x", device.key)),
        path(&device.id, &format!("?key={}", &device.key[1..])),
        path(&device.id, &format!("?KEY={}", device.key)),
        path(&another.id, &format!("?key={}", device.key)),
        path(NOBODYS_ID, &format!("?key={}", device.key)),
    ];
    for other_case in [upper, lower] {
        if other_case != device.key {
            wrong.push(path(&device.id, &format!("?key={other_case}")));
        }
    }
    for path in wrong {
        // Not even a superuser's token stands in for the key.
        for client in [&stage.nobody, &stage.root] {
            let answer = client.put(&path, &feature(5.0, 6.0)).await;
            assert_eq!(
                answer.expect(401),
                json!({"detail": UNAUTHENTICATED}),
                "{path}"
            );
            assert_eq!(
                client.get(&path).await.expect(401),
                json!({"detail": UNAUTHENTICATED}),
                "{path}"
            );
        }
    }
    let now = stage
        .nobody
        .get(&device.coordinates_path())
        .await
        .expect(200);
    assert_eq!(now["geometry"], point(1.0, 2.0));
}

#[tokio::test]
async fn a_body_without_a_place_on_earth_is_refused_by_the_name_of_its_field() {
    let stage = Stage::set_up().await;
    let device = stage.seed().device("bus-7", &stage.own);
    let path = device.coordinates_path();
    stage.nobody.put(&path, &feature(1.0, 2.0)).await;
    for body in [
        r#"{"type":"Feature","geometry":{"type":"Point","coordinates":[181,0]}}"#,
        r#"{"type":"Feature","geometry":{"type":"Point","coordinates":[-180.1,0]}}"#,
        r#"{"type":"Feature","geometry":{"type":"Point","coordinates":[0,90.5]}}"#,
        r#"{"type":"Feature","geometry":{"type":"Point","coordinates":[500,95]}}"#,
        r#"{"type":"Feature","geometry":{"type":"Point","coordinates":["a",1]}}"#,
        r#"{"type":"Feature","geometry":{"type":"Point","coordinates":["1","2"]}}"#,
        r#"{"type":"Feature","geometry":{"type":"Point","coordinates":[null,1]}}"#,
        r#"{"type":"Feature","geometry":{"type":"Point","coordinates":[1]}}"#,
        r#"{"type":"Feature","geometry":{"type":"Point","coordinates":[]}}"#,
        r#"{"type":"Feature","geometry":{"type":"Point","coordinates":[1,2,3,4]}}"#,
        r#"{"type":"Feature","geometry":{"type":"Point","coordinates":{"x":1,"y":2}}}"#,
        r#"{"type":"Feature","geometry":{"type":"Point"}}"#,
        r#"{"type":"Feature","geometry":{"coordinates":[1,2]}}"#,
        r#"{"type":"Feature","geometry":{"type":"LineString","coordinates":[[0,0],[1,1]]}}"#,
        r#"{"type":"Feature","geometry":{"type":"Polygon","coordinates":[[[0,0],[1,1],[1,0],[0,0]]]}}"#,
        r#"{"type":"Feature","geometry":{"type":"point","coordinates":[1,2]}}"#,
        r#"{"type":"Feature","geometry":[1,2]}"#,
        r#"{"type":"Feature","geometry":"POINT (1 2)"}"#,
        r#"{"type":"Feature","geometry":null}"#,
        r#"{"type":"Feature"}"#,
        "{}",
    ] {
        let answer = stage
            .nobody
            .send(Method::PUT, &path, Some(body.to_owned()))
            .await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.text);
        assert!(
            answer.json["geometry"][0].is_string(),
            "{body}: {}",
            answer.text
        );
    }
    for body in [
        r#"{"type":"Feature","geometry":{"type":"Point","coordinates":[1e999,0]}}"#,
        r#"{"type":"Feature","geometry":{"type":"Point","coordinates":[NaN,0]}}"#,
        r#"{"type":"Feature","geometry":{"type":"Point","coordinates":[Infinity,0]}}"#,
        "{",
        "",
        "[]",
        "null",
        "7",
        "\"Feature\"",
        "{]",
        "\u{0}",
        r#"{"type":"Feature","#,
        r#"{"type":"FeatureCollection","geometry":{"type":"Point","coordinates":[1,2]},"properties":7}"#,
    ] {
        let answer = stage
            .nobody
            .send(Method::PUT, &path, Some(body.to_owned()))
            .await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.text);
        assert!(answer.json.is_object(), "{body}: {}", answer.text);
    }
    let now = stage.nobody.get(&path).await.expect(200);
    assert_eq!(
        now["geometry"],
        point(1.0, 2.0),
        "a refused report moved it"
    );
}

#[tokio::test]
async fn the_ends_of_the_earth_are_on_it() {
    let stage = Stage::set_up().await;
    let device = stage.seed().device("bus-7", &stage.own);
    for (longitude, latitude) in [(180.0, 90.0), (-180.0, -90.0), (0.0, 0.0), (-0.0, 1e-300)] {
        let answer = stage
            .nobody
            .put(&device.coordinates_path(), &feature(longitude, latitude))
            .await;
        assert!(answer.is_success(), "{}", answer.text);
        assert_eq!(answer.json["geometry"], point(longitude, latitude));
    }
}

#[tokio::test]
async fn a_device_of_an_inactive_organization_cannot_report() {
    let stage = Stage::set_up().await;
    let device = stage.seed().device("bus-7", &stage.own);
    stage
        .nobody
        .put(&device.coordinates_path(), &feature(1.0, 2.0))
        .await;
    stage.server.cli(&["org", "set", "Own", "--inactive"]);
    let answer = stage
        .nobody
        .put(&device.coordinates_path(), &feature(3.0, 4.0))
        .await;
    assert!(
        [401, 403, 404].contains(&answer.status),
        "{} {}",
        answer.status,
        answer.text
    );
}

#[tokio::test]
async fn other_methods_are_not_allowed() {
    let stage = Stage::set_up().await;
    let device = stage.seed().device("bus-7", &stage.own);
    for method in [Method::POST, Method::DELETE] {
        let answer = stage
            .nobody
            .send(
                method.clone(),
                &device.coordinates_path(),
                Some("{}".into()),
            )
            .await;
        assert_eq!(
            answer.expect(405),
            json!({"detail": format!("Method \"{method}\" not allowed.")})
        );
    }
}
