//! The document of the sockets: valid by AsyncAPI's own parser, and true of real frames.

use std::collections::BTreeSet;

use jsonschema::{Draft, Validator};
use serde_json::{Value, json};
use tokio::process::Command;

use super::{in_docs, in_repository};
use crate::commands::stage::{DEVICES, Router, Stage, closed_address, custom};
use crate::support::ssh::{OpenSsh, Options};
use crate::support::{Engine, Socket, point};

/// The document as JSON, its references resolved; AsyncAPI's own parser has nothing against it.
async fn document() -> Value {
    in_repository("tests/clients/node/node_modules/@asyncapi/parser");
    let output = Command::new("node")
        .arg(in_repository("tests/clients/node/asyncapi.js"))
        .arg(in_repository("docs/asyncapi.yaml"))
        .output()
        .await
        .unwrap();
    let wrong = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "docs/asyncapi.yaml: {wrong}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A channel of the document: its socket, and the schema of its message.
struct Channel {
    address: String,
    schema: Value,
    validator: Validator,
}

impl Channel {
    fn of(document: &Value, name: &str) -> Self {
        let channel = &document["channels"][name];
        let messages = channel["messages"].as_object().unwrap();
        assert_eq!(messages.len(), 1, "{name}");
        let schema = messages.values().next().unwrap()["payload"].clone();
        // AsyncAPI's schemas are those of JSON Schema's draft 7.
        let validator = jsonschema::options()
            .with_draft(Draft::Draft7)
            .should_validate_formats(true)
            .build(&schema)
            .unwrap();
        Self {
            address: channel["address"].as_str().unwrap().to_owned(),
            schema,
            validator,
        }
    }

    /// The path of the channel for the thing with this id.
    fn path(&self, id: &str) -> String {
        let pieces: Vec<&str> = self.address.split(['{', '}']).collect();
        match pieces.as_slice() {
            [whole] => (*whole).to_owned(),
            [before, _, behind] => format!("{before}{id}{behind}"),
            other => panic!("{other:?}"),
        }
    }

    async fn open(&self, stage: &Stage, id: &str) -> Socket {
        Socket::open(&stage.server, &self.path(id), &stage.token).await
    }

    /// Whether the schema says of this frame what there is to say: no more and no less.
    fn check(&self, frame: &Value) {
        let told: Vec<_> = self
            .validator
            .iter_errors(frame)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(told.is_empty(), "{told:?}: {frame}");
        check_members(&self.schema, frame);
    }
}

/// Every member is described and required, and each that is required is missed.
fn check_members(schema: &Value, value: &Value) {
    let (Some(properties), Some(members)) = (schema["properties"].as_object(), value.as_object())
    else {
        return;
    };
    let described: BTreeSet<_> = properties.keys().collect();
    assert_eq!(described, members.keys().collect(), "{value}");
    for name in described {
        assert!(
            schema["required"]
                .as_array()
                .unwrap()
                .contains(&json!(name)),
            "{name}"
        );
        check_members(&properties[name], &members[name]);
    }
}

#[tokio::test]
async fn commands_of_every_kind_are_as_described() {
    const CONFIGURATION: &str = "
[commands.types.show]
label = \"Show\"
template = \"echo {secret}\"
[commands.types.show.schema.properties]
secret = { type = \"string\", writeOnly = true }
";
    let channel = Channel::of(&document().await, "deviceCommands");
    let device = OpenSsh::start(&Options::default());
    let stage = Stage::set_up_with(Engine::Sqlite, &[], CONFIGURATION).await;
    let router = stage.router("router", &device).await;
    let lost = stage
        .router_at("lost", &[&closed_address().to_string()])
        .await;
    let password = json!({"password": "a secret", "confirm_password": "a secret"});
    let mut seen = BTreeSet::new();
    for (router, asked) in [
        (&router, custom("echo one; sleep 1; echo two")),
        (&router, custom("exit 3")),
        (&lost, custom("never")),
        (&router, json!({"type": "reboot", "input": null})),
        (
            &router,
            json!({"type": "change_password", "input": password}),
        ),
        (
            &router,
            json!({"type": "show", "input": {"secret": "hidden"}}),
        ),
    ] {
        let mut socket = channel.open(&stage, &router.id).await;
        stage.ask_for(router, &asked).await;
        loop {
            let frame = socket.next().await;
            channel.check(&frame);
            let data = &frame["data"];
            seen.insert(format!(
                "{} {} {}",
                data["type"].as_str().unwrap(),
                data["status"].as_str().unwrap(),
                if data["connection"].is_null() {
                    "nowhere"
                } else {
                    "connected"
                },
            ));
            if data["status"] != "in-progress" {
                break;
            }
        }
    }
    for kind in [
        "Change Password success connected",
        "Custom Command failed connected",
        "Custom Command failed nowhere",
        "Custom Command in-progress connected",
        "Custom Command in-progress nowhere",
        "Custom Command success connected",
        "Reboot success connected",
        "Show success connected",
    ] {
        assert!(seen.contains(kind), "{kind} was not heard: {seen:?}");
    }
    check_since(&channel, &stage, &router).await;
}

/// What `?since=` brings has the same shape.
async fn check_since(channel: &Channel, stage: &Stage, router: &Router) {
    let made = stage.root.get(&router.path()).await.expect(200)["created"].clone();
    let path = format!(
        "{}?since={}",
        channel.path(&router.id),
        made.as_str().unwrap()
    );
    let mut socket = Socket::open(&stage.server, &path, &stage.token).await;
    for _ in 0..5 {
        channel.check(&socket.next().await);
    }
}

#[tokio::test]
async fn moves_on_both_endpoints_are_as_described() {
    let document = document().await;
    let (one, fleet) = (
        Channel::of(&document, "location"),
        Channel::of(&document, "fleet"),
    );
    let stage = Stage::set_up().await;
    for (name, kind, is_mobile) in [("Bus 1", "outdoor", true), ("Depot", "indoor", false)] {
        let place = json!({
            "name": name, "organization": stage.organization, "type": kind, "is_mobile": is_mobile,
            "geometry": point(1.0, 2.0), "address": "Vía Ñandú 1",
        });
        let made = stage
            .root
            .post("/api/v1/controller/location/", &place)
            .await
            .expect(201);
        let id = made["id"].as_str().unwrap();
        let mut sockets = vec![(&one, one.open(&stage, id).await)];
        if is_mobile {
            sockets.push((&fleet, fleet.open(&stage, id).await));
        }
        stage.root.move_location(id, -180.0, 0.1 + 0.2).await;
        for (channel, socket) in &mut sockets {
            let frame = socket.next().await;
            channel.check(&frame);
            assert_eq!(frame["type"], kind);
        }
    }
    let device = json!({"name": "Bus 2", "organization": stage.organization});
    let device = stage.root.post(DEVICES, &device).await.expect(201);
    let key = device["key"].as_str().unwrap();
    let mut socket = fleet.open(&stage, "").await;
    let path = format!(
        "{DEVICES}{}/coordinates/?key={key}",
        device["id"].as_str().unwrap()
    );
    stage
        .root
        .put(&path, &json!({"geometry": point(3.0, 4.0)}))
        .await
        .expect(200);
    fleet.check(&socket.next().await);
}

#[tokio::test]
async fn what_is_no_such_frame_is_found_out() {
    let document = document().await;
    for name in ["deviceCommands", "location", "fleet"] {
        let channel = Channel::of(&document, name);
        let messages = document["channels"][name]["messages"].as_object().unwrap();
        let example = &messages.values().next().unwrap()["examples"][0]["payload"];
        channel.check(example);
        let inner = if name == "deviceCommands" {
            "/data"
        } else {
            ""
        };
        for member in example.pointer(inner).unwrap().as_object().unwrap().keys() {
            let mut less = example.clone();
            less.pointer_mut(inner)
                .unwrap()
                .as_object_mut()
                .unwrap()
                .remove(member);
            let mut other = example.clone();
            other.pointer_mut(inner).unwrap()[member] = json!(7);
            for wrong in [less, other] {
                assert!(!channel.validator.is_valid(&wrong), "{wrong}");
            }
        }
    }
}

#[tokio::test]
async fn the_close_codes_are_those_of_the_manual() {
    let manual = in_docs("errors.md");
    let (_, table) = manual.split_once("## Close codes").unwrap();
    let table = table.split("\n## ").next().unwrap();
    let rows: Vec<[&str; 4]> = table
        .lines()
        .filter(|line| line.starts_with("| 1"))
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [code, _, text, meaning, come_back] = cells[..] else {
                panic!("{line}")
            };
            [code, text.trim_matches('`'), meaning, come_back]
        })
        .collect();
    assert!(!rows.is_empty());
    let document = document().await;
    let codes = document["x-close-codes"].as_array().unwrap();
    let codes: Vec<[String; 4]> = codes
        .iter()
        .map(|it| {
            let text = |name: &str| it[name].as_str().unwrap().to_owned();
            let code = it["code"].to_string();
            [code, text("text"), text("meaning"), text("comeBack")]
        })
        .collect();
    assert_eq!(rows, codes);
}
