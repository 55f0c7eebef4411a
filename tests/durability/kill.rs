//! `kill -9` while updates pour in.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use reqwest::Method;
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::conformance::on_both_engines;
use crate::support::{
    Client, Credential, Device, Engine, FLEET, Heard, Seed, Server, Socket, coordinates,
    eventually, feature, location_path,
};

on_both_engines! {
    after_kill_nine_every_acknowledged_update_is_there_and_since_brings_the_last_state,
}

/// A device here reports again as soon as it is answered.
const AS_FAST_AS_IT_GOES: [(&str, &str); 1] = [("LIMITS__REPORTS_PER_SECOND", "0")];

const DEVICES: usize = 4;
const ROUNDS: u32 = 3;

/// How far a device has come: the number of its last report that was sent, and acknowledged.
#[derive(Default)]
struct Progress {
    sent: AtomicU32,
    acknowledged: AtomicU32,
}

fn longitude(step: u32) -> f64 {
    f64::from(step) / 10_000.0
}

/// Reports step after step until the server is gone.
fn report(client: Client, device: Device, progress: Arc<Progress>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut step = progress.sent.load(Ordering::Relaxed);
        loop {
            step += 1;
            progress.sent.store(step, Ordering::Relaxed);
            let body = feature(longitude(step), 1.0).to_string();
            let path = device.coordinates_path();
            match client.try_send(Method::PUT, &path, Some(body)).await {
                Ok(answer) if answer.is_success() => {
                    progress.acknowledged.store(step, Ordering::Relaxed);
                }
                Ok(answer) => panic!("{} {}", answer.status, answer.text),
                Err(_) => return,
            }
        }
    })
}

/// Hears until the server is gone.
async fn hear_to_the_end(mut socket: Socket) {
    while let Heard::Text(_) = socket.hear().await {}
}

async fn after_kill_nine_every_acknowledged_update_is_there_and_since_brings_the_last_state(
    engine: Engine,
) {
    let mut server = Server::prepare(engine, &AS_FAST_AS_IT_GOES).await;
    let seed = Seed(&server);
    let organization = seed.organization("Alpha");
    let devices: Vec<_> = (0..DEVICES)
        .map(|it| seed.device(&format!("vehicle-{it}"), &organization))
        .collect();
    let root = seed.root();
    let progress: Vec<_> = devices
        .iter()
        .map(|_| Arc::new(Progress::default()))
        .collect();
    for round in 1..=ROUNDS {
        server.run().await;
        let connected = jiff::Timestamp::now();
        let socket = Socket::open(&server, FLEET, &root).await;
        let hearing = tokio::spawn(hear_to_the_end(socket));
        let client = server.client(&Credential::Nobody);
        let reporting: Vec<_> = devices
            .iter()
            .zip(&progress)
            .map(|(device, progress)| report(client.clone(), device.clone(), Arc::clone(progress)))
            .collect();
        eventually("reports pour in", async || {
            let enough =
                |it: &Arc<Progress>| it.acknowledged.load(Ordering::Relaxed) >= 100 * round;
            progress.iter().all(enough).then_some(())
        })
        .await;
        server.kill().await;
        for task in reporting {
            task.await.unwrap();
        }
        hearing.await.unwrap();
        server.run().await;
        let states = states_after_restart(&server, &devices, &progress).await;
        since_brings(&server, &root, connected, &states).await;
        server.kill().await;
    }
}

/// Where each location is now, which is where the device's last acknowledged report put it, or
/// one that was sent later and not answered any more.
async fn states_after_restart(
    server: &Server,
    devices: &[Device],
    progress: &[Arc<Progress>],
) -> BTreeMap<String, (f64, f64)> {
    let client = server.client(&Credential::Nobody);
    let root = server.client(&Seed(server).token("root"));
    let mut states = BTreeMap::new();
    for (device, progress) in devices.iter().zip(progress) {
        let state = client.get(&device.coordinates_path()).await.expect(200);
        let at = coordinates(&state);
        let acknowledged = progress.acknowledged.load(Ordering::Relaxed);
        let sent = progress.sent.load(Ordering::Relaxed);
        let possible = longitude(acknowledged)..=longitude(sent);
        assert!(possible.contains(&at.0), "{} is not in {possible:?}", at.0);
        let path = format!("/api/v1/controller/device/{}/location/", device.id);
        let location = root.get(&path).await.expect(200);
        states.insert(location["location"]["id"].as_str().unwrap().to_owned(), at);
    }
    states
}

/// A client that was there at `since` comes back and ends with the state of everything.
async fn since_brings(
    server: &Server,
    credential: &Credential,
    since: jiff::Timestamp,
    states: &BTreeMap<String, (f64, f64)>,
) {
    let mut fleet = Socket::open(server, &format!("{FLEET}?since={since}"), credential).await;
    let mut told = BTreeMap::new();
    while told.len() < states.len() {
        let message: Value = fleet.next().await;
        told.insert(
            message["id"].as_str().unwrap().to_owned(),
            coordinates(&message),
        );
    }
    assert_eq!(told, *states);
    for (id, state) in states {
        let path = format!("{}?since={since}", location_path(id));
        let mut single = Socket::open(server, &path, credential).await;
        assert_eq!(coordinates(&single.next().await), *state);
    }
}
