//! The heartbeat: the server pings, and drops who shows no sign of life.

use super::Stage;
use crate::support::{FLEET, Raw, RawFrame, frame};

/// Seconds in place of the contract's 20 and 30.
const QUICK: [(&str, &str); 2] = [("SOCKET__PING_S", "1"), ("SOCKET__IDLE_S", "2")];

fn is_ping(frame: &RawFrame) -> bool {
    frame.first == 0x89 && !frame.masked
}

#[tokio::test]
async fn a_client_that_answers_pings_stays() {
    let stage = Stage::set_up(&QUICK).await;
    let mut raw = Raw::upgraded(&stage.server, FLEET, &stage.root).await;
    // Longer than a client without a sign of life would be kept.
    for _ in 0..4 {
        let ping = raw.frame().await.expect("still open");
        assert!(is_ping(&ping), "{ping:?}");
        raw.send(&frame(0x8a, &ping.payload)).await;
    }
}

#[tokio::test]
async fn any_inbound_byte_is_a_sign_of_life() {
    let stage = Stage::set_up(&QUICK).await;
    let mut raw = Raw::upgraded(&stage.server, FLEET, &stage.root).await;
    // A message that is begun and never ends, a byte at each ping.
    raw.send_header(0x82, 1 << 40).await;
    for _ in 0..4 {
        let ping = raw.frame().await.expect("still open");
        assert!(is_ping(&ping), "{ping:?}");
        raw.send(b"x").await;
    }
}

#[tokio::test]
async fn a_client_without_a_sign_of_life_is_dropped() {
    let stage = Stage::set_up(&QUICK).await;
    let mut raw = Raw::upgraded(&stage.server, FLEET, &stage.root).await;
    let mut pings = 0;
    while let Some(ping) = raw.frame().await {
        assert!(is_ping(&ping), "{ping:?}");
        pings += 1;
        assert!(pings < 10, "kept for {pings} pings");
    }
    assert!(pings > 0, "dropped without a ping");
}

#[tokio::test]
async fn a_socket_hears_while_pings_come_and_go() {
    let stage = Stage::set_up(&QUICK).await;
    let mut raw = Raw::upgraded(&stage.server, FLEET, &stage.root).await;
    let (mut pings, mut moves) = (0, 0);
    while pings < 3 {
        stage.move_bus(1.0, 2.0).await;
        loop {
            let next = raw.frame().await.expect("still open");
            if next.first == 0x81 {
                moves += 1;
                break;
            }
            assert!(is_ping(&next), "{next:?}");
            pings += 1;
            raw.send(&frame(0x8a, &next.payload)).await;
        }
    }
    assert!(moves >= 3, "{moves}");
}
