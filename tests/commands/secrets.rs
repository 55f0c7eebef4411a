//! Passwords that commands carry, and those that devices are logged in to with, are nowhere to be
//! found: not in the server's files, and in nothing that it says.

use serde_json::json;

use super::stage::{CREDENTIALS, Router, Stage, password};
use super::watcher::Watcher;
use super::witness::Witness;
use crate::support::ssh::{Account, OpenSsh, Options, generate_key};
use crate::support::{Client, Engine, free_address};

const NEW: &str = "n3w-passw0rd-for-r00t";
const NETWORK: &str = "netw0rk-key-0f-many-b0ats";
const MASKED: &str = "********";

/// All secrets of the test below, and everything that the server says.
struct Search {
    secrets: Vec<String>,
    metrics: Client,
}

impl Search {
    /// Looks everywhere, once a thing that may be seen shows that it looks in the right places.
    async fn nothing_is_found(&self, stage: &Stage, router: &Router, watcher: &Watcher, id: &str) {
        let get = async |path: &str| stage.root.get(path).await.text;
        let audit = stage.server.cli(&["audit", "list"]).to_string();
        let told = [
            format!("{:?}", watcher.all()),
            get(&router.commands()).await,
            get(&router.command(id)).await,
            get(&router.path()).await,
            get(&router.connection()).await,
            get(CREDENTIALS).await,
            self.metrics.get("/metrics").await.text,
            stage.server.log(),
            audit,
        ];
        assert!(told[1].contains(MASKED), "{}", told[1]);
        assert!(told[6].contains("command"), "{}", told[6]);
        assert!(!stage.server.files_with("Change Password").is_empty());
        for secret in &self.secrets {
            for text in &told {
                assert!(!text.contains(secret.as_str()), "{secret} in {text}");
            }
            let files = stage.server.files_with(secret);
            assert!(files.is_empty(), "{secret} in {files:?}");
        }
    }
}

#[tokio::test]
async fn no_secret_is_to_be_found_while_it_is_used_or_after() {
    let keys = tempfile::tempdir().unwrap();
    let file = keys.path().join("key");
    let public = generate_key(&file, "ed25519", Some("passphrase-0f-the-key"));
    let pem = std::fs::read_to_string(&file).unwrap();
    let device = OpenSsh::start(&Options {
        authorized: Some(public),
        ..Options::default()
    });
    let metrics = free_address();
    let settings = [
        ("LOG__LEVEL", "trace"),
        ("METRICS__LISTEN", &*metrics.to_string()),
    ];
    let configuration = r#"
        [commands.types.join]
        label = "Join"
        template = "echo joining {network} with {key}; {wait}"
        [commands.types.join.schema]
        required = ["network", "key"]
        [commands.types.join.schema.properties]
        network = { type = "string" }
        key = { type = "string", writeOnly = true }
    "#;
    let witness = Witness::new();
    let configuration = configuration.replace("{wait}", &witness.wait_for("go"));
    let stage = Stage::set_up_with(Engine::Sqlite, &settings, &configuration).await;
    let credential = stage.credential("password", password()).await;
    let address = device.address().to_string();
    let router = stage.router_with("router", &[&address], &credential).await;
    let user = Account::of_the_tests().user;
    let by_key = json!({"username": user, "key": pem, "passphrase": "passphrase-0f-the-key"});
    stage.credential("key", by_key).await;
    let search = Search {
        secrets: vec![
            NEW.into(),
            NETWORK.into(),
            Account::of_the_tests().password,
            pem.lines().nth(1).unwrap().into(),
            "passphrase-0f-the-key".into(),
        ],
        metrics: Client::of(metrics),
    };

    let mut watcher = stage.watch(&router).await;
    let input = json!({"network": "boats", "key": NETWORK});
    let join = stage
        .ask_for(&router, &json!({"type": "join", "input": input}))
        .await;
    let input = json!({"password": NEW, "confirm_password": NEW});
    let change = stage
        .ask_for(&router, &json!({"type": "change_password", "input": input}))
        .await;
    // One runs and prints its secret, the other waits with its own.
    let output = format!("joining boats with {MASKED}\n");
    watcher.until_output(&join, &output).await;
    search
        .nothing_is_found(&stage, &router, &watcher, &join)
        .await;
    witness.open("go");
    let joined = watcher.end(&join).await;
    assert_eq!(joined["status"], "success");
    assert_eq!(joined["input"], json!({"network": "boats", "key": MASKED}));
    let changed = watcher.end(&change).await;
    assert_eq!(changed["status"], "success");
    assert_eq!(changed["input"], json!({"password": MASKED}));
    // The device got it, twice as passwd wants it.
    let typed = device.witness("passwd");
    assert_eq!(typed, Some(format!("{NEW}\n{NEW}\n")));
    let seen = stage.seen(&router, &change).await;
    assert_eq!(seen["input"], json!({"password": MASKED}));
    search
        .nothing_is_found(&stage, &router, &watcher, &change)
        .await;
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
