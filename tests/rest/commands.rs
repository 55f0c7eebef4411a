//! `device/{id}/command/`: who may ask for what, who hears of it, and what nobody sees. The devices
//! here are nowhere to be reached, so that what is asked for never ends well.

use serde_json::{Value, json};

use super::{DEVICES, NOBODYS_ID, Stage, assert_timestamp, keys, one, text};
use crate::support::{Client, Engine, Socket, command_path, eventually, free_address};

fn custom(command: &str) -> Value {
    json!({"type": "custom", "input": {"command": command}})
}

/// The list of a device's commands.
fn commands(device: &str) -> String {
    format!("{}command/", one(DEVICES, device))
}

#[tokio::test]
async fn a_command_has_openwisps_fields() {
    let stage = Stage::set_up().await;
    let device = stage.router("router").await;
    let list = commands(&device);
    let made = stage
        .operator
        .post(&list, &custom("uptime"))
        .await
        .expect(201);
    let expected = [
        "id",
        "input",
        "device",
        "connection",
        "created",
        "modified",
        "status",
        "type",
        "output",
        "exit_code",
        "created_by",
        "batch",
    ];
    assert_eq!(keys(&made), expected);
    assert_eq!(made["input"], json!({"command": "uptime"}));
    assert_eq!(made["device"], json!(device));
    assert_eq!(made["type"], json!("Custom Command"));
    assert_eq!(made["status"], json!("in-progress"));
    assert_eq!(
        (&made["output"], &made["exit_code"]),
        (&json!(""), &json!(null))
    );
    assert_timestamp(&made["created"]);
    let path = one(&list, &text(&made["id"]));
    let seen = stage.operator.get(&path).await.expect(200);
    assert_eq!(
        (&seen["id"], &seen["created_by"]),
        (&made["id"], &made["created_by"])
    );
    let reboot = json!({"type": "reboot", "input": null});
    let reboot = stage.operator.post(&list, &reboot).await.expect(201);
    assert_eq!(reboot["input"], json!(null));
    let page = stage.operator.get(&format!("{list}?page_size=1")).await;
    let page = page.expect(200);
    assert_eq!(keys(&page), ["count", "next", "previous", "results"]);
    assert_eq!(
        (&page["count"], &page["results"][0]["id"]),
        (&json!(2), &reboot["id"])
    );
}

#[tokio::test]
async fn what_is_wrong_is_said_in_openwisps_words() {
    let stage = Stage::set_up().await;
    let list = commands(&stage.router("router").await);
    for (body, told) in [
        (
            json!({"type": "custom", "input": null}),
            json!({"input": ["None is not of type 'object'"]}),
        ),
        (
            json!({"type": "custom", "input": {}}),
            json!({"input": ["'command' is a required property"]}),
        ),
        (
            json!({"type": "custom", "input": {"command": ""}}),
            json!({"input": ["'' should be non-empty"]}),
        ),
        (
            json!({"type": "nope", "input": null}),
            json!({"type": ["\"nope\" is not a valid choice."]}),
        ),
        (
            json!({"input": {"command": "x"}}),
            json!({"type": ["This field is required."]}),
        ),
        (
            json!({"type": "custom"}),
            json!({"input": ["This field is required."]}),
        ),
    ] {
        assert_eq!(
            stage.operator.post(&list, &body).await.expect(400),
            told,
            "{body}"
        );
    }
    let bare = stage.seed().device("bare", &stage.own);
    let told = stage
        .operator
        .post(&commands(&bare.id), &custom("id"))
        .await;
    let expected = json!({"device": ["Device has no credentials assigned."]});
    assert_eq!(told.expect(400), expected);
}

#[tokio::test]
async fn a_tenant_runs_commands_on_its_own_devices_only() {
    let stage = Stage::set_up().await;
    let own = commands(&stage.router("router").await);
    let foreign = commands(&stage.seed().device("foreign", &stage.other).id);
    let id = stage.operator.post(&own, &custom("id")).await.expect(201);
    let id = text(&id["id"]);
    let not_found = json!({"detail": "Not found."});
    for path in [&foreign, &commands(NOBODYS_ID)] {
        let told = stage.operator.get(path).await.expect(404);
        assert_eq!(told, not_found);
        let told = stage.operator.post(path, &custom("id")).await.expect(404);
        assert_eq!(told, not_found);
        let cancel = format!("{path}{id}/cancel/");
        stage.operator.post(&cancel, &json!({})).await.expect(404);
    }
    // By the path of a device that is not its own, nobody has it.
    let detail = json!({"detail": "No Command matches the given query."});
    let elsewhere = one(&foreign, &id);
    assert_eq!(stage.root.get(&elsewhere).await.expect(404), detail);
    let flags = [
        "--staff",
        "--permission",
        "connection.view_command",
        "--manages",
        &stage.own,
    ];
    let viewer = stage.client_of("viewer", &flags);
    viewer.get(&own).await.expect(200);
    viewer.post(&own, &custom("id")).await.expect(403);
    let cancel = format!("{own}{id}/cancel/");
    viewer.post(&cancel, &json!({})).await.expect(403);
    stage.nobody.post(&cancel, &json!({})).await.expect(401);
}

#[tokio::test]
async fn a_command_called_off_ends_for_all_who_watch() {
    called_off(Stage::set_up().await).await;
}

#[tokio::test]
async fn a_command_called_off_ends_for_all_who_watch_on_postgresql_too() {
    called_off(Stage::set_up_on(Engine::Postgres, &[]).await).await;
}

async fn called_off(stage: Stage) {
    let device = stage.router("router").await;
    let list = commands(&device);
    let token = stage.seed().token("root");
    let mut socket = Socket::open(&stage.server, &command_path(&device), &token).await;
    let made = stage
        .operator
        .post(&list, &custom("sleep 60"))
        .await
        .expect(201);
    let path = one(&list, &text(&made["id"]));
    let cancel = format!("{path}cancel/");
    let answer = stage.operator.post(&cancel, &json!({})).await;
    // A runner that was quicker has found that the device has no address.
    assert!([202, 409].contains(&answer.status), "{}", answer.text);
    let is_final = |message: &Value| message["data"]["status"] == json!("failed");
    let heard = socket.next_where(is_final).await;
    assert_eq!(heard["data"]["id"], made["id"]);
    let ended = stage.operator.get(&path).await.expect(200);
    for key in ["output", "status", "type", "input", "created", "modified"] {
        assert_eq!(heard["data"][key], ended[key], "{key}");
    }
    let late = stage.operator.post(&cancel, &json!({})).await.expect(409);
    assert_eq!(late, json!({"detail": "The command has ended already."}));
    assert_eq!(stage.operator.get(&path).await.expect(200), ended);
}

#[tokio::test]
async fn a_new_password_is_nowhere_to_be_found() {
    let metrics = free_address();
    let settings = [
        ("LOG__LEVEL", "trace"),
        ("METRICS__LISTEN", &metrics.to_string()),
    ];
    let stage = Stage::set_up_with(&settings).await;
    let device = stage.router("router").await;
    let list = commands(&device);
    let token = stage.seed().token("root");
    let mut socket = Socket::open(&stage.server, &command_path(&device), &token).await;
    let change = |password: &str, again: &str| {
        let input = json!({"password": password, "confirm_password": again});
        json!({"type": "change_password", "input": input})
    };
    let refused = stage
        .operator
        .post(&list, &change("t0psecret-1", "t0psecret-2"))
        .await;
    assert!(!refused.text.contains("t0psecret"), "{}", refused.text);
    refused.expect(400);
    let made = stage
        .operator
        .post(&list, &change("t0psecret-3", "t0psecret-3"))
        .await;
    assert!(!made.text.contains("t0psecret"), "{}", made.text);
    let made = made.expect(201);
    let shown = json!({"password": "********"});
    assert_eq!(made["input"], shown);
    let path = one(&list, &text(&made["id"]));
    stage
        .operator
        .post(&format!("{path}cancel/"), &json!({}))
        .await;
    let is_final = |message: &Value| message["data"]["status"] == json!("failed");
    let heard = socket.next_where(is_final).await;
    assert_eq!(heard["data"]["input"], shown);
    assert!(!heard.to_string().contains("t0psecret"), "{heard}");
    eventually("the end is saved", async || {
        let seen = stage.root.get(&path).await;
        assert!(!seen.text.contains("t0psecret"), "{}", seen.text);
        (seen.json["status"] == json!("failed")).then_some(())
    })
    .await;
    for answer in [
        stage.root.get(&list).await,
        Client::of(metrics).get("/metrics").await,
    ] {
        assert!(!answer.text.contains("t0psecret"), "{}", answer.text);
    }
    assert!(!stage.server.files_with("Change Password").is_empty());
    assert_eq!(
        stage.server.files_with("t0psecret"),
        [] as [std::path::PathBuf; 0]
    );
}
