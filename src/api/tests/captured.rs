//! The answers of OpenWISP that were captured, for what we keep of them: method, path, body, status
//! and every documented field, in its order.

use serde_json::{Value, json};

use super::cast::{Cast, Line, new_bus, place};
use super::stage::{DEVICES, LOCATIONS, TOKEN};

const NOBODYS: &str = "00000000-0000-0000-0000-000000000000";

fn device(name: &str, mac: Value, management_ip: Value) -> Value {
    json!({
        "id": "<uuid>", "name": name, "organization": "{own}", "mac_address": mac, "key": "<key>",
        "last_ip": null, "management_ip": management_ip, "notes": "", "created": "<time>",
        "modified": "<time>", "addresses": [],
    })
}

fn location(name: &str, address: &str, geometry: Value) -> Value {
    json!({
        "id": "<uuid>", "organization": "{own}", "name": name, "type": "outdoor",
        "is_mobile": true, "address": address, "geometry": geometry, "created": "<time>",
        "modified": "<time>", "floorplan": [],
    })
}

fn list(results: &[Value]) -> Value {
    json!({"count": results.len(), "next": null, "previous": null, "results": results})
}

fn detail(text: &str) -> Value {
    json!({"detail": text})
}

fn feature(geometry: &Value) -> Value {
    json!({"type": "Feature", "geometry": geometry})
}

#[tokio::test]
async fn tokens_answer_as_captured() {
    let cast = Cast::gather().await;
    let lines: [Line; 6] = [
        (
            "nobody",
            "POST",
            TOKEN,
            json!({"username": "root", "password": "{password}"}),
            200,
            json!({"token": "<token>"}),
        ),
        (
            "nobody",
            "POST",
            TOKEN,
            json!({"username": "root", "password": "x"}),
            400,
            json!({"non_field_errors": ["Unable to log in with provided credentials."]}),
        ),
        (
            "nobody",
            "POST",
            TOKEN,
            json!({"username": "root"}),
            400,
            json!({"password": ["This field is required."]}),
        ),
        (
            "nobody",
            "GET",
            DEVICES,
            json!(null),
            401,
            detail("Authentication credentials were not provided."),
        ),
        (
            "bad token",
            "GET",
            DEVICES,
            json!(null),
            401,
            detail("Invalid token."),
        ),
        (
            "nobody",
            "GET",
            TOKEN,
            json!(null),
            405,
            detail("Method \"GET\" not allowed."),
        ),
    ];
    for line in lines {
        cast.play(line).await;
    }
}

#[tokio::test]
async fn devices_answer_as_captured() {
    let cast = Cast::gather().await;
    let mut first_page = list(&[device("parked", json!(null), json!("127.0.0.1"))]);
    first_page["count"] = json!(2);
    first_page["next"] = json!("http://ow.test/api/v1/controller/device/?page=2&page_size=1");
    let lines: [Line; 11] = [
        (
            "operator",
            "GET",
            "/api/v1/controller/device/?page_size=1",
            json!(null),
            200,
            first_page,
        ),
        (
            "root",
            "POST",
            DEVICES,
            json!({"name": "cap-1", "organization": "{own}", "mac_address": "00:11:22:33:44:aa", "management_ip": "10.0.0.9"}),
            201,
            device("cap-1", json!("00:11:22:33:44:aa"), json!("10.0.0.9")),
        ),
        (
            "operator",
            "POST",
            DEVICES,
            json!({"name": "", "organization": "nope", "mac_address": "zz"}),
            400,
            json!({"mac_address": ["Must be a valid mac address."], "name": ["This field may not be blank."], "organization": ["“nope” is not a valid UUID."]}),
        ),
        (
            "operator",
            "POST",
            DEVICES,
            json!({"name": "cap-2", "organization": "{other}", "mac_address": "00:11:22:33:44:ab"}),
            400,
            json!({"organization": ["Invalid pk \"{other}\" - object does not exist."]}),
        ),
        (
            "root",
            "POST",
            DEVICES,
            json!({"name": "cap-2", "organization": NOBODYS}),
            400,
            json!({"organization": [format!("Invalid pk \"{NOBODYS}\" - object does not exist.")]}),
        ),
        (
            "operator",
            "GET",
            "/api/v1/controller/device/{router}/",
            json!(null),
            200,
            device("router", json!(null), json!("127.0.0.1")),
        ),
        (
            "operator",
            "GET",
            "/api/v1/controller/device/{foreign device}/",
            json!(null),
            404,
            detail("No Device matches the given query."),
        ),
        (
            "root",
            "GET",
            "/api/v1/controller/device/00000000-0000-0000-0000-000000000000/",
            json!(null),
            404,
            detail("No Device matches the given query."),
        ),
        // HTML there.
        (
            "root",
            "GET",
            "/api/v1/controller/device/xyz/",
            json!(null),
            404,
            detail("Not found."),
        ),
        (
            "root",
            "POST",
            "/api/v1/controller/device/{router}/regenerate-key/",
            json!(null),
            200,
            device("router", json!(null), json!("127.0.0.1")),
        ),
        (
            "root",
            "DELETE",
            "/api/v1/controller/device/{parked}/",
            json!(null),
            204,
            json!(null),
        ),
    ];
    for line in lines {
        cast.play(line).await;
    }
}

#[tokio::test]
async fn coordinates_answer_as_captured() {
    let cast = Cast::gather().await;
    let path = "/api/v1/controller/device/{router}/coordinates/?key={router key}";
    let told = json!({"type": "Feature", "geometry": place(), "properties": {"name": "bus"}});
    let unauthenticated = || detail("Authentication credentials were not provided.");
    let point = |longitude: Value, latitude: Value| json!({"type": "Point", "coordinates": [longitude, latitude]});
    let parked = "/api/v1/controller/device/{parked}/coordinates/?key={parked key}";
    let required = || json!({"geometry": ["This field is required."]});
    let lines: [Line; 14] = [
        (
            "root",
            "PUT",
            "/api/v1/controller/device/{router}/coordinates/",
            feature(&place()),
            401,
            unauthenticated(),
        ),
        (
            "root",
            "PUT",
            "/api/v1/controller/device/{router}/coordinates/?key=x",
            feature(&place()),
            401,
            unauthenticated(),
        ),
        (
            "nobody",
            "PUT",
            "/api/v1/controller/device/{router}/coordinates/?key={parked key}",
            feature(&place()),
            401,
            unauthenticated(),
        ),
        ("nobody", "PUT", path, feature(&place()), 200, told.clone()),
        ("nobody", "GET", path, json!(null), 200, told),
        // These three are taken there; the last clears the position.
        ("nobody", "PUT", path, json!({}), 400, required()),
        (
            "nobody",
            "PUT",
            path,
            json!({"type": "Feature"}),
            400,
            required(),
        ),
        (
            "nobody",
            "PUT",
            path,
            json!({"type": "Feature", "geometry": null}),
            400,
            json!({"geometry": ["This field may not be null."]}),
        ),
        (
            "nobody",
            "PUT",
            path,
            feature(&point(json!("a"), json!(1))),
            400,
            json!({"geometry": ["<text>"]}),
        ),
        (
            "nobody",
            "PUT",
            path,
            feature(&point(json!(500), json!(95))),
            400,
            json!({"geometry": ["<text>"]}),
        ),
        (
            "nobody",
            "PUT",
            path,
            json!({"geometry": point(json!(1), json!(2))}),
            200,
            json!({"type": "Feature", "geometry": point(json!(1.0), json!(2.0)), "properties": {"name": "bus"}}),
        ),
        (
            "nobody",
            "GET",
            parked,
            json!(null),
            404,
            detail("Not found."),
        ),
        (
            "nobody",
            "PATCH",
            parked,
            feature(&place()),
            404,
            detail("Not found."),
        ),
        (
            "nobody",
            "PUT",
            parked,
            feature(&place()),
            200,
            json!({"type": "Feature", "geometry": place(), "properties": {"name": "parked"}}),
        ),
    ];
    for line in lines {
        cast.play(line).await;
    }
}

#[tokio::test]
async fn locations_answer_as_captured() {
    let cast = Cast::gather().await;
    let address = "Via dè Città 1, Roma";
    let one = "/api/v1/controller/location/{bus}/";
    let moved = json!({"type": "Point", "coordinates": [12.6, 41.8]});
    let mut nowhere = new_bus("cap2", &json!("{own}"));
    nowhere["geometry"] = json!(null);
    let mut fixed = new_bus("cap3", &json!("{own}"));
    fixed["is_mobile"] = json!(false);
    fixed.as_object_mut().unwrap().shift_remove("geometry");
    let mut foreign = location("bus", address, place());
    foreign["organization"] = json!("{other}");
    let mut whole = new_bus("renamed", &json!("{own}"));
    whole["address"] = json!("");
    let lines: [Line; 12] = [
        (
            "operator",
            "GET",
            LOCATIONS,
            json!(null),
            200,
            list(&[location("bus", address, place())]),
        ),
        (
            "operator",
            "POST",
            LOCATIONS,
            new_bus("cap", &json!("{own}")),
            201,
            location("cap", address, place()),
        ),
        (
            "operator",
            "POST",
            LOCATIONS,
            nowhere,
            201,
            location("cap2", address, json!(null)),
        ),
        (
            "operator",
            "POST",
            LOCATIONS,
            json!({"name": "", "type": "flying", "organization": "x", "geometry": {"type": "Nope"}}),
            400,
            json!({"geometry": ["<text>"], "name": ["This field may not be blank."], "organization": ["“x” is not a valid UUID."], "type": ["\"flying\" is not a valid choice."]}),
        ),
        // 500 there.
        (
            "operator",
            "POST",
            LOCATIONS,
            fixed,
            400,
            json!({"geometry": ["<text>"]}),
        ),
        (
            "operator",
            "GET",
            one,
            json!(null),
            200,
            location("bus", address, place()),
        ),
        (
            "operator",
            "PATCH",
            one,
            json!({"geometry": moved}),
            200,
            location("bus", address, moved.clone()),
        ),
        (
            "operator",
            "PUT",
            one,
            whole,
            200,
            location("renamed", "", place()),
        ),
        (
            "operator",
            "GET",
            "/api/v1/controller/location/{foreign bus}/",
            json!(null),
            404,
            detail("No Location matches the given query."),
        ),
        (
            "root",
            "GET",
            "/api/v1/controller/location/?organization_slug=other&is_mobile=true&page_size=1",
            json!(null),
            200,
            list(&[foreign]),
        ),
        ("operator", "DELETE", one, json!(null), 204, json!(null)),
        (
            "operator",
            "GET",
            one,
            json!(null),
            404,
            detail("No Location matches the given query."),
        ),
    ];
    for line in lines {
        cast.play(line).await;
    }
}

#[tokio::test]
async fn the_map_and_the_devices_at_a_location_answer_as_captured() {
    let cast = Cast::gather().await;
    let map = json!({
        "type": "FeatureCollection", "count": 1, "next": null, "previous": null,
        "features": [{
            "id": "{bus}", "type": "Feature", "geometry": place(),
            "properties": {
                "device_count": 1, "created": "<time>", "modified": "<time>", "name": "bus",
                "type": "outdoor", "is_mobile": true, "address": "Via dè Città 1, Roma",
                "organization": "{own}",
            },
        }],
    });
    let mut there = list(&[json!({
        "id": "{router}", "created": "<time>", "modified": "<time>", "name": "router",
        "mac_address": null, "notes": "", "last_ip": null, "management_ip": "127.0.0.1",
        "organization": "{own}", "addresses": [],
    })]);
    there["has_floorplan"] = json!(false);
    let placed = json!({
        "location": {
            "id": "{bus}", "type": "Feature", "geometry": place(),
            "properties": {"type": "outdoor", "is_mobile": true, "name": "bus", "address": "Via dè Città 1, Roma"},
        },
        "floorplan": null,
        "indoor": null,
    });
    let lines: [Line; 6] = [
        (
            "operator",
            "GET",
            "/api/v1/controller/location/geojson/?page_size=2",
            json!(null),
            200,
            map,
        ),
        (
            "operator",
            "GET",
            "/api/v1/controller/location/{bus}/device/",
            json!(null),
            200,
            there,
        ),
        (
            "operator",
            "GET",
            "/api/v1/controller/location/{foreign bus}/device/",
            json!(null),
            404,
            detail("No Location matches the given query."),
        ),
        (
            "operator",
            "GET",
            "/api/v1/controller/device/{router}/location/",
            json!(null),
            200,
            placed,
        ),
        (
            "operator",
            "GET",
            "/api/v1/controller/device/{parked}/location/",
            json!(null),
            404,
            detail("No DeviceLocation matches the given query."),
        ),
        (
            "operator",
            "GET",
            "/api/v1/controller/device/{foreign device}/location/",
            json!(null),
            404,
            detail("No DeviceLocation matches the given query."),
        ),
    ];
    for line in lines {
        cast.play(line).await;
    }
}
