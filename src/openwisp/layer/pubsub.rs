//! `channels_redis.pubsub`: groups are channels of Redis' publish and subscribe, which keeps nothing.

use std::convert::Infallible;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use redis::aio::{PubSubSink, PubSubStream};
use tokio::sync::mpsc;
use tokio::task::unconstrained;
use tokio::time::{MissedTickBehavior, interval};

use super::connection::{Trouble, in_time};
use super::handover::Raw;
use super::link::{BEAT, Link};
use super::marks::Sending;
use crate::event::Timestamp;

/// Messages that are handed over at once.
const BATCH: usize = 256;
/// Channels of one SUBSCRIBE.
const CHANNELS_AT_ONCE: usize = 500;
/// How often it is tried to tell of messages for which there was no room.
const RETRY: Duration = Duration::from_millis(100);

/// One connection's life.
pub(super) async fn serve(link: &Link<'_>) -> Result<Infallible, Trouble> {
    let (mut sink, stream) = link.host.subscriptions().await?.split();
    ping(&mut sink).await?;
    link.connected();
    let asked = Timestamp::now();
    link.shared.membership.begin(link.number);
    subscribe(link, &mut sink).await?;
    ping(&mut sink).await?;
    link.joined(asked);
    // One mark is under way at a time.
    let (to_reader, marks) = mpsc::channel(4);
    tokio::select! {
        end = tend(link, sink, to_reader) => end,
        end = read(link, stream, marks) => end,
    }
}

/// Keeps the subscriptions.
async fn tend(
    link: &Link<'_>,
    mut sink: PubSubSink,
    to_reader: mpsc::Sender<u64>,
) -> Result<Infallible, Trouble> {
    let mut work = link.shared.membership.work();
    let mut marks = Sending::new(&link.shared.marks, link.number);
    let mut beat = interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Something may have been wanted before we listened.
    work.mark_changed();
    loop {
        tokio::select! {
            _ = work.changed() => subscribe(link, &mut sink).await?,
            () = marks.changed() => {}
            _ = beat.tick() => {
                let asked = Timestamp::now();
                ping(&mut sink).await?;
                link.answered.set(asked);
            }
        }
        if let Some(number) = marks.due() {
            // Redis answers behind all that it has published to us before.
            ping(&mut sink).await?;
            to_reader.send(number).await.map_err(|_| Trouble::Closed)?;
        }
    }
}

async fn ping(sink: &mut PubSubSink) -> Result<(), Trouble> {
    in_time(sink.ping::<redis::Value>()).await.map(|_| ())
}

/// Does what is wanted.
async fn subscribe(link: &Link<'_>, sink: &mut PubSubSink) -> Result<(), Trouble> {
    let (names, membership) = (&link.shared.names, &link.shared.membership);
    let work = membership.take(link.number);
    let channels = |seats: &[super::membership::Seat]| -> Vec<String> {
        seats.iter().map(|seat| names.group(&seat.group)).collect()
    };
    for seats in work.leave.chunks(CHANNELS_AT_ONCE) {
        in_time(sink.unsubscribe(channels(seats))).await?;
        membership.left(link.number, seats.len());
    }
    for seats in work.join.chunks(CHANNELS_AT_ONCE) {
        membership.trying(seats);
        in_time(sink.subscribe(channels(seats))).await?;
        membership.joined(seats);
    }
    Ok(())
}

/// Hands over what is published, for as long as the connection lives.
async fn read(
    link: &Link<'_>,
    mut stream: PubSubStream,
    mut marks: mpsc::Receiver<u64>,
) -> Result<Infallible, Trouble> {
    let before = link.shared.names.group("");
    let raw = |message: redis::Msg| Raw {
        group: message
            .get_channel_name()
            .strip_prefix(&before)
            .map(str::to_owned),
        bytes: message.get_payload_bytes().to_owned(),
    };
    // Since when there was no room for messages. Not to read them would only move them elsewhere.
    let mut overflow: Option<Timestamp> = None;
    let mut retry = interval(RETRY);
    retry.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let (first, mark) = tokio::select! {
            message = stream.next() => (Some(message.ok_or(Trouble::Closed)?), None),
            mark = marks.recv() => (None, mark),
            _ = retry.tick(), if overflow.is_some() => (None, None),
        };
        let mut batch: Vec<Raw> = first.into_iter().map(raw).collect();
        // Unconstrained: tokio's budget for a task would make a stream look empty that is not.
        while mark.is_some() || batch.len() < BATCH {
            match unconstrained(stream.next()).now_or_never() {
                Some(Some(message)) => batch.push(raw(message)),
                _ => break,
            }
        }
        // No message, but a look at whether there is room again.
        let offered = link.handover().offer(batch);
        match (offered, overflow) {
            (Err(_), None) => overflow = Some(link.heard()),
            (Ok(()), Some(since)) => {
                link.handover().gap(since, "overflow");
                overflow = None;
            }
            _ => {}
        }
        if let Some(number) = mark {
            link.handover().mark(link.number, number);
        }
    }
}
