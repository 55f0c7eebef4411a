use rustix::process::Signal;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_arrives_while_the_group_is_joined() {
    let redis = RedisServer::start();
    let settings = settings(LayerKind::PubSub, &[&redis]);
    let member = Member::start(settings.clone());
    member.join(&["a", "b"]).await;
    send(&settings, &["a", "others", "b"], 0, 3).await;
    member.join(&["a"]).await;
    eventually("nobody listens to b", async || {
        redis
            .ask::<Vec<String>>(&["PUBSUB", "CHANNELS", "*b"])
            .await
            .is_empty()
    })
    .await;
    send(&settings, &["b"], 3, 1).await;
    member.join(&["a", "b"]).await;
    send(&settings, &["b"], 4, 1).await;
    member.layer.settled().await.unwrap();
    assert_eq!(member.numbers(), [0, 2, 4]);
    assert_eq!(member.gaps(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_messages_arrive_over_two_hosts_and_encrypted() {
    const EACH: u64 = 2500;
    let servers = [RedisServer::start(), RedisServer::start()];
    let mut settings = settings(LayerKind::PubSub, &[&servers[0], &servers[1]]);
    settings.encryption_keys = vec!["secret".into()];
    let names: Vec<String> = (0..20).map(|number| format!("group-{number}")).collect();
    let groups: Vec<&str> = names.iter().map(String::as_str).collect();
    let member = Member::start(settings.clone());
    member.join(&groups).await;
    for server in &servers {
        let channels: Vec<String> = server.ask(&["PUBSUB", "CHANNELS"]).await;
        assert!(!channels.is_empty());
    }
    join_all((0..4).map(|sender| send(&settings, &groups, sender * EACH, EACH))).await;
    member.layer.settled().await.unwrap();
    let mut numbers = member.numbers();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..4 * EACH));
    assert_eq!(member.gaps(), [""; 0]);
    assert_eq!(member.layer.settled().await, Ok(()));
    member.layer.leave_all().await;
    for server in &servers {
        // A layer is left without waiting for Redis.
        eventually("no channel is left", async || {
            let channels: Vec<String> = server.ask(&["PUBSUB", "CHANNELS"]).await;
            channels.is_empty()
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_was_away_or_stood_still_is_a_gap() {
    let mut redis = RedisServer::start();
    let settings = settings(LayerKind::PubSub, &[&redis]);
    let member = Member::start(settings.clone());
    member.join(&["a"]).await;
    redis.kill();
    redis.start_again();
    member
        .until(|received| gaps(received) == ["connection"])
        .await;
    send(&settings, &["a"], 0, 1).await;
    member.until(|received| numbers(received) == [0]).await;
    redis.signal(Signal::STOP);
    eventually("the silence is noticed", async || {
        member.layer.shared.metrics.layer_up.get() == 0
    })
    .await;
    redis.signal(Signal::CONT);
    member.until(|received| gaps(received).len() == 2).await;
    send(&settings, &["a"], 1, 1).await;
    member.until(|received| numbers(received) == [0, 1]).await;
}
