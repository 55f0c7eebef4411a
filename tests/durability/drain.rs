//! The orderly end: SIGTERM.

use rustix::process::Signal;
use serde_json::json;

use crate::support::{Credential, FLEET, Seed, Server, Socket, eventually, location_path};

async fn stage(settings: &[(&str, &str)]) -> (Server, Credential, String) {
    let server = Server::start_with(settings).await;
    let seed = Seed(&server);
    let organization = seed.organization("Alpha");
    let bus = seed.location("bus", &organization, &["--mobile", "--point", "1,2"]);
    let root = seed.root();
    (server, root, bus)
}

#[tokio::test]
async fn sigterm_closes_every_socket_with_1001_and_exits_0() {
    let (mut server, root, bus) = stage(&[("SERVER__DRAIN_S", "1")]).await;
    let mut sockets = Vec::new();
    for path in [FLEET, &location_path(&bus)] {
        for _ in 0..10 {
            sockets.push(Socket::open(&server, path, &root).await);
        }
    }
    server.signal(Signal::TERM);
    for socket in &mut sockets {
        assert_eq!(socket.closed().await, Some(1001));
    }
    assert_eq!(server.exit().await.code(), Some(0));
}

#[tokio::test]
async fn sigterm_without_sockets_exits_0() {
    let (mut server, ..) = stage(&[]).await;
    assert_eq!(server.terminate().await.code(), Some(0));
}

#[tokio::test]
async fn sigint_drains_too() {
    let (mut server, root, _) = stage(&[("SERVER__DRAIN_S", "1")]).await;
    let mut socket = Socket::open(&server, FLEET, &root).await;
    server.signal(Signal::INT);
    assert_eq!(socket.closed().await, Some(1001));
    assert_eq!(server.exit().await.code(), Some(0));
}

#[tokio::test]
async fn while_it_drains_no_new_socket_is_let_in_and_a_second_sigterm_ends_it_at_once() {
    // Far longer than a test waits: only the second signal can end it in time.
    let (mut server, root, _) = stage(&[("SERVER__DRAIN_S", "3600")]).await;
    let mut sockets = Vec::new();
    for _ in 0..4 {
        sockets.push(Socket::open(&server, FLEET, &root).await);
    }
    server.signal(Signal::TERM);
    eventually("the drain has begun", async || {
        let refused = Socket::try_open(&server, FLEET, &root).await.err()?;
        assert!([503, Socket::GONE].contains(&refused), "{refused}");
        Some(())
    })
    .await;
    server.signal(Signal::TERM);
    assert_eq!(server.exit().await.code(), Some(0));
}

#[tokio::test]
async fn what_was_moved_before_the_end_is_there_after_a_restart() {
    let (mut server, root, bus) = stage(&[("SERVER__DRAIN_S", "0")]).await;
    server.client(&root).move_location(&bus, 5.0, 6.0).await;
    assert_eq!(server.terminate().await.code(), Some(0));
    server.run().await;
    let path = format!("/api/v1/controller/location/{bus}/");
    let location = server.client(&root).get(&path).await.expect(200);
    assert_eq!(location["geometry"]["coordinates"], json!([5.0, 6.0]));
}

/// For balancers that go by `/readyz`: until they have noticed, everything goes on.
#[tokio::test]
async fn before_the_drain_readiness_alone_says_that_the_end_is_near() {
    // Far longer than a test waits: only the second signal can end it in time.
    let (mut server, root, bus) = stage(&[("SERVER__SHUTDOWN_DELAY_S", "3600")]).await;
    let client = server.client(&root);
    let mut open = Socket::open(&server, FLEET, &root).await;
    server.signal(Signal::TERM);
    eventually("readiness says so", async || {
        let answer = client.get("/readyz").await;
        let is_near = answer.status == 503 && answer.json["draining"] == true;
        is_near.then_some(())
    })
    .await;
    let mut late = Socket::open(&server, FLEET, &root).await;
    client.move_location(&bus, 3.0, 4.0).await;
    for socket in [&mut open, &mut late] {
        socket.next().await;
    }
    server.signal(Signal::TERM);
    assert_eq!(server.exit().await.code(), Some(0));
}
