//! What operators look at: the first page, health, metrics, logs.

use serde_json::json;

use super::{DEVICES, LOCATIONS, Stage, TOKEN, one};
use crate::support::{
    Client, Credential, FLEET, PASSWORD, Raw, Socket, eventually, feature, free_address,
};

#[tokio::test]
async fn the_first_page_is_the_console_and_so_is_what_a_browser_finds_nowhere_else() {
    let stage = Stage::set_up().await;
    let browser = reqwest::Client::new();
    for (path, status, kind) in [
        ("/", 200, "text/html"),
        ("/devices/xyz", 200, "text/html"),
        ("/api/v1/nope/", 404, "application/json"),
        ("/ws/nope", 404, "application/json"),
        ("/assets/nope.js", 404, "text/plain"),
    ] {
        let request = browser.get(format!("{}{path}", stage.server.base()));
        let answer = request
            .header("accept", "text/html,*/*")
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), status, "{path}");
        let header = |name| answer.headers()[name].to_str().unwrap().to_owned();
        assert!(
            header("content-type").starts_with(kind),
            "{path}: {answer:?}"
        );
        if kind == "text/html" {
            let policy = header("content-security-policy");
            assert!(policy.contains("default-src 'none'"), "{policy}");
            assert!(
                answer
                    .text()
                    .await
                    .unwrap()
                    .contains("<title>fleetwire</title>")
            );
        }
    }
    // A program is told that there is nothing.
    assert_eq!(stage.nobody.get("/devices/xyz").await.status, 404);
}

#[tokio::test]
async fn health_and_readiness_answer_without_a_login() {
    let stage = Stage::set_up().await;
    for path in ["/healthz", "/readyz"] {
        assert_eq!(stage.nobody.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn every_answer_carries_a_date() {
    let stage = Stage::set_up().await;
    let device = stage.seed().device("bus-7", &stage.own);
    for path in [
        "/",
        "/healthz",
        "/readyz",
        "/nope",
        DEVICES,
        LOCATIONS,
        TOKEN,
        FLEET,
        &one(DEVICES, &device.id),
        &one(LOCATIONS, "xyz"),
        &device.coordinates_path(),
    ] {
        for client in [&stage.nobody, &stage.root] {
            let answer = client.get(path).await;
            assert!(
                answer.header("date").ends_with(" GMT"),
                "{path}: {:?}",
                answer.headers
            );
        }
    }
}

#[tokio::test]
async fn metrics_have_a_listener_of_their_own() {
    let metrics = free_address();
    let stage = Stage::set_up_with(&[("METRICS__LISTEN", &metrics.to_string())]).await;
    let token = stage.seed().token("root");
    let _open = Socket::open(&stage.server, FLEET, &token).await;
    // The answer to the handshake comes a moment before the socket is counted.
    let text = eventually("a socket is counted", async || {
        let text = Client::of(metrics).get("/metrics").await.text;
        text.contains("fleetwire_sockets_open{").then_some(text)
    });
    let text = text.await;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        assert!(line.starts_with("fleetwire_"), "{line}");
    }
    assert_eq!(stage.nobody.get("/metrics").await.status, 404);
}

#[tokio::test]
async fn no_secret_is_in_any_log() {
    let stage = Stage::set_up_with(&[("LOG__LEVEL", "trace")]).await;
    let device = stage.seed().device("bus-7", &stage.own);
    let Credential::Token(token) = stage.seed().token("root") else {
        unreachable!()
    };
    stage
        .nobody
        .put(&device.coordinates_path(), &feature(1.0, 2.0))
        .await;
    stage
        .nobody
        .put(&device.coordinates_path(), &feature(1000.0, 2.0))
        .await;
    stage
        .nobody
        .put(&format!("{}&x=1", device.coordinates_path()), &json!({}))
        .await;
    let encoded = device.coordinates_path().replace("?key=", "?x=1&%6bey=");
    stage.nobody.put(&encoded, &feature(1.0, 2.0)).await;
    stage
        .nobody
        .get(&one(LOCATIONS, &format!("xyz/?key={}", device.key)))
        .await;
    stage.nobody.get(&format!("/nope?key={}", device.key)).await;
    // Broken in the middle, so that the server has an error to tell.
    let mut raw = Raw::connect(&stage.server).await;
    let head = format!(
        "PUT {} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{{",
        device.coordinates_path()
    );
    raw.send(head.as_bytes()).await;
    drop(raw);
    let session = stage.nobody.session("operator").await;
    let Credential::Cookie(cookie) = &session else {
        unreachable!()
    };
    stage.server.client(&session).get(DEVICES).await.expect(200);
    stage.nobody.log_in("operator", "a-wrong-password").await;
    let credential = Credential::Token(token.clone());
    let path = format!("{FLEET}?key={}", device.key);
    Socket::open(&stage.server, &path, &credential)
        .await
        .ping()
        .await;
    Socket::try_open(&stage.server, &path, &Credential::Nobody)
        .await
        .err()
        .unwrap();
    eventually("the log shows the last of it", async || {
        stage.server.log().contains("no_credential").then_some(())
    })
    .await;
    let log = stage.server.log();
    for (what, secret) in [
        ("the device's key", device.key.as_str()),
        ("a token", &token),
        ("a session's cookie", cookie),
        ("a password", PASSWORD),
        ("a wrong password", "a-wrong-password"),
    ] {
        let line = log.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{what} is in the log: {line:?}");
    }
}

#[tokio::test]
async fn logs_as_json_are_one_object_a_line() {
    let stage = Stage::set_up_with(&[("LOG__FORMAT", "json"), ("LOG__LEVEL", "debug")]).await;
    stage.nobody.get(FLEET).await;
    Socket::try_open(&stage.server, FLEET, &Credential::Nobody)
        .await
        .err()
        .unwrap();
    let log = eventually("a refusal in the log", async || {
        let log = stage.server.log();
        log.contains("no_credential").then_some(log)
    })
    .await;
    for line in log.lines() {
        let parsed: Result<serde_json::Value, _> = serde_json::from_str(line);
        assert!(parsed.is_ok_and(|it| it.is_object()), "{line}");
    }
}
