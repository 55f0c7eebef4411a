//! Command types that the operator defines in the configuration.

use serde_json::json;

use super::stage::{CREDENTIALS, DEVICES, Router, Stage, custom, outcome, password};
use super::watcher::text;
use crate::support::ssh::{OpenSsh, Options};
use crate::support::{Engine, Seed};

const CONFIGURATION: &str = r#"
[commands.types.show]
label = "Show"
template = "printf '<%s>' {first} {rest}"
[commands.types.show.schema]
required = ["first"]
[commands.types.show.schema.properties]
first = { type = "string" }
rest = { type = "array", items = { type = "string" } }

[commands.types.terminal]
label = "Terminal"
template = "test -t 1 && echo yes"
tty = true

[commands.types.slow]
label = "Slow"
template = "echo begun; sleep 60"
timeout_s = 1

[commands.allowed]
"*" = ["custom"]
alpha = ["show", "terminal", "slow"]
"#;

/// Whatever a value holds, it is one word of the device's shell and no part of the command.
#[tokio::test]
async fn values_are_words_whatever_they_hold() {
    let device = OpenSsh::start(&Options::default());
    let stage = Stage::set_up_with(Engine::Sqlite, &[], CONFIGURATION).await;
    let router = stage.router("router", &device).await;
    let touch = format!("touch {}", stage.witness.path("touched"));
    let quoted = format!("'; {touch}; '");
    let substituted = format!("$({touch}) `{touch}` $HOME");
    let words = [
        &*quoted,
        &substituted,
        "",
        "two words",
        "new\nline",
        "ü'\"\\*",
    ];
    let input = json!({"first": words[0], "rest": &words[1..]});
    let mut watcher = stage.watch(&router).await;
    let id = stage
        .ask_for(&router, &json!({"type": "show", "input": input}))
        .await;
    let end = watcher.end(&id).await;
    assert_eq!(end["type"], "Show");
    assert_eq!(end["input"], input);
    let printed = words.map(|word| format!("<{word}>"));
    let seen = stage.seen(&router, &id).await;
    assert_eq!(outcome(&seen), ("success", &json!(0), &*printed.concat()));
    assert!(!std::fs::exists(stage.witness.path("touched")).unwrap());
}

#[tokio::test]
async fn a_type_has_a_terminal_and_a_time_of_its_own() {
    let device = OpenSsh::start(&Options::default());
    let stage = Stage::set_up_with(Engine::Sqlite, &[], CONFIGURATION).await;
    let router = stage.router("router", &device).await;
    let run = async |name: &str| {
        let body = json!({"type": name, "input": null});
        let id = stage.ask_for(&router, &body).await;
        stage.ended(&router, &id).await
    };
    let ended = run("terminal").await;
    assert_eq!(outcome(&ended), ("success", &json!(0), "yes\r\n"));
    let ended = run("slow").await;
    let (status, _, output) = outcome(&ended);
    assert_eq!(status, "failed");
    assert!(output.starts_with("begun\n"), "{output}");
    assert!(output.contains("timed out after 1 s"), "{output}");
}

#[tokio::test]
async fn an_organization_has_the_types_that_it_is_allowed() {
    let device = OpenSsh::start(&Options::default());
    let stage = Stage::set_up_with(Engine::Sqlite, &[], CONFIGURATION).await;
    let router = stage.router("router", &device).await;
    let other = Seed(&stage.server).organization("Beta");
    let body = json!({"name": "other", "organization": other, "params": password()});
    let credential = stage.root.post(CREDENTIALS, &body).await.expect(201);
    let address = device.address().to_string();
    let body = json!({"name": "other", "organization": other, "addresses": [address]});
    let id = text(&stage.root.post(DEVICES, &body).await.expect(201), "id");
    let connection = stage.connect(&id, &text(&credential, "id")).await;
    let other = Router { id, connection };

    let show = json!({"type": "show", "input": {"first": "x"}});
    let custom = custom("printf '<x>'");
    for (router, allowed, refused) in [(&router, &show, &custom), (&other, &custom, &show)] {
        let id = stage.ask_for(router, allowed).await;
        let ended = stage.ended(router, &id).await;
        assert_eq!(outcome(&ended), ("success", &json!(0), "<x>"));
        let told = stage.root.post(&router.commands(), refused).await;
        let name = refused["type"].as_str().unwrap();
        let reason = format!("\"{name}\" is not a valid choice.");
        assert_eq!(told.expect(400), json!({"type": [reason]}));
    }
}
