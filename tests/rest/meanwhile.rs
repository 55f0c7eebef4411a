//! What happens while a body is on its way: who asks was asked for before it.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use serde_json::json;
use tokio::time::sleep;

use super::{DEVICES, Stage, USERS};
use crate::support::{Credential, Raw};

const BODY: &str = r#"{"name": "late"}"#;

/// A request whose head was read and found right, and whose body is still to come.
async fn begun(stage: &Stage, path: &str, credential: &Credential) -> Raw {
    let (name, value) = credential.header().unwrap();
    let mut raw = Raw::connect(&stage.server).await;
    let head = raw
        .ask(&[
            format!("POST {path} HTTP/1.1"),
            format!("Host: {}", stage.server.address()),
            format!("Origin: {}", stage.server.base()),
            format!("{name}: {value}"),
            "Content-Type: application/json".to_owned(),
            format!("Content-Length: {}", BODY.len()),
            "Expect: 100-continue".to_owned(),
        ])
        .await;
    assert_eq!(head.status, 100, "{}", head.text);
    raw
}

async fn finish(mut raw: Raw) -> u16 {
    raw.send(BODY.as_bytes()).await;
    raw.head().await.status
}

#[tokio::test]
async fn a_body_that_comes_late_has_no_rights_that_were_taken_away_meanwhile() {
    let stage = Stage::set_up().await;
    let seed = stage.seed();
    let flags = ["--staff", "--group", "Operator", "--manages", &stage.own];
    seed.user("late", &flags);
    let session = stage.nobody.session("late").await;
    // Nothing has changed: the fields are looked at.
    let raw = begun(&stage, DEVICES, &session).await;
    assert_eq!(finish(raw).await, 400);

    let raw = begun(&stage, DEVICES, &session).await;
    let less = ["user", "set", "late", "--remove-manages", "own"];
    stage.server.cli(&less);
    assert_eq!(finish(raw).await, 409);

    let root = stage.nobody.session("root").await;
    let by_root = begun(&stage, USERS, &root).await;
    let by_late = begun(&stage, DEVICES, &session).await;
    stage.server.cli(&["user", "set", "late", "--inactive"]);
    let logged_out = stage.server.client(&root);
    let logged_out = logged_out.with_header("origin", &stage.server.base());
    logged_out
        .post("/accounts/logout/", &json!({}))
        .await
        .expect(200);
    assert_eq!(finish(by_late).await, 401);
    assert_eq!(finish(by_root).await, 401);
}

/// By the `Date` of a list a client asks for what has changed since: what changed while it was read may not be in it.
#[tokio::test]
async fn an_answer_is_dated_by_when_the_request_came() {
    let stage = Stage::set_up().await;
    let root = stage.nobody.session("root").await;
    let mut raw = begun(&stage, USERS, &root).await;
    let came = Timestamp::now();
    sleep(Duration::from_secs(3)).await;
    raw.send(BODY.as_bytes()).await;
    let head = raw.head().await.text;
    let dates = head.lines().filter_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("date").then_some(value)
    });
    let dates: Vec<_> = dates.collect();
    let [date] = dates[..] else {
        panic!("{head}");
    };
    let date = DateTimeParser::new().parse_timestamp(date).unwrap();
    assert!(date <= came, "{date} is after {came}");
    assert!(came.duration_since(date).as_secs() <= 2, "{date}");
}
