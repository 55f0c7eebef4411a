//! Of what is sent before and with a request: heads, bodies, reports, log-ins.

use reqwest::Method;
use serde_json::json;

use super::{Stage, retry_after};
use crate::support::{FLEET, PASSWORD, Raw, Socket, feature};

#[tokio::test]
async fn a_head_that_is_too_large_gets_a_431() {
    let stage = Stage::set_up(&[("SERVER__HEAD_LIMIT_BYTES", "8192")]).await;
    let mut lines = Raw::handshake(&stage.server, FLEET, &stage.root);
    lines.push(format!("X-Filler: {}", "x".repeat(6000)));
    assert_eq!(
        Raw::connect(&stage.server).await.ask(&lines).await.status,
        101
    );
    lines.push(format!("X-Filler: {}", "x".repeat(3000)));
    let mut raw = Raw::connect(&stage.server).await;
    assert_eq!(raw.ask(&lines).await.status, 431);
    raw.drain().await;
    stage.has_hit("head_limit_bytes", 1).await;
    // More headers than any client sends.
    let mut lines = Raw::handshake(&stage.server, FLEET, &stage.root);
    lines.extend((0..200).map(|number| format!("X-{number}: x")));
    assert_eq!(
        Raw::connect(&stage.server).await.ask(&lines).await.status,
        431
    );
    stage.has_hit("head_limit_bytes", 2).await;
}

#[tokio::test]
async fn who_connects_and_says_nothing_or_never_ends_is_cut_off() {
    let stage = Stage::set_up(&[("SERVER__HEADER_TIMEOUT_S", "1")]).await;
    let mut open = Socket::open(&stage.server, FLEET, &stage.root).await;
    let mut silent = Raw::connect(&stage.server).await;
    assert!(silent.ended().await);
    stage.has_hit("header_timeout_s", 1).await;
    // Byte for byte: each is on time, the whole is not.
    let mut slow = Raw::connect(&stage.server).await;
    slow.send(b"GET / HTTP/1.1\r\n").await;
    while slow.try_send(b"X").await.is_ok() && !slow.has_ended().await {
        tokio::task::yield_now().await;
    }
    stage.has_hit("header_timeout_s", 2).await;
    // A connection that is not used again has ended in order: that is no slow head.
    let mut kept = Raw::connect(&stage.server).await;
    let head = kept
        .ask(&["GET /healthz HTTP/1.1".into(), "Host: x".into()])
        .await;
    assert_eq!(head.status, 200);
    kept.drain().await;
    assert_eq!(stage.hits("header_timeout_s").await, 2);
    // What is a socket by now has nothing to do with it.
    open.ping().await;
}

#[tokio::test]
async fn a_body_that_is_too_large_is_counted() {
    let stage = Stage::set_up(&[("SERVER__BODY_LIMIT_BYTES", "1024")]).await;
    let client = stage.server.client(&stage.root);
    let body = json!({"name": "x".repeat(2000)}).to_string();
    let path = "/api/v1/users/group/";
    let answer = client.send(Method::POST, path, Some(body)).await;
    assert_eq!(answer.status, 413);
    stage.has_hit("body_limit_bytes", 1).await;
}

#[tokio::test]
async fn log_ins_that_are_held_back_are_counted() {
    let stage = Stage::set_up(&[("LOGIN__ATTEMPTS_PER_USER", "1")]).await;
    let client = stage.nobody();
    assert_eq!(client.log_in("root", "wrong").await.status, 400);
    let answer = client.log_in("root", PASSWORD).await;
    assert_eq!(answer.status, 429);
    stage.has_hit("login_attempts", 1).await;
}

#[tokio::test]
async fn a_device_that_reports_too_often_is_told_when_and_no_other_is_harmed() {
    const AT_ONCE: usize = 10;
    let stage = Stage::set_up(&[("LIMITS__REPORTS_PER_SECOND", "1")]).await;
    let seed = stage.seed();
    let (bus, tram) = (
        seed.device("bus", &stage.organization),
        seed.device("tram", &stage.organization),
    );
    let client = stage.nobody();
    // Who knows the device and not its key uses up nothing of it.
    let forged = format!("{}x", bus.coordinates_path());
    let mut refused = Vec::new();
    for _ in 0..3 * AT_ONCE {
        refused.push(client.put(&forged, &feature(0.0, 0.0)).await.status);
    }
    assert_eq!(refused[..AT_ONCE], [401; AT_ONCE]);
    assert!(refused.contains(&429), "{refused:?}");
    let before = stage.hits("reports_per_second").await;
    let mut taken = 0;
    let too_often = loop {
        let answer = client
            .put(&bus.coordinates_path(), &feature(1.0, 2.0))
            .await;
        if answer.status != 200 {
            break answer;
        }
        taken += 1;
    };
    assert!(taken >= AT_ONCE, "{taken}");
    assert_eq!(too_often.status, 429);
    retry_after(&too_often);
    let detail = too_often.json["detail"].as_str().unwrap();
    assert!(detail.starts_with("Request was throttled."), "{detail}");
    stage.has_hit("reports_per_second", before + 1).await;
    client
        .put(&tram.coordinates_path(), &feature(1.0, 2.0))
        .await
        .expect(200);
    // It may still ask where it is.
    client.get(&bus.coordinates_path()).await.expect(200);
    let seconds = retry_after(&too_often);
    tokio::time::sleep(std::time::Duration::from_secs(seconds)).await;
    client
        .put(&bus.coordinates_path(), &feature(3.0, 4.0))
        .await
        .expect(200);
}
