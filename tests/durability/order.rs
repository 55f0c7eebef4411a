//! `properties.time`: an older report never replaces a newer one.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::conformance::on_both_engines;
use crate::support::{
    Client, Credential, Device, Engine, FLEET, Seed, Server, Socket, coordinates, feature,
};

on_both_engines! {
    an_older_report_is_answered_with_the_present_state_and_told_to_nobody,
    a_time_that_is_none_or_far_ahead_is_refused,
}

async fn stage(engine: Engine) -> (Server, Device, Credential) {
    let mut server = Server::prepare(engine, &[]).await;
    let seed = Seed(&server);
    let organization = seed.organization("Alpha");
    let device = seed.device("vehicle", &organization);
    let root = seed.root();
    server.run().await;
    (server, device, root)
}

fn timed(longitude: f64, time: impl Into<Value>) -> Value {
    let mut body = feature(longitude, 1.0);
    body["properties"] = json!({"time": time.into()});
    body
}

async fn put(client: &Client, device: &Device, body: &Value) -> f64 {
    let answer = client.put(&device.coordinates_path(), body).await;
    assert!(answer.is_success(), "{} {}", answer.status, answer.text);
    coordinates(&answer.json).0
}

async fn an_older_report_is_answered_with_the_present_state_and_told_to_nobody(engine: Engine) {
    let (server, device, root) = stage(engine).await;
    let client = server.client(&Credential::Nobody);
    let mut fleet = Socket::open(&server, FLEET, &root).await;
    let ago = |minutes| (Timestamp::now() - SignedDuration::from_mins(minutes)).to_string();
    let (oldest, older, newer) = (ago(30), ago(20), ago(10));

    assert_eq!(put(&client, &device, &timed(1.0, older.clone())).await, 1.0);
    assert_eq!(coordinates(&fleet.next().await).0, 1.0);
    assert_eq!(put(&client, &device, &timed(2.0, newer.clone())).await, 2.0);
    assert_eq!(coordinates(&fleet.next().await).0, 2.0);
    // Late ones change nothing and are told to nobody: the next thing heard is the newer one below.
    assert_eq!(put(&client, &device, &timed(3.0, older)).await, 2.0);
    assert_eq!(
        put(&client, &device, &timed(3.0, oldest.clone())).await,
        2.0
    );
    let state = client.get(&device.coordinates_path()).await.expect(200);
    assert_eq!(coordinates(&state).0, 2.0);
    assert_eq!(put(&client, &device, &timed(4.0, ago(5))).await, 4.0);
    assert_eq!(coordinates(&fleet.next().await).0, 4.0);
    // One without a time counts when it comes, and does not make the others' order forgotten.
    assert_eq!(put(&client, &device, &feature(5.0, 1.0)).await, 5.0);
    assert_eq!(coordinates(&fleet.next().await).0, 5.0);
    assert_eq!(put(&client, &device, &timed(6.0, newer)).await, 5.0);
    assert_eq!(put(&client, &device, &timed(7.0, ago(0))).await, 7.0);
    assert_eq!(coordinates(&fleet.next().await).0, 7.0);
    let with_offset = (Timestamp::now() + SignedDuration::from_mins(1)).to_string();
    let with_offset = with_offset.replace('Z', "+00:00");
    assert_eq!(put(&client, &device, &timed(8.0, with_offset)).await, 8.0);
}

async fn a_time_that_is_none_or_far_ahead_is_refused(engine: Engine) {
    let (server, device, _) = stage(engine).await;
    let client = server.client(&Credential::Nobody);
    put(&client, &device, &feature(1.0, 1.0)).await;
    let far_ahead = (Timestamp::now() + SignedDuration::from_hours(25)).to_string();
    for time in [
        json!(far_ahead),
        json!("yesterday"),
        json!("2026-11-24T10:15:00"),
        json!(""),
        json!(1_764_000_000),
        json!(true),
        json!(["2026-11-24T10:15:00Z"]),
    ] {
        let answer = client
            .put(&device.coordinates_path(), &timed(2.0, time.clone()))
            .await;
        assert_eq!(answer.status, 400, "{time}: {}", answer.text);
    }
    let state = client.get(&device.coordinates_path()).await.expect(200);
    assert_eq!(coordinates(&state).0, 1.0);
}
