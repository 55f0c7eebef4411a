//! What OpenWISP's messages become, and that a row says the same.

use serde_json::json;

use super::*;
use crate::event::{DeviceId, OrganizationId, Timestamp};

const ID: &str = "93b9b41c-26b1-4807-91f7-699786c9a2d9";

fn row() -> LocationRow {
    LocationRow {
        id: ID.parse().unwrap(),
        organization: Some(OrganizationId::random()),
        name: "bus-org1".into(),
        address: "Via dè Città 1, Roma".into(),
        kind: "outdoor".into(),
        is_mobile: true,
        geometry: Some(json!({"type": "Point", "coordinates": [12.512_324, 41.898_703]})),
        modified: Timestamp(0),
    }
}

fn command(kind: &str, input: Value) -> CommandRow {
    CommandRow {
        id: "ef6c2620-288b-49e1-9f23-42143fbf2b8e".parse().unwrap(),
        device: "5fdbde33-1887-405b-8e3b-730dd242c9aa".parse().unwrap(),
        connection: None,
        kind: kind.into(),
        input: Some(input),
        output: "hello\n".into(),
        status: "success".into(),
        created: "2026-11-23T23:36:57.365939Z".parse().unwrap(),
        modified: "2026-11-23T23:36:57.650155Z".parse().unwrap(),
    }
}

fn six_fields() -> Value {
    // As a real one was captured.
    json!({"id": ID, "geometry": {"type": "Point", "coordinates": [12.512_324, 41.898_703]},
           "address": "Via d\u{e8} Citt\u{e0} 1, Roma", "name": "bus-org1", "type": "outdoor", "is_mobile": true})
}

#[test]
fn an_organizations_message_goes_on_as_it_is_also_to_who_watches_the_one_location() {
    let organization = OrganizationId::random();
    let message = json!({"type": "send_message", "message": six_fields()});
    let told = Told::of_message(Group::Organization(organization), message)
        .ok()
        .unwrap();
    assert_eq!(told.text, serde_json::to_string(&six_fields()).unwrap());
    let location = Topic::Location(ID.parse().unwrap());
    assert_eq!(told.topics, [Topic::OrgLocations(organization), location]);
    assert_eq!(told.subject, SubjectId(ID.parse().unwrap()));
}

#[test]
fn a_row_says_what_the_message_said() {
    let told = Told::of_location_row(&row()).unwrap();
    assert_eq!(told.text, serde_json::to_string(&six_fields()).unwrap());
    let message = json!({"type": "send_message", "message": six_fields()});
    let heard = Told::of_message(Group::Common, message).ok().unwrap();
    assert_eq!(heard.state, told.state);
    assert_eq!(heard.topics, [Topic::AllLocations]);
}

#[test]
fn a_location_without_geometry_tells_nothing() {
    let row = LocationRow {
        geometry: None,
        ..row()
    };
    assert!(Told::of_location_row(&row).is_none());
}

#[test]
fn the_two_fields_of_before_1_3_get_the_rest_from_the_row() {
    let message = json!({"type": "send_message", "message": {"geometry": {"type": "Point", "coordinates": [1.0, 2.0]}, "address": "Elsewhere"}});
    let moved = Moved::of_message(message).ok().unwrap();
    let told: Value = serde_json::from_str(&Told::of_moved(&row(), moved).text).unwrap();
    assert_eq!(told["geometry"]["coordinates"], json!([1.0, 2.0]));
    assert_eq!(
        (&told["address"], &told["name"]),
        (&json!("Elsewhere"), &json!("bus-org1"))
    );
}

#[test]
fn the_bare_geometry_of_before_1_2_gets_the_rest_from_the_row_too() {
    let point = json!({"type": "Point", "coordinates": [1.0, 2.0]});
    let moved = Moved::of_message(json!({"type": "send_message", "message": point}));
    let told: Value =
        serde_json::from_str(&Told::of_moved(&row(), moved.ok().unwrap()).text).unwrap();
    assert_eq!(told["geometry"], point);
    assert_eq!(told["address"], row().address.as_str());
    let other = json!({"type": "send_message", "message": {"anything": true}});
    assert!(Moved::of_message(other).is_err());
}

#[test]
fn a_commands_message_loses_only_the_name_of_its_handler() {
    let device = DeviceId::random();
    let data = json!({"id": ID, "modified": "2026-11-24T00:36:57.650155+01:00", "status": "success", "x": [1, null, 1e-7]});
    let message =
        json!({"type": "send.update", "model": "Command", "data": data, "new": {"field": 1}});
    let told = Told::of_message(Group::Device(device), message)
        .ok()
        .unwrap();
    let expected = json!({"model": "Command", "data": data, "new": {"field": 1}});
    assert_eq!(told.text, serde_json::to_string(&expected).unwrap());
    assert_eq!(told.topics, [Topic::DeviceCommands(device)]);
}

#[test]
fn a_commands_row_says_what_the_message_said_in_utc() {
    let told = Told::of_command_row(&command("custom", json!({"command": "echo hello"})));
    let text: Value = serde_json::from_str(&told.text).unwrap();
    assert_eq!(text["data"]["input"], "echo hello");
    assert_eq!(text["data"]["type"], "Custom commands");
    assert_eq!(text["data"]["created"], "2026-11-23T23:36:57.365939Z");
    let message = json!({"type": "send.update", "model": "Command", "data": {
        "id": text["data"]["id"], "modified": "2026-11-24T00:36:57.650155+01:00", "status": "success"}});
    let device = told.topics.clone();
    let Topic::DeviceCommands(id) = device[0] else {
        panic!("a device's topic")
    };
    let heard = Told::of_message(Group::Device(id), message).ok().unwrap();
    assert_eq!((heard.state, heard.subject), (told.state, told.subject));
}

#[test]
fn a_password_never_travels() {
    let row = command(
        "change_password",
        json!({"password": "s3cret", "confirm_password": "s3cret"}),
    );
    assert!(!Told::of_command_row(&row).text.contains("s3cret"));
    // `_("Change password")` in English, Italian, German and Japanese, saved before the command has run.
    for label in [
        "Change password",
        "Modifica password",
        "Passwort ändern",
        "パスワードの変更",
    ] {
        for secret in [
            "s3cret",
            "pässwörd",
            "s3cret, s3cret",
            "thirty-s3cret-letters-of-text.",
        ] {
            let text = heard_of_command(label, &json!(format!("{secret}, {secret}")));
            assert!(!text.contains(secret), "{text}");
            assert!(text.contains(r#""input":"********""#), "{text}");
        }
        let object =
            json!({"password": "s3cret", "confirm_password": "other-s3cret", "user": "root"});
        let text = heard_of_command(label, &object);
        assert!(!text.contains("s3cret"), "{text}");
        assert!(text.contains(r#""user":"root""#), "{text}");
    }
    // Not even confirmed.
    let text = heard_of_command("Change password", &json!("s3cret, other"));
    assert!(!text.contains("s3cret"), "{text}");
}

#[test]
fn what_is_no_password_goes_on_as_it_is() {
    for (label, input) in [
        ("Custom commands", json!("echo hello, echo hello")),
        ("Comandi personalizzati", json!("echo hello")),
        ("Ping", json!("eth0, eth0")),
        ("Ping", json!("10.0.0.1, 10.0.0.2")),
        ("Ping", json!("10.0.0.1,10.0.0.1")),
        ("Ping", json!(", ")),
        ("Ping", json!("è")),
        ("Riavvia", json!("")),
        ("Riavvia", json!(null)),
        ("Ping", json!({"host": "10.0.0.1", "again": "10.0.0.1"})),
        ("Ping", json!(["10.0.0.1, 10.0.0.1"])),
    ] {
        let text: Value = serde_json::from_str(&heard_of_command(label, &input)).unwrap();
        assert_eq!(text["data"], json!({"type": label, "input": input}));
    }
}

/// What is told of a message with this type and input.
fn heard_of_command(label: &str, input: &Value) -> String {
    let message = json!({"type": "send.update", "model": "Command",
        "data": {"type": label, "input": input}});
    let told = Told::of_message(Group::Device(DeviceId::random()), message);
    told.ok().unwrap().text
}

#[test]
fn what_is_no_object_for_the_group_is_not_ours() {
    let device = Group::Device(DeviceId::random());
    for (group, message) in [
        (device, json!("text")),
        (device, json!([1])),
        (Group::Common, json!({"type": "send_message"})),
        (
            Group::Common,
            json!({"type": "send_message", "message": "text"}),
        ),
        (Group::Common, json!(null)),
    ] {
        assert!(Told::of_message(group, message).is_err());
    }
    // A message that nobody knows is an object of that group all the same.
    let unknown = json!({"type": "something.new", "message": {"anything": true}});
    assert!(Told::of_message(Group::Common, unknown).is_ok());
}
