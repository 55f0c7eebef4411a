//! Credentials: what is refused, what is kept, and that no secret comes back.

use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, PrivateKey};
use serde_json::{Value, json};

use super::stage::{CREDENTIALS, Stage};
use crate::event::NodeId;
use crate::store::{AuditFilter, LoginSecret, NewCommand, QueueLimits};

fn key() -> PrivateKey {
    PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).unwrap()
}

fn pem(key: &PrivateKey) -> String {
    key.to_openssh(LineEnding::LF).unwrap().to_string()
}

/// What the runner logs in to the device behind `path` with.
async fn login(stage: &Stage, path: &str) -> crate::store::Login {
    let id = path.trim_end_matches('/').rsplit('/').next().unwrap();
    let new = NewCommand {
        device: id.parse().unwrap(),
        connection: None,
        kind: "custom".into(),
        label: "Custom Command".into(),
        input: json!({"command": "true"}),
        secret_input: None,
        queue_s: 600,
        limits: QueueLimits::default(),
    };
    let added = stage.app.store.add_command(&new).await.unwrap();
    let node = NodeId::random();
    let job = stage.app.store.claim_command(node, 30).await.unwrap();
    let job = job.unwrap();
    assert_eq!(job.command.id, added.id);
    stage.app.store.end_own(node).await.unwrap();
    job.logins.into_iter().next().unwrap()
}

#[tokio::test]
async fn a_secret_goes_in_and_never_comes_out() {
    let stage = Stage::set_up().await;
    let device = stage.add_device("router").await;
    let pem = pem(&key());
    for secret in [
        json!({"password": "t0psecret"}),
        json!({"key": pem}),
        json!({"password": "t0psecret", "key": "", "passphrase": null}),
    ] {
        let mut params = json!({"username": "root", "port": "2222"});
        for (name, value) in secret.as_object().unwrap() {
            params[name] = value.clone();
        }
        let body = json!({"name": "a", "organization": stage.own, "params": params});
        let made = stage.root.post(CREDENTIALS, body.clone()).await.expect(201);
        let path = format!("{CREDENTIALS}{}/", made["id"].as_str().unwrap());
        assert_eq!(made["params"], json!({"username": "root", "port": 2222}));
        for answer in [
            stage.root.get(&path).await,
            stage.root.get(CREDENTIALS).await,
            stage.root.put(&path, body.clone()).await,
            stage.root.patch(&path, body).await,
            stage.root.get(&format!("{device}connection/")).await,
        ] {
            assert_eq!(answer.status, 200, "{}", answer.text);
            for hidden in ["t0psecret", "PRIVATE", "password", "passphrase", "\"key\""] {
                assert!(!answer.text.contains(hidden), "{}", answer.text);
            }
        }
        stage.root.delete(&path).await.expect(204);
    }
}

#[tokio::test]
async fn what_is_left_out_stays_as_it_is_and_so_does_the_secret() {
    let stage = Stage::set_up().await;
    let device = stage.add_router("router").await;
    let list = stage.root.get(CREDENTIALS).await.expect(200);
    let path = format!(
        "{CREDENTIALS}{}/",
        list["results"][0]["id"].as_str().unwrap()
    );
    let whole = json!({
        "name": "renamed", "organization": stage.own, "params": {"username": "admin"},
    });
    for (method, body, username, port) in [
        ("PATCH", json!({"params": {"port": 2222}}), "root", 2222),
        ("PUT", whole, "admin", 2222),
        ("PATCH", json!({"old_algorithms": true}), "admin", 2222),
        ("PATCH", json!({}), "admin", 2222),
    ] {
        let changed = stage.root.send(method, &path, Some(body)).await.expect(200);
        let params = json!({"username": username, "port": port});
        assert_eq!(changed["params"], params);
        let kept = login(&stage, &device).await;
        assert_eq!(
            kept.secret,
            Ok(LoginSecret::Password("kept to itself".into()))
        );
        assert_eq!((&*kept.username, kept.port), (username, port));
    }
    assert!(login(&stage, &device).await.old_algorithms);
    let pem = pem(&key());
    let change = json!({"params": {"key": pem}});
    stage.root.patch(&path, change).await.expect(200);
    let Ok(LoginSecret::PrivateKey {
        pem: kept,
        passphrase,
    }) = login(&stage, &device).await.secret
    else {
        panic!("the password is still there");
    };
    assert_eq!((kept.trim(), passphrase), (pem.trim(), None));
}

#[tokio::test]
async fn params_hold_one_way_to_log_in_that_works() {
    let stage = Stage::set_up().await;
    let key = key();
    let sealed = pem(&key.encrypt(&mut rand::rng(), "open sesame").unwrap());
    let plain = pem(&key);
    let public = key.public_key().to_openssh().unwrap();
    let with = |more: Value| {
        let mut params = json!({"username": "root"});
        for (name, value) in more.as_object().unwrap() {
            params[name] = value.clone();
        }
        params
    };
    for (params, wrong) in [
        (with(json!({"password": "a", "key": plain})), "key: "),
        (
            with(json!({"password": "a", "passphrase": "b"})),
            "passphrase: ",
        ),
        (with(json!({"key": public})), "key: this is a public key"),
        (with(json!({"key": "nonsense"})), "key: "),
        (
            with(json!({"key": sealed})),
            "passphrase: the private key is encrypted",
        ),
        (
            with(json!({"key": sealed, "passphrase": "x"})),
            "passphrase: ",
        ),
        (
            with(json!({"password": "a\u{0}b"})),
            "password: Null characters",
        ),
        (with(json!({"password": "x".repeat(257)})), "password: "),
        (
            with(json!({"password": []})),
            "password: Not a valid string.",
        ),
        (with(json!({"password": "a", "port": 0})), "port: "),
        (with(json!({"password": "a", "port": 65536})), "port: "),
        (
            with(json!({"password": "a", "port": 1.5})),
            "port: A valid integer",
        ),
        (with(json!({"password": "a", "port": null})), "port: "),
        (with(json!({"passwort": "a"})), "Additional properties"),
        (
            json!({"password": "a"}),
            "username: This field is required.",
        ),
        (json!({"password": "a", "username": " "}), "username: "),
        (json!({"username": "root"}), "A password or a private key"),
        (
            json!([]),
            "Invalid data. Expected a dictionary, but got list.",
        ),
        (json!(null), "This field may not be null."),
    ] {
        let body = json!({"name": "a", "organization": stage.own, "params": params});
        let told = stage.root.post(CREDENTIALS, body).await;
        assert_eq!(told.status, 400, "{params}: {}", told.text);
        let reasons = told.json["params"].as_array().unwrap();
        let is_told = |reason: &Value| reason.as_str().unwrap().starts_with(wrong);
        assert!(reasons.iter().any(is_told), "{params}: {}", told.text);
        for secret in ["open sesame", "PRIVATE KEY-"] {
            assert!(!told.text.contains(secret), "{}", told.text);
        }
    }
    for params in [
        with(json!({"key": plain.replace('\n', "\r\n")})),
        with(json!({"key": sealed, "passphrase": "open sesame"})),
    ] {
        let body = json!({"name": "a", "organization": stage.own, "params": params});
        let made = stage.root.make(CREDENTIALS, body).await;
        let path = format!("{CREDENTIALS}{made}/");
        stage.root.delete(&path).await.expect(204);
    }
}

#[tokio::test]
async fn everything_wrong_with_a_credential_is_told_at_once() {
    let stage = Stage::set_up().await;
    let wrong = json!({
        "name": "x".repeat(65), "organization": "nope", "connector": "telnet", "auto_add": true,
        "params": {"port": "many", "more": 1}, "old_algorithms": "perhaps",
    });
    let told = stage.root.post(CREDENTIALS, wrong).await.expect(400);
    let fields: Vec<_> = told.as_object().unwrap().keys().collect();
    let expected = [
        "auto_add",
        "connector",
        "name",
        "old_algorithms",
        "organization",
        "params",
    ];
    assert_eq!(fields, expected, "{told}");
    assert_eq!(
        told["connector"],
        json!(["\"telnet\" is not a valid choice."])
    );
    assert_eq!(told["params"].as_array().unwrap().len(), 3, "{told}");
    let told = stage.root.post(CREDENTIALS, json!({})).await.expect(400);
    let required = json!(["This field is required."]);
    let expected = json!({"name": required, "organization": required, "params": required});
    assert_eq!(told, expected);
}

#[tokio::test]
async fn credentials_are_seen_and_touched_by_who_manages_and_may() {
    let stage = Stage::set_up().await;
    let rights =
        ["add", "change", "delete"].map(|action| format!("connection.{action}_credentials"));
    let rights: Vec<&str> = rights.iter().map(String::as_str).collect();
    let keeper = stage.add_manager("keeper", &rights).await;
    let params = json!({"username": "root", "password": "kept to itself"});
    let new = |organization| json!({"name": "a", "organization": organization, "params": params});
    let own = format!(
        "{CREDENTIALS}{}/",
        keeper.make(CREDENTIALS, new(stage.own)).await
    );
    let foreign = stage.root.make(CREDENTIALS, new(stage.other)).await;
    let foreign = format!("{CREDENTIALS}{foreign}/");
    assert_eq!(keeper.get(CREDENTIALS).await.expect(200)["count"], json!(1));
    let other = format!("{CREDENTIALS}?organization={}", stage.other);
    assert_eq!(stage.root.get(&other).await.expect(200)["count"], json!(1));
    for method in ["GET", "PUT", "PATCH", "DELETE"] {
        let told = keeper
            .send(method, &foreign, Some(json!({})))
            .await
            .expect(404);
        let detail = "No Credentials matches the given query.";
        assert_eq!(told, json!({"detail": detail}), "{method}");
    }
    keeper.post(CREDENTIALS, new(stage.other)).await.expect(400);
    let away = json!({"organization": stage.other});
    for client in [&keeper, &stage.root] {
        let told = client.patch(&own, away.clone()).await.expect(400);
        assert!(told["organization"][0].is_string(), "{told}");
    }
    let here = json!({"organization": stage.own});
    keeper.patch(&own, here).await.expect(200);
    for (permission, statuses) in [
        ("view", [200, 403, 403, 403]),
        ("add", [403, 400, 403, 403]),
        ("change", [200, 403, 200, 403]),
        ("delete", [403, 403, 403, 204]),
    ] {
        let right = format!("connection.{permission}_credentials");
        let client = stage.add_manager(permission, &[&right]).await;
        let answers = [
            client.get(&own).await,
            client.post(CREDENTIALS, json!({})).await,
            client.patch(&own, json!({})).await,
            client.delete(&own).await,
        ];
        assert_eq!(
            answers.map(|answer| answer.status),
            statuses,
            "{permission}"
        );
    }
}

#[tokio::test]
async fn the_audit_log_names_who_wrote() {
    let stage = Stage::set_up().await;
    stage.add_router("router").await;
    let body = json!({"name": "bus", "organization": stage.own});
    stage.operator.make(super::stage::DEVICES, body).await;
    let filter = AuditFilter {
        most: 100,
        ..AuditFilter::default()
    };
    let entries = stage.app.store.audit(&filter).await.unwrap();
    let of = |actor: &str| -> Vec<(String, String)> {
        let by = entries.iter().filter(|entry| entry.actor == actor);
        by.map(|entry| (entry.action.clone(), entry.model.clone()))
            .collect()
    };
    let add = |model: &str| ("add".to_owned(), model.to_owned());
    let expected = [add("DeviceConnection"), add("Credentials"), add("Device")];
    assert_eq!(of("root"), expected);
    assert_eq!(of("operator"), [add("Device")]);
}
