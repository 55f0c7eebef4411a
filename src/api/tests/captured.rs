//! The answers of OpenWISP that were captured, for what we keep of them: method, path, body, status
//! and every documented field, in its order.

use serde_json::{Value, json};

use super::shape::fits;
use super::stage::{Client, DEVICES, LOCATIONS, PASSWORD, Stage, TOKEN};

/// What the table's paths and bodies are about.
struct Cast {
    stage: Stage,
    /// At `bus`.
    router: String,
    router_key: String,
    /// At no location.
    parked: String,
    parked_key: String,
    foreign_device: String,
    bus: String,
    foreign_bus: String,
}

const NOBODYS: &str = "00000000-0000-0000-0000-000000000000";

impl Cast {
    async fn gather() -> Self {
        let stage = Stage::set_up().await;
        let device = async |name: &str, organization| {
            let body =
                json!({"name": name, "organization": organization, "management_ip": "127.0.0.1"});
            let made = stage.root.post(DEVICES, body).await.expect(201);
            let text = |field: &str| made[field].as_str().unwrap().to_owned();
            (text("id"), text("key"))
        };
        let (router, router_key) = device("router", stage.own).await;
        let (parked, parked_key) = device("parked", stage.own).await;
        let (foreign_device, _) = device("router", stage.other).await;
        let bus = stage
            .root
            .make(LOCATIONS, new_bus("bus", &json!(stage.own)))
            .await;
        let foreign_bus = stage
            .root
            .make(LOCATIONS, new_bus("bus", &json!(stage.other)))
            .await;
        let there = format!("{DEVICES}{router}/location/");
        stage
            .root
            .put(&there, json!({"location": bus}))
            .await
            .expect(201);
        Self {
            stage,
            router,
            router_key,
            parked,
            parked_key,
            foreign_device,
            bus,
            foreign_bus,
        }
    }

    fn client(&self, who: &str) -> Client {
        match who {
            "root" => self.stage.root.clone(),
            "operator" => self.stage.operator.clone(),
            "nobody" => self.stage.nobody.clone(),
            "bad token" => self.stage.nobody.with("authorization", "Bearer 0123"),
            _ => panic!("not in the cast: {who}"),
        }
    }

    /// Puts the cast's ids into a text.
    fn fill(&self, text: &str) -> String {
        [
            ("{own}", self.stage.own.to_string()),
            ("{other}", self.stage.other.to_string()),
            ("{router}", self.router.clone()),
            ("{router key}", self.router_key.clone()),
            ("{parked}", self.parked.clone()),
            ("{parked key}", self.parked_key.clone()),
            ("{foreign device}", self.foreign_device.clone()),
            ("{bus}", self.bus.clone()),
            ("{foreign bus}", self.foreign_bus.clone()),
            ("{password}", PASSWORD.to_owned()),
        ]
        .iter()
        .fold(text.to_owned(), |text, (name, value)| {
            text.replace(name, value)
        })
    }

    /// Plays one line of the table.
    async fn play(&self, (who, method, path, body, status, shape): Line) {
        let path = self.fill(path);
        let body = match self.fill(&body.to_string()).as_str() {
            "null" => None,
            text => Some(serde_json::from_str(text).unwrap()),
        };
        let shape: Value = serde_json::from_str(&self.fill(&shape.to_string())).unwrap();
        let answer = self.client(who).send(method, &path, body).await;
        let told = format!("{who} {method} {path}: {} {}", answer.status, answer.text);
        assert_eq!(answer.status, status, "{told}");
        assert!(fits(&answer.json, &shape), "{told}\nis not {shape}");
        if status != 204 {
            assert_eq!(answer.header("content-type"), "application/json", "{told}");
        }
        assert!(answer.header("allow").ends_with("OPTIONS"), "{told}");
        if status == 401 {
            assert_eq!(answer.header("www-authenticate"), "Bearer", "{told}");
        }
    }
}

/// Who, method, path, body, status, shape of the answer.
type Line = (&'static str, &'static str, &'static str, Value, u16, Value);

fn place() -> Value {
    json!({"type": "Point", "coordinates": [12.512_124, 41.898_903]})
}

fn new_bus(name: &str, organization: &Value) -> Value {
    json!({
        "name": name, "type": "outdoor", "is_mobile": true, "address": "Via dè Città 1, Roma",
        "organization": organization, "geometry": place(),
    })
}

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
