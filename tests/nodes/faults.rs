//! Redis breaks: nothing is lost for good, and nothing comes out of order.

use super::cluster::{Cluster, steps_until};
use crate::support::{Socket, eventually};

/// Moves the location through both nodes in turn.
async fn drive(cluster: &Cluster, steps: std::ops::RangeInclusive<u32>) {
    for step in steps {
        cluster.step(step as usize % 2, step).await;
    }
}

async fn stage() -> (Cluster, [Socket; 2]) {
    let cluster = Cluster::with_redis(&[]).await;
    let sockets = [cluster.fleet(0).await, cluster.fleet(1).await];
    (cluster, sockets)
}

/// Hints are heard again, at both nodes.
async fn hears(cluster: &Cluster) {
    for node in 0..2 {
        eventually("hints are heard", async || {
            (cluster.counted(node, "fleetwire_hints_up").await == 1).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn while_redis_is_away_and_after_it_is_back_the_last_state_arrives_in_order() {
    let (mut cluster, mut sockets) = stage().await;
    drive(&cluster, 1..=10).await;
    cluster.redis().terminate().await;
    drive(&cluster, 11..=30).await;
    for socket in &mut sockets {
        steps_until(socket, 30).await;
    }
    let dropped = "fleetwire_hints_sent_total{outcome=\"dropped\"}";
    assert!(cluster.counted(0, dropped).await > 0);
    cluster.redis().run().await;
    hears(&cluster).await;
    let hints = cluster.published(1, "hint").await;
    // Whoever opens a socket while it is away, and whoever had one.
    drive(&cluster, 31..=50).await;
    for socket in &mut sockets {
        steps_until(socket, 50).await;
    }
    assert!(cluster.published(1, "hint").await > hints);
}

#[tokio::test]
async fn a_redis_that_was_killed_or_forgets_everything_costs_nothing() {
    let (mut cluster, mut sockets) = stage().await;
    drive(&cluster, 1..=10).await;
    cluster.redis().flush().await;
    drive(&cluster, 11..=20).await;
    cluster.redis().kill().await;
    drive(&cluster, 21..=25).await;
    cluster.redis().run().await;
    drive(&cluster, 26..=40).await;
    for socket in &mut sockets {
        steps_until(socket, 40).await;
    }
}

/// It takes what is published, and tells of nothing until it goes on; then of what is long over.
#[tokio::test]
async fn what_lay_in_a_redis_that_stood_still_is_no_news() {
    let (mut cluster, mut sockets) = stage().await;
    drive(&cluster, 1..=10).await;
    cluster.redis().pause();
    drive(&cluster, 11..=40).await;
    for socket in &mut sockets {
        steps_until(socket, 40).await;
    }
    // A socket can be opened meanwhile, and misses nothing.
    let mut late = cluster.fleet(1).await;
    drive(&cluster, 41..=45).await;
    steps_until(&mut late, 45).await;
    cluster.redis().resume();
    hears(&cluster).await;
    drive(&cluster, 46..=60).await;
    for socket in sockets.iter_mut().chain([&mut late]) {
        let steps = steps_until(socket, 60).await;
        assert!(steps[0] > 40, "{steps:?}");
    }
}

/// A node starts without it, and finds it later.
#[tokio::test]
async fn a_node_starts_while_redis_is_away() {
    let mut cluster = Cluster::with_redis(&[]).await;
    cluster.redis().terminate().await;
    cluster.nodes[1].kill().await;
    cluster.nodes[1].run().await;
    let mut socket = cluster.fleet(1).await;
    drive(&cluster, 1..=3).await;
    steps_until(&mut socket, 3).await;
    cluster.redis().run().await;
    hears(&cluster).await;
    drive(&cluster, 4..=6).await;
    steps_until(&mut socket, 6).await;
    let log = cluster.nodes[1].log();
    assert!(
        log.contains("hints.url") && !log.contains("s3cret"),
        "{log}"
    );
}
