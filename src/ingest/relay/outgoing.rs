//! The way out: what is to be published waits in a bounded queue, and leaves together.

use std::convert::Infallible;
use std::sync::atomic::Ordering;

use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::message::{Outgoing, join, seal};
use super::{BEAT, Patience, Relay};
use crate::event::Event;
use crate::redis_host::{Trouble, in_time};

/// Events that may wait, and bytes of them.
pub(super) const EVENTS: usize = 8192;
const BYTES: usize = 8 * 1024 * 1024;

/// Events that leave together.
const TOGETHER: usize = 1024;

impl Relay {
    /// Puts an event into the queue, or drops it: without Redis, or where it does not keep up.
    pub(super) fn tell_others(&self, event: &Event, change: i64) {
        if !self.can_publish.load(Ordering::Relaxed) {
            return self.metrics.hints_sent("dropped", 1);
        }
        let Some(outgoing) = Outgoing::of(event, change) else {
            return;
        };
        let bytes = outgoing.text.len();
        let has_room = self.queued.fetch_add(bytes, Ordering::Relaxed) + bytes <= BYTES;
        if !has_room || self.queue.try_send(outgoing).is_err() {
            self.queued.fetch_sub(bytes, Ordering::Relaxed);
            self.metrics.hints_sent("dropped", 1);
        }
    }

    /// Publishes what is in the queue, for ever.
    pub(super) async fn publish(&self) -> Infallible {
        let mut leaving = self.leaving.lock().await;
        let mut patience = Patience::new();
        loop {
            let Err(trouble) = self.publish_until_lost(&mut leaving, &mut patience).await;
            self.can_publish.store(false, Ordering::Relaxed);
            // By the time that Redis is back, the tails have brought it.
            while let Ok(outgoing) = leaving.try_recv() {
                self.queued
                    .fetch_sub(outgoing.text.len(), Ordering::Relaxed);
                self.metrics.hints_sent("dropped", 1);
            }
            patience.lose(|| self.explain(&trouble)).await;
        }
    }

    async fn publish_until_lost(
        &self,
        leaving: &mut mpsc::Receiver<Outgoing>,
        patience: &mut Patience,
    ) -> Result<Infallible, Trouble> {
        let mut connection = self.host.commands().await?;
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let mut items = Vec::new();
            // Those that come while the last ones are on their way leave together.
            tokio::select! {
                _ = leaving.recv_many(&mut items, TOGETHER) => {}
                _ = beat.tick() => {}
            }
            let count = items.len() as u64;
            let bytes: usize = items.iter().map(|item| item.text.len()).sum();
            self.queued.fetch_sub(bytes, Ordering::Relaxed);
            let mut pipeline = redis::pipe();
            if items.is_empty() {
                pipeline.cmd("PING").ignore();
            }
            for (organization, text) in join(items) {
                match seal(&self.key, self.sender, organization, &text) {
                    Ok(message) => {
                        let channel = self.names.channel(organization);
                        pipeline.cmd("PUBLISH").arg(channel).arg(message).ignore();
                    }
                    Err(error) => {
                        tracing::error!(code = "hint_not_sealed", %error, "a hint cannot be sealed");
                    }
                }
            }
            let published = in_time(pipeline.query_async::<()>(&mut connection)).await;
            let outcome = if published.is_ok() {
                "published"
            } else {
                "dropped"
            };
            self.metrics.hints_sent(outcome, count);
            published?;
            if !self.can_publish.swap(true, Ordering::Relaxed) && patience.restore() {
                tracing::info!(redis = %self.host.place(), "tells other nodes by hints");
            }
        }
    }
}
