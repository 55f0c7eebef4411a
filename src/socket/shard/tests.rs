//! A shard with sockets of the local machine: what arrives at the other end, and in what pieces.

mod behind;

use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::Shards;
use super::pace::Pace;
use super::poll::Poll;
use super::post::{Attachment, Delivery, Page, Pages, Post};
use super::rounds::Shard;
use crate::access::policy::{Endpoint, Feed};
use crate::access::{
    Credential, Directory, DirectoryError, Grounds, Identity, Leases, Proof, Resource,
};
use crate::config::{LimitsConfig, SocketConfig};
use crate::event::{Frame, LocationId, OrganizationId, SessionId, SubjectId, Topic, UserId};
use crate::hub::{CloseReason, Hub, Snapshot, Subscriber, SubscriberId};
use crate::telemetry::Metrics;

/// Nobody is asked anything here.
struct Nobody;

#[async_trait]
impl Directory for Nobody {
    async fn identify(&self, _: &Credential) -> Result<Option<Identity>, DirectoryError> {
        Ok(None)
    }
    async fn renew(
        &self,
        _: &[Proof],
    ) -> Result<std::collections::HashMap<Proof, Identity>, DirectoryError> {
        Ok(std::collections::HashMap::new())
    }
    async fn organizations_of(
        &self,
        _: &[Resource],
    ) -> Result<std::collections::HashMap<Resource, OrganizationId>, DirectoryError> {
        Ok(std::collections::HashMap::new())
    }
}

struct House {
    hub: Arc<Hub>,
    post: Arc<Post>,
    leases: Arc<Leases>,
    /// What a shard by hand counts.
    metrics: Arc<Metrics>,
}

/// One shard at work.
fn house(config: &SocketConfig) -> House {
    let hub = Arc::new(Hub::new(1));
    let shards = Shards::new(&hub, config, Arc::default());
    let post = Arc::clone(&shards.posts[0]);
    tokio::spawn(async move { shards.run().await });
    House::new(hub, post)
}

/// One shard whose rounds the test makes.
fn by_hand(config: &SocketConfig) -> (House, Shard) {
    let hub = Arc::new(Hub::new(1));
    let post = Arc::new(Post::new(Arc::clone(&hub.inboxes()[0])));
    let (poll, pace) = (Poll::new().unwrap(), Pace::new(config));
    let house = House::new(hub, post);
    let metrics = Arc::clone(&house.metrics);
    let shard = Shard::new(Arc::clone(&house.post), poll, pace, metrics);
    (house, shard)
}

impl House {
    fn new(hub: Arc<Hub>, post: Arc<Post>) -> Self {
        let leases = Arc::new(Leases::new(
            Arc::new(Nobody),
            Duration::from_mins(1),
            &LimitsConfig::default(),
        ));
        Self {
            hub,
            post,
            leases,
            metrics: Arc::default(),
        }
    }

    fn join(&self) -> Subscriber {
        self.hub.join(vec![Topic::AllLocations])
    }

    /// Completes the subscriber's handshake; returns the client's end.
    fn attach(&self, subscriber: &Subscriber, pages: Option<Pages>) -> UnixStream {
        self.attach_by(UnixStream::pair().unwrap(), subscriber, pages)
    }

    fn attach_by(
        &self,
        (ours, theirs): (UnixStream, UnixStream),
        subscriber: &Subscriber,
        pages: Option<Pages>,
    ) -> UnixStream {
        ours.set_nonblocking(true).unwrap();
        theirs
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let grounds = Grounds {
            proof: Proof::Session(SessionId::random()),
            user: UserId::random(),
            until: None,
            feed: Feed::Fleet,
            password_version: 1,
            topics: [Topic::AllLocations].into(),
        };
        let attachment = Attachment {
            endpoint: Endpoint::Locations,
            stream: OwnedFd::from(ours),
            early: Bytes::new(),
            lease: self
                .leases
                .grant(
                    grounds,
                    self.leases.moment(),
                    subscriber.clone(),
                    [127, 0, 0, 1].into(),
                )
                .unwrap(),
            pages,
        };
        let delivery = Delivery::Attachment(subscriber.id(), Box::new(attachment));
        self.post.send(delivery);
        theirs
    }

    fn publish(&self, subject: SubjectId, version: i64) {
        let snapshot = snapshot(subject, version);
        self.hub.publish(&[Topic::AllLocations], &snapshot);
    }
}

fn snapshot(subject: SubjectId, version: i64) -> Snapshot {
    Snapshot {
        subject,
        version,
        frame: Frame::text(&format!("{version:06}")),
    }
}

/// The next version that arrives.
fn heard(client: &mut UnixStream) -> i64 {
    let mut frame = [0; 8];
    client.read_exact(&mut frame).unwrap();
    std::str::from_utf8(&frame[2..]).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_between_joining_and_having_a_socket_arrives_first() {
    let house = house(&SocketConfig::default());
    let (bus, subscriber) = (LocationId::random().into(), house.join());
    for version in 1..=3 {
        house.publish(bus, version);
    }
    let mut client = house.attach(&subscriber, None);
    for version in 4..=6 {
        house.publish(bus, version);
    }
    for version in 1..=6 {
        assert_eq!(heard(&mut client), version);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_follow_closely_arrive_together_and_each_is_whole() {
    // As long as it may be, so that all of them are within it on any machine.
    let config = SocketConfig {
        batch_ms: 1000,
        ..SocketConfig::default()
    };
    let house = house(&config);
    let (bus, subscriber) = (LocationId::random().into(), house.join());
    let mut client = house.attach(&subscriber, None);
    house.publish(bus, 1);
    assert_eq!(heard(&mut client), 1);
    for version in 2..=9 {
        house.publish(bus, version);
    }
    // One piece of the local socket is one system call of the shard.
    let mut piece = [0; 1024];
    assert_eq!(client.read(&mut piece).unwrap(), 8 * 8);
    let last = std::str::from_utf8(&piece[8 * 8 - 6..8 * 8]).unwrap();
    assert_eq!(last, "000009");
}

#[tokio::test]
async fn what_a_client_has_not_taken_is_weighed() {
    let (house, mut shard) = by_hand(&SocketConfig::default());
    let subscriber = house.join();
    let mut client = house.attach(&subscriber, None);
    shard.round().unwrap();
    let nobody = SubscriberId {
        serial: subscriber.id().serial + 1,
        ..subscriber.id()
    };
    let mut weigh = || {
        let mut weight = house.post.inbox().weigh(vec![subscriber.id(), nobody]);
        shard.round().unwrap();
        weight.try_recv().unwrap()
    };
    assert_eq!(weigh(), [Some(0), None]);
    house.publish(LocationId::random().into(), 1);
    // A local socket holds more than the bytes that it was given.
    assert!(weigh()[0].is_some_and(|bytes| bytes >= 8));
    assert_eq!(heard(&mut client), 1);
    assert_eq!(weigh(), [Some(0), None]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_comes_late_gets_the_last_state_and_nothing_twice() {
    let house = house(&SocketConfig {
        outbox_bytes: 64,
        ..SocketConfig::default()
    });
    let (bus, subscriber) = (LocationId::random().into(), house.join());
    let mut client = house.attach(&subscriber, None);
    let last = 100_000;
    for version in 1..=last {
        house.publish(bus, version);
    }
    let mut before = 0;
    while before < last {
        let version = heard(&mut client);
        assert!(version > before, "{version} after {before}");
        before = version;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_comes_before_what_waits_and_takes_its_place() {
    let house = house(&SocketConfig::default());
    let (bus, tram): (SubjectId, SubjectId) =
        (LocationId::random().into(), LocationId::random().into());
    let subscriber = house.join();
    let (pages, mut asked) = tokio::sync::mpsc::channel(1);
    let mut client = house.attach(&subscriber, Some(pages));
    assert_eq!(asked.recv().await.unwrap(), [Topic::AllLocations]);
    // While the page is read, both move; the page has one of the moves already.
    house.publish(bus, 4);
    house.publish(tram, 5);
    let sent = snapshot(bus, 4);
    let page = Page {
        versions: vec![(bus, 4)],
        frames: vec![sent.frame],
        ages: false,
        is_last: true,
    };
    let post = &house.post;
    post.send(Delivery::Page(subscriber.id(), page));
    assert_eq!(heard(&mut client), 4);
    assert_eq!(heard(&mut client), 5);
    post.send(Delivery::Age(subscriber.id()));
    post.send(Delivery::Replayed(subscriber.id()));
    // Its replay is over: nobody waits for the end of the socket any more.
    assert!(asked.recv().await.is_none());
    house.publish(bus, 6);
    assert_eq!(heard(&mut client), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_is_the_last_frame_and_ends_the_lease_when_it_is_answered() {
    let house = house(&SocketConfig::default());
    let (bus, subscriber) = (LocationId::random().into(), house.join());
    let mut client = house.attach(&subscriber, None);
    house.publish(bus, 1);
    assert_eq!(heard(&mut client), 1);
    subscriber.close(CloseReason::AccessLost);
    house.publish(bus, 2);
    let mut head = [0; 4];
    client.read_exact(&mut head).unwrap();
    assert_eq!(head[0], 0x88);
    assert_eq!(u16::from_be_bytes([head[2], head[3]]), 1008);
    client
        .write_all(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xf0])
        .unwrap();
    house.leases.all_ended().await;
    let mut rest = Vec::new();
    match client.read_to_end(&mut rest) {
        Ok(_) => assert_eq!(rest.len(), usize::from(head[1]) - 2),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_listened_to_when_all_have_gone() {
    let house = house(&SocketConfig::default());
    let subscriber = house.join();
    let client = house.attach(&subscriber, None);
    drop(client);
    house.leases.all_ended().await;
    while house.hub.wants(Topic::AllLocations) {
        house.hub.topics_changed().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_nothing_reaches_is_dropped_though_the_kernel_still_takes_its_messages() {
    let house = house(&SocketConfig {
        ping_s: 1,
        idle_s: 2,
        ..SocketConfig::default()
    });
    let (bus, gone, reading) = (LocationId::random().into(), house.join(), house.join());
    let _silent = house.attach(&gone, None);
    let mut client = house.attach(&reading, None);
    // It reads and says nothing else, which is enough as long as there is something to read.
    let reader = std::thread::spawn(move || while client.read(&mut [0; 64]).unwrap() > 0 {});
    let mut version = 0;
    while house.leases.count() > 1 {
        version += 1;
        house.publish(bus, version);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // The one that reads is the one that is left.
    assert!(!reader.is_finished());
}

#[test]
fn a_burst_costs_a_reader_nothing_that_is_not_slow() {
    let (house, mut shard) = by_hand(&SocketConfig {
        outbox_bytes: 100,
        ..SocketConfig::default()
    });
    let subscriber = house.join();
    let mut client = house.attach(&subscriber, None);
    shard.round().unwrap();
    let bus = LocationId::random().into();
    // Many times what may wait, of others and of one and the same.
    for version in 1..=200 {
        let subject = if version % 2 == 0 {
            LocationId::random().into()
        } else {
            bus
        };
        house.publish(subject, version);
    }
    for _ in 0..3 {
        shard.round().unwrap();
    }
    for version in 1..=200 {
        assert_eq!(heard(&mut client), version);
    }
}

#[test]
fn a_client_that_sends_too_fast_is_noted_once() {
    let (house, mut shard) = by_hand(&SocketConfig {
        inbound_bytes_per_second: 1024,
        ..SocketConfig::default()
    });
    let subscriber = house.join();
    let mut client = house.attach(&subscriber, None);
    client.set_nonblocking(true).unwrap();
    // Of a message that goes on for long.
    let mut bytes = vec![0x82, 0xff, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0];
    bytes.resize(2000, 0);
    let mut most = 0;
    for _ in 0..100 {
        while client.write(&bytes).is_ok() {}
        shard.round().unwrap();
        most = most.max(shard.throttled());
    }
    assert_eq!(most, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn pings_come_also_where_they_are_rarer_than_a_turn_of_the_wheel() {
    let house = house(&SocketConfig {
        ping_s: 2,
        ..SocketConfig::default()
    });
    let subscriber = house.join();
    let mut client = house.attach(&subscriber, None);
    for _ in 0..2 {
        let mut ping = [0; 2];
        client.read_exact(&mut ping).unwrap();
        assert_eq!(ping, [0x89, 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_breaks_the_framing_and_sends_on_still_gets_the_close_frame() {
    let house = house(&SocketConfig {
        inbound_bytes_per_second: 1024 * 1024,
        ..SocketConfig::default()
    });
    let subscriber = house.join();
    let mut client = house.attach(&subscriber, None);
    // Not masked, and more than is read in a step.
    client.write_all(&vec![0x01; 100_000]).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert_eq!(u16::from_be_bytes([answer[2], answer[3]]), 1002);
    house.leases.all_ended().await;
}
