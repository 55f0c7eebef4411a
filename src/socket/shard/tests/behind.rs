//! Sockets that are behind: what is put off for them comes in the end, and nothing else.

use std::collections::HashMap;
use std::ops::Range;

use rustix::net::sockopt::set_socket_send_buffer_size;

use super::*;

/// So many bytes wait beyond the kernel's: a few dozen frames.
const OUTBOX_BYTES: usize = 500;

/// What the kernel is to hold for a client, which takes it for the least that it can.
const KERNEL_BYTES: usize = 4096;

/// Several subjects of one fleet, and what is published of them by a shard whose rounds the test makes.
struct Fleet {
    house: House,
    shard: Shard,
    /// How many there are on each topic.
    subjects: usize,
    ids: HashMap<(Topic, usize), SubjectId>,
    /// What was published: on which topic, of which subject; the first is version 1.
    published: Vec<(Topic, usize)>,
}

impl Fleet {
    fn new(subjects: usize) -> Self {
        let (house, shard) = by_hand(&SocketConfig {
            outbox_bytes: OUTBOX_BYTES,
            // Nothing but what is published.
            ping_s: 600,
            idle_s: 900,
            ..SocketConfig::default()
        });
        Self {
            house,
            shard,
            subjects,
            ids: HashMap::new(),
            published: Vec::new(),
        }
    }

    /// With one client of a topic, after 10,000 updates on it that it has not read.
    fn with_one_behind(subjects: usize) -> (Self, Topic, Subscriber, UnixStream) {
        let (mut fleet, on) = (Self::new(subjects), organization());
        let (subscriber, client) = fleet.join(&[on]);
        fleet.move_on(on, 10_000);
        assert_eq!(fleet.shard.behind(), 1);
        (fleet, on, subscriber, client)
    }

    fn join(&mut self, topics: &[Topic]) -> (Subscriber, UnixStream) {
        let subscriber = self.house.hub.join(topics.to_vec());
        let (ours, theirs) = UnixStream::pair().unwrap();
        set_socket_send_buffer_size(&ours, KERNEL_BYTES).unwrap();
        let client = self.house.attach_by((ours, theirs), &subscriber, None);
        client.set_nonblocking(true).unwrap();
        self.shard.round().unwrap();
        (subscriber, client)
    }

    /// So many updates on `topic`, of its subjects in turn.
    fn move_on(&mut self, topic: Topic, updates: usize) {
        for update in 0..updates {
            let of = (topic, update % self.subjects);
            let id = self.ids.entry(of);
            let subject = *id.or_insert_with(|| LocationId::random().into());
            self.published.push(of);
            let version = i64::try_from(self.published.len()).unwrap();
            let snapshot = snapshot(subject, version);
            self.house.hub.publish(&[topic], &snapshot);
            if update % 1000 == 999 {
                self.shard.round().unwrap();
            }
        }
        self.shard.round().unwrap();
    }

    /// A state of `subject` that takes so many bytes, header aside, and says its version.
    fn publish_of(&self, subject: SubjectId, version: i64, size: usize, topics: &[Topic]) {
        let frame = Frame::text(&format!("{version:0size$}"));
        let snapshot = Snapshot {
            subject,
            version,
            frame,
        };
        self.house.hub.publish(topics, &snapshot);
    }

    /// All bytes that arrive, until nothing more does.
    fn read(&mut self, client: &mut UnixStream) -> Vec<u8> {
        let (mut bytes, mut quiet) = (Vec::new(), 0);
        while quiet < 3 {
            quiet += 1;
            let mut piece = [0; 4096];
            while let Ok(read @ 1..) = client.read(&mut piece) {
                bytes.extend_from_slice(&piece[..read]);
                quiet = 0;
            }
            self.shard.round().unwrap();
        }
        bytes
    }

    fn read_all(&mut self, client: &mut UnixStream) -> Vec<i64> {
        versions_in(&self.read(client))
    }

    /// Fails unless `versions` are of `topics` alone, newer and newer of each subject, and end with the last of each.
    fn assert_whole(&self, versions: &[i64], topics: &[Topic]) {
        let mut heard = HashMap::new();
        for version in versions {
            let (topic, of) = self.published[usize::try_from(*version).unwrap() - 1];
            assert!(topics.contains(&topic), "{version} is of another topic");
            let before = heard.insert((topic, of), *version);
            assert!(before < Some(*version), "{version} after {before:?}");
        }
        let published = self.published.iter().zip(1_i64..);
        let on_them = published.filter(|((topic, _), _)| topics.contains(topic));
        let last: HashMap<_, _> = on_them.map(|(of, version)| (*of, version)).collect();
        assert_eq!(heard, last);
    }

    fn counted(&self, outcome: &str) -> i64 {
        let text = self.house.metrics.render().unwrap();
        let name = format!("fleetwire_snapshots_total{{outcome=\"{outcome}\"}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&name));
        line.map_or(0, |value| value.parse().unwrap())
    }
}

/// The texts of the frames, which are at most 65,535 bytes long.
fn texts(mut bytes: &[u8]) -> Vec<String> {
    let mut texts = Vec::new();
    while let [_, length, rest @ ..] = bytes {
        let (length, rest) = match length {
            126 => (
                usize::from(u16::from_be_bytes([rest[0], rest[1]])),
                &rest[2..],
            ),
            length => (usize::from(*length), rest),
        };
        texts.push(String::from_utf8(rest[..length].to_vec()).unwrap());
        bytes = &rest[length..];
    }
    texts
}

/// The versions in the frames.
fn versions_in(bytes: &[u8]) -> Vec<i64> {
    let text = |frame: &[u8]| String::from_utf8(frame[2..].to_vec()).unwrap();
    let frames = bytes.chunks(8);
    frames.map(|frame| text(frame).parse().unwrap()).collect()
}

/// The frames of events, and the code of the close frame after them.
fn last_frame(bytes: &[u8]) -> (&[u8], u16) {
    let events = bytes.chunks(8).take_while(|frame| frame[0] == 0x81).count();
    let (events, close) = bytes.split_at(8 * events);
    assert_eq!(close[0], 0x88);
    assert_eq!(close.len(), 2 + usize::from(close[1]), "nothing after it");
    (events, u16::from_be_bytes([close[2], close[3]]))
}

fn organization() -> Topic {
    Topic::OrgLocations(OrganizationId::random())
}

#[test]
fn what_was_put_off_ends_with_the_last_of_each_and_every_update_is_accounted_for() {
    let (mut fleet, on, _, mut client) = Fleet::with_one_behind(10);
    let versions = fleet.read_all(&mut client);
    assert_eq!(fleet.shard.behind(), 0);
    assert_eq!(fleet.shard.put_off_for_them(), (0, 0, 0), "for nobody");
    fleet.assert_whole(&versions, &[on]);
    let arrived = i64::try_from(versions.len()).unwrap();
    assert!(arrived < 10_000);
    // For each subject one that was put off may have had room in the end.
    let put_off = arrived + fleet.counted("conflated") - 10_000;
    assert!((0..=10).contains(&put_off), "{put_off}");
    // It goes on as if nothing had been.
    fleet.move_on(on, 5);
    assert_eq!(fleet.read_all(&mut client).len(), 5);
}

#[test]
fn each_catches_up_with_its_own_topics_alone() {
    let mut fleet = Fleet::new(5);
    let (here, there) = (organization(), organization());
    let (_, mut one) = fleet.join(&[here]);
    let (_, mut other) = fleet.join(&[there]);
    let (_, mut both) = fleet.join(&[here, there]);
    for _ in 0..20 {
        fleet.move_on(here, 1000);
        fleet.move_on(there, 999);
    }
    assert_eq!(fleet.shard.behind(), 3);
    for (client, topics) in [
        (&mut one, &[here][..]),
        (&mut other, &[there]),
        (&mut both, &[here, there]),
    ] {
        let versions = fleet.read_all(client);
        fleet.assert_whole(&versions, topics);
    }
}

#[test]
fn who_follows_other_topics_still_gets_what_was_put_off_before_and_nothing_after() {
    let mut fleet = Fleet::new(5);
    let (lost, kept) = (organization(), organization());
    let (subscriber, mut client) = fleet.join(&[lost, kept]);
    fleet.move_on(lost, 10_000);
    fleet.move_on(kept, 1000);
    fleet.move_on(lost, 7);
    assert_eq!(fleet.shard.behind(), 1);
    subscriber.follow(vec![kept]);
    fleet.shard.round().unwrap();
    let until_then = fleet.published.len();
    fleet.move_on(lost, 1000);
    let after = fleet.published.len();
    fleet.move_on(kept, 1000);
    let versions = fleet.read_all(&mut client);
    let is_lost = |it: &usize| fleet.published[*it].0 == lost;
    let told = |range: Range<usize>| {
        let mut those = range
            .filter(is_lost)
            .map(|it| i64::try_from(it + 1).unwrap());
        those.any(|version| versions.contains(&version))
    };
    assert!(told(0..until_then) && !told(until_then..after));
    // As if the rest had never been published.
    for it in until_then..after {
        fleet.published[it].0 = organization();
    }
    fleet.assert_whole(&versions, &[lost, kept]);
}

#[test]
fn what_is_put_off_is_bounded_however_long_somebody_is_behind() {
    let mut fleet = Fleet::new(20);
    let on = organization();
    let mut clients: Vec<_> = (0..20).map(|_| fleet.join(&[on]).1).collect();
    fleet.move_on(on, 2000);
    assert_eq!(fleet.shard.behind(), clients.len());
    for _ in 0..4 {
        fleet.move_on(on, 5000);
        let (publications, bytes, places) = fleet.shard.put_off_for_them();
        // From 2048 on one of them catches up with each publication.
        assert!(publications <= 2048 + clients.len(), "{publications}");
        assert!(places <= 2 * clients.len() + 65, "{places}");
        assert!(
            bytes <= OUTBOX_BYTES,
            "one of each subject is enough: {bytes}"
        );
    }
    for client in &mut clients {
        let versions = fleet.read_all(client);
        fleet.assert_whole(&versions, &[on]);
    }
}

#[test]
fn who_is_behind_and_for_whom_there_is_too_much_is_closed() {
    let (mut fleet, on, _, mut client) = Fleet::with_one_behind(5);
    // More subjects than the outbox has room for.
    fleet.subjects = 100;
    fleet.move_on(on, 100);
    assert_eq!((fleet.shard.behind(), fleet.counted("overflowed")), (0, 1));
    let bytes = fleet.read(&mut client);
    assert_eq!(last_frame(&bytes).1, 1013);
}

#[test]
fn who_is_closed_while_behind_gets_nothing_more() {
    let mut fleet = Fleet::new(5);
    let on = organization();
    let (subscriber, mut client) = fleet.join(&[on]);
    let (_, mut other) = fleet.join(&[on]);
    fleet.move_on(on, 10_000);
    subscriber.close(CloseReason::AccessLost);
    fleet.shard.round().unwrap();
    assert_eq!(fleet.shard.behind(), 1);
    fleet.move_on(on, 10_000);
    let versions = fleet.read_all(&mut other);
    fleet.assert_whole(&versions, &[on]);
    let bytes = fleet.read(&mut client);
    let (events, code) = last_frame(&bytes);
    assert_eq!(code, 1008);
    assert!(
        versions_in(events)
            .into_iter()
            .all(|version| version <= 10_000)
    );
}

#[test]
fn what_has_room_is_not_put_off() {
    let (mut fleet, on, _, mut client) = Fleet::with_one_behind(5);
    fleet.read_all(&mut client);
    // Of one that is larger than all that may wait beside the largest.
    let log = LocationId::random().into();
    let mut version = 10_000;
    while fleet.shard.behind() == 0 {
        version += 1;
        fleet.publish_of(log, version, 2000, &[on]);
        fleet.shard.round().unwrap();
    }
    let bus = LocationId::random().into();
    for small in 1..=20 {
        fleet.publish_of(bus, small, 6, &[on]);
    }
    fleet.shard.round().unwrap();
    let bytes = fleet.read(&mut client);
    let texts = texts(&bytes);
    let small: Vec<&str> = texts
        .iter()
        .map(|it| &**it)
        .filter(|it| it.len() == 6)
        .collect();
    let all: Vec<String> = (1..=20).map(|small| format!("{small:06}")).collect();
    assert_eq!(small, all);
    assert!(
        texts.contains(&format!("{version:02000}")),
        "the last of the large ones"
    );
}

#[test]
fn one_that_went_to_more_topics_stays_for_those_who_do_not_get_the_newer() {
    let mut fleet = Fleet::new(5);
    let (here, there) = (organization(), organization());
    let (_, mut client) = fleet.join(&[here]);
    let (_other, mut elsewhere) = fleet.join(&[there]);
    fleet.move_on(here, 10_000);
    fleet.move_on(there, 10_000);
    for topic in [here, there] {
        fleet.move_on(topic, 10);
    }
    assert_eq!(fleet.shard.behind(), 2);
    let bus = LocationId::random().into();
    // It goes from one organization to the other.
    fleet.publish_of(bus, 900_001, 6, &[here, there]);
    fleet.publish_of(bus, 900_002, 6, &[there]);
    fleet.shard.round().unwrap();
    assert!(texts(&fleet.read(&mut client)).contains(&"900001".to_owned()));
    assert!(texts(&fleet.read(&mut elsewhere)).contains(&"900002".to_owned()));
}

#[test]
fn states_that_get_smaller_close_nobody_for_whom_the_newest_of_each_fit() {
    let (mut fleet, on, subscriber, mut client) = Fleet::with_one_behind(5);
    fleet.read_all(&mut client);
    let [a, b, log]: [SubjectId; 3] = std::array::from_fn(|_| LocationId::random().into());
    // Beside the largest, which does not count, 500 bytes: both are at the bound.
    let mut version = 10_000;
    while fleet.shard.behind() == 0 {
        for (subject, size) in [(log, 900), (a, 330), (b, 150)] {
            version += 1;
            fleet.publish_of(subject, version, size, &[on]);
        }
        fleet.shard.round().unwrap();
    }
    for (subject, size) in [(a, 200), (b, 280), (a, 190)] {
        version += 1;
        fleet.publish_of(subject, version, size, &[on]);
    }
    // It catches up while nothing can be written.
    subscriber.follow(vec![on, organization()]);
    fleet.shard.round().unwrap();
    let texts = texts(&fleet.read(&mut client));
    assert_eq!(fleet.counted("overflowed"), 0);
    assert!(texts.contains(&format!("{version:0190}")));
    assert!(texts.contains(&format!("{:0280}", version - 1)));
}

#[test]
fn what_is_put_off_for_one_who_ends_is_counted_and_kept_for_nobody() {
    let (mut fleet, on, subscriber, client) = Fleet::with_one_behind(5);
    let before = fleet.counted("conflated");
    fleet.move_on(on, 100);
    assert_eq!(fleet.counted("conflated"), before + 100);
    subscriber.close(CloseReason::Draining);
    drop(client);
    fleet.shard.round().unwrap();
    assert_eq!(fleet.shard.behind(), 0);
    assert_eq!(fleet.shard.put_off_for_them(), (0, 0, 0));
}

#[test]
fn who_falls_behind_again_and_again_leaves_nothing() {
    let mut fleet = Fleet::new(1);
    let on = organization();
    let (_, _silent) = fleet.join(&[on]);
    let (_, mut dripping) = fleet.join(&[on]);
    let bus = LocationId::random().into();
    let mut version = 0;
    // It says something, so that no round waits.
    let pong = [0x8a, 0x80, 0, 0, 0, 0];
    for _ in 0..100 {
        while fleet.shard.behind() < 2 {
            for _ in 0..4 {
                version += 1;
                fleet.publish_of(bus, version, 200, &[on]);
            }
            dripping.write_all(&pong).ok();
            fleet.shard.round().unwrap();
        }
        while dripping.read(&mut [0; 4096]).is_ok() {}
        dripping.write_all(&pong).ok();
        fleet.shard.round().unwrap();
        assert_eq!(fleet.shard.behind(), 1);
    }
    let (.., places) = fleet.shard.put_off_for_them();
    assert!(places <= 2 + 64 + 1, "{places}");
}
