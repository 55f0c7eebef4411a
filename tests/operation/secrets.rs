//! Whatever is shown to the server as a proof or a secret: found afterwards in none of its answers, logs, metrics
//! and files, whether it was right or wrong. What a device is logged in to with, and what commands carry, is
//! looked for in `tests/commands/secrets.rs`, with real SSH servers.

use reqwest::{Method, Url};
use serde_json::{Value, json};

use crate::support::{
    Client, Credential, Database, Engine, FLEET, PASSWORD, Seed, Server, Socket, command_path,
    eventually, feature, free_address,
};

/// A key of secrets, and the part of it that no other text has.
const KEY: &str = "5ec2e7aa5ec2e7ab5ec2e7ac5ec2e7ad5ec2e7ae5ec2e7af5ec2e7ba5ec2e7bb";
const DATABASE_PASSWORD: &str = "m4rked-database";
const NEW_PASSWORD: &str = "m4rked-new-passw0rd";
const WRONG_PASSWORD: &str = "m4rked-wrong-passw0rd";
const WRONG_TOKEN: &str = "m4rked-wrong-token";
const WRONG_COOKIE: &str = "m4rked-wrong-cookie";
const WRONG_KEY: &str = "m4rked-wrong-device-key";
const DEVICE_PASSWORD: &str = "m4rked-device-passw0rd";
const PASSPHRASE: &str = "m4rked-passphrase";
const COMMAND_PASSWORD: &str = "m4rked-r00t";
const WRONG_SETUP_TOKEN: &str = "m4rked-setup-token";

/// A server that says all that it can, and all that it has said to anybody.
struct Stage {
    server: Server,
    metrics: Client,
    told: Vec<String>,
}

impl Stage {
    async fn start(engine: Engine) -> Self {
        let metrics = free_address();
        let mut settings = vec![
            ("LOG__LEVEL", "trace".to_owned()),
            ("METRICS__LISTEN", metrics.to_string()),
            ("SECRETS__KEY", KEY.to_owned()),
        ];
        if engine == Engine::Postgres {
            // It trusts who comes, whatever the password.
            let fresh = Server::prepare(Engine::Postgres, &[]).await;
            let mut url = Url::parse(fresh.database_url().unwrap()).unwrap();
            url.set_password(Some(DATABASE_PASSWORD)).unwrap();
            settings.push(("DATABASE__URL", url.to_string()));
        }
        let settings: Vec<_> = settings
            .iter()
            .map(|(key, value)| (*key, &**value))
            .collect();
        let mut server = Server::prepare(Engine::Sqlite, &settings).await;
        server.run().await;
        Self {
            server,
            metrics: Client::of(metrics),
            told: Vec::new(),
        }
    }

    /// Asks for something, and keeps what was answered.
    async fn ask(&mut self, client: &Client, method: Method, path: &str, body: Value) -> Value {
        let body = match body {
            Value::Null => None,
            // As it is, so that broken JSON can be sent as well.
            Value::String(text) => Some(text),
            body => Some(body.to_string()),
        };
        let answer = client.send(method, path, body).await;
        // Of the path only what is no proof.
        let path = path.split('?').next().unwrap_or_default();
        let told = format!("{path}: {:?}\n{}", answer.headers, answer.text);
        self.told.push(told);
        answer.json
    }

    /// Runs the command line, and keeps what it printed.
    fn cli(&mut self, arguments: &[&str], input: &str) -> String {
        let (_, stdout, stderr) = self.server.try_cli(arguments, input);
        self.told.push(stderr);
        self.told.push(stdout.clone());
        stdout
    }

    /// Looks for each of `secrets` in everything but what is `meant` to hold it.
    async fn nothing_is_found(&self, secrets: &[(&str, &str)]) {
        let metrics = self.metrics.get("/metrics").await.text;
        assert!(metrics.contains("fleetwire_"), "{metrics}");
        let log = self.server.log();
        // It looks in the right places.
        assert!(
            log.contains("DEBUG") && log.contains("a handshake was refused"),
            "{log}"
        );
        let rows = Database::of(&self.server).await.rows().await;
        assert!(rows.contains("ada@example.org"), "{rows}");
        let places = [
            ("the metrics", &metrics),
            ("the log", &log),
            ("the database", &rows),
        ];
        for (name, secret) in secrets {
            for (place, text) in places {
                assert!(!text.contains(secret), "{name} in {place}");
            }
            for told in &self.told {
                assert!(!told.contains(secret), "{name} in an answer: {told}");
            }
            let files = self.server.files_with(secret);
            assert!(files.is_empty(), "{name} in {files:?}");
        }
    }
}

/// A token that the log has on purpose.
async fn setup_token(server: &Server) -> String {
    eventually("a token in the log", async || {
        let log = server.log();
        let (_, rest) = log.rsplit_once("with the token ")?;
        Some(rest.split_whitespace().next()?.to_owned())
    })
    .await
}

/// Everything that people prove who they are with, right and wrong.
async fn prove(stage: &mut Stage) -> Vec<(&'static str, String)> {
    let nobody = stage.server.client(&Credential::Nobody);
    let setup = |token: &str| json!({"token": token, "username": "ada", "email": "ada@example.org", "password": PASSWORD});
    let right = setup_token(&stage.server).await;
    for token in [WRONG_SETUP_TOKEN, &right, &right] {
        stage
            .ask(&nobody, Method::POST, "/api/v1/setup/", setup(token))
            .await;
    }
    let log_in = |password: &str| json!({"username": "ada", "password": password});
    let (page, tokens) = ("/accounts/login/", "/api/v1/users/token/");
    for path in [page, tokens] {
        for body in [
            log_in(WRONG_PASSWORD),
            json!({"username": "ada", "password": [WRONG_PASSWORD]}),
            json!({"username": WRONG_PASSWORD, "password": 5}),
            json!(format!(
                "{{\"username\": \"ada\", \"password\": \"{WRONG_PASSWORD}"
            )),
            json!(format!("username=ada&password={WRONG_PASSWORD}")),
        ] {
            stage.ask(&nobody, Method::POST, path, body).await;
        }
    }
    // The only answers that hold what they were asked for; kept apart.
    let cookie = nobody.log_in("ada", PASSWORD).await.session();
    let token = nobody.post(tokens, &log_in(PASSWORD)).await.expect(200);
    let token = Credential::Token(token["token"].as_str().unwrap().to_owned());
    let Credential::Cookie(cookie_value) = cookie.clone() else {
        panic!("no cookie")
    };
    let Credential::Token(token_value) = token.clone() else {
        panic!("no token")
    };
    for credential in [
        cookie.clone(),
        token,
        Credential::Cookie(WRONG_COOKIE.into()),
        Credential::Token(WRONG_TOKEN.into()),
    ] {
        let client = stage.server.client(&credential);
        stage
            .ask(&client, Method::GET, "/api/v1/users/me/", Value::Null)
            .await;
        stage
            .ask(&client, Method::GET, "/no/such/page", Value::Null)
            .await;
        let address = stage.server.address();
        for path in [FLEET, "/ws/loci/location/nowhere/"] {
            if let Ok(socket) = Socket::try_open_at(address, path, &credential).await {
                socket.close().await;
            }
        }
    }
    // A proof where none belongs.
    let path = format!("{FLEET}?token={WRONG_TOKEN}");
    let refused = Socket::try_open(&stage.server, &path, &Credential::Nobody).await;
    assert_eq!(refused.err(), Some(403));
    let client = stage.server.client(&cookie);
    let me = client.get("/api/v1/users/me/").await.expect(200);
    let path = format!(
        "/api/v1/users/user/{}/password/",
        me["id"].as_str().unwrap()
    );
    for (old, new) in [
        (WRONG_PASSWORD, NEW_PASSWORD),
        (PASSWORD, "short"),
        (PASSWORD, NEW_PASSWORD),
    ] {
        let body = json!({"old_password": old, "current_password": old, "password": new,
            "new_password": new, "confirm_password": new});
        stage.ask(&client, Method::PUT, &path, body).await;
        let body = json!({"password": [new], "current_password": {"is": old}});
        stage.ask(&client, Method::PUT, &path, body).await;
    }
    vec![
        ("the session cookie", cookie_value),
        ("the token", token_value),
    ]
}

/// Everything that devices have, right and wrong; the key of one.
async fn equip(stage: &mut Stage) -> String {
    let root = Seed(&stage.server).root();
    let client = stage.server.client(&root);
    let seed = Seed(&stage.server);
    let organization = seed.organization("Alpha");
    let device = seed.device("bus", "Alpha");
    let nobody = stage.server.client(&Credential::Nobody);
    let path = device.coordinates_path();
    for path in [
        path.clone(),
        path.replace(&device.key, WRONG_KEY),
        format!("{path}&key={WRONG_KEY}"),
    ] {
        for body in [
            feature(1.0, 1.0),
            json!({"geometry": "nowhere"}),
            json!("{"),
        ] {
            let answer = nobody
                .send(Method::PUT, &path, Some(body.to_string()))
                .await;
            stage
                .told
                .push(format!("{:?}\n{}", answer.headers, answer.text));
        }
        stage.ask(&nobody, Method::GET, &path, Value::Null).await;
    }
    let credentials = "/api/v1/controller/credential/";
    let credential = |params: Value| json!({"name": format!("login {params}").len().to_string(), "organization": organization, "params": params});
    for params in [
        json!({"username": "root", "password": DEVICE_PASSWORD}),
        json!({"username": "root", "password": [DEVICE_PASSWORD]}),
        json!({"username": "root", "passwrod": DEVICE_PASSWORD}),
        json!({"username": "root", "key": DEVICE_PASSWORD, "passphrase": PASSPHRASE}),
        json!(DEVICE_PASSWORD),
    ] {
        stage
            .ask(&client, Method::POST, credentials, credential(params))
            .await;
    }
    let list = stage
        .ask(&client, Method::GET, credentials, Value::Null)
        .await;
    assert_eq!(list["count"], 1, "{list}");
    let id = list["results"][0]["id"].as_str().unwrap().to_owned();
    let more = json!({"params": {"password": DEVICE_PASSWORD, "more": DEVICE_PASSWORD}});
    stage
        .ask(&client, Method::PATCH, &format!("{credentials}{id}/"), more)
        .await;
    stage.cli(&["connection", "add", "bus", &id], "");
    // Nobody answers there: the command fails, and says why.
    let closed = free_address().to_string();
    // That shows the device, to whom it may be shown.
    stage
        .server
        .cli(&["device", "set", "bus", "--address", &closed]);
    let commands = format!("/api/v1/controller/device/{}/command/", device.id);
    let mut watching = Socket::open(&stage.server, &command_path(&device.id), &root).await;
    for input in [
        json!({"password": COMMAND_PASSWORD, "confirm_password": COMMAND_PASSWORD}),
        json!({"password": COMMAND_PASSWORD, "confirm_password": format!("{COMMAND_PASSWORD}!")}),
        json!({"password": {"is": COMMAND_PASSWORD}}),
        json!(COMMAND_PASSWORD),
    ] {
        let body = json!({"type": "change_password", "input": input});
        stage.ask(&client, Method::POST, &commands, body).await;
    }
    let ended = watching
        .next_where(|it| it["data"]["status"] == "failed")
        .await;
    stage.told.push(ended.to_string());
    stage
        .ask(&client, Method::GET, &commands, Value::Null)
        .await;
    device.key
}

/// What the command line is told, and tells.
fn administer(stage: &mut Stage) {
    let add = [
        "credential",
        "add",
        "spare",
        "--org",
        "Alpha",
        "--username",
        "root",
        "--password-stdin",
    ];
    stage.cli(&add, &format!("{DEVICE_PASSWORD}\n"));
    stage.cli(&add, &format!("{DEVICE_PASSWORD}\n"));
    let user = ["user", "add", "bert", "--password-stdin"];
    stage.cli(&user, &format!("{NEW_PASSWORD}\n"));
    stage.cli(&user, &format!("{NEW_PASSWORD}\n"));
    for arguments in [
        &["audit", "list"][..],
        &["credential", "list"],
        &["user", "list"],
        &["token", "list"],
        &["session", "list"],
        &["config", "env"],
        &["config", "check"],
        &["key", "show"],
        &[
            "watch",
            "locations",
            "--token",
            WRONG_TOKEN,
            "--url",
            "nowhere",
        ],
    ] {
        let said = stage.cli(arguments, "");
        let is_refused = arguments[0] == "watch";
        assert!(is_refused || !said.is_empty(), "{arguments:?}");
    }
}

async fn nothing_that_is_secret_is_found(engine: Engine) {
    let mut stage = Stage::start(engine).await;
    let proofs = prove(&mut stage).await;
    let device_key = equip(&mut stage).await;
    administer(&mut stage);
    let mut secrets = vec![
        ("the key of the secrets", &KEY[..24]),
        ("the database's password", DATABASE_PASSWORD),
        ("a password", PASSWORD),
        ("a new password", NEW_PASSWORD),
        ("a wrong password", WRONG_PASSWORD),
        ("a wrong token", WRONG_TOKEN),
        ("a wrong cookie", WRONG_COOKIE),
        ("a wrong device key", WRONG_KEY),
        ("a device's password", DEVICE_PASSWORD),
        ("a passphrase", PASSPHRASE),
        ("the secret of a command", COMMAND_PASSWORD),
        ("a wrong set-up token", WRONG_SETUP_TOKEN),
    ];
    secrets.extend(proofs.iter().map(|(name, secret)| (*name, &**secret)));
    stage.nothing_is_found(&secrets).await;
    // A device's key is shown to who may see the device, so the database has it: but nobody else does.
    let log = stage.server.log();
    assert!(!log.contains(&device_key), "a device's key in the log");
    for told in &stage.told {
        assert!(!told.contains(&device_key), "a device's key in {told}");
    }
    // The set-up token stands in the log once, on purpose, and nowhere else.
    let token = setup_token(&stage.server).await;
    assert_eq!(stage.server.log().matches(&token).count(), 1);
    let rows = Database::of(&stage.server).await.rows().await;
    assert!(!rows.contains(&token));
    assert!(stage.told.iter().all(|told| !told.contains(&token)));
}

#[tokio::test]
async fn nothing_that_is_secret_is_found_on_sqlite() {
    nothing_that_is_secret_is_found(Engine::Sqlite).await;
}

#[tokio::test]
async fn nothing_that_is_secret_is_found_on_postgresql() {
    nothing_that_is_secret_is_found(Engine::Postgres).await;
}

/// A database that is not there is complained of without its password.
#[tokio::test]
async fn a_database_that_does_not_answer_is_named_without_its_password() {
    let closed = free_address();
    for url in [
        format!("postgres://fleet:{DATABASE_PASSWORD}@{closed}/fleetwire"),
        format!("postgres://{closed}/fleetwire?user=fleet&password={DATABASE_PASSWORD}"),
        format!("postgres://fleet:{DATABASE_PASSWORD}@[nowhere/fleetwire"),
        format!("mysql://fleet:{DATABASE_PASSWORD}@{closed}/fleetwire"),
    ] {
        let settings = [
            ("DATABASE__URL", &*url),
            ("SECRETS__KEY", KEY),
            ("LOG__LEVEL", "trace"),
        ];
        let server = Server::prepare(Engine::Sqlite, &settings).await;
        for arguments in [
            &["serve"][..],
            &["migrate"],
            &["config", "check"],
            &["config", "env"],
            &["backup", "copy.db"],
        ] {
            let (_, stdout, stderr) = server.try_cli(arguments, "");
            for text in [stdout, stderr] {
                assert!(!text.contains(DATABASE_PASSWORD), "{arguments:?}: {text}");
                assert!(!text.contains(&KEY[..24]), "{arguments:?}: {text}");
            }
        }
    }
}
