//! Hints through Redis: who hears what, and what is not believed.

use futures_util::StreamExt;
use serde_json::json;
use sqlx::postgres::PgListener;

use super::cluster::{Cluster, NO_TAIL, step_of, steps_until};
use crate::commands::stage::{CREDENTIALS, DEVICES, custom, password};
use crate::commands::watcher::{Watcher, text};
use crate::commands::witness::Witness;
use crate::support::ssh::{OpenSsh, Options};
use crate::support::{FLEET, Seed, Socket, eventually, location_path, within};

const STEPS: u32 = 50;

#[tokio::test]
async fn each_update_made_at_one_node_reaches_the_sockets_of_the_other_through_redis() {
    let cluster = Cluster::with_redis(&[NO_TAIL]).await;
    let alpha = cluster.manager("ada", &[&cluster.organization]);
    let single = location_path(&cluster.location);
    let mut sockets = vec![cluster.fleet(0).await, cluster.fleet(1).await];
    for node in &cluster.nodes {
        sockets.push(Socket::open(node, FLEET, &alpha).await);
        sockets.push(Socket::open(node, &single, &alpha).await);
    }
    let mut notified = PgListener::connect(cluster.nodes[0].database_url().unwrap())
        .await
        .unwrap();
    notified.listen("fleetwire").await.unwrap();
    let before = cluster.published(1, "tail").await;
    for step in 1..=STEPS {
        cluster.step(0, step).await;
    }
    for socket in &mut sockets {
        let steps = steps_until(socket, STEPS).await;
        assert_eq!(steps, (1..=STEPS).collect::<Vec<_>>());
    }
    assert_eq!(cluster.published(1, "tail").await, before);
    assert!(cluster.published(1, "hint").await >= u64::from(STEPS));
    // The database carried nothing of it: this is the first that it tells.
    let own = "SELECT pg_notify('fleetwire', 'of this test')";
    let mut database = crate::support::Database::of(&cluster.nodes[0]).await;
    database.execute(own).await;
    let heard = within("a notification", notified.recv()).await.unwrap();
    assert_eq!(heard.payload(), "of this test");
}

#[tokio::test]
async fn updates_made_at_both_nodes_arrive_in_the_order_of_their_commits() {
    let cluster = Cluster::with_redis(&[]).await;
    let mut sockets = [cluster.fleet(0).await, cluster.fleet(1).await];
    for step in 1..=2 * STEPS {
        cluster.step(step as usize % 2, step).await;
    }
    for socket in &mut sockets {
        steps_until(socket, 2 * STEPS).await;
    }
}

#[tokio::test]
async fn a_node_listens_to_the_organizations_that_are_watched_there_and_hears_of_no_other() {
    let mut cluster = Cluster::with_redis(&[NO_TAIL]).await;
    let beta = Seed(&cluster.nodes[0]).organization("Beta");
    let tram = Seed(&cluster.nodes[0]).location("tram", &beta, &["--mobile"]);
    let ada = cluster.manager("ada", &[&cluster.organization]);
    let bert = cluster.manager("bert", &[&beta]);
    let channels = async |cluster: &mut Cluster| {
        let told = cluster.redis().command(&["PUBSUB", "CHANNELS"]).await;
        let names: Vec<String> = redis::from_redis_value(told).unwrap();
        names
    };
    assert_eq!(channels(&mut cluster).await, [""; 0]);
    let mut hers = Socket::open(&cluster.nodes[1], FLEET, &ada).await;
    let name = channels(&mut cluster).await;
    assert!(
        name.len() == 1 && name[0].ends_with(&cluster.organization),
        "{name:?}"
    );
    let mut his = Socket::open(&cluster.nodes[1], &location_path(&tram), &bert).await;
    assert_eq!(channels(&mut cluster).await.len(), 2);
    let client = cluster.nodes[0].client(&cluster.token);
    for step in 1..=5 {
        client.move_location(&tram, 1.0, f64::from(step)).await;
        cluster.step(0, step).await;
    }
    for step in 1..=5 {
        let message = hers.next().await;
        assert_eq!(message["id"], json!(cluster.location));
        assert_eq!(step_of(&message), step);
        assert_eq!(his.next().await["id"], json!(tram));
    }
    assert!(hers.ping().await.is_empty() && his.ping().await.is_empty());
    // Whoever watches all of them listens to all.
    let _all = cluster.fleet(1).await;
    let told = cluster.redis().command(&["PUBSUB", "NUMPAT"]).await;
    assert_eq!(redis::from_redis_value::<u64>(told).unwrap(), 1);
}

/// Whoever can write to Redis cannot tell sockets anything, and whoever can read it learns nothing.
#[tokio::test]
async fn what_others_publish_is_refused_and_what_they_hear_is_sealed() {
    let mut cluster = Cluster::with_redis(&[NO_TAIL]).await;
    let beta = Seed(&cluster.nodes[0]).organization("Beta");
    let bert = cluster.manager("bert", &[&beta]);
    let mut fleet = cluster.fleet(1).await;
    let mut his = Socket::open(&cluster.nodes[1], FLEET, &bert).await;
    let mut spy = cluster.redis().client().get_async_pubsub().await.unwrap();
    spy.psubscribe("fleetwire:*").await.unwrap();
    cluster.step(0, 1).await;
    assert_eq!(step_of(&fleet.next().await), 1);
    let heard = within("the message", spy.on_message().next())
        .await
        .unwrap();
    let (channel, message) = (heard.get_channel_name(), heard.get_payload_bytes());
    assert!(channel.ends_with(&cluster.organization), "{channel}");
    for word in ["bus", "geometry", &cluster.location] {
        let is_there = message.windows(word.len()).any(|it| it == word.as_bytes());
        assert!(!is_there, "{word} in what Redis carries");
    }
    let other = channel.replace(&cluster.organization, &beta);
    let plain = format!(
        r#"[{{"change":9223372036854775807,"event":{{"location":{{"id":"{}","organization":"{}","name":"bus","address":"","kind":"outdoor","is_mobile":true,"longitude":9.0,"latitude":9.0,"version":99,"fleet_version":99}}}}}}]"#,
        cluster.location, cluster.organization
    );
    let mut publisher = cluster
        .redis()
        .client()
        .get_multiplexed_async_connection()
        .await
        .unwrap();
    let mut altered = message.to_vec();
    *altered.last_mut().unwrap() ^= 1;
    let long = vec![0; 200_000];
    let forged: [(&str, &[u8]); 6] = [
        (&other, message),
        (channel, plain.as_bytes()),
        (channel, &altered),
        (channel, b""),
        (channel, &long),
        ("fleetwire:nonsense:of-nobody", message),
    ];
    for (channel, message) in forged {
        let mut publish = redis::cmd("PUBLISH");
        publish.arg(channel).arg(message);
        publish.exec_async(&mut publisher).await.unwrap();
    }
    // Told once more, it is nothing new.
    let mut again = redis::cmd("PUBLISH");
    again.arg(channel).arg(message);
    again.exec_async(&mut publisher).await.unwrap();
    cluster.step(0, 2).await;
    assert_eq!(step_of(&fleet.next().await), 2);
    assert!(his.ping().await.is_empty() && fleet.ping().await.is_empty());
    let refused = "fleetwire_hints_received_total{outcome=\"refused\"}";
    // The last one's channel may not be one that the node listens to.
    assert!(cluster.counted(1, refused).await >= 5);
    assert!(!cluster.nodes[1].log().contains("s3cret"));
}

/// Output that is too large for a message, and output that is not saved yet: the other node's watchers see
/// both, without waiting for the tail.
#[tokio::test]
async fn output_reaches_watchers_at_the_other_node_while_it_grows_and_however_long_it_is() {
    let device = OpenSsh::start(&Options::default());
    let cluster = Cluster::with_redis(&[
        NO_TAIL,
        ("COMMANDS__CONNECT_TIMEOUT_S", "20"),
        ("COMMANDS__AUTHENTICATION_TIMEOUT_S", "20"),
    ])
    .await;
    let client = cluster.nodes[0].client(&cluster.token);
    let organization = &cluster.organization;
    let body = json!({"name": "all", "organization": organization, "params": password()});
    let credential = client.post(CREDENTIALS, &body).await.expect(201);
    let address = device.address().to_string();
    let body = json!({"name": "router", "organization": organization, "addresses": [address]});
    let router = text(&client.post(DEVICES, &body).await.expect(201), "id");
    let body = json!({"credentials": credential["id"]});
    let path = format!("{DEVICES}{router}/connection/");
    client.post(&path, &body).await.expect(201);
    let mut watchers = Vec::new();
    for node in &cluster.nodes {
        watchers.push(Watcher::open(node, &router, &cluster.token).await);
    }
    let witness = Witness::new();
    // Many short pieces, and then more than travels at once.
    let line = format!(
        "for step in $(seq 12); do echo step $step; sleep 0.3; done; \
         head -c 40000 /dev/zero | tr '\\0' x; echo; {}",
        witness.wait_for("go")
    );
    let path = format!("{DEVICES}{router}/command/");
    let asked = client.post(&path, &custom(&line)).await.expect(201);
    let id = text(&asked, "id");
    for watcher in &mut watchers {
        let seen = watcher.until(&id, |data| text(data, "output").len() > 40_000);
        assert_eq!(seen.await["status"], "in-progress");
    }
    witness.open("go");
    for watcher in &mut watchers {
        assert_eq!(watcher.end(&id).await["status"], "success");
    }
    // One of the two ran it; the other was told.
    for node in 0..2 {
        assert!(cluster.published(node, "growth").await > 0, "node {node}");
    }
    let large = "fleetwire_hints_received_total{outcome=\"large\"}";
    assert!(cluster.counted(0, large).await + cluster.counted(1, large).await > 0);
}

#[tokio::test]
async fn without_redis_the_database_tells_the_other_nodes_at_once() {
    let cluster = Cluster::without_redis(&[NO_TAIL]).await;
    let mut sockets = [cluster.fleet(0).await, cluster.fleet(1).await];
    for step in 1..=STEPS {
        cluster.step(step as usize % 2, step).await;
    }
    for socket in &mut sockets {
        let steps = steps_until(socket, STEPS).await;
        assert_eq!(steps, (1..=STEPS).collect::<Vec<_>>());
    }
    assert!(cluster.published(1, "hint").await >= u64::from(STEPS));
}

/// A node that has no `hints.url` yet, and the command line, which has no Redis, tell through the database.
#[tokio::test]
async fn nodes_with_and_without_redis_hear_each_other() {
    let cluster = Cluster::with_redis(&[]).await;
    let mut old = cluster.nodes[0].beside_with(&[("HINTS__URL", ""), ("METRICS__LISTEN", "")]);
    old.run().await;
    let mut there = Socket::open(&old, FLEET, &cluster.token).await;
    let mut here = cluster.fleet(0).await;
    let nodes = [&old, &cluster.nodes[0], &cluster.nodes[1]];
    for (step, node) in (1..).zip(nodes) {
        let client = node.client(&cluster.token);
        let longitude = f64::from(step) / 100.0;
        client
            .move_location(&cluster.location, longitude, 1.0)
            .await;
        for socket in [&mut here, &mut there] {
            assert_eq!(step_of(&socket.next().await), step);
        }
    }
    let hints = cluster.published(0, "hint").await;
    cluster.nodes[0].cli(&["location", "set", &cluster.location, "--point", "0.04,1"]);
    for socket in [&mut here, &mut there] {
        assert_eq!(step_of(&socket.next().await), 4);
    }
    eventually("the command line is heard at once", async || {
        (cluster.published(0, "hint").await > hints).then_some(())
    })
    .await;
}
