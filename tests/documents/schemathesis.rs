//! Does the server do what the OpenAPI document says? schemathesis (which is not ours) sends what the
//! document allows and what it does not, and compares: no 5xx, no status, content type or shape of
//! an answer that is not documented.
//!
//! Left out are three checks of schemathesis: that whatever fits the schemas is accepted (whether a name is
//! taken no schema says); that whatever does not fit is refused (as OpenWISP does, a number is
//! taken for a text and `"yes"` for true); and that a wrong device key is refused, since our hooks show the
//! right one. Who may do what is compared with the document in `src/api/tests/openapi.rs`.
//!
//! `make test` runs it with a fixed seed; `make fuzz-rest` longer, with a new one each time.

use std::process::Stdio;

use serde_json::{Map, Value, json};
use tokio::process::Command;

use super::in_repository;
use crate::support::{Client, Credential, PASSWORD, Seed, Server, point};

const SEED: &str = "20261125";
/// Requests that are made up for each operation, beside those that each rule of a schema gives.
const EXAMPLES: &str = "20";
const CHECKS_LEFT_OUT: &str = "positive_data_acceptance,negative_data_rejection,ignored_auth";
/// How many things of a kind may be deleted while others are read and changed.
const DOOMED: usize = 12;

/// Makes things, and keeps what schemathesis is to name.
struct Things<'a> {
    root: &'a Client,
    organization: String,
    made: usize,
    kept: Map<String, Value>,
}

impl Things<'_> {
    async fn make(&self, path: &str, body: Value) -> Value {
        let path = format!("/api/v1/{path}/");
        self.root.post(&path, &body).await.expect(201)
    }

    /// A name that nothing else has.
    fn name(&mut self) -> String {
        self.made += 1;
        format!("thing-{}", self.made)
    }

    /// Something of the organization.
    async fn make_named(&mut self, path: &str, mut body: Value) -> Value {
        body["name"] = self.name().into();
        body["organization"] = self.organization.as_str().into();
        self.make(path, body).await
    }

    fn keep(&mut self, kind: &str, thing: Value) {
        let things = self.kept.entry(kind).or_insert_with(|| json!([]));
        things.as_array_mut().unwrap().push(thing);
    }

    async fn credential(&mut self) -> Value {
        let params = json!({"username": "root", "password": "kept to itself"});
        let body = json!({ "params": params });
        self.make_named("controller/credential", body).await
    }

    /// A device that commands are asked of, though it is nowhere to be reached.
    async fn router(&mut self, connections: usize) -> Value {
        let device = self.make_named("controller/device", json!({})).await;
        let path = format!("controller/device/{}", id(&device));
        let (mut logins, mut commands) = (Vec::new(), Vec::new());
        for _ in 0..connections {
            let body = json!({"credentials": self.credential().await["id"]});
            let made = self.make(&format!("{path}/connection"), body).await;
            logins.push(made["id"].clone());
        }
        for _ in 0..3 {
            let made = self.make(&format!("{path}/command"), uptime()).await;
            commands.push(made["id"].clone());
        }
        json!({"id": device["id"], "connections": logins, "commands": commands})
    }

    /// A device at a location, and a credential.
    async fn equipment(&mut self, prefix: &str) {
        let device = self.make_named("controller/device", json!({})).await;
        let place = json!({"type": "outdoor", "is_mobile": true, "geometry": point(12.5, 41.9)});
        let location = self.make_named("controller/location", place).await;
        let at = format!("/api/v1/controller/device/{}/location/", id(&device));
        let put = json!({"location": location["id"]});
        self.root.put(&at, &put).await.expect(201);
        let credential = self.credential().await;
        self.keep(&format!("{prefix}devices"), device);
        self.keep(&format!("{prefix}locations"), location);
        self.keep(&format!("{prefix}credentials"), credential);
    }

    async fn people(&mut self, prefix: &str) {
        let name = self.name();
        let user = json!({
            "username": name, "email": format!("{}@example.org", self.made), "password": PASSWORD,
        });
        let user = self.make("users/user", user).await;
        self.keep(&format!("{prefix}users"), user);
        for kind in ["group", "organization"] {
            let body = json!({"name": self.name()});
            let made = self.make(&format!("users/{kind}"), body).await;
            self.keep(&format!("{prefix}{kind}s"), made);
        }
    }

    async fn all(&mut self) {
        for (prefix, count) in [("", 4), ("doomed_", DOOMED)] {
            for _ in 0..count {
                self.equipment(prefix).await;
                self.people(prefix).await;
            }
        }
        for _ in 0..2 {
            let router = self.router(2).await;
            self.keep("routers", router);
        }
        let router = self.router(DOOMED).await;
        self.keep("doomed_routers", router);
        for _ in 0..2 {
            let mut body = uptime();
            body["organization"] = self.organization.as_str().into();
            let batch = self.make("controller/batch-command", body).await;
            self.keep("batches", batch);
        }
    }
}

fn id(thing: &Value) -> &str {
    thing["id"].as_str().unwrap()
}

fn uptime() -> Value {
    json!({"type": "custom", "input": {"command": "uptime"}})
}

/// What `make fuzz-rest` sets: how many seconds to go on for.
fn fuzz_seconds() -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the tests' setting, not the product's"
    )]
    std::env::var("FLEETWIRE_TEST_FUZZ_S").ok()
}

/// Lets schemathesis loose on a server full of things, as the user whom `log_in` makes.
async fn the_document_holds(settings: &[(&str, &str)], log_in: impl Fn(Seed) -> Credential) {
    let server = Server::start_with(settings).await;
    let seed = Seed(&server);
    let organization = seed.organization("Own");
    let root = server.client(&seed.root());
    let mut things = Things {
        root: &root,
        organization,
        made: 0,
        kept: Map::new(),
    };
    things.all().await;
    let Things {
        organization,
        mut kept,
        ..
    } = things;
    kept.insert("organization".into(), organization.into());
    let right = json!({"username": "root", "password": PASSWORD});
    kept.insert("login".into(), right);
    let things = server.file("things.json", &Value::from(kept).to_string());

    let mut command = Command::new(in_repository("target/clients/python/bin/schemathesis"));
    command
        .args(["run", &format!("{}{}", server.base(), super::OPENAPI)])
        .args(["--phases", "examples,coverage,fuzzing", "--checks", "all"])
        .args(["--exclude-checks", CHECKS_LEFT_OUT])
        .args(["--warnings", "off", "--no-color", "--continue-on-failure"])
        .args(["--generation-database", "none", "--request-timeout", "60"])
        .env("SCHEMATHESIS_HOOKS", "schemathesis_hooks")
        .env("PYTHONPATH", in_repository("tests/clients/python"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("FLEETWIRE_THINGS", &things)
        .current_dir(std::path::Path::new(&things).parent().unwrap())
        .stdin(Stdio::null());
    match fuzz_seconds() {
        Some(seconds) => command.args(["--max-time", &seconds]),
        None => command.args(["--seed", SEED, "--max-examples", EXAMPLES]),
    };
    if let Some((name, value)) = log_in(seed).header() {
        command.args(["--header", &format!("{name}: {value}")]);
    }
    // It ends by itself, and how long that takes is the machine's affair.
    let output = command.output().await.unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{told}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    // It also succeeds when there was nothing to do.
    assert!(told.contains(" passed"), "{told}");
    if fuzz_seconds().is_some() {
        println!("{told}");
    }
}

const NO_LIMITS: &[(&str, &str)] = &[
    ("LOGIN__ATTEMPTS_PER_USER", "1000000"),
    ("LOGIN__ATTEMPTS_PER_ADDRESS", "1000000"),
];

#[tokio::test]
async fn what_a_superuser_is_answered_is_documented() {
    the_document_holds(NO_LIMITS, |seed| seed.token("root")).await;
}

#[tokio::test]
async fn what_an_operator_with_few_rights_is_answered_is_documented() {
    the_document_holds(NO_LIMITS, |seed| {
        let mut flags = vec!["--staff", "--manages", "Own"];
        for permission in [
            "config.view_device",
            "geo.view_location",
            "geo.change_location",
            "geo.change_devicelocation",
            "connection.add_command",
        ] {
            flags.extend(["--permission", permission]);
        }
        seed.user_with_token("operator", &flags)
    })
    .await;
}

/// Whose attempts to log in are counted besides.
#[tokio::test]
async fn what_nobody_is_answered_is_documented() {
    the_document_holds(&[], |_| Credential::Nobody).await;
}
