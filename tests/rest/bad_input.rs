//! Whatever is sent, the answer is one clear JSON object, and the server goes on.

use reqwest::Method;
use serde_json::json;

use super::{DEVICES, LOCATIONS, Stage, one};
use crate::support::{FLEET, Raw, Socket, point};

#[tokio::test]
async fn malformed_json_is_named_as_such() {
    let stage = Stage::set_up().await;
    let location = stage
        .seed()
        .location("bus", &stage.own, &["--mobile", "--point", "1,2"]);
    for (method, path) in [
        (Method::POST, LOCATIONS.to_owned()),
        (Method::PATCH, one(LOCATIONS, &location)),
        (Method::PUT, one(LOCATIONS, &location)),
        (Method::POST, DEVICES.to_owned()),
    ] {
        for body in [
            "{",
            "{\"name\": }",
            "{'name': 'x'}",
            "\u{feff}{",
            "nope",
            "{\"a\":1}x",
            "{\"name\": NaN}",
        ] {
            let answer = stage
                .root
                .send(method.clone(), &path, Some(body.to_owned()))
                .await;
            assert_eq!(answer.status, 400, "{path} {body}: {}", answer.text);
            let detail = answer.json["detail"].as_str().unwrap_or_default();
            assert!(
                detail.starts_with("JSON parse error"),
                "{path} {body}: {}",
                answer.text
            );
        }
        for (body, kind) in [
            ("[1]", "list"),
            ("\"x\"", "str"),
            ("7", "int"),
            ("true", "bool"),
        ] {
            let answer = stage
                .root
                .send(method.clone(), &path, Some(body.to_owned()))
                .await;
            let expected = format!("Invalid data. Expected a dictionary, but got {kind}.");
            assert_eq!(
                answer.expect(400),
                json!({"non_field_errors": [expected]}),
                "{path}"
            );
        }
        let deep = "[".repeat(100_000);
        stage
            .root
            .send(method.clone(), &path, Some(deep))
            .await
            .expect(400);
    }
}

#[tokio::test]
async fn wrong_types_are_refused_by_field() {
    let stage = Stage::set_up().await;
    let right = json!({"organization": stage.own, "name": "bus", "type": "outdoor", "is_mobile": true, "address": "", "geometry": point(1.0, 2.0)});
    for (field, wrong) in [
        ("name", json!([])),
        ("name", json!({})),
        ("name", json!(null)),
        ("name", json!("   ")),
        ("name", json!("x".repeat(10_000))),
        ("organization", json!(7)),
        ("organization", json!([])),
        ("organization", json!(null)),
        ("type", json!(7)),
        ("type", json!(null)),
        ("is_mobile", json!("perhaps")),
        ("is_mobile", json!([])),
        ("address", json!({})),
        ("address", json!("x".repeat(10_000))),
        ("geometry", json!(7)),
        ("geometry", json!([1, 2])),
        (
            "geometry",
            json!({"type": "Point", "coordinates": [1, "2"]}),
        ),
        (
            "geometry",
            json!({"type": "Point", "coordinates": [1000, 2]}),
        ),
        (
            "geometry",
            json!({"type": "MultiPoint", "coordinates": [[1, 2]]}),
        ),
    ] {
        let mut body = right.clone();
        body[field] = wrong.clone();
        let shown: String = wrong.to_string().chars().take(60).collect();
        let answer = stage.root.post(LOCATIONS, &body).await;
        assert_eq!(answer.status, 400, "{field} {shown}: {}", answer.text);
        assert!(
            answer.json[field][0].is_string(),
            "{field} {shown}: {}",
            answer.text
        );
    }
    assert_eq!(
        stage.root.get(LOCATIONS).await.expect(200)["count"],
        json!(0)
    );
}

#[tokio::test]
async fn text_with_a_nul_is_refused_and_not_an_error_of_the_server() {
    let stage = Stage::set_up().await;
    let body = json!({"organization": stage.own, "name": "bus\u{0}", "type": "outdoor", "is_mobile": true});
    stage.root.post(LOCATIONS, &body).await.expect(400);
    let body = json!({"organization": stage.own, "name": "router\u{0}", "mac_address": "00:11:22:33:44:ae"});
    stage.root.post(DEVICES, &body).await.expect(400);
}

#[tokio::test]
async fn malformed_ids_and_unknown_paths_are_not_found_in_json() {
    let stage = Stage::set_up().await;
    for path in [
        one(LOCATIONS, "xyz"),
        one(LOCATIONS, "123"),
        one(DEVICES, "xyz"),
        format!("{}coordinates/?key=x", one(DEVICES, "xyz")),
        format!("{}location/", one(DEVICES, "xyz")),
        format!("{}device/", one(LOCATIONS, "xyz")),
        "/api/v1/controller/nope/".to_owned(),
        "/api/v2/".to_owned(),
        "/nope".to_owned(),
    ] {
        let answer = stage.root.get(&path).await;
        assert_eq!(answer.status, 404, "{path}: {}", answer.text);
        assert!(answer.json["detail"].is_string(), "{path}: {}", answer.text);
    }
}

#[tokio::test]
async fn wrong_methods_are_not_allowed_and_the_right_ones_are_named() {
    let stage = Stage::set_up().await;
    let location = stage
        .seed()
        .location("bus", &stage.own, &["--mobile", "--point", "1,2"]);
    for (method, path, allowed) in [
        (Method::DELETE, LOCATIONS.to_owned(), "POST"),
        (Method::POST, one(LOCATIONS, &location), "PATCH"),
        (Method::DELETE, DEVICES.to_owned(), "POST"),
        (Method::POST, format!("{LOCATIONS}geojson/"), "GET"),
    ] {
        let answer = stage.root.send(method.clone(), &path, None).await;
        assert!(
            answer.header("allow").contains(allowed),
            "{path}: {}",
            answer.header("allow")
        );
        let detail = format!("Method \"{method}\" not allowed.");
        assert_eq!(answer.expect(405), json!({"detail": detail}), "{path}");
    }
}

#[tokio::test]
async fn a_body_that_is_no_json_by_its_own_word_is_refused() {
    let stage = Stage::set_up().await;
    let typed = stage.root.clone().with_header("content-type", "text/csv");
    let answer = typed
        .send(Method::POST, LOCATIONS, Some("a,b".into()))
        .await;
    assert!(
        (400..500).contains(&answer.status),
        "{} {}",
        answer.status,
        answer.text
    );
}

/// Sends a request whose body is far too large, to its end, and answers with the status that the
/// client sees.
async fn send_large(stage: &Stage, chunked: bool, path: &str) -> u16 {
    const SIZE: usize = 8 << 20;
    let mut raw = Raw::connect(&stage.server).await;
    let framing = if chunked {
        "Transfer-Encoding: chunked".to_owned()
    } else {
        format!("Content-Length: {SIZE}")
    };
    let head = [
        format!("PUT {path} HTTP/1.1"),
        format!("Host: {}", stage.server.address()),
        "Content-Type: application/json".to_owned(),
        framing,
    ];
    raw.send((head.join("\r\n") + "\r\n\r\n").as_bytes()).await;
    let piece = vec![b' '; 1 << 16];
    for _ in 0..SIZE / piece.len() {
        // A client that writes its whole request before it reads must still get to the answer.
        if chunked {
            raw.send(format!("{:x}\r\n", piece.len()).as_bytes()).await;
        }
        raw.send(&piece).await;
        if chunked {
            raw.send(b"\r\n").await;
        }
    }
    raw.head().await.status
}

#[tokio::test]
async fn a_body_over_the_limit_is_answered_with_413_that_the_client_sees() {
    let stage = Stage::set_up().await;
    let device = stage.seed().device("bus-7", &stage.own);
    let mut feed = Socket::open(&stage.server, FLEET, &stage.seed().token("root")).await;
    for chunked in [false, true] {
        assert_eq!(
            send_large(&stage, chunked, &device.coordinates_path()).await,
            413
        );
        // Who may not send anything there is told that, as visibly.
        let path = one(LOCATIONS, super::NOBODYS_ID);
        assert_eq!(send_large(&stage, chunked, &path).await, 401);
    }
    let body = format!("{{{}}}", " ".repeat(2 << 20));
    let answer = stage
        .nobody
        .send(Method::PUT, &device.coordinates_path(), Some(body))
        .await;
    assert_eq!(answer.status, 413);
    assert!(answer.json["detail"].is_string(), "{}", answer.text);
    // Just below the limit it is read.
    let body = format!("{}{{", " ".repeat((1 << 20) - 1));
    stage
        .nobody
        .send(Method::PUT, &device.coordinates_path(), Some(body))
        .await
        .expect(400);
    stage
        .nobody
        .put(
            &device.coordinates_path(),
            &crate::support::feature(1.0, 2.0),
        )
        .await;
    feed.next().await;
}
