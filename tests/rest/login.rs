//! Tokens, sessions, and who may not have them.

use reqwest::Method;
use serde_json::json;

use super::{DEVICES, LOCATIONS, Stage, TOKEN};
use crate::support::{
    Answer, Client, Credential, FLEET, PASSWORD, Server, Socket, eventually, point,
};

const WRONG: &str = "Unable to log in with provided credentials.";

async fn ask_token(client: &Client, username: &str, password: &str) -> Answer {
    client
        .post(TOKEN, &json!({"username": username, "password": password}))
        .await
}

#[tokio::test]
async fn a_token_is_given_for_a_password_and_opens_rest_and_sockets() {
    let stage = Stage::set_up().await;
    let answer = ask_token(&stage.nobody, "operator", PASSWORD)
        .await
        .expect(200);
    let token = answer["token"].as_str().unwrap();
    assert_eq!(super::keys(&answer), ["token"]);
    assert_eq!(token.len(), 40);
    let token = Credential::Token(token.to_owned());
    stage.server.client(&token).get(DEVICES).await.expect(200);
    Socket::open(&stage.server, FLEET, &token).await;
}

#[tokio::test]
async fn a_refused_token_says_what_openwisp_says() {
    let stage = Stage::set_up().await;
    stage.seed().user("sleeper", &["--staff"]);
    stage.server.cli(&["user", "set", "sleeper", "--inactive"]);
    for (name, password) in [
        ("operator", "x"),
        ("nobody-at-all", PASSWORD),
        ("sleeper", PASSWORD),
    ] {
        let answer = ask_token(&stage.nobody, name, password).await;
        assert_eq!(
            answer.expect(400),
            json!({"non_field_errors": [WRONG]}),
            "{name}"
        );
    }
    let required = json!(["This field is required."]);
    for (body, expected) in [
        (
            json!({"username": "operator"}),
            json!({"password": required}),
        ),
        (json!({"password": "x"}), json!({"username": required})),
        (
            json!({}),
            json!({"username": required, "password": required}),
        ),
    ] {
        assert_eq!(stage.nobody.post(TOKEN, &body).await.expect(400), expected);
    }
}

#[tokio::test]
async fn rest_needs_a_live_credential() {
    let stage = Stage::set_up().await;
    for path in [DEVICES, LOCATIONS, "/api/v1/controller/location/geojson/"] {
        let answer = stage.nobody.get(path).await;
        assert_eq!(answer.header("www-authenticate"), "Bearer", "{path}");
        let detail = "Authentication credentials were not provided.";
        assert_eq!(answer.expect(401), json!({"detail": detail}), "{path}");
        let bad = stage.server.client(&Credential::Token("0".repeat(40)));
        assert_eq!(
            bad.get(path).await.expect(401),
            json!({"detail": "Invalid token."}),
            "{path}"
        );
        let garbage = stage.server.client(&Credential::Cookie("garbage".into()));
        garbage.get(path).await.expect(401);
    }
}

#[tokio::test]
async fn a_login_sets_a_cookie_that_scripts_cannot_read() {
    let stage = Stage::set_up().await;
    let answer = stage.nobody.log_in("operator", PASSWORD).await;
    assert!(answer.status < 400, "{} {}", answer.status, answer.text);
    let cookie = answer.session_cookie().to_ascii_lowercase();
    for attribute in ["httponly", "samesite=lax", "path=/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!cookie.contains("secure"), "plain HTTP: {cookie}");
    stage
        .server
        .client(&answer.session())
        .get(DEVICES)
        .await
        .expect(200);
}

#[tokio::test]
async fn an_e_mail_address_logs_in_too() {
    let stage = Stage::set_up().await;
    let address = ["--email", "Clerk@example.org", "--staff"];
    stage.seed().user("clerk", &address);
    let answer = stage.nobody.log_in("clerk@example.org", PASSWORD).await;
    assert_eq!(answer.expect(200), json!({"username": "clerk"}));
    ask_token(&stage.nobody, "CLERK@example.org", PASSWORD)
        .await
        .expect(200);
    ask_token(&stage.nobody, "clerk@example.org", "x")
        .await
        .expect(400);
}

#[tokio::test]
async fn the_login_takes_a_form_too() {
    let stage = Stage::set_up().await;
    let form = format!("username=operator&password={}", PASSWORD.replace(' ', "+"));
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .unwrap();
    let answer = client
        .post(format!("{}/accounts/login/", stage.server.base()))
        .header("content-type", "application/x-www-form-urlencoded")
        .header("origin", stage.server.base())
        .body(form)
        .send()
        .await
        .unwrap();
    assert!(answer.status().as_u16() < 400, "{}", answer.status());
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("sessionid="), "{cookie}");
}

#[tokio::test]
async fn a_failed_login_sets_no_cookie_and_does_not_say_whether_the_user_exists() {
    let stage = Stage::set_up().await;
    let wrong = stage.nobody.log_in("operator", "x").await;
    let unknown = stage.nobody.log_in("nobody-at-all", "x").await;
    for answer in [&wrong, &unknown] {
        assert!(
            (400..500).contains(&answer.status),
            "{} {}",
            answer.status,
            answer.text
        );
        assert_eq!(answer.session_cookie(), "");
    }
    assert_eq!((wrong.status, wrong.text), (unknown.status, unknown.text));
}

#[tokio::test]
async fn the_cookies_name_is_configured() {
    let stage = Stage::set_up_with(&[("LOGIN__COOKIE_NAME", "fleet_session")]).await;
    let answer = stage.nobody.log_in("operator", PASSWORD).await;
    let line = answer.header("set-cookie");
    let pair = line.split(';').next().unwrap();
    assert!(pair.starts_with("fleet_session="), "{line}");
    stage
        .nobody
        .clone()
        .with_header("cookie", pair)
        .get(DEVICES)
        .await
        .expect(200);
    let other = pair.replace("fleet_session", "sessionid");
    stage
        .nobody
        .clone()
        .with_header("cookie", &other)
        .get(DEVICES)
        .await
        .expect(401);
}

#[tokio::test]
async fn a_logout_ends_the_session_and_nothing_else() {
    let stage = Stage::set_up().await;
    let sessions = [
        stage.nobody.session("operator").await,
        stage.nobody.session("operator").await,
    ];
    let clients = sessions.map(|session| stage.server.client(&session));
    let answer = clients[0].post("/accounts/logout/", &json!({})).await;
    assert!(answer.status < 400, "{} {}", answer.status, answer.text);
    clients[0].get(DEVICES).await.expect(401);
    clients[1].get(DEVICES).await.expect(200);
    stage.operator.get(DEVICES).await.expect(200);
}

#[tokio::test]
async fn an_expired_session_is_none() {
    let stage = Stage::set_up().await;
    let session = stage.nobody.session("operator").await;
    let client = stage.server.client(&session);
    client.get(DEVICES).await.expect(200);
    let mut socket = Socket::open(&stage.server, FLEET, &session).await;
    let listed = stage.server.cli(&["session", "list"]);
    let id = listed[0]["id"].as_str().unwrap();
    stage
        .server
        .cli(&["session", "set", id, "--expires", "2020-01-01T00:00:00Z"]);
    client.get(DEVICES).await.expect(401);
    assert_eq!(
        Socket::try_open(&stage.server, FLEET, &session).await.err(),
        Some(403)
    );
    assert_eq!(socket.closed().await, Some(1008));
}

#[tokio::test]
async fn an_expired_account_is_none() {
    let stage = Stage::set_up().await;
    let session = stage.nobody.session("operator").await;
    let mut socket = Socket::open(&stage.server, FLEET, &session).await;
    stage.server.cli(&[
        "user",
        "set",
        "operator",
        "--expires",
        "2020-01-01T00:00:00Z",
    ]);
    stage.operator.get(DEVICES).await.expect(401);
    stage.server.client(&session).get(DEVICES).await.expect(401);
    ask_token(&stage.nobody, "operator", PASSWORD)
        .await
        .expect(400);
    assert_eq!(
        stage
            .nobody
            .log_in("operator", PASSWORD)
            .await
            .session_cookie(),
        ""
    );
    assert_eq!(
        Socket::try_open(&stage.server, FLEET, &session).await.err(),
        Some(403)
    );
    assert_eq!(socket.closed().await, Some(1008));
}

#[tokio::test]
async fn a_page_of_another_site_cannot_write_with_the_cookie() {
    let stage = Stage::set_up().await;
    let session = stage.nobody.session("operator").await;
    let browser = stage.server.client(&session);
    let location = json!({"name": "bus", "organization": stage.own, "is_mobile": true, "type": "outdoor", "geometry": point(1.0, 2.0)});
    let made = browser.post(LOCATIONS, &location).await.expect(201);
    let path = super::one(LOCATIONS, made["id"].as_str().unwrap());
    let rename = json!({"name": "renamed"});
    for origin in ["https://evil.example", "null", ""] {
        let foreign = browser.clone().with_header("origin", origin);
        foreign.post(LOCATIONS, &location).await.expect(403);
        foreign.patch(&path, &rename).await.expect(403);
        foreign.put(&path, &location).await.expect(403);
        foreign.delete(&path).await.expect(403);
        foreign
            .post("/accounts/logout/", &json!({}))
            .await
            .expect(403);
        foreign.get(&path).await.expect(200);
    }
    browser.patch(&path, &rename).await.expect(200);
    // A token is not sent by a browser on its own.
    stage
        .operator
        .clone()
        .with_header("origin", "https://evil.example")
        .patch(&path, &rename)
        .await
        .expect(200);
}

/// How many wrong passwords for `username` are answered before further attempts are refused.
async fn wrong_until_throttled(client: &Client, username: &str) -> u32 {
    for attempt in 0..20 {
        let answer = ask_token(client, username, "wrong").await;
        match answer.status {
            400 => {}
            429 => return attempt,
            other => panic!("{other} {}", answer.text),
        }
    }
    panic!("never throttled");
}

#[tokio::test]
async fn attempts_are_limited_by_user() {
    let settings = [
        ("LOGIN__ATTEMPTS_PER_USER", "3"),
        ("LOGIN__ATTEMPTS_WINDOW_S", "5"),
    ];
    let stage = Stage::set_up_with(&settings).await;
    assert_eq!(wrong_until_throttled(&stage.nobody, "operator").await, 3);
    // The right password too, on either door, or guessing would go on behind the limit.
    assert_eq!(
        ask_token(&stage.nobody, "operator", PASSWORD).await.status,
        429
    );
    let answer = stage.nobody.log_in("operator", PASSWORD).await;
    assert_eq!((answer.status, answer.session_cookie()), (429, ""));
    // Others are not concerned, and it passes.
    ask_token(&stage.nobody, "root", PASSWORD).await.expect(200);
    eventually("the window passes", async || {
        ask_token(&stage.nobody, "operator", PASSWORD)
            .await
            .is_success()
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn attempts_are_limited_by_address() {
    let settings = [("LOGIN__ATTEMPTS_PER_ADDRESS", "4")];
    let stage = Stage::set_up_with(&settings).await;
    for number in 0..4 {
        ask_token(&stage.nobody, &format!("guess-{number}"), "x")
            .await
            .expect(400);
    }
    assert_eq!(ask_token(&stage.nobody, "guess-5", "x").await.status, 429);
    assert_eq!(ask_token(&stage.nobody, "root", PASSWORD).await.status, 429);
    // Who is logged in works on.
    stage.operator.get(DEVICES).await.expect(200);
}

#[tokio::test]
async fn successful_logins_are_not_limited() {
    let settings = [
        ("LOGIN__ATTEMPTS_PER_USER", "3"),
        ("LOGIN__ATTEMPTS_PER_ADDRESS", "4"),
    ];
    let stage = Stage::set_up_with(&settings).await;
    for _ in 0..10 {
        ask_token(&stage.nobody, "operator", PASSWORD)
            .await
            .expect(200);
    }
}

#[tokio::test]
async fn malformed_logins_are_refused_with_a_reason() {
    let server = Server::start().await;
    let client = server.client(&Credential::Nobody);
    for path in [TOKEN, "/accounts/login/"] {
        for body in [
            "",
            "{",
            "[]",
            "1",
            "null",
            r#"{"username": 1, "password": []}"#,
            r#"{"username": "a\u0000", "password": "b"}"#,
        ] {
            let answer = client.send(Method::POST, path, Some(body.to_owned())).await;
            assert!(
                (400..500).contains(&answer.status),
                "{path} {body}: {} {}",
                answer.status,
                answer.text
            );
        }
        let long = json!({"username": "x".repeat(100_000), "password": "y".repeat(100_000)});
        let answer = client.post(path, &long).await;
        assert!(
            (400..500).contains(&answer.status),
            "{path}: {} {}",
            answer.status,
            answer.text
        );
    }
}
