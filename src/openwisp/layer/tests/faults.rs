use rustix::process::Signal;

use super::*;

/// When the gap began, if that is all that was told of.
fn since(received: &[Received]) -> Option<Timestamp> {
    received.iter().find_map(|it| match it {
        Received::Gap { since, .. } => Some(*since),
        Received::Message { .. } => None,
    })
}

fn is_up(member: &Member) -> bool {
    member.layer.shared.metrics.layer_up.get() == 1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flush_is_noticed_by_itself_and_all_is_joined_again() {
    let redis = RedisServer::start();
    let settings = settings(LayerKind::Core, &[&redis]);
    let member = Member::start(settings.clone());
    member.join(&["a", "b"]).await;
    let () = redis.ask(&["FLUSHALL"]).await;
    let flushed = Timestamp::now();
    member.until(|received| gaps(received) == ["flushed"]).await;
    assert!(since(&member.received()).unwrap() <= flushed);
    send(&settings, &["a", "b"], 0, 2).await;
    member.until(|received| numbers(received) == [0, 1]).await;
    // As a Django does it: all that begins with the layer's prefix.
    let flush = Sender {
        flush: true,
        count: 0,
        ..Sender::new(&settings, &["a"])
    };
    flush.run().await;
    member
        .until(|received| gaps(received) == ["flushed"; 2])
        .await;
    send(&settings, &["a", "b"], 2, 2).await;
    member
        .until(|received| numbers(received) == [0, 1, 2, 3])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_membership_that_was_deleted_is_found_when_it_is_renewed() {
    let redis = RedisServer::start();
    let mut settings = settings(LayerKind::Core, &[&redis]);
    settings.group_expiry_s = 4;
    let member = Member::start(settings.clone());
    member.join(&["a", "b"]).await;
    let _: u64 = redis.ask(&["DEL", "asgi:group:b"]).await;
    member.until(|received| gaps(received) == ["flushed"]).await;
    send(&settings, &["a", "b"], 0, 2).await;
    member.until(|received| numbers(received) == [0, 1]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_was_killed_is_joined_again_before_the_gap_is_told() {
    let mut redis = RedisServer::start();
    let settings = settings(LayerKind::Core, &[&redis]);
    let member = Member::start(settings.clone());
    member.join(&["a"]).await;
    let killed = Timestamp::now();
    redis.kill();
    eventually("it is noticed", async || !is_up(&member)).await;
    // Nothing is on its way, and nothing is waited for.
    assert_eq!(member.layer.settled().await, Ok(()));
    member.layer.want(&["a".to_owned(), "b".to_owned()].into());
    let groups = ["a".to_owned(), "b".to_owned()];
    assert_eq!(
        member.layer.joined(&groups).await,
        Err(LayerError::NotJoined)
    );
    redis.start_again();
    member
        .until(|received| gaps(received) == ["connection"])
        .await;
    assert!(since(&member.received()).unwrap() <= killed);
    member.layer.joined(&groups).await.unwrap();
    send(&settings, &["a", "b"], 0, 2).await;
    member.until(|received| numbers(received) == [0, 1]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_stands_still_is_left_and_found_again() {
    let redis = RedisServer::start();
    let settings = settings(LayerKind::Core, &[&redis]);
    let member = Member::start(settings.clone());
    member.join(&["a"]).await;
    member.layer.settled().await.unwrap();
    redis.signal(Signal::STOP);
    eventually("the silence is noticed", async || !is_up(&member)).await;
    redis.signal(Signal::CONT);
    member
        .until(|received| gaps(received) == ["connection"])
        .await;
    send(&settings, &["a"], 0, 1).await;
    member.until(|received| numbers(received) == [0]).await;
    assert!(is_up(&member));
    // What the connection that was given up may still take is nothing of ours.
    let names = &member.layer.shared.names;
    let members: Vec<String> = redis.ask(&["ZRANGE", "asgi:group:a", "0", "-1"]).await;
    assert_eq!(members, [names.process().channel(1)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_was_away_is_a_gap_and_the_others_go_on() {
    let mut servers = [RedisServer::start(), RedisServer::start()];
    let settings = settings(LayerKind::Core, &[&servers[0], &servers[1]]);
    let member = Member::start(settings.clone());
    let names = &member.layer.shared.names;
    let queue = names.queue_host();
    let on = |host| {
        (0..1000)
            .map(|it| format!("group-{it}"))
            .find(|it| names.group_host(it) == host)
    };
    let (here, there) = (on(queue).unwrap(), on(1 - queue).unwrap());
    member.join(&[&here, &there]).await;
    servers[1 - queue].kill();
    send(&settings, &[&here], 0, 1).await;
    member.until(|received| numbers(received) == [0]).await;
    servers[1 - queue].start_again();
    member
        .until(|received| gaps(received) == ["connection"])
        .await;
    send(&settings, &[&there], 1, 1).await;
    member.until(|received| numbers(received) == [0, 1]).await;
    // Our queue has another name when its own host comes back, also for the groups of the other.
    servers[queue].kill();
    servers[queue].start_again();
    // Two more gaps, of its own host and of the other: one, where they are told together.
    member.until(|received| gaps(received).len() >= 2).await;
    member
        .layer
        .joined(&[here.clone(), there.clone()])
        .await
        .unwrap();
    send(&settings, &[&here, &there], 2, 2).await;
    member
        .until(|received| numbers(received) == [0, 1, 2, 3])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_is_a_gap_behind_what_it_held() {
    let redis = RedisServer::start();
    let mut settings = settings(LayerKind::Core, &[&redis]);
    let member = Member::start(settings.clone());
    member.join(&["a"]).await;
    // As if senders had filled it before it was looked at: they let two wait.
    settings.capacity = 2;
    let few = Member::start(settings.clone());
    few.join(&["a"]).await;
    few.layer.settled().await.unwrap();
    let names = &few.layer.shared.names;
    let (queue, channel) = (names.queue(&names.process()), names.process().channel(1));
    let message = |number| {
        format!("{number:012}{{\"number\": {number}, \"__asgi_channel__\": \"{channel}\"}}")
    };
    let (one, two) = (message(1), message(2));
    let add = ["ZADD", &queue, "1", &one, "2", &two];
    let _: u64 = redis.ask(&add).await;
    few.until(|received| !gaps(received).is_empty()).await;
    let received = few.received().clone();
    assert_eq!(numbers(&received), [1, 2]);
    assert!(
        matches!(
            received[2],
            Received::Gap {
                cause: "capacity",
                ..
            }
        ),
        "{received:?}"
    );
    assert_eq!(member.gaps(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_tried_again_until_it_is_right() {
    let redis = RedisServer::with(&["--requirepass", "right"]);
    let settings = settings(LayerKind::Core, &[&redis]);
    let member = Member::start(settings);
    member.layer.want(&["a".to_owned()].into());
    let groups = ["a".to_owned()];
    assert_eq!(
        member.layer.joined(&groups).await,
        Err(LayerError::NotJoined)
    );
    let host = super::super::connection::Host::new(&redis.url(), false);
    let refused = host.commands().await;
    let trouble = match refused {
        Err(trouble) => trouble,
        Ok(mut open) => redis::cmd("GET")
            .arg("a")
            .exec_async(&mut open)
            .await
            .unwrap_err()
            .into(),
    };
    let line = host.explain(&trouble);
    assert!(line.contains("gateway.redis_pass"), "{line}");
    let url = format!("{}?pass=right", redis.url());
    let client = redis::Client::open(url).unwrap();
    let mut administrator = client.get_multiplexed_async_connection().await.unwrap();
    let mut open = redis::cmd("CONFIG");
    open.arg(&["SET", "requirepass", ""]);
    open.exec_async(&mut administrator).await.unwrap();
    eventually("it is joined", async || {
        member.layer.joined(&groups).await.is_ok()
    })
    .await;
    member
        .until(|received| gaps(received) == ["connection"])
        .await;
}
