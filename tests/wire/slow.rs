//! Slow readers: bounded memory, never the last state, and nobody else waits for them.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use futures_util::future::join_all;
use serde_json::Value;

use super::Stage;
use crate::support::{Client, FLEET, Raw, Seed, Socket, coordinates, free_address};

/// More than the kernel's buffers of a connection take, with messages of [`ADDRESS`].
const MOVES: u32 = 250;
const BUSES: usize = 8;
/// Steps of each bus before the memory is measured.
const FIRST: u32 = 10;

/// Makes a message large: 240 characters of four bytes.
fn address() -> String {
    "🚌".repeat(240)
}

impl Stage {
    /// Buses with long addresses, for messages of a kilobyte.
    fn large_buses(&self, count: usize) -> Vec<String> {
        let address = address();
        let flags = ["--mobile", "--point", "0,0", "--address", &address];
        let name = |number| format!("large bus {number}");
        let seed = Seed(&self.server);
        (0..count)
            .map(|it| seed.location(&name(it), &self.organization, &flags))
            .collect()
    }
}

/// Moves a bus step by step; the latitude counts the steps.
async fn drive(client: &Client, bus: &str, steps: RangeInclusive<u32>) {
    for step in steps {
        client.move_location(bus, 1.0, latitude(step)).await;
    }
}

fn latitude(step: u32) -> f64 {
    f64::from(step) / 1000.0
}

/// Which step of which bus a message tells.
fn step_of(message: &Value) -> (String, f64) {
    (
        message["id"].as_str().unwrap().to_owned(),
        coordinates(message).1,
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_stops_costs_bounded_memory_and_ends_with_the_last_state_of_everything() {
    let stage =
        Stage::set_up(&[("SOCKET__OUTBOX_BYTES", "65536"), ("SOCKET__IDLE_S", "600")]).await;
    let buses = stage.large_buses(BUSES);
    let mut stuck = Raw::upgraded_with_small_buffer(&stage.server, FLEET, &stage.root).await;
    let mut other = Socket::open(&stage.server, FLEET, &stage.root).await;
    // What serving costs anyway is there before the counting begins.
    join_all(buses.iter().map(|bus| drive(&stage.client, bus, 1..=FIRST))).await;
    for _ in 0..FIRST as usize * BUSES {
        other.next().await;
    }
    stage.server.forget_peak();
    let before = stage.server.memory();

    let driving = join_all(
        buses
            .iter()
            .map(|bus| drive(&stage.client, bus, FIRST + 1..=FIRST + MOVES)),
    );
    let hearing = async {
        // Everybody else hears each step of each bus, in order.
        let mut last = BTreeMap::new();
        for _ in 0..MOVES as usize * BUSES {
            let (bus, at) = step_of(&other.next().await);
            let before = last.insert(bus.clone(), at).unwrap_or(latitude(FIRST));
            assert!(
                (at - before - 0.001).abs() < 1e-9,
                "{bus} from {before} to {at}"
            );
        }
    };
    tokio::join!(driving, hearing);
    let grown = stage.server.memory().peak.saturating_sub(before.resident);
    assert!(grown < 16 * 1024, "grew by {grown} KiB for one slow reader");

    let (mut last, mut heard) = (BTreeMap::new(), 0);
    let end = latitude(FIRST + MOVES);
    while last.len() < BUSES || last.values().any(|at| *at < end) {
        let frame = stuck.frame().await.expect("still open");
        assert_eq!(frame.first, 0x81);
        heard += 1;
        let (bus, at) = step_of(&serde_json::from_slice(&frame.payload).unwrap());
        let before = last.insert(bus.clone(), at).unwrap_or(0.0);
        assert!(at > before, "{bus} went back from {before} to {at}");
    }
    let sent = MOVES as usize * BUSES;
    assert!(
        heard < sent,
        "nothing was left out: the reader was not slow enough to show anything"
    );
    stage.move_bus(9.0, 9.0).await;
    let next: Value = serde_json::from_slice(&stuck.frame().await.unwrap().payload).unwrap();
    assert_eq!(coordinates(&next), (9.0, 9.0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_is_closed_with_1013_when_even_the_last_states_do_not_fit() {
    let metrics = free_address();
    let listen = metrics.to_string();
    // Room for two or three of the large messages, not for one of each bus.
    let settings = [
        ("SOCKET__OUTBOX_BYTES", "4096"),
        ("METRICS__LISTEN", &*listen),
    ];
    let stage = Stage::set_up(&settings).await;
    let buses = stage.large_buses(16);
    let mut stuck = Raw::upgraded_with_small_buffer(&stage.server, FLEET, &stage.root).await;
    let numbers = Client::of(metrics);
    let mut rounds = 0;
    loop {
        rounds += 1;
        assert!(rounds < 1000, "the slow reader was never given up");
        join_all(buses.iter().map(|bus| drive(&stage.client, bus, 1..=5))).await;
        let text = numbers.get("/metrics").await.text;
        if text
            .lines()
            .any(|it| it.starts_with("fleetwire_snapshots_total{outcome=\"overflowed\"} "))
        {
            break;
        }
    }
    let code = loop {
        let frame = stuck.frame().await.expect("a close frame before the end");
        if frame.first == 0x88 {
            break u16::from_be_bytes([frame.payload[0], frame.payload[1]]);
        }
    };
    assert_eq!(code, 1013);
}
