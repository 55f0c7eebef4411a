//! The way in: listens to the channels of what is watched here, and hands on what comes.

use std::convert::Infallible;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use redis::aio::{PubSubSink, PubSubStream};
use tokio::task::{unconstrained, yield_now};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use super::channels::Subscribed;
use super::message::{Item, Refused, open};
use super::{BEAT, Patience, Relay};
use crate::event::{Event, OrganizationId, Topic};
use crate::redis_host::{Trouble, in_time};
use crate::store::StoreError;

/// Channels of one SUBSCRIBE.
const CHANNELS_AT_ONCE: usize = 500;

/// Sockets that come and go together change the channels once.
const TOGETHER: Duration = Duration::from_millis(5);

/// Between two looks at whose it is what is watched: it may go to another organization.
const LOOK: Duration = Duration::from_secs(10);

/// How long the database may take for that.
const PATIENCE: Duration = Duration::from_secs(5);

/// Messages that are handed on before others of this thread have their turn.
const IN_A_ROW: usize = 64;

/// For so long there may be more to read each time that we look. After it, what waits is thrown away with
/// its connection: it lies in our memory, and the tail is faster.
const FLOOD: Duration = Duration::from_secs(2);

/// Lines about messages that are refused.
const LOG_EVERY: Duration = Duration::from_secs(10);

impl Relay {
    /// Listens, for ever.
    pub(super) async fn listen(&self) -> Infallible {
        let mut patience = Patience::new();
        loop {
            let Err(trouble) = self.listen_until_lost(&mut patience).await;
            self.channels.set_away();
            self.metrics.hints_up.set(0);
            self.metrics.hints_channels.set(0);
            // The tail goes on by itself; the sooner the better.
            self.tail_wanted.notify_one();
            patience.lose(|| self.explain(&trouble)).await;
        }
    }

    async fn listen_until_lost(&self, patience: &mut Patience) -> Result<Infallible, Trouble> {
        let (mut sink, stream) = self.host.subscriptions().await?.split();
        ping(&mut sink).await?;
        self.subscribe(&mut sink).await?;
        self.channels.set_listening();
        self.metrics.hints_up.set(1);
        // What was committed while nobody listened is the tail's to find.
        self.tail_wanted.notify_one();
        if patience.restore() {
            tracing::info!(redis = %self.host.place(), "hears the hints of other nodes");
        }
        tokio::select! {
            end = self.tend(sink) => end,
            end = self.read(stream) => end,
        }
    }

    /// Keeps the subscriptions.
    async fn tend(&self, mut sink: PubSubSink) -> Result<Infallible, Trouble> {
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        look.reset();
        loop {
            tokio::select! {
                () = self.channels.work.notified() => {}
                () = self.ingest.hub.topics_changed() => {}
                _ = look.tick() => self.channels.forget_owners(),
                _ = beat.tick() => {
                    ping(&mut sink).await?;
                    continue;
                }
            }
            let began = Instant::now();
            self.subscribe(&mut sink).await?;
            // With very many topics a look takes its time, and they change all the time.
            sleep(TOGETHER.max(began.elapsed() * 4)).await;
        }
    }

    /// Listens to what is watched, and to nothing else.
    async fn subscribe(&self, sink: &mut PubSubSink) -> Result<(), Trouble> {
        let wanted = self.channels.wanted(self.ingest.hub.topics());
        let unknown = self.channels.unknown(&wanted);
        if !unknown.is_empty() {
            let asked = timeout(PATIENCE, self.store.owners_of(&unknown)).await;
            match asked.unwrap_or_else(|_| Err(StoreError::late())) {
                Ok(owners) => self.channels.learn(&unknown, &owners),
                Err(error) => {
                    tracing::warn!(code = "owners_unread", %error, "whose it is what is watched cannot be read; hints of it do not come until then");
                }
            }
        }
        let changes = self.channels.changes(&wanted);
        if changes.join.all {
            in_time(sink.psubscribe(self.names.all())).await?;
        }
        for channels in self.chunks(&changes.join) {
            in_time(sink.subscribe(channels)).await?;
        }
        if changes.leave.all {
            in_time(sink.punsubscribe(self.names.all())).await?;
        }
        for channels in self.chunks(&changes.leave) {
            in_time(sink.unsubscribe(channels)).await?;
        }
        let count = self.channels.made(&changes);
        self.metrics
            .hints_channels
            .set(i64::try_from(count).unwrap_or(i64::MAX));
        Ok(())
    }

    /// The names of channels, so many that one command takes them.
    fn chunks(&self, channels: &Subscribed) -> Vec<Vec<String>> {
        let names: Vec<String> = channels
            .organizations
            .iter()
            .map(|id| self.names.channel(*id))
            .collect();
        names
            .chunks(CHANNELS_AT_ONCE)
            .map(<[String]>::to_vec)
            .collect()
    }

    /// Hands on what is published, for as long as the connection lives. The client keeps what we do not read
    /// in memory, without a bound; so it is read as fast as it comes, or else thrown away.
    async fn read(&self, mut stream: PubSubStream) -> Result<Infallible, Trouble> {
        let mut log = None;
        loop {
            let mut next = Some(stream.next().await.ok_or(Trouble::Closed)?);
            let began = Instant::now();
            let mut in_a_row = 0;
            while let Some(message) = next {
                self.take(&message, &mut log);
                in_a_row += 1;
                if in_a_row % IN_A_ROW == 0 {
                    if began.elapsed() > FLOOD {
                        return Err(Trouble::Flood);
                    }
                    yield_now().await;
                }
                // Unconstrained: tokio's budget for a task would make a stream look empty that is not.
                next = match unconstrained(stream.next()).now_or_never() {
                    Some(None) => return Err(Trouble::Closed),
                    Some(message) => message,
                    None => None,
                };
            }
        }
    }

    fn take(&self, message: &redis::Msg, log: &mut Option<Instant>) {
        let channel = message.get_channel_name();
        let Some(organization) = self.names.organization(channel) else {
            return self.metrics.hints_received("refused", 1);
        };
        let bytes = message.get_payload_bytes();
        match open(&self.key, self.sender, organization, bytes) {
            Ok(items) => {
                for item in items {
                    let outcome = self.take_item(item, organization);
                    self.metrics.hints_received(outcome, 1);
                }
            }
            Err(Refused::Own) => {}
            Err(refused) => {
                self.metrics.hints_received("refused", 1);
                if log.is_none_or(|at| at.elapsed() >= LOG_EVERY) {
                    *log = Some(Instant::now());
                    tracing::warn!(code = "hint_refused", %channel, "a hint was refused: {refused}");
                }
            }
        }
    }

    /// Hands on one event; says what became of it.
    fn take_item(&self, item: Item, organization: OrganizationId) -> &'static str {
        if item.change != 0 && item.change < self.read.load(Ordering::Relaxed) {
            return "overtaken";
        }
        let Some(event) = item.event else {
            if let Some(id) = item.large {
                self.note_large(id);
            }
            return "large";
        };
        let topic = match &event {
            Event::LocationMoved(moved) => moved.location_topic(),
            Event::CommandUpdated(updated) => updated.topic(),
        };
        let is_growth = matches!(&event, Event::CommandUpdated(it) if it.growth > 0);
        if is_growth != (item.change == 0) {
            return "refused";
        }
        if self.channels.is_elsewhere(topic, organization) {
            // It went to another organization, or this is a lie: the database knows.
            self.look_again(topic);
            return "refused";
        }
        self.line.take(&self.ingest, event);
        "taken"
    }

    fn look_again(&self, topic: Topic) {
        self.channels.forget_owner(topic);
        self.channels.work.notify_one();
        self.tail_wanted.notify_one();
    }
}

async fn ping(sink: &mut PubSubSink) -> Result<(), Trouble> {
    in_time(sink.ping::<redis::Value>()).await.map(|_| ())
}
