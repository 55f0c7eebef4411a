//! `?since=`: a client that comes back is told first what it missed.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::conformance::on_both_engines;
use crate::support::{
    Client, Credential, Engine, FLEET, Seed, Server, Socket, coordinates, location_path, point,
};

on_both_engines! {
    since_brings_the_present_state_of_what_moved_and_of_nothing_else,
    since_while_everything_moves_never_goes_backwards,
}

struct Stage {
    server: Server,
    client: Client,
    root: Credential,
    organizations: [String; 2],
}

async fn stage(engine: Engine) -> Stage {
    let mut server = Server::prepare(engine, &[]).await;
    let seed = Seed(&server);
    let organizations = ["Alpha", "Beta"].map(|name| seed.organization(name));
    let root = seed.root();
    server.run().await;
    let client = server.client(&root);
    Stage {
        server,
        client,
        root,
        organizations,
    }
}

fn minutes_ago(minutes: i64) -> Timestamp {
    Timestamp::now() - SignedDuration::from_mins(minutes)
}

async fn since_brings_the_present_state_of_what_moved_and_of_nothing_else(engine: Engine) {
    let Stage {
        server,
        client,
        root,
        organizations,
    } = stage(engine).await;
    let seed = Seed(&server);
    let add =
        |name, organization: &String, flags: &[&str]| seed.location(name, organization, flags);
    let bus = add("bus", &organizations[0], &["--mobile", "--point", "1,1"]);
    let depot = add("depot", &organizations[0], &["--point", "2,2"]);
    let foreign = add(
        "foreign bus",
        &organizations[1],
        &["--mobile", "--point", "3,3"],
    );
    let placeless = add("placeless bus", &organizations[0], &["--mobile"]);
    let flags = [
        "--staff",
        "--permission",
        "geo.view_location",
        "--manages",
        &organizations[0],
    ];
    let viewer = seed.user_with_token("viewer", &flags);
    for step in 1..=5 {
        client.move_location(&bus, 1.0, f64::from(step)).await;
    }
    client.move_location(&depot, 2.0, 5.0).await;
    client.move_location(&foreign, 3.0, 5.0).await;
    let rename = json!({"name": "renamed bus"});
    client
        .patch(&format!("/api/v1/controller/location/{bus}/"), &rename)
        .await
        .expect(200);

    let since = minutes_ago(1);
    let open = async |path: &str, credential| {
        Socket::open(&server, &format!("{path}?since={since}"), credential).await
    };
    // Once, as it is now, by its new name; then the next move, which shows that this was all.
    let mut fleet = open(FLEET, &viewer).await;
    let first = fleet.next().await;
    assert_eq!(
        (&first["id"], &first["name"]),
        (&json!(bus), &json!("renamed bus"))
    );
    assert_eq!(first["geometry"], point(1.0, 5.0));
    let mut all = open(FLEET, &root).await;
    let told = [all.next().await, all.next().await];
    assert_eq!(
        told.map(|it| it["id"].clone()),
        [json!(bus), json!(foreign)]
    );
    let mut single = open(&location_path(&depot), &viewer).await;
    assert_eq!(single.next().await["geometry"], point(2.0, 5.0));
    let mut nowhere = open(&location_path(&placeless), &viewer).await;
    // Asked from a moment to come, or not at all, there is nothing to tell.
    let tomorrow = Timestamp::now() + SignedDuration::from_hours(1);
    let mut early = Socket::open(&server, &format!("{FLEET}?since={tomorrow}"), &viewer).await;
    let mut plain = Socket::open(&server, FLEET, &viewer).await;
    // Longer ago than a day is a day.
    let mut late = Socket::open(
        &server,
        &format!("{FLEET}?since=2020-01-01T00:00:00Z"),
        &viewer,
    )
    .await;
    assert_eq!(late.next().await["id"], json!(bus));

    client.move_location(&placeless, 4.0, 4.0).await;
    for socket in [
        &mut fleet,
        &mut all,
        &mut nowhere,
        &mut early,
        &mut plain,
        &mut late,
    ] {
        let next = socket.next().await;
        assert_eq!(
            (&next["id"], &next["geometry"]),
            (&json!(placeless), &point(4.0, 4.0))
        );
    }
    client.move_location(&depot, 2.0, 6.0).await;
    assert_eq!(single.next().await["geometry"], point(2.0, 6.0));
}

async fn since_while_everything_moves_never_goes_backwards(engine: Engine) {
    const STEPS: u32 = 300;
    let Stage {
        server,
        client,
        root,
        organizations,
    } = stage(engine).await;
    let flags = ["--mobile", "--point", "0,0"];
    let bus = Seed(&server).location("bus", &organizations[0], &flags);
    let since = minutes_ago(1);
    let driving = async {
        for step in 1..=STEPS {
            client
                .move_location(&bus, 1.0, f64::from(step) / 10.0)
                .await;
        }
    };
    let end = f64::from(STEPS) / 10.0;
    let coming_back = async {
        // Again and again, each time until something newer than before is told.
        let mut newest = 0.0;
        while newest < end {
            for path in [FLEET, &location_path(&bus)] {
                let path = format!("{path}?since={since}");
                let mut socket = Socket::open(&server, &path, &root).await;
                let mut at = coordinates(&socket.next().await).1;
                // What came by an earlier connection is history: no older state may follow.
                assert!(at >= newest, "back from {newest} to {at}");
                for _ in 0..3 {
                    if at >= end {
                        break;
                    }
                    let next = coordinates(&socket.next().await).1;
                    assert!(next >= at, "back from {at} to {next}");
                    at = next;
                }
                newest = at;
            }
        }
    };
    tokio::join!(driving, coming_back);
}
