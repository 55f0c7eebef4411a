//! The relay: hints between nodes through Redis' publish and subscribe, where PostgreSQL's NOTIFY would be
//! too slow. (Commits that notify wait for each other; those that do not go on side by side.)
//!
//! After a commit its events go to this node's own sockets, and into a bounded queue of what is to be
//! published: a channel an organization ([`channels`]), sealed ([`message`]). The other nodes that somebody
//! watches that organization at hear of them there. Nothing waits for Redis: what cannot be published in
//! time is dropped and counted, and the tails bring it.
//!
//! **Order.** A message may be late, come twice, or be overtaken: publishing is no part of the transaction.
//! The door of [`Ingest`] lets each version pass once and none after a newer one, so order never depends on
//! Redis. So that the older of two updates of one row, made at two nodes, is not lost because its message took
//! longer, the newer one waits for it a moment ([`line`]). And what the tail has read is no news, whatever
//! the door remembers: each event carries the transaction id that its row was stamped with, and below the
//! tail's position everything was read. So what lay in a Redis that hung for minutes, or is sent again,
//! is told to nobody.
//!
//! **The tail** must not overtake hints on their way, or a watcher would lose intermediate states. With NOTIFY
//! a marker shows that all hints before it were handed over; a commit and its message through Redis are no
//! such unit. So the tail, where it finds what no hint has brought, gives hints a moment to come
//! ([`Relay::settle`]). Where that was in vain, they are not trusted for a while, and the tail does not wait:
//! with Redis gone, nothing takes longer than the tail's interval.

mod channels;
mod incoming;
mod line;
mod message;
mod outgoing;

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use self::channels::{Channels, Names};
use self::line::Line;
use self::message::{LARGE, Outgoing};
use super::Ingest;
use crate::event::{CommandId, Event, Topic};
use crate::redis_host::{Cause, RedisHost, Trouble};
use crate::store::{Changes, Key, Position, Store};
use crate::telemetry::Metrics;

/// Hints of what the tail has found have so long to come. A message through Redis takes a millisecond or
/// two; a busy machine more.
const SETTLE: Duration = Duration::from_millis(100);

/// How often it is looked whether they have.
const SETTLED: Duration = Duration::from_millis(4);

/// After that was in vain, nobody waits for so long.
const DISTRUST: Duration = Duration::from_secs(2);

/// A socket that opens waits so long until its organization's channel is listened to.
const ATTEND: Duration = Duration::from_secs(1);

/// How often each connection is asked whether it lives.
const BEAT: Duration = Duration::from_secs(1);

/// Between two attempts to connect, at first and at most.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// A connection that lasts so long is none that fails each time.
const LASTING: Duration = Duration::from_secs(5);

/// Lines about one connection that is away.
const LOG_EVERY: Duration = Duration::from_secs(30);

/// Commands that are remembered because their events were too large to travel.
const LARGE_ONES: usize = 1000;

/// What a relay is made of.
pub struct RelaySettings {
    /// The Redis; with its password, so it is never printed.
    pub url: String,
    /// What channels begin with.
    pub prefix: String,
    /// What the nodes share and nobody else has.
    pub key: Key,
}

/// The way of hints from node to node.
pub struct Relay {
    ingest: Arc<Ingest>,
    store: Store,
    metrics: Arc<Metrics>,
    host: RedisHost,
    names: Names,
    key: Key,
    /// Tells our own messages from others'.
    sender: Uuid,
    line: Line,
    channels: Channels,
    queue: mpsc::Sender<Outgoing>,
    /// The other end; [`Relay::run`] has it.
    leaving: tokio::sync::Mutex<mpsc::Receiver<Outgoing>>,
    /// Bytes of text in the queue.
    queued: AtomicUsize,
    /// Whether Redis takes what is published.
    can_publish: AtomicBool,
    /// The tail's position: what was stamped below it is no news.
    read: AtomicI64,
    /// Commands whose last event did not travel whole: no hint of it will come.
    large: Mutex<HashSet<CommandId>>,
    /// Since when hints are not waited for, because they did not come.
    distrusted: Mutex<Option<Instant>>,
    tail_wanted: Notify,
}

impl Relay {
    /// A relay for the events of `store`, which go through `ingest` here. Nothing is connected yet.
    #[must_use]
    pub fn new(
        settings: &RelaySettings,
        ingest: &Arc<Ingest>,
        store: Store,
        metrics: Arc<Metrics>,
    ) -> Arc<Self> {
        let (queue, leaving) = mpsc::channel(outgoing::EVENTS);
        let relay = Arc::new(Self {
            ingest: Arc::clone(ingest),
            store,
            metrics,
            host: RedisHost::new(&settings.url),
            names: Names::new(&settings.prefix),
            // The secrets' own key seals secrets alone.
            key: settings.key.derived("hints"),
            sender: Uuid::new_v4(),
            line: Line::default(),
            channels: Channels::default(),
            queue,
            leaving: tokio::sync::Mutex::new(leaving),
            queued: AtomicUsize::new(0),
            can_publish: AtomicBool::new(false),
            read: AtomicI64::new(0),
            large: Mutex::default(),
            distrusted: Mutex::default(),
            tail_wanted: Notify::new(),
        });
        ingest.relay.set(Arc::downgrade(&relay)).ok();
        relay
    }

    /// Publishes and listens, for as long as the program runs.
    pub async fn run(&self) -> Infallible {
        let in_vain = |count| self.metrics.hints_received("incomplete", count);
        tokio::select! {
            end = self.publish() => end,
            end = self.listen() => end,
            end = self.line.keep(&self.ingest, in_vain) => end,
        }
    }

    /// Tells of a transaction's events, whose rows were stamped with `change`: here at once, to the other nodes
    /// as soon as Redis takes them. Never waits.
    pub fn tell(&self, events: Vec<Event>, change: i64) {
        for event in &events {
            self.tell_others(event, change);
        }
        for event in events {
            self.line.take(&self.ingest, event);
        }
    }

    /// Tells the other nodes of output that has grown, and is not saved yet.
    pub(super) fn tell_others_of_growth(&self, grown: &Event) {
        self.tell_others(grown, 0);
    }

    /// Whether the other nodes can be told of output of so many bytes before it is saved.
    pub(super) fn carries(&self, bytes: usize) -> bool {
        bytes <= LARGE && self.can_publish.load(Ordering::Relaxed)
    }

    /// Returns when `topics` are listened to, or when that takes too long: the tail brings what was missed.
    pub(super) async fn attend(&self, topics: &[Topic]) {
        let mut looks = self.channels.looked.subscribe();
        let attended = async {
            while !self.channels.attend(topics) {
                self.channels.work.notify_one();
                // The sender lives in `self`.
                if looks.changed().await.is_err() {
                    return;
                }
            }
        };
        timeout(ATTEND, attended).await.ok();
    }

    /// Returns when the tail should read now: hints may have been lost, or could not hold all.
    pub(super) async fn wants_tail(&self) {
        self.tail_wanted.notified().await;
    }

    /// Notes how far the tail is.
    pub(super) fn has_read(&self, position: &Position) {
        self.read.store(position.number(), Ordering::Relaxed);
    }

    /// Gives hints a moment to bring what the tail has found, while `is_awaited` says that it waits for some.
    pub(super) async fn settle(&self, is_awaited: impl Fn() -> bool) {
        if !self.channels.is_up() || self.is_distrusted() {
            return;
        }
        let settled = async {
            while is_awaited() {
                sleep(SETTLED).await;
            }
        };
        let is_in_vain = timeout(SETTLE, settled).await.is_err();
        *lock(&self.distrusted) = is_in_vain.then(Instant::now);
    }

    fn is_distrusted(&self) -> bool {
        lock(&self.distrusted).is_some_and(|since| since.elapsed() < DISTRUST)
    }

    /// Whether one of these changed commands may yet be told of by a hint.
    pub(super) fn may_bring(&self, commands: &[CommandId]) -> bool {
        let large = lock(&self.large);
        commands.iter().any(|id| !large.contains(id))
    }

    /// The tail has read these: what was too large to travel was among them.
    pub(super) fn has_told(&self, changes: &Changes) {
        let mut large = lock(&self.large);
        if !large.is_empty() {
            for change in &changes.commands {
                large.remove(&change.id);
            }
        }
    }

    /// A command's event did not travel whole.
    fn note_large(&self, id: CommandId) {
        let mut large = lock(&self.large);
        if large.len() >= LARGE_ONES {
            large.clear();
        }
        large.insert(id);
        drop(large);
        self.tail_wanted.notify_one();
    }

    /// What `trouble` means for who runs this, as one line.
    fn explain(&self, trouble: &Trouble) -> String {
        let place = self.host.place();
        match trouble.cause() {
            Cause::Login => {
                format!(
                    "Redis at {place} refuses the login: set user and password in hints.url ({trouble})"
                )
            }
            Cause::Forbidden => format!(
                "Redis at {place} forbids what hints need: allow the user of hints.url publish, subscribe, psubscribe and ping on the channels {} ({trouble})",
                self.names.all()
            ),
            Cause::Tls => format!(
                "no TLS connection to Redis at {place}: check hints.url (rediss:// for TLS, redis:// without), and that this machine trusts its certificate ({trouble})"
            ),
            Cause::Away => format!(
                "the hints' Redis is away, at {place}: {trouble} (is it running, and does hints.url name it?); until it is back changes take up to ingest.tail_ms"
            ),
        }
    }
}

/// How long to wait before another attempt, and what was logged of it.
struct Patience {
    wait: Duration,
    up_since: Option<Instant>,
    /// When it was last said that something is wrong.
    logged: Option<Instant>,
    /// Whether nothing was said since it was said that all is well.
    is_said: bool,
}

impl Patience {
    fn new() -> Self {
        Self {
            wait: FIRST_WAIT,
            up_since: None,
            logged: None,
            is_said: false,
        }
    }

    /// It went well; true where that is worth a line.
    fn restore(&mut self) -> bool {
        self.up_since = Some(Instant::now());
        !std::mem::replace(&mut self.is_said, true)
    }

    /// Tells of a failure, not too often, and waits: not all nodes at once, and longer each time that it does
    /// not last.
    async fn lose(&mut self, explain: impl Fn() -> String) {
        let up_since = self.up_since.take();
        if up_since.is_some_and(|since| since.elapsed() >= LASTING) {
            self.wait = FIRST_WAIT;
        }
        if self.logged.is_none_or(|at| at.elapsed() >= LOG_EVERY) {
            self.logged = Some(Instant::now());
            self.is_said = false;
            tracing::error!(code = "hints_redis_away", "{}", explain());
        }
        sleep(self.wait.mul_f64(rand::random_range(0.5..1.0))).await;
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
