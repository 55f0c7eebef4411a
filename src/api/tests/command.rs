//! Commands: who may ask for which, what is kept of a secret, and how one is called off.

use serde_json::{Value, json};

use super::stage::{DEVICES, Stage};
use crate::config::Config;
use crate::event::{CommandStatus, NodeId};
use crate::store::{AuditFilter, Ending, Piece, SecretInput};

fn custom(command: &str) -> Value {
    json!({"type": "custom", "input": {"command": command}})
}

#[tokio::test]
async fn a_command_may_be_read_and_run_by_who_has_the_right() {
    let stage = Stage::set_up().await;
    let device = stage.add_router("router").await;
    let list = format!("{device}command/");
    let id = stage.operator.make(&list, custom("uptime")).await;
    let one = format!("{list}{id}/");
    let cancel = format!("{one}cancel/");
    for (permission, statuses) in [
        ("view", [200, 200, 403, 403]),
        ("change", [200, 200, 403, 403]),
        ("delete", [403, 403, 403, 403]),
        ("add", [403, 403, 400, 202]),
    ] {
        let right = format!("connection.{permission}_command");
        let client = stage.add_manager(permission, &[&right]).await;
        let answers = [
            client.get(&list).await,
            client.get(&one).await,
            client.post(&list, json!({})).await,
            client.send("POST", &cancel, None).await,
        ];
        let got = answers.map(|answer| answer.status);
        assert_eq!(got, statuses, "{permission}");
    }
    let foreign = json!({"name": "foreign", "organization": stage.other});
    let foreign = stage.root.make(DEVICES, foreign).await;
    let not_found = json!({"detail": "Not found."});
    for (method, path) in [
        ("GET", format!("{DEVICES}{foreign}/command/")),
        ("POST", format!("{DEVICES}{foreign}/command/")),
        ("GET", format!("{DEVICES}{foreign}/command/{id}/")),
        ("POST", format!("{DEVICES}{foreign}/command/{id}/cancel/")),
        ("GET", format!("{list}xyz/")),
        ("POST", format!("{list}xyz/cancel/")),
    ] {
        let told = stage.operator.send_text(method, &path, None, "{").await;
        assert_eq!(told.expect(404), not_found, "{method} {path}");
    }
    // Another device's command, by one who sees both.
    let other = stage.add_device("other").await;
    let detail = json!({"detail": "No Command matches the given query."});
    let elsewhere = format!("{other}command/{id}/");
    assert_eq!(stage.operator.get(&elsewhere).await.expect(404), detail);
    let elsewhere = format!("{elsewhere}cancel/");
    let told = stage.operator.send("POST", &elsewhere, None).await;
    assert_eq!(told.expect(404), detail);
}

#[tokio::test]
async fn a_password_is_seen_by_the_runner_alone() {
    let stage = Stage::set_up().await;
    let device = stage.add_router("router").await;
    let list = format!("{device}command/");
    let input = json!({"password": "t0psecret", "confirm_password": "t0psecret"});
    let body = json!({"type": "change_password", "input": input});
    let made = stage.operator.post(&list, body).await;
    assert!(!made.text.contains("t0psecret"), "{}", made.text);
    let made = made.expect(201);
    assert_eq!(made["input"], json!({"password": "********"}));
    let one = format!("{list}{}/", made["id"].as_str().unwrap());
    for path in [&list, &one] {
        let seen = stage.root.get(path).await;
        assert!(!seen.text.contains("t0psecret"), "{}", seen.text);
    }
    for wrong in [
        json!({"password": "t0psecret", "confirm_password": "t0psecreT"}),
        json!({"password": "t0psecret"}),
        json!({"password": "t0psecret", "confirm_password": ["t0psecret"]}),
        json!({"password": "t0psecret", "confirm_password": "t0psecret", "more": 1}),
        json!({"password": "t0ps\u{0}ecret", "confirm_password": "t0ps\u{0}ecret"}),
        json!({"password": "t0psecret\n", "confirm_password": "t0psecret\n"}),
        json!({"password": "t0psecret".repeat(4), "confirm_password": "t0psecret".repeat(4)}),
        json!("t0psecret"),
        json!(["t0psecret"]),
    ] {
        let body = json!({"type": "change_password", "input": wrong});
        let told = stage.operator.post(&list, body).await;
        assert!(!told.text.contains("t0ps"), "{}", told.text);
        assert!(told.expect(400)["input"][0].is_string(), "{wrong}");
    }
    let node = NodeId::random();
    let job = stage.app.store.claim_command(node, 30).await.unwrap();
    let SecretInput(plain) = job.unwrap().input;
    assert_eq!(plain, input);
}

#[tokio::test]
async fn a_queued_command_is_called_off_at_once_and_an_ended_one_is_not() {
    let stage = Stage::set_up().await;
    let device = stage.add_router("router").await;
    let list = format!("{device}command/");
    let id = stage.operator.make(&list, custom("uptime")).await;
    let one = format!("{list}{id}/");
    let cancel = format!("{one}cancel/");
    let answer = stage.operator.send("POST", &cancel, None).await.expect(202);
    assert_eq!(
        (&answer["id"], &answer["status"]),
        (&json!(id), &json!("failed"))
    );
    let output = answer["output"].as_str().unwrap();
    assert!(output.contains("cancelled by operator"), "{output}");
    assert_eq!(stage.operator.get(&one).await.expect(200), answer);
    let late = stage.operator.send("POST", &cancel, None).await.expect(409);
    assert_eq!(late, json!({"detail": "The command has ended already."}));
    let filter = AuditFilter {
        actor: Some("operator".into()),
        most: 100,
        ..AuditFilter::default()
    };
    let entries = stage.app.store.audit(&filter).await.unwrap();
    let actions: Vec<_> = entries.iter().map(|entry| &*entry.action).collect();
    assert_eq!(actions, ["cancel", "run"]);
}

#[tokio::test]
async fn a_running_command_is_told_to_end_and_shows_what_came_of_it() {
    let stage = Stage::set_up().await;
    let device = stage.add_router("router").await;
    let list = format!("{device}command/");
    let id = stage.operator.make(&list, custom("false")).await;
    let one = format!("{list}{id}/");
    let store = &stage.app.store;
    let node = NodeId::random();
    let job = store.claim_command(node, 30).await.unwrap().unwrap();
    let cancel = format!("{one}cancel/");
    let asked = stage.operator.send("POST", &cancel, None).await.expect(202);
    assert_eq!(asked["status"], json!("in-progress"));
    let told = store.cancelled(node).await.unwrap();
    assert_eq!(told, [(job.command.id, "operator".to_owned())]);
    let ending = Ending {
        status: CommandStatus::Failed,
        exit_code: Some(3),
    };
    let mut snapshot: crate::event::CommandUpdated = job.command.into();
    snapshot.output = "no\nexit code: 3".into();
    let output = snapshot.output.clone();
    let piece = Piece {
        number: 1,
        text: &output,
    };
    store
        .end_command(node, &snapshot, piece, ending)
        .await
        .unwrap();
    let ended = stage.operator.get(&one).await.expect(200);
    assert_eq!(ended["status"], json!("failed"));
    assert_eq!(ended["exit_code"], json!(3));
    assert_eq!(ended["output"], json!("no\nexit code: 3"));
    let operator = store.find_user("operator").await.unwrap().id;
    assert_eq!(ended["created_by"], json!(operator));
}

#[tokio::test]
async fn a_device_that_is_off_or_has_no_login_runs_nothing() {
    let stage = Stage::set_up().await;
    let device = stage.add_device("router").await;
    let list = format!("{device}command/");
    let refused = |reason: &str| json!({"device": [reason]});
    let told = stage.root.post(&list, custom("id")).await.expect(400);
    assert_eq!(told, refused("Device has no credentials assigned."));
    let login = json!({"credentials": stage.add_credential("a").await});
    let connections = format!("{device}connection/");
    let connection = stage.root.make(&connections, login).await;
    let connection = format!("{connections}{connection}/");
    let off = json!({"enabled": false});
    stage.root.patch(&connection, off).await.expect(200);
    let told = stage.root.post(&list, custom("id")).await.expect(400);
    assert_eq!(told, refused("Device has no credentials assigned."));
    let on = json!({"enabled": true});
    stage.root.patch(&connection, on).await.expect(200);
    stage.root.post(&list, custom("id")).await.expect(201);
    let deactivate = format!("{device}deactivate/");
    stage.root.send("POST", &deactivate, None).await.expect(200);
    let told = stage.root.post(&list, custom("id")).await.expect(400);
    assert_eq!(told, refused("Device is deactivated."));
    let activate = format!("{device}activate/");
    stage.root.send("POST", &activate, None).await.expect(200);
    stage.root.post(&list, custom("id")).await.expect(201);
}

#[tokio::test]
async fn a_command_may_name_the_login_that_it_runs_with() {
    let stage = Stage::set_up().await;
    let device = stage.add_router("router").await;
    let other = stage.add_router("other").await;
    let first = async |device: &str| {
        let list = stage.root.get(&format!("{device}connection/")).await;
        list.expect(200)["results"][0]["id"].clone()
    };
    let (own, foreign) = (first(&device).await, first(&other).await);
    let list = format!("{device}command/");
    let with =
        |connection: &Value| json!({"type": "reboot", "input": null, "connection": connection});
    let made = stage.operator.post(&list, with(&own)).await.expect(201);
    assert_eq!(made["connection"], own);
    let made = stage.operator.post(&list, with(&json!(null))).await;
    assert_eq!(made.expect(201)["connection"], json!(null));
    let foreign_id = foreign.as_str().unwrap();
    let no_such = format!("Invalid pk \"{foreign_id}\" - object does not exist.");
    for (wrong, reason) in [
        (&foreign, &*no_such),
        (&json!("x"), "“x” is not a valid UUID."),
        (
            &json!([]),
            "Incorrect type. Expected pk value, received list.",
        ),
    ] {
        let told = stage.operator.post(&list, with(wrong)).await.expect(400);
        assert_eq!(told, json!({"connection": [reason]}));
    }
}

#[tokio::test]
async fn everything_wrong_with_a_command_is_told_at_once() {
    let stage = Stage::set_up().await;
    let device = stage.add_router("router").await;
    let list = format!("{device}command/");
    let required = json!(["This field is required."]);
    let null_error = json!(["This field may not be null."]);
    let uuid = json!(["“x” is not a valid UUID."]);
    for (body, expected) in [
        (json!({}), json!({"input": required, "type": required})),
        (
            json!({"type": null, "input": null}),
            json!({"type": null_error}),
        ),
        (
            json!({"type": "custom", "input": {}, "connection": "x"}),
            json!({"connection": uuid, "input": ["'command' is a required property"]}),
        ),
        (
            json!({"type": 5, "input": null}),
            json!({"type": ["\"5\" is not a valid choice."]}),
        ),
        (
            json!({"type": "reboot", "input": {}}),
            json!({"input": ["{} is not of type 'null'"]}),
        ),
        (
            json!({"type": "custom", "input": {"command": "a\u{0}b"}}),
            json!({"input": ["Null characters are not allowed."]}),
        ),
    ] {
        let told = stage.operator.post(&list, body.clone()).await.expect(400);
        assert_eq!(told, expected, "{body}");
    }
    let count = stage.operator.get(&list).await.expect(200)["count"].clone();
    assert_eq!(count, json!(0));
}

#[tokio::test]
async fn an_organization_runs_what_it_may() {
    let text = r#"
        [commands.types.ping]
        label = "Ping"
        template = "ping -c 3 -- {host}"
        [commands.types.ping.schema]
        type = "object"
        required = ["host"]
        additionalProperties = false
        properties.host = { type = "string", pattern = '^[a-z0-9.:-]+$' }
        properties.token = { type = "string", writeOnly = true }
        [commands.allowed]
        own = ["ping", "custom"]
        "*" = []
    "#;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let config = Config::load(Some(file.path()), std::iter::empty()).unwrap();
    let stage = Stage::set_up_with(config).await;
    let device = stage.add_router("router").await;
    let list = format!("{device}command/");
    let input = json!({"host": "example.org", "token": "t0psecret"});
    let ping = json!({"type": "ping", "input": input});
    let made = stage.operator.post(&list, ping.clone()).await.expect(201);
    assert_eq!(made["type"], json!("Ping"));
    let shown = json!({"host": "example.org", "token": "********"});
    assert_eq!(made["input"], shown);
    stage.operator.post(&list, custom("id")).await.expect(201);
    let wrong = json!({"type": "ping", "input": {"host": "; reboot"}});
    stage.operator.post(&list, wrong).await.expect(400);
    // Superusers too: what an organization may run is about its devices.
    for client in [&stage.operator, &stage.root] {
        let told = client
            .post(&list, json!({"type": "reboot", "input": null}))
            .await;
        let reason = "\"reboot\" is not a valid choice.";
        assert_eq!(told.expect(400), json!({"type": [reason]}));
    }
    let foreign = json!({"name": "foreign", "organization": stage.other});
    let foreign = stage.root.make(DEVICES, foreign).await;
    let told = stage
        .root
        .post(&format!("{DEVICES}{foreign}/command/"), ping)
        .await;
    let reason = "\"ping\" is not a valid choice.";
    assert_eq!(told.expect(400), json!({"type": [reason]}));
}
