//! A PostgreSQL that also serves others: their long transactions delay nothing here.

use serde_json::json;

use crate::support::{
    Engine, FLEET, Seed, Server, Socket, Straggler, feature, location_path, point,
};

#[tokio::test]
async fn a_long_transaction_of_somebody_else_delays_no_move_and_repeats_none() {
    let mut server = Server::prepare(Engine::Postgres, &[]).await;
    let seed = Seed(&server);
    let organization = seed.organization("Alpha");
    let bus = seed.location("bus", &organization, &["--mobile", "--point", "0,0"]);
    let device = seed.device("vehicle", &organization);
    let root = seed.root();
    server.run().await;
    let client = server.client(&root);
    let mut before = Socket::open(&server, FLEET, &root).await;

    let straggler = Straggler::begin().await;
    client.move_location(&bus, 1.0, 1.0).await;
    assert_eq!(before.next().await["geometry"], point(1.0, 1.0));
    server.cli(&["location", "set", &bus, "--point", "2,2"]);
    assert_eq!(before.next().await["geometry"], point(2.0, 2.0));
    client
        .put(&device.coordinates_path(), &feature(3.0, 3.0))
        .await;
    assert_eq!(before.next().await["geometry"], point(3.0, 3.0));
    // Who comes in the meantime is not told of what was before.
    let mut during = Socket::open(&server, FLEET, &root).await;
    let mut single = Socket::open(&server, &location_path(&bus), &root).await;
    let path = format!("{FLEET}?since=2020-01-01T00:00:00Z");
    let mut since = Socket::open(&server, &path, &root).await;
    for expected in [point(2.0, 2.0), point(3.0, 3.0)] {
        assert_eq!(since.next().await["geometry"], expected);
    }
    drop(straggler);
    server.cli(&["location", "set", &bus, "--point", "4,4"]);
    for socket in [&mut before, &mut during, &mut single, &mut since] {
        let next = socket.next().await;
        assert_eq!(
            (&next["id"], &next["geometry"]),
            (&json!(bus), &point(4.0, 4.0))
        );
    }
    // Now the tail has caught up with all of it, and had nothing to add.
    client.move_location(&bus, 5.0, 5.0).await;
    for socket in [&mut before, &mut during, &mut single, &mut since] {
        assert_eq!(socket.next().await["geometry"], point(5.0, 5.0));
    }
}

#[tokio::test]
async fn what_was_moved_before_a_socket_opened_is_not_told_when_a_long_transaction_ends() {
    let mut server = Server::prepare(Engine::Postgres, &[]).await;
    let seed = Seed(&server);
    let organization = seed.organization("Alpha");
    let root = seed.root();
    let straggler = Straggler::begin().await;
    // Before the server runs, so that no hint of it reaches the server.
    let bus = seed.location("bus", &organization, &["--mobile", "--point", "0,0"]);
    let van = seed.location("van", &organization, &["--mobile", "--point", "0,0"]);
    server.run().await;
    let mut fleet = Socket::open(&server, FLEET, &root).await;
    let mut single = Socket::open(&server, &location_path(&van), &root).await;
    drop(straggler);
    // Moved until the tail has surely read what it could not read before.
    let client = server.client(&root);
    for step in 1..=30 {
        let latitude = f64::from(step);
        client.move_location(&van, 1.0, latitude).await;
        for socket in [&mut fleet, &mut single] {
            let next = socket.next().await;
            assert_eq!(
                (&next["id"], &next["geometry"]),
                (&json!(van), &point(1.0, latitude))
            );
        }
        server.cli(&["location", "show", &bus]);
    }
}
