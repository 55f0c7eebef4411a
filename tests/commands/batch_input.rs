//! What is refused of a batch, what is seen of its secrets, and which types there are.

use serde_json::{Value, json};

use super::batch::{BATCHES, ended, results, with};
use super::stage::{Stage, custom, password};
use super::watcher::text;
use crate::support::ssh::{OpenSsh, Options};
use crate::support::{Engine, Seed};

const NOBODYS: &str = "00000000-0000-4000-8000-000000000009";

#[tokio::test]
async fn what_is_wrong_is_named_and_nothing_is_selected_by_accident() {
    let stage = Stage::set_up().await;
    let selector = "Select devices by devices, organization, location or search.";
    let required = "This field is required.";
    let all = json!({"organization": stage.organization});
    let uptime = custom("uptime");
    for (body, told) in [
        (
            json!({}),
            json!({"type": [required], "input": [required], "non_field_errors": [selector]}),
        ),
        (uptime.clone(), json!({"non_field_errors": [selector]})),
        (
            with(
                &uptime,
                &json!({"devices": null, "organization": null, "search": ""}),
            ),
            json!({"non_field_errors": [selector]}),
        ),
        (
            with(&json!({"type": "nope", "input": null}), &all),
            json!({"type": ["\"nope\" is not a valid choice."]}),
        ),
        (
            with(&json!({"type": "custom", "input": {}}), &all),
            json!({"input": ["'command' is a required property"]}),
        ),
        (
            with(
                &uptime,
                &with(&all, &json!({"label": "é".repeat(65), "notes": [1]})),
            ),
            json!({
                "label": ["Ensure this field has no more than 64 characters."],
                "notes": ["Not a valid string."],
            }),
        ),
    ] {
        refused(&stage, &body, &told).await;
    }
    let path = format!("{BATCHES}?dry_run=perhaps");
    let told = stage.root.post(&path, &with(&uptime, &all)).await;
    let expected = json!({"dry_run": ["Must be a valid boolean."]});
    assert_eq!(told.expect(400), expected);
}

/// A batch is refused so, and its dry run as well.
async fn refused(stage: &Stage, body: &Value, told: &Value) {
    for path in [BATCHES, &format!("{BATCHES}?dry_run=true")] {
        let answer = stage.root.post(path, body).await;
        assert_eq!(answer.expect(400), *told, "{body}");
    }
    assert_eq!(stage.root.get(BATCHES).await.expect(200)["count"], json!(0));
}

#[tokio::test]
async fn devices_that_are_not_there_none_and_too_many_are_refused() {
    let stage = Stage::set_up_on(Engine::Sqlite, &[("BATCH__MAX_DEVICES", "2")]).await;
    let credential = stage.credential("all", password()).await;
    for name in ["a", "b", "c"] {
        stage.router_with(name, &[], &credential).await;
    }
    let no_such = format!("Invalid pk \"{NOBODYS}\" - object does not exist.");
    let uptime = custom("uptime");
    for (body, told) in [
        (
            with(&uptime, &json!({"devices": []})),
            json!({"devices": ["This list may not be empty."]}),
        ),
        (
            with(&uptime, &json!({"devices": "x"})),
            json!({"devices": ["Expected a list of items but got type \"str\"."]}),
        ),
        (
            with(&uptime, &json!({"devices": ["x", 5]})),
            json!({"devices": [
                "“x” is not a valid UUID.",
                "Incorrect type. Expected pk value, received int.",
            ]}),
        ),
        (
            with(&uptime, &json!({"devices": [NOBODYS]})),
            json!({"devices": [no_such]}),
        ),
        (
            with(
                &uptime,
                &json!({"organization": NOBODYS, "location": NOBODYS}),
            ),
            json!({"organization": [no_such], "location": [no_such]}),
        ),
        (
            with(&uptime, &json!({"organization": "x"})),
            json!({"organization": ["“x” is not a valid UUID."]}),
        ),
        (
            with(&uptime, &json!({"search": "a".repeat(65)})),
            json!({"search": ["Ensure this field has no more than 64 characters."]}),
        ),
        (
            with(&uptime, &json!({"search": "a\u{0}"})),
            json!({"search": ["Null characters are not allowed."]}),
        ),
        (
            with(&uptime, &json!({"search": "nobody"})),
            json!({"non_field_errors": ["No devices are selected."]}),
        ),
        (
            with(&uptime, &json!({"organization": stage.organization})),
            json!({"non_field_errors": ["3 devices are selected, and a batch has at most 2."]}),
        ),
    ] {
        refused(&stage, &body, &told).await;
    }
    let told = stage
        .root
        .get(&format!("{BATCHES}?status=running&organization=x"))
        .await;
    let expected = json!({
        "organization": ["“x” is not a valid UUID."],
        "status": ["Select a valid choice. running is not one of the available choices."],
    });
    assert_eq!(told.expect(400), expected);
    for path in [
        format!("{BATCHES}{NOBODYS}/"),
        format!("{BATCHES}{NOBODYS}/device/"),
    ] {
        stage.root.get(&path).await.expect(404);
        stage.root.get(path.trim_end_matches('/')).await.expect(404);
    }
}

#[tokio::test]
async fn lists_are_filtered_and_newest_first() {
    let stage = Stage::set_up().await;
    let credential = stage.credential("all", password()).await;
    stage.router_with("a", &[], &credential).await;
    let all = json!({"organization": stage.organization});
    let first = stage.batch(&with(&custom("uptime"), &all)).await;
    // The device has no address.
    let done = ended(&stage.root, &first).await;
    assert_eq!(done["status"], "failed");
    let reboot = with(&json!({"type": "reboot", "input": null}), &all);
    let second = stage.batch(&with(&reboot, &json!({"search": "A"}))).await;
    ended(&stage.root, &second).await;
    let beta = Seed(&stage.server).organization("Beta");
    for (query, expected) in [
        ("", &[&second, &first][..]),
        ("?page_size=1&page=2", &[&first]),
        ("?type=reboot", &[&second]),
        ("?type=ping", &[]),
        ("?status=failed", &[&second, &first]),
        ("?status=in-progress", &[]),
        (&format!("?organization={beta}"), &[]),
        (
            &format!("?organization={}&type=custom", stage.organization),
            &[&first],
        ),
    ] {
        let listed = stage
            .root
            .get(&format!("{BATCHES}{query}"))
            .await
            .expect(200);
        let ids: Vec<_> = listed["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| text(it, "id"))
            .collect();
        assert_eq!(ids.iter().collect::<Vec<_>>(), expected, "{query}");
    }
}

#[tokio::test]
async fn a_secret_of_a_batch_is_nowhere_to_be_found() {
    const SECRET: &str = "n3w-passw0rd-0f-all";
    let device = OpenSsh::start(&Options::default());
    let settings = [("LOG__LEVEL", "trace"), ("COMMANDS__PARALLEL", "1")];
    let stage = Stage::set_up_on(Engine::Sqlite, &settings).await;
    let credential = stage.credential("all", password()).await;
    let address = device.address().to_string();
    let mut routers = Vec::new();
    for name in ["a", "b", "c"] {
        routers.push(stage.router_with(name, &[&address], &credential).await);
    }
    let mut watcher = stage.watch(&routers[0]).await;
    // One waits behind what runs on its device: its secret stays where it is for that long.
    stage.ask(&routers[2], &stage.witness.wait_for("go")).await;
    let input = json!({"password": SECRET, "confirm_password": SECRET});
    let body = json!({"type": "change_password", "input": input, "search": "", "devices":
        routers.iter().map(|it| it.id.clone()).collect::<Vec<_>>()});
    let dry = stage
        .root
        .post(&format!("{BATCHES}?dry_run=true"), &body)
        .await;
    assert!(!dry.text.contains(SECRET), "{}", dry.text);
    let made = stage.root.post(BATCHES, &body).await;
    assert!(!made.text.contains(SECRET), "{}", made.text);
    let made = made.expect(201);
    let masked = json!({"password": "********"});
    assert_eq!(made["input"], masked);
    assert!(stage.server.files_with(SECRET).is_empty());
    let unequal = json!({"password": SECRET, "confirm_password": "other1"});
    let refused = with(&body, &json!({"input": unequal}));
    let refused = stage.root.post(BATCHES, &refused).await;
    assert!(!refused.text.contains(SECRET), "{}", refused.text);
    refused.expect(400);
    stage.witness.open("go");
    let id = text(&made, "id");
    let done = ended(&stage.root, &id).await;
    assert_eq!(
        (&done["status"], &done["input"]),
        (&json!("success"), &masked)
    );
    let found = results(&stage.root, &id, "").await;
    let command = text(&found[0], "command");
    assert_eq!(watcher.end(&command).await["input"], masked);
    assert_eq!(
        device.witness("passwd"),
        Some(format!("{SECRET}\n{SECRET}\n"))
    );
    let told = [
        json!(found).to_string(),
        format!("{:?}", watcher.all()),
        stage.root.get(BATCHES).await.text,
        stage.root.get(&routers[0].commands()).await.text,
        stage.server.log(),
        stage.server.cli(&["audit", "list"]).to_string(),
    ];
    for text in told {
        assert!(!text.contains(SECRET), "{text}");
    }
    assert!(!stage.server.files_with("Change Password").is_empty());
    assert!(stage.server.files_with(SECRET).is_empty());
}

#[tokio::test]
async fn a_device_says_which_types_it_may_be_asked_for() {
    let configuration = r#"
        [commands.types.ping]
        label = "Ping"
        template = "ping -c 1 {host}"
        tty = true
        timeout_s = 7
        [commands.types.ping.schema]
        required = ["host"]
        [commands.types.ping.schema.properties]
        host = { type = "string", pattern = "^[a-z]+$" }

        [commands.allowed]
        alpha = ["reboot", "change_password", "ping"]
    "#;
    let stage = Stage::set_up_with(Engine::Sqlite, &[], configuration).await;
    let router = stage.router_at("router", &[]).await;
    let path = format!("{}command-type/", router.path());
    let types = stage.root.get(&path).await.expect(200);
    assert_eq!(
        stage.root.get(path.trim_end_matches('/')).await.expect(200),
        types
    );
    let types = types.as_array().unwrap();
    let names: Vec<_> = types.iter().map(|it| text(it, "name")).collect();
    assert_eq!(names, ["reboot", "change_password", "ping"]);
    let usual =
        json!({"name": "reboot", "label": "Reboot", "schema": null, "tty": false, "timeout_s": 60});
    assert_eq!(types[0], usual);
    assert_eq!(
        types[1]["schema"]["properties"]["password"]["writeOnly"],
        json!(true)
    );
    let ping = &types[2];
    assert_eq!(
        (&ping["tty"], &ping["timeout_s"]),
        (&json!(true), &json!(7))
    );
    assert_eq!(ping["schema"]["required"], json!(["host"]));
    assert_eq!(ping["schema"]["additionalProperties"], json!(false));
    let seed = Seed(&stage.server);
    let statuses = async |name: &str, permission: &str, organization: &str| {
        let flags = [
            "--staff",
            "--manages",
            organization,
            "--permission",
            permission,
        ];
        let client = stage.server.client(&seed.user_with_token(name, &flags));
        client.get(&path).await.status
    };
    let beta = seed.organization("Beta");
    let own = &stage.organization;
    assert_eq!(statuses("adder", "connection.add_command", own).await, 200);
    for other in ["connection.view_command", "connection.delete_command"] {
        assert_eq!(statuses(other, other, own).await, 403);
    }
    let foreign = statuses("stranger", "connection.add_command", &beta).await;
    assert_eq!(foreign, 404);
    let _: Value = stage.root.post(&path, &json!({})).await.expect(405);
}
