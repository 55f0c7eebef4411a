//! The handshake: section 4.2 of RFC 6455 and section 5 of the contract.

use uuid::Uuid;

use super::Stage;
use crate::support::{
    Credential, FLEET, Head, Raw, Seed, Server, Socket, command_path, eventually, frame,
    location_path,
};

/// A change of one line of a right handshake: the header to leave out, and what to send instead.
type Edit<'a> = (&'a str, &'a [&'a str]);

/// The answer to a handshake with some of its lines changed.
async fn ask(server: &Server, path: &str, credential: &Credential, edits: &[Edit<'_>]) -> Head {
    let mut lines = Raw::handshake(server, path, credential);
    for (header, instead) in edits {
        lines.retain(|line| !line.starts_with(&format!("{header}:")));
        lines.extend(instead.iter().map(ToString::to_string));
    }
    Raw::connect(server).await.ask(&lines).await
}

#[tokio::test]
async fn the_answer_completes_the_handshake_and_agrees_to_nothing_else() {
    let stage = Stage::set_up(&[]).await;
    let offers = [
        "Sec-WebSocket-Protocol: chat",
        "Sec-WebSocket-Extensions: permessage-deflate",
    ];
    let head = ask(&stage.server, FLEET, &stage.root, &[("-", &offers)]).await;
    assert!(
        head.text
            .starts_with("HTTP/1.1 101 Switching Protocols\r\n"),
        "{}",
        head.text
    );
    assert!(
        head.header("upgrade").eq_ignore_ascii_case("websocket"),
        "{}",
        head.text
    );
    assert!(
        head.header("connection").eq_ignore_ascii_case("upgrade"),
        "{}",
        head.text
    );
    assert_eq!(head.header("sec-websocket-accept"), Raw::accept());
    assert_eq!(head.header("sec-websocket-protocol"), "");
    assert_eq!(head.header("sec-websocket-extensions"), "");
}

#[tokio::test]
async fn header_names_and_tokens_are_read_as_http_reads_them() {
    let stage = Stage::set_up(&[]).await;
    let edits: [&[Edit<'_>]; 4] = [
        &[("Upgrade", &["uPGRADE: WebSocket"])],
        &[("Connection", &["connection: keep-alive, Upgrade"])],
        &[(
            "Connection",
            &["Connection: keep-alive", "Connection: upgrade"],
        )],
        &[("Sec-WebSocket-Version", &["sec-websocket-version:   13  "])],
    ];
    for edit in edits {
        let head = ask(&stage.server, FLEET, &stage.root, edit).await;
        assert_eq!(head.status, 101, "{edit:?}: {}", head.text);
    }
}

#[tokio::test]
async fn what_is_no_handshake_is_refused_with_400_or_426() {
    let stage = Stage::set_up(&[]).await;
    let edits: [(&[Edit<'_>], &[u16]); 12] = [
        (&[("Upgrade", &[]), ("Connection", &[])], &[426]),
        (&[("Upgrade", &[])], &[426]),
        (&[("Upgrade", &["Upgrade: h2c"])], &[426, 400]),
        (&[("Connection", &["Connection: keep-alive"])], &[426, 400]),
        (&[("Sec-WebSocket-Version", &[])], &[400]),
        (
            &[("Sec-WebSocket-Version", &["Sec-WebSocket-Version: 8"])],
            &[400],
        ),
        (
            &[("Sec-WebSocket-Version", &["Sec-WebSocket-Version: 14"])],
            &[400],
        ),
        (&[("Sec-WebSocket-Key", &[])], &[400]),
        (&[("Sec-WebSocket-Key", &["Sec-WebSocket-Key: "])], &[400]),
        (
            &[("Sec-WebSocket-Key", &["Sec-WebSocket-Key: c2hvcnQ="])],
            &[400],
        ),
        (
            &[(
                "Sec-WebSocket-Key",
                &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ"],
            )],
            &[400],
        ),
        (
            &[(
                "Sec-WebSocket-Key",
                &["Sec-WebSocket-Key: ************************"],
            )],
            &[400],
        ),
    ];
    for path in [
        FLEET,
        &location_path(&stage.bus),
        &command_path(&Uuid::new_v4().to_string()),
    ] {
        for (edit, expected) in edits {
            let head = ask(&stage.server, path, &stage.root, edit).await;
            assert!(
                expected.contains(&head.status),
                "{path} {edit:?}: {}",
                head.text
            );
            if head.status == 426 {
                assert!(
                    head.header("upgrade").eq_ignore_ascii_case("websocket"),
                    "{}",
                    head.text
                );
            }
            if edit[0].0 == "Sec-WebSocket-Version" {
                assert_eq!(head.header("sec-websocket-version"), "13", "{}", head.text);
            }
        }
    }
    let post = ["POST", FLEET, "HTTP/1.1"].join(" ");
    let mut lines = Raw::handshake(&stage.server, FLEET, &stage.root);
    lines[0] = post;
    let head = Raw::connect(&stage.server).await.ask(&lines).await;
    assert!([400, 405].contains(&head.status), "{}", head.text);
}

#[tokio::test]
async fn bytes_that_are_no_http_are_refused() {
    let stage = Stage::set_up(&[]).await;
    for nonsense in [
        "\x16\x03\x01 hello\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "a: b\r\n\r\n",
    ] {
        let mut raw = Raw::connect(&stage.server).await;
        raw.send(nonsense.as_bytes()).await;
        let head = raw.head().await;
        assert!(
            (400..600).contains(&head.status),
            "{nonsense:?}: {}",
            head.text
        );
        assert!(raw.ended().await, "{nonsense:?}: the connection goes on");
    }
    let mut raw = Raw::connect(&stage.server).await;
    let lines = [
        format!("GET {FLEET} HTTP/1.1"),
        format!("Cookie: {}", "x".repeat(1 << 20)),
    ];
    // The server may end the connection while it is still being sent to.
    let _ = raw
        .try_send((lines.join("\r\n") + "\r\n\r\n").as_bytes())
        .await;
    let mut feed = Socket::open(&stage.server, FLEET, &stage.root).await;
    stage.move_bus(1.0, 2.0).await;
    feed.next().await;
}

#[tokio::test]
async fn absence_lack_of_rights_and_lack_of_login_look_the_same() {
    let stage = Stage::set_up(&[]).await;
    let nobody = Credential::Nobody;
    let stranger = Seed(&stage.server).user_with_token("stranger", &["--staff"]);
    let missing = Uuid::new_v4().to_string();
    let answers = [
        (location_path(&stage.bus), &nobody),
        (location_path(&stage.bus), &stranger),
        (location_path(&missing), &stage.root),
        (location_path(&missing), &stranger),
        (location_path(&missing), &nobody),
        (command_path(&missing), &stage.root),
        (FLEET.to_owned(), &stranger),
        (FLEET.to_owned(), &nobody),
    ];
    let mut seen = Vec::new();
    for (path, credential) in answers {
        let head = ask(&stage.server, &path, credential, &[]).await;
        assert_eq!(head.status, 403, "{path}: {}", head.text);
        let mut lines: Vec<_> = head.text.lines().map(str::to_owned).collect();
        lines.retain(|line| !line.to_ascii_lowercase().starts_with("date:"));
        seen.push(lines);
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "the refusals can be told apart: {seen:#?}");
}

#[tokio::test]
async fn unknown_paths_and_malformed_ids_are_not_found() {
    let stage = Stage::set_up(&[]).await;
    let bus = &stage.bus;
    for path in [
        "/ws/",
        "/ws/nope/",
        "/ws/loci/",
        "/ws/loci/location/not-a-uuid/",
        "/ws/loci/location/123/",
        &format!("/ws/loci/location/{bus}0/"),
        &format!("/ws/loci/location/{bus}/more/"),
        "/ws/controller/device/xyz/command",
        &format!("/ws/controller/device/{bus}"),
        &format!("/ws/controller/device/{bus}/commands"),
        "/ws/loci/location/%00/",
        "/ws/loci/location/..%2f/",
    ] {
        for credential in [&stage.root, &Credential::Nobody] {
            let head = ask(&stage.server, path, credential, &[]).await;
            assert_eq!(head.status, 404, "{path}: {}", head.text);
        }
    }
}

#[tokio::test]
async fn each_path_is_served_with_and_without_its_trailing_slash() {
    let stage = Stage::set_up(&[]).await;
    let device = Seed(&stage.server).device("router", &stage.organization);
    for path in [
        FLEET,
        &location_path(&stage.bus),
        &format!("{}/", command_path(&device.id)),
    ] {
        for path in [path, path.trim_end_matches('/')] {
            for query in ["", "?x=1"] {
                let path = format!("{path}{query}");
                let head = ask(&stage.server, &path, &stage.root, &[]).await;
                assert_eq!(head.status, 101, "{path}: {}", head.text);
            }
        }
    }
}

#[tokio::test]
async fn a_browser_of_another_site_is_refused() {
    let settings = [(
        "SERVER__ALLOWED_ORIGINS",
        "https://console.example.org,https://second.example.org:8443",
    )];
    let stage = Stage::set_up(&settings).await;
    let session = stage
        .server
        .client(&Credential::Nobody)
        .session("root")
        .await;
    let own = stage.server.base();
    for credential in [&session, &stage.root] {
        for (origin, expected) in [
            (own.as_str(), 101),
            ("https://console.example.org", 101),
            ("https://second.example.org:8443", 101),
            ("https://evil.example", 403),
            ("http://127.0.0.1.evil.example", 403),
            ("https://console.example.org.evil.example", 403),
            ("null", 403),
            ("", 403),
        ] {
            let line = format!("Origin: {origin}");
            let head = ask(&stage.server, FLEET, credential, &[("Origin", &[&line])]).await;
            assert_eq!(head.status, expected, "{origin}: {}", head.text);
        }
        // No browser: nothing to protect.
        assert_eq!(ask(&stage.server, FLEET, credential, &[]).await.status, 101);
    }
}

#[tokio::test]
async fn a_since_that_is_no_instant_is_refused() {
    let stage = Stage::set_up(&[]).await;
    for path in [FLEET, &location_path(&stage.bus)] {
        for (since, expected) in [
            ("2026-11-24T10:15:00Z", 101),
            ("2026-11-24T10:15:00.123456Z", 101),
            ("2026-11-24T12:15:00%2B02:00", 101),
            ("2000-01-01T00:00:00Z", 101),
            ("yesterday", 400),
            ("", 400),
            ("2026-11-24", 400),
            ("2026-11-24T10:15:00", 400),
            ("2026-13-01T00:00:00Z", 400),
            ("1764000000", 400),
        ] {
            let path = format!("{path}?since={since}");
            let head = ask(&stage.server, &path, &stage.root, &[]).await;
            assert_eq!(head.status, expected, "{path}: {}", head.text);
        }
    }
}

#[tokio::test]
async fn frames_right_behind_the_handshake_are_not_lost() {
    let stage = Stage::set_up(&[]).await;
    let lines = Raw::handshake(&stage.server, FLEET, &stage.root);
    let mut bytes = (lines.join("\r\n") + "\r\n\r\n").into_bytes();
    bytes.extend(frame(0x81, b"early data"));
    bytes.extend(frame(0x89, b"early ping"));
    let mut raw = Raw::connect(&stage.server).await;
    raw.send(&bytes).await;
    assert_eq!(raw.head().await.status, 101);
    let pong = raw.frame().await.unwrap();
    assert_eq!(
        (pong.first, pong.payload.as_slice()),
        (0x8a, &b"early ping"[..])
    );
}

#[tokio::test]
async fn a_request_may_follow_a_refused_handshake() {
    let stage = Stage::set_up(&[]).await;
    let mut raw = Raw::connect(&stage.server).await;
    let nobody = Raw::handshake(&stage.server, FLEET, &Credential::Nobody);
    let refused = raw.ask(&nobody).await;
    assert_eq!(refused.status, 403);
    if refused.header("connection").eq_ignore_ascii_case("close") {
        return;
    }
    let length = refused.header("content-length").parse().unwrap();
    raw.body(length).await;
    let root = Raw::handshake(&stage.server, FLEET, &stage.root);
    assert_eq!(raw.ask(&root).await.status, 101);
}

#[tokio::test]
async fn refusals_are_logged_with_their_reason_and_never_with_a_secret() {
    let stage = Stage::set_up(&[]).await;
    let server = &stage.server;
    let stranger = Seed(server).user_with_token("stranger", &["--staff"]);
    let secret = "0123456789abcdef0123456789abcdef01234567";
    let knocks = [
        (FLEET.to_owned(), &Credential::Nobody, None),
        (FLEET.to_owned(), &Credential::Token(secret.into()), None),
        (FLEET.to_owned(), &stranger, None),
        (
            location_path(&Uuid::new_v4().to_string()),
            &stage.root,
            None,
        ),
        (
            format!("{FLEET}?key={secret}&since=2026-11-24T10:15:00Z"),
            &stage.root,
            Some("Origin: https://evil.example"),
        ),
    ];
    for (path, credential, origin) in &knocks {
        let edits: Vec<Edit<'_>> = origin
            .iter()
            .map(|it| ("Origin", std::slice::from_ref(it)))
            .collect();
        assert_eq!(
            ask(server, path, credential, &edits).await.status,
            403,
            "{path}"
        );
    }
    for reason in [
        "no_credential",
        "bad_credential",
        "not_permitted",
        "no_resource",
        "origin",
    ] {
        eventually(reason, async || server.log().contains(reason).then_some(())).await;
    }
    assert!(!server.log().contains(secret), "a secret in the log");
}

#[tokio::test]
async fn refusals_cannot_flood_the_log() {
    const KNOCKS: usize = 3000;
    let stage = Stage::set_up(&[]).await;
    let lines = Raw::handshake(&stage.server, FLEET, &Credential::Nobody);
    let mut raw = Raw::connect(&stage.server).await;
    for _ in 0..KNOCKS {
        let head = raw.ask(&lines).await;
        assert_eq!(head.status, 403);
        raw.body(head.header("content-length").parse().unwrap())
            .await;
    }
    let logged = stage.server.log().lines().count();
    assert!(logged < KNOCKS / 10, "{logged} lines for {KNOCKS} refusals");
}
