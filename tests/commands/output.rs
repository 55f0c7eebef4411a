//! What a device prints, as those see it who watch.

use serde_json::json;

use super::stage::{Router, Stage, outcome};
use crate::conformance::on_both_engines;
use crate::support::Engine;
use crate::support::ssh::{Account, both, both_for_key, generate_key};

on_both_engines! {
    output_grows_before_the_eyes_of_who_watches,
    what_is_no_text_becomes_text,
}

/// The contract's section 2: a message each time the output grows, each a snapshot that begins with
/// the one before. The command goes on only when the last growth was seen, so none can be missed.
async fn grows(stage: &Stage, router: &Router) {
    let witness = &stage.witness;
    let [two, three, end] = ["two", "three", "end"].map(|it| format!("{}-{it}", router.id));
    let mut watcher = stage.watch(router).await;
    let line = format!(
        "echo one; {}; echo two >&2; {}; echo three; {}",
        witness.wait_for(&two),
        witness.wait_for(&three),
        witness.wait_for(&end)
    );
    let id = stage.ask(router, &line).await;
    watcher.until_output(&id, "one\n").await;
    witness.open(&two);
    watcher.until_output(&id, "one\ntwo\n").await;
    witness.open(&three);
    watcher.until_output(&id, "one\ntwo\nthree\n").await;
    witness.open(&end);
    let end = watcher.end(&id).await;
    assert_eq!(end["status"], "success");
    assert_eq!(end["type"], "Custom Command");
    assert_eq!(end["input"], json!({ "command": line }));
    assert_eq!(end["device"], json!(router.id));
    assert_eq!(end["connection"], json!(router.connection));
    // The last message and REST say the same.
    let seen = stage.seen(router, &id).await;
    for (key, value) in end.as_object().unwrap() {
        assert_eq!(&seen[key], value, "{key}");
    }
    assert_eq!(seen["exit_code"], json!(0));
    let heard = watcher.heard(&id);
    let growing = heard.iter().filter(|it| it["status"] == "in-progress");
    assert!(growing.count() >= 3, "{heard:?}");
    watcher.hears_nothing_more().await;
}

async fn output_grows_before_the_eyes_of_who_watches(engine: Engine) {
    let stage = Stage::set_up_on(engine, &[]).await;
    for (number, device) in both().iter().enumerate() {
        let router = stage.router(&format!("router-{number}"), device).await;
        grows(&stage, &router).await;
    }
}

#[tokio::test]
async fn a_private_key_is_as_good_as_a_password() {
    let stage = Stage::set_up().await;
    let keys = tempfile::tempdir().unwrap();
    for (kind, passphrase) in [
        ("ed25519", Some("pass phrase")),
        ("rsa", None),
        ("ecdsa", None),
    ] {
        let file = keys.path().join(kind);
        let public = generate_key(&file, kind, passphrase);
        let mut params = json!({
            "username": Account::of_the_tests().user,
            "key": std::fs::read_to_string(&file).unwrap(),
        });
        if let Some(passphrase) = passphrase {
            params["passphrase"] = json!(passphrase);
        }
        let credential = stage.credential(kind, params).await;
        for (number, device) in both_for_key(&public).iter().enumerate() {
            let (name, address) = (format!("{kind}-{number}"), device.address().to_string());
            let router = stage.router_with(&name, &[&address], &credential).await;
            let ended = stage.run(&router, "echo hello").await;
            assert_eq!(outcome(&ended), ("success", &json!(0), "hello\n"), "{name}");
            if passphrase.is_some() {
                grows(&stage, &router).await;
            }
        }
    }
}

/// Devices print what they like: PostgreSQL stores no U+0000, and no message may end half-way through
/// a character.
async fn what_is_no_text_becomes_text(engine: Engine) {
    let stage = Stage::set_up_on(engine, &[]).await;
    for (number, device) in both().iter().enumerate() {
        let router = stage.router(&format!("router-{number}"), device).await;
        let mut watcher = stage.watch(&router).await;
        let rest = format!("rest-{number}");
        let line = format!(
            r"printf 'a\377b\000c \342\202'; {}; printf '\254 \360\237\230'",
            stage.witness.wait_for(&rest)
        );
        let id = stage.ask(&router, &line).await;
        let begin = "a\u{fffd}b\u{fffd}c ";
        watcher.until_output(&id, begin).await;
        stage.witness.open(&rest);
        watcher.end(&id).await;
        let ended = stage.seen(&router, &id).await;
        let output = format!("{begin}€ \u{fffd}");
        assert_eq!(outcome(&ended), ("success", &json!(0), &*output));
    }
}

/// The server keeps a bounded part of what a device prints, in messages, rows and memory.
#[tokio::test]
async fn ten_megabytes_are_cut_off_with_a_notice() {
    const LIMIT: usize = 1 << 20;
    /// What the server may take more of memory than before, in KiB: some copies of what it keeps,
    /// and far from all that is printed, encrypted and decrypted.
    const ROOM: u64 = 32 * 1024;
    let output = format!(
        "{}\n[output cut off at {LIMIT} bytes]\nexit code: 3",
        "x".repeat(LIMIT)
    );
    for device in both() {
        let stage = Stage::set_up().await;
        let router = stage.router("router", &device).await;
        // What every command takes is not what a long output takes.
        stage.run(&router, "true").await;
        let mut watcher = stage.watch(&router).await;
        stage.server.forget_peak();
        let before = stage.server.memory().resident;
        let line = "head -c 10485760 /dev/zero | tr '\\0' x; exit 3";
        let id = stage.ask(&router, line).await;
        let end = watcher.end(&id).await;
        assert!(end["output"] == *output, "another output");
        assert!(stage.seen(&router, &id).await["output"] == *output);
        for message in watcher.heard(&id) {
            assert!(message["output"].as_str().unwrap().len() <= output.len());
        }
        let peak = stage.server.memory().peak;
        assert!(
            peak < before + ROOM,
            "{before} KiB before, {peak} KiB at most"
        );
    }
}
