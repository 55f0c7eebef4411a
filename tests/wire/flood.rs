//! Clients that send too much, or too little: bounded memory, and everybody else keeps hearing.

use super::Stage;
use crate::support::{FLEET, Raw, Socket, allow_open_files, eventually, frame};

/// How much the server may grow while it is flooded, in KiB. Far below any message here.
const ROOM: u64 = 16 * 1024;

#[tokio::test]
async fn a_message_of_a_gibibyte_is_thrown_away_as_it_comes() {
    const GIBIBYTE: u64 = 1 << 30;
    const CHUNK: usize = 1 << 20;
    let fast = [("SOCKET__INBOUND_BYTES_PER_SECOND", "1073741824")];
    let stage = Stage::set_up(&fast).await;
    let mut other = Socket::open(&stage.server, FLEET, &stage.root).await;
    let mut raw = Raw::upgraded(&stage.server, FLEET, &stage.root).await;
    stage.move_bus(0.0, 0.0).await;
    other.next().await;
    raw.frame().await.unwrap();
    stage.server.forget_peak();
    let before = stage.server.memory();

    raw.send_header(0x82, GIBIBYTE).await;
    let chunk = vec![0x88; CHUNK];
    for number in 0..GIBIBYTE / CHUNK as u64 {
        raw.send(&chunk).await;
        if number % 64 == 0 {
            #[expect(clippy::cast_precision_loss, reason = "below 1024")]
            let longitude = number as f64 / 10.0;
            stage.move_bus(longitude, 1.0).await;
            // Both hear it: the one who floods is not deaf in the meantime.
            assert_eq!(other.next().await["geometry"]["coordinates"][0], longitude);
            assert_eq!(raw.frame().await.unwrap().first, 0x81);
        }
    }
    raw.send(&frame(0x89, b"done")).await;
    let pong = raw.frame().await.unwrap();
    assert_eq!((pong.first, pong.payload.as_slice()), (0x8a, &b"done"[..]));
    let grown = stage.server.memory().peak.saturating_sub(before.resident);
    assert!(grown < ROOM, "grew by {grown} KiB");
}

#[tokio::test]
async fn a_storm_of_small_frames_is_thrown_away_as_it_comes() {
    const ROUNDS: usize = 100;
    let fast = [("SOCKET__INBOUND_BYTES_PER_SECOND", "1073741824")];
    let stage = Stage::set_up(&fast).await;
    let mut raw = Raw::upgraded(&stage.server, FLEET, &stage.root).await;
    raw.send(&frame(0x89, b"begin")).await;
    raw.frame().await.unwrap();
    stage.server.forget_peak();
    let before = stage.server.memory();
    // One message of 200,000 fragments, a ping after each.
    let pair = [frame(0x00, b"x"), frame(0x89, b"?")].concat();
    let round = pair.repeat(2000);
    raw.send(&frame(0x01, b"x")).await;
    for number in 0..ROUNDS {
        // Without reading the pongs: they must not pile up either.
        raw.send(&round).await;
        if number % 10 == 0 {
            stage.move_bus(1.0, 1.0).await;
        }
    }
    raw.send(&frame(0x89, b"done")).await;
    // The pong may overtake moves that wait behind it.
    let (mut moves, mut done) = (0, false);
    while !done || moves < ROUNDS / 10 {
        let next = raw.frame().await.expect("still open");
        match (next.first, next.payload.as_slice()) {
            (0x8a, b"done") => done = true,
            (0x8a, b"?") => {}
            (0x81, _) => moves += 1,
            other => panic!("{other:?}"),
        }
    }
    let grown = stage.server.memory().peak.saturating_sub(before.resident);
    assert!(grown < ROOM, "grew by {grown} KiB");
}

#[tokio::test]
async fn a_client_that_sends_too_fast_is_read_slowly_and_still_hears() {
    let slow = [("SOCKET__INBOUND_BYTES_PER_SECOND", "1048576")];
    let stage = Stage::set_up(&slow).await;
    let mut raw = Raw::upgraded(&stage.server, FLEET, &stage.root).await;
    let mut other = Socket::open(&stage.server, FLEET, &stage.root).await;
    // The kernel takes some of it at once, the rest waits for the server to read on.
    raw.send_header(0x82, 4 << 20).await;
    for _ in 0..4 {
        raw.send(&vec![0; 1 << 20]).await;
        stage.move_bus(1.0, 2.0).await;
        assert_eq!(raw.frame().await.unwrap().first, 0x81);
        other.next().await;
    }
    raw.send(&frame(0x89, b"patient")).await;
    assert_eq!(raw.frame().await.unwrap().payload, b"patient");
}

#[tokio::test]
async fn a_thousand_half_open_handshakes_keep_nobody_from_hearing_and_are_cut() {
    const HALF_OPEN: usize = 1000;
    let stage = Stage::set_up(&[("SERVER__HEADER_TIMEOUT_S", "3")]).await;
    // For this side's thousand; the server was started before, with what the system gives.
    allow_open_files(4096);
    let mut other = Socket::open(&stage.server, FLEET, &stage.root).await;
    let begun = Raw::handshake(&stage.server, FLEET, &stage.root).join("\r\n");
    let mut half_open = Vec::new();
    for number in 0..HALF_OPEN {
        let mut raw = Raw::connect(&stage.server).await;
        // From nothing at all to everything but the last line.
        let sent = &begun.as_bytes()[..begun.len() * (number % 5) / 4];
        // Whoever was cut already may refuse the bytes.
        let _ = raw.try_send(sent).await;
        half_open.push(raw);
    }
    stage.move_bus(1.0, 2.0).await;
    other.next().await;
    Socket::open(&stage.server, FLEET, &stage.root)
        .await
        .ping()
        .await;
    let answer = stage.client.get("/healthz").await;
    assert_eq!(answer.status, 200);
    for raw in &mut half_open {
        // An answer such as 408 may come before the end.
        raw.drain().await;
    }
    stage.move_bus(3.0, 4.0).await;
    other.next().await;
}

#[tokio::test]
async fn headers_that_come_a_byte_at_a_time_are_cut() {
    let stage = Stage::set_up(&[("SERVER__HEADER_TIMEOUT_S", "1")]).await;
    let mut raw = Raw::connect(&stage.server).await;
    raw.send(format!("GET {FLEET} HTTP/1.1\r\nX-Slow: ").as_bytes())
        .await;
    // Each byte is new life on the connection, and must not start the timeout anew.
    eventually("the connection is cut", async || {
        let cut = raw.try_send(b"x").await.is_err() || raw.has_ended().await;
        cut.then_some(())
    })
    .await;
}
