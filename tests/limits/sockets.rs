//! Of sockets and handshakes.

use super::{Stage, retry_after_of};
use crate::support::{Credential, FLEET, Head, Raw, Socket, eventually, frame};

/// The whole answer to a handshake.
async fn answer(stage: &Stage, credential: &Credential) -> Head {
    let lines = Raw::handshake(&stage.server, FLEET, credential);
    Raw::connect(&stage.server).await.ask(&lines).await
}

/// A refusal that says when to come back.
fn assert_refused(head: &Head, status: u16) {
    assert_eq!(head.status, status, "{}", head.text);
    retry_after_of(head);
}

async fn opens(stage: &Stage, credential: &Credential) -> Socket {
    eventually("there is room again", async || {
        Socket::try_open(&stage.server, FLEET, credential)
            .await
            .ok()
    })
    .await
}

#[tokio::test]
async fn a_node_that_is_full_refuses_with_503_until_a_socket_ends() {
    let stage = Stage::set_up(&[("LIMITS__SOCKETS", "2")]).await;
    let first = Socket::open(&stage.server, FLEET, &stage.root).await;
    let mut second = Socket::open(&stage.server, FLEET, &stage.root).await;
    let head = answer(&stage, &stage.root).await;
    assert_refused(&head, 503);
    // Nobody is asked who it is while nobody can be let in.
    assert_refused(&answer(&stage, &Credential::Nobody).await, 503);
    stage.has_hit("sockets", 2).await;
    second.ping().await;
    first.close().await;
    opens(&stage, &stage.root).await.ping().await;
}

#[tokio::test]
async fn a_user_with_all_sockets_that_one_may_have_is_refused_with_429_and_others_are_not() {
    let stage = Stage::set_up(&[("LIMITS__SOCKETS_PER_USER", "2")]).await;
    let flags = ["--staff", "--superuser"];
    let ada = stage.seed().user_with_token("ada", &flags);
    let mut sockets = Vec::new();
    for _ in 0..2 {
        sockets.push(Socket::open(&stage.server, FLEET, &stage.root).await);
    }
    // However the user logged in.
    let session = stage.nobody().session("root").await;
    for credential in [&stage.root, &session] {
        let head = answer(&stage, credential).await;
        assert_refused(&head, 429);
        assert_eq!(head.header("content-type"), "application/json");
    }
    stage.has_hit("sockets_per_user", 2).await;
    // Who proves nothing learns nothing of it.
    let wrong = Credential::Token("no such token".into());
    assert_eq!(answer(&stage, &wrong).await.status, 403);
    Socket::open(&stage.server, FLEET, &ada).await.ping().await;
    sockets.pop().unwrap().close().await;
    opens(&stage, &stage.root).await.ping().await;
}

#[tokio::test]
async fn an_address_is_the_clients_own_behind_a_trusted_proxy() {
    let limit = ("LIMITS__SOCKETS_PER_ADDRESS", "1");
    let trusted = ("SERVER__TRUSTED_PROXIES", "127.0.0.0/8");
    for (settings, others) in [(&[limit, trusted][..], Ok(())), (&[limit], Err(429))] {
        let stage = Stage::set_up(settings).await;
        let open = async |address: &str| {
            let headers = [("x-forwarded-for", address)];
            Socket::try_open_with(&stage.server, FLEET, &stage.root, &headers).await
        };
        let mut first = open("10.0.0.1").await.unwrap();
        assert_eq!(open("10.0.0.1").await.err(), Some(429));
        let other = open("10.0.0.2").await;
        assert_eq!(other.map(drop), others);
        first.ping().await;
        let hits = stage.hits("sockets_per_address").await;
        assert_eq!(hits, if others.is_ok() { 1 } else { 2 });
        first.close().await;
        eventually("there is room again", async || open("10.0.0.1").await.ok()).await;
    }
}

#[tokio::test]
async fn handshakes_beyond_the_rate_are_refused_with_503_and_what_is_open_hears_on() {
    let stage = Stage::set_up(&[("LIMITS__HANDSHAKES_PER_SECOND", "1")]).await;
    let bus = stage
        .seed()
        .location("bus", &stage.organization, &["--mobile"]);
    let mut open = Socket::open(&stage.server, FLEET, &stage.root).await;
    let made_up = Credential::Token("no-such-token".into());
    let refused = eventually("one comes too soon", async || {
        let head = answer(&stage, &made_up).await;
        (head.status != 403).then_some(head)
    })
    .await;
    assert_refused(&refused, 503);
    stage.has_hit("handshakes_per_second", 1).await;
    // What is no handshake costs nothing, and is not counted.
    assert_eq!(stage.nobody().get(FLEET).await.status, 426);
    let root = stage.server.client(&stage.root);
    root.move_location(&bus, 1.0, 2.0).await;
    open.next().await;
    opens(&stage, &stage.root).await.ping().await;
}

#[tokio::test]
async fn who_shows_nothing_uses_up_no_handshakes() {
    let stage = Stage::set_up(&[("LIMITS__HANDSHAKES_PER_SECOND", "1")]).await;
    for _ in 0..20 {
        assert_eq!(answer(&stage, &Credential::Nobody).await.status, 403);
    }
    Socket::open(&stage.server, FLEET, &stage.root)
        .await
        .ping()
        .await;
    assert_eq!(stage.hits("handshakes_per_second").await, 0);
}

#[tokio::test]
async fn one_address_uses_up_its_own_handshakes_and_leaves_those_of_others() {
    let stage = Stage::set_up(&[
        ("LIMITS__HANDSHAKES_PER_SECOND", "2"),
        ("LIMITS__HANDSHAKES_PER_SECOND_PER_ADDRESS", "1"),
        ("SERVER__TRUSTED_PROXIES", "127.0.0.0/8"),
    ])
    .await;
    let made_up = Credential::Token("no-such-token".into());
    let from = |address: &str| {
        let mut lines = Raw::handshake(&stage.server, FLEET, &made_up);
        lines.push(format!("X-Forwarded-For: {address}"));
        lines
    };
    // One /64 is one client.
    let lines = [from("2001:db8::1"), from("2001:db8::2")];
    let refused = eventually("one comes too soon", async || {
        for lines in &lines {
            let head = Raw::connect(&stage.server).await.ask(lines).await;
            if head.status != 403 {
                return Some(head);
            }
        }
        None
    })
    .await;
    assert_refused(&refused, 429);
    let hits = stage.hits("handshakes_per_second_per_address").await;
    assert!(hits > 0, "{hits}");
    let other = [("x-forwarded-for", "10.0.0.1")];
    let socket = Socket::try_open_with(&stage.server, FLEET, &stage.root, &other).await;
    socket.unwrap().ping().await;
    assert_eq!(stage.hits("handshakes_per_second").await, 0);
}

#[tokio::test]
async fn who_sends_too_fast_is_read_more_slowly_and_that_is_counted() {
    let stage = Stage::set_up(&[("SOCKET__INBOUND_BYTES_PER_SECOND", "65536")]).await;
    let mut raw = Raw::upgraded(&stage.server, FLEET, &stage.root).await;
    raw.send(&frame(0x82, &vec![0; 60_000])).await;
    raw.send(&frame(0x89, b"still here")).await;
    assert_eq!(raw.frame().await.unwrap().first, 0x8a);
    let hits = stage.hits("inbound_bytes_per_second").await;
    assert!(
        hits > 0,
        "the rate is kept in steps far shorter than a second"
    );
}
