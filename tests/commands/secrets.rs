//! Passwords that commands carry, and those that devices are logged in to with, are nowhere to be
//! found: not in the server's files, and in nothing that it says.

use std::fmt::Write as _;

use serde_json::json;

use super::stage::{CREDENTIALS, Router, Stage, password};
use super::watcher::Watcher;
use super::witness::Witness;
use crate::conformance::on_both_engines;
use crate::support::ssh::{Account, OpenSsh, Options, generate_key, run};
use crate::support::{Client, Database, Engine, free_address};

on_both_engines! {
    no_secret_is_to_be_found_while_it_is_used_or_after,
}

const NEW: &str = "n3w-passw0rd-for-r00t";
const NETWORK: &str = "netw0rk-key-0f-many-b0ats";
const PASSPHRASE: &str = "passphrase-0f-the-key";
const MASKED: &str = "********";

const JOIN: &str = r#"
[commands.types.join]
label = "Join"
template = "echo joining {network} with {key}; {wait}"
[commands.types.join.schema]
required = ["network", "key"]
[commands.types.join.schema.properties]
network = { type = "string" }
key = { type = "string", writeOnly = true }
"#;

/// All secrets of the test below, and everything that the server says.
struct Search {
    secrets: Vec<String>,
    metrics: Client,
}

impl Search {
    /// Looks everywhere, once a thing that may be seen shows that it looks in the right places.
    async fn nothing_is_found(&self, stage: &Stage, routers: &[(Router, Watcher)]) {
        let get = async |path: &str| stage.root.get(path).await.text;
        let rows = Database::of(&stage.server).await.rows().await;
        let mut told = vec![
            rows.to_lowercase(),
            self.metrics.get("/metrics").await.text,
            get(CREDENTIALS).await,
            stage.server.log(),
            stage.server.cli(&["audit", "list"]).to_string(),
            rows,
        ];
        for (router, watcher) in routers {
            let commands = get(&router.commands()).await;
            assert!(commands.contains(MASKED), "{commands}");
            for command in watcher.all().keys() {
                told.push(get(&router.command(command)).await);
            }
            told.push(format!("{:?}", watcher.all()));
            told.extend([commands, get(&router.path()).await]);
            told.push(get(&router.connection()).await);
        }
        assert!(told[0].contains("change password"), "{}", told[0]);
        assert!(told[1].contains("command"), "{}", told[1]);
        if stage.server.database_url().is_none() {
            assert!(!stage.server.files_with("Change Password").is_empty());
        }
        for secret in &self.secrets {
            for text in &told {
                assert!(!text.contains(secret.as_str()), "{secret} in {text}");
                assert!(!text.contains(&hexadecimal(secret)), "{secret} in {text}");
            }
            let files = stage.server.files_with(secret);
            assert!(files.is_empty(), "{secret} in {files:?}");
        }
    }
}

/// As [`Database::rows`] shows bytes.
fn hexadecimal(text: &str) -> String {
    text.bytes().fold(String::new(), |mut digits, byte| {
        write!(digits, "{byte:02x}").unwrap();
        digits
    })
}

/// A private key that takes a passphrase: its public key, its text, and the lines of its text with and
/// without the passphrase that hold what is private.
fn private_key() -> (String, String, [String; 2]) {
    /// Where an Ed25519 key's begins.
    const LINE: usize = 4;
    let keys = tempfile::tempdir().unwrap();
    let file = keys.path().join("key");
    let public = generate_key(&file, "ed25519", None);
    let read = || std::fs::read_to_string(&file).unwrap();
    let line = |text: &str| text.lines().nth(LINE).unwrap().to_owned();
    let open = read();
    let name = file.to_str().unwrap();
    run(
        "ssh-keygen",
        &["-p", "-q", "-P", "", "-N", PASSPHRASE, "-f", name],
    );
    let closed = read();
    let lines = [line(&open), line(&closed)];
    (public, closed, lines)
}

async fn no_secret_is_to_be_found_while_it_is_used_or_after(engine: Engine) {
    let (public, pem, lines) = private_key();
    let witness = Witness::new();
    let device = OpenSsh::start(&Options {
        authorized: Some(public),
        after_passwd: witness.wait_for("go"),
        ..Options::default()
    });
    let metrics = free_address();
    let settings = [
        ("LOG__LEVEL", "trace"),
        ("METRICS__LISTEN", &*metrics.to_string()),
    ];
    let configuration = JOIN.replace("{wait}", &witness.wait_for("go"));
    let stage = Stage::set_up_with(engine, &settings, &configuration).await;
    let account = Account::of_the_tests();
    let mut secrets = vec![NEW.into(), NETWORK.into(), PASSPHRASE.into()];
    secrets.push(account.password);
    secrets.extend(lines);
    let metrics = Client::of(metrics);
    let search = Search { secrets, metrics };

    let by_key = json!({"username": account.user, "key": pem, "passphrase": PASSPHRASE});
    let mut routers = Vec::new();
    for (name, params) in [("password", password()), ("key", by_key)] {
        let credential = stage.credential(name, params).await;
        let address = device.address().to_string();
        let router = stage.router_with(name, &[&address], &credential).await;
        let watcher = stage.watch(&router).await;
        routers.push((router, watcher));
    }
    let join = json!({"type": "join", "input": {"network": "boats", "key": NETWORK}});
    let input = json!({"password": NEW, "confirm_password": NEW});
    let change = json!({"type": "change_password", "input": input});
    let joined = stage.ask_for(&routers[0].0, &join).await;
    let waiting = stage.ask_for(&routers[0].0, &change).await;
    let changed = stage.ask_for(&routers[1].0, &change).await;
    // One runs and prints its secret, one has told its own to the device, one waits with its own.
    let output = format!("joining boats with {MASKED}\n");
    routers[0].1.until_output(&joined, &output).await;
    let output = "passwd: password changed\n";
    routers[1].1.until_output(&changed, output).await;
    search.nothing_is_found(&stage, &routers).await;
    witness.open("go");
    for (at, id, input) in [
        (0, joined, json!({"network": "boats", "key": MASKED})),
        (0, waiting, json!({"password": MASKED})),
        (1, changed, json!({"password": MASKED})),
    ] {
        let (router, watcher) = &mut routers[at];
        let end = watcher.end(&id).await;
        assert_eq!((&end["status"], &end["input"]), (&json!("success"), &input));
        assert_eq!(stage.seen(router, &id).await["input"], input);
    }
    // The device got it, twice as passwd wants it.
    let typed = device.witness("passwd");
    assert_eq!(typed, Some(format!("{NEW}\n{NEW}\n")));
    search.nothing_is_found(&stage, &routers).await;
}

/// What is refused is not repeated either.
#[tokio::test]
async fn a_refused_secret_is_not_repeated() {
    let settings = [("LOG__LEVEL", "trace")];
    let stage = Stage::set_up_on(Engine::Sqlite, &settings).await;
    let router = stage.router_at("router", &[]).await;
    for input in [
        json!({"password": NEW, "confirm_password": format!("{NEW}!")}),
        json!({"password": [NEW], "confirm_password": NEW}),
        json!({"password": NEW, "confirm_password": NEW, "more": 1}),
        json!({"password": NEW.repeat(2), "confirm_password": NEW.repeat(2)}),
    ] {
        let body = json!({"type": "change_password", "input": input});
        let answer = stage.root.post(&router.commands(), &body).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
        assert!(!answer.text.contains(NEW), "{}", answer.text);
    }
    assert!(stage.server.files_with(NEW).is_empty());
}
