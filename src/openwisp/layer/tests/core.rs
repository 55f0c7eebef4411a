use std::time::Instant;

use tokio::task::JoinSet;

use super::*;

const COMMON: &str = "loci.mobile-location.common";
const DEVICE: &str = "config.device-5fdbde33-1887-405b-8e3b-730dd242c9aa";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sent_to_a_joined_group_arrives_whole_and_nothing_else_does() {
    let redis = RedisServer::start();
    let settings = settings(LayerKind::Core, &[&redis]);
    let member = Member::start(settings.clone());
    member.join(&[COMMON, DEVICE]).await;
    send(&settings, &[COMMON, "others", DEVICE], 0, 6).await;
    member.layer.settled().await.unwrap();
    assert_eq!(member.numbers(), [0, 2, 3, 5]);
    let received = member.received();
    let Received::Message { group, message } = &received[1] else {
        panic!("{received:?}");
    };
    assert_eq!(&**group, DEVICE);
    assert_eq!(
        message.to_string(),
        r#"{"type":"send.update","number":2,"text":"dè 🚌","data":{"z":[1.5,-0.0,null],"a":true}}"#
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_ten_thousand_messages_none_is_lost_that_was_sent_however_busy_we_are() {
    const EACH: u64 = 2500;
    let redis = RedisServer::start();
    let settings = settings(LayerKind::Core, &[&redis]);
    let member = Member::start(settings.clone());
    member.join(&[COMMON, DEVICE]).await;
    let groups = [COMMON, DEVICE];
    let mut busy = JoinSet::new();
    for _ in 0..4 {
        busy.spawn(keep_busy());
    }
    let sent = (0..4).map(|sender| send(&settings, &groups, sender * EACH, EACH));
    let mut dropped = join_all(sent).await.concat();
    dropped.sort_unstable();
    drop(busy);
    let rest = usize::try_from(4 * EACH).unwrap() - dropped.len();
    member
        .until(|received| numbers(received).len() >= rest)
        .await;
    let mut numbers = member.numbers();
    // Each sender's own messages are in its order.
    for sender in 0..4 {
        let own = numbers.iter().filter(|&&it| it / EACH == sender);
        assert!(own.is_sorted());
    }
    numbers.sort_unstable();
    let lost: Vec<u64> = (0..4 * EACH)
        .filter(|it| numbers.binary_search(it).is_err())
        .collect();
    // Where the system does not let us run at all, senders find our queue full: that is said.
    assert_eq!(lost, dropped);
    assert_eq!(numbers.len(), rest);
    member
        .until(|received| dropped.is_empty() || gaps(received).contains(&"capacity"))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_is_left_and_joined_again_is_silent_in_between() {
    let redis = RedisServer::start();
    let settings = settings(LayerKind::Core, &[&redis]);
    let member = Member::start(settings.clone());
    member.join(&[COMMON, DEVICE]).await;
    member.join(&[COMMON]).await;
    eventually("the group has no members", async || {
        redis
            .ask::<usize>(&[
                "EXISTS",
                "asgi:group:config.device-5fdbde33-1887-405b-8e3b-730dd242c9aa",
            ])
            .await
            == 0
    })
    .await;
    send(&settings, &[COMMON, DEVICE], 0, 4).await;
    member.join(&[COMMON, DEVICE]).await;
    send(&settings, &[DEVICE], 4, 1).await;
    member.layer.settled().await.unwrap();
    assert_eq!(member.numbers(), [0, 2, 4]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_join_together_and_leave_nothing_behind() {
    let redis = RedisServer::start();
    let settings = settings(LayerKind::Core, &[&redis]);
    let member = Member::start(settings.clone());
    let groups: Vec<String> = (0..5000).map(|number| format!("device-{number}")).collect();
    member.layer.want(&groups.iter().cloned().collect());
    member.layer.joined(&groups).await.unwrap();
    let ttl: i64 = redis.ask(&["TTL", "asgi:group:device-4999"]).await;
    assert!((86_000..=86_400).contains(&ttl), "{ttl}");
    send(&settings, &["device-0", "device-4999"], 0, 2).await;
    member.until(|received| received.len() == 2).await;
    member.layer.leave_all().await;
    assert_eq!(redis.keys().await, [""; 0]);
    // It is over: nothing is joined any more.
    member.layer.want(&groups.into_iter().collect());
    assert_eq!(
        member.layer.joined(&["device-0".into()]).await,
        Err(LayerError::NotJoined)
    );
    assert_eq!(redis.keys().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn encrypted_messages_and_json_are_read() {
    let redis = RedisServer::start();
    let mut settings = settings(LayerKind::Core, &[&redis]);
    settings.encryption_keys = vec!["new".into(), "old".into()];
    let member = Member::start(settings.clone());
    member.join(&[COMMON]).await;
    send(&settings, &[COMMON], 0, 1).await;
    settings.encryption_keys = vec!["old".into()];
    send(&settings, &[COMMON], 1, 1).await;
    settings.encryption_keys = vec!["unknown".into()];
    send(&settings, &[COMMON], 2, 1).await;
    settings.encryption_keys = Vec::new();
    send(&settings, &[COMMON], 3, 1).await;
    settings.encryption_keys = vec!["new".into()];
    let json = Sender {
        first: 4,
        json: true,
        ..Sender::new(&settings, &[COMMON])
    };
    json.run().await;
    member.layer.settled().await.unwrap();
    assert_eq!(member.numbers(), [0, 1, 4]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_hosts_are_used_as_senders_use_them() {
    let servers = [
        RedisServer::start(),
        RedisServer::start(),
        RedisServer::start(),
    ];
    let settings = settings(LayerKind::Core, &[&servers[0], &servers[1], &servers[2]]);
    let names: Vec<String> = (0..30).map(|number| format!("group-{number}")).collect();
    let groups: Vec<&str> = names.iter().map(String::as_str).collect();
    let member = Member::start(settings.clone());
    member.join(&groups).await;
    for server in &servers {
        let keys = server.keys().await;
        assert!(
            keys.iter().any(|key| key.starts_with("asgi:group:")),
            "{keys:?}"
        );
    }
    send(&settings, &groups, 0, 90).await;
    member.layer.settled().await.unwrap();
    assert!(member.numbers().into_iter().eq(0..90));
    assert_eq!(member.gaps(), [""; 0]);
    member.layer.leave_all().await;
    for server in &servers {
        assert_eq!(server.keys().await, [""; 0]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_ask_whether_all_has_come_and_all_are_answered() {
    let redis = RedisServer::start();
    let settings = settings(LayerKind::Core, &[&redis]);
    let member = Member::start(settings.clone());
    member.join(&[COMMON]).await;
    let sending = send(&settings, &[COMMON], 0, 500);
    let asking = join_all((0..200).map(|_| async {
        for _ in 0..10 {
            member.layer.settled().await.unwrap();
        }
    }));
    tokio::join!(sending, asking);
    member.layer.settled().await.unwrap();
    assert!(member.numbers().into_iter().eq(0..500));
    assert_eq!(member.received().len(), 500);
}

/// Takes all the time there is, in pieces as a large fan-out takes it.
async fn keep_busy() {
    loop {
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(3) {
            std::hint::spin_loop();
        }
        tokio::task::yield_now().await;
    }
}
