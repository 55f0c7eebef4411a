//! From the thread that speaks with Redis to the one that takes in what came: in order, bounded.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::event::Timestamp;

/// Bytes that may wait, and one parcel more: what a consumer that does not keep up costs. In the core layer
/// there are besides the answers to what was asked ahead while there was room; Redis then keeps the rest,
/// until senders find it full.
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// What a message costs beside its own bytes.
const OVERHEAD: usize = 96;

/// One message as it came.
#[derive(Debug)]
pub(super) struct Raw {
    /// The pub/sub layer: the group it was published to.
    pub(super) group: Option<String>,
    pub(super) bytes: Vec<u8>,
}

/// What is handed over.
#[derive(Debug)]
pub(super) enum Parcel {
    Messages(Vec<Raw>),
    Gap {
        since: Timestamp,
        cause: &'static str,
    },
    /// All that came before the mark `number` on `host` has been handed over.
    Mark {
        host: usize,
        number: u64,
    },
    /// All that came from `host` by this connection has been handed over, and no more will come by it.
    End {
        host: usize,
        connection: u64,
    },
}

#[derive(Default)]
pub(super) struct Handover {
    // A std lock around a queue, never held across an await.
    queue: Mutex<Queue>,
    filled: Notify,
    emptied: Notify,
}

#[derive(Default)]
struct Queue {
    parcels: VecDeque<Parcel>,
    bytes: usize,
}

impl Queue {
    fn has_room(&self) -> bool {
        self.bytes < MOST_BYTES
    }
}

impl Handover {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is room.
    pub(super) fn has_room(&self) -> bool {
        self.queue().has_room()
    }

    /// Hands messages over, if there is room: one parcel may exceed it.
    pub(super) fn offer(&self, messages: Vec<Raw>) -> Result<(), Vec<Raw>> {
        let mut queue = self.queue();
        if !queue.has_room() {
            return Err(messages);
        }
        queue.bytes += weight(&messages);
        queue.parcels.push_back(Parcel::Messages(messages));
        drop(queue);
        self.filled.notify_one();
        Ok(())
    }

    /// Hands messages over when there is room.
    pub(super) async fn hand(&self, mut messages: Vec<Raw>) {
        while let Err(refused) = self.offer(messages) {
            messages = refused;
            self.emptied.notified().await;
        }
    }

    /// Messages since `since` may have been lost. One that still waits is widened instead.
    pub(super) fn gap(&self, since: Timestamp, cause: &'static str) {
        let mut queue = self.queue();
        if let Some(Parcel::Gap { since: earlier, .. }) = queue.parcels.back_mut() {
            *earlier = since.min(*earlier);
            return;
        }
        queue.parcels.push_back(Parcel::Gap { since, cause });
        drop(queue);
        self.filled.notify_one();
    }

    /// A mark came.
    pub(super) fn mark(&self, host: usize, number: u64) {
        self.queue()
            .parcels
            .push_back(Parcel::Mark { host, number });
        self.filled.notify_one();
    }

    /// A connection ended.
    pub(super) fn end(&self, host: usize, connection: u64) {
        self.queue()
            .parcels
            .push_back(Parcel::End { host, connection });
        self.filled.notify_one();
    }

    /// The next parcel. For one taker.
    pub(super) async fn take(&self) -> Parcel {
        loop {
            if let Some(parcel) = self.pop() {
                return parcel;
            }
            self.filled.notified().await;
        }
    }

    fn pop(&self) -> Option<Parcel> {
        let mut queue = self.queue();
        let parcel = queue.parcels.pop_front()?;
        if let Parcel::Messages(messages) = &parcel {
            queue.bytes -= weight(messages);
            drop(queue);
            self.emptied.notify_one();
        }
        Some(parcel)
    }
}

fn weight(messages: &[Raw]) -> usize {
    messages.iter().map(|raw| raw.bytes.len() + OVERHEAD).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(bytes: usize) -> Vec<Raw> {
        vec![Raw {
            group: None,
            bytes: vec![0; bytes],
        }]
    }

    #[tokio::test]
    async fn what_waits_is_bounded_and_keeps_its_order() {
        let handover = Handover::default();
        assert!(handover.has_room());
        assert!(handover.offer(raw(MOST_BYTES)).is_ok());
        assert!(!handover.has_room());
        let refused = handover.offer(raw(1)).unwrap_err();
        // What is no message always has room.
        handover.gap(Timestamp(5), "capacity");
        handover.gap(Timestamp(3), "connection");
        handover.mark(0, 7);
        assert!(matches!(handover.take().await, Parcel::Messages(_)));
        assert!(handover.offer(refused).is_ok());
        let Parcel::Gap { since, cause } = handover.take().await else {
            panic!("no gap");
        };
        assert_eq!((since, cause), (Timestamp(3), "capacity"));
        assert!(matches!(
            handover.take().await,
            Parcel::Mark { number: 7, .. }
        ));
        assert!(matches!(handover.take().await, Parcel::Messages(_)));
    }

    #[tokio::test]
    async fn who_hands_over_waits_for_room() {
        let handover = Handover::default();
        handover.hand(raw(MOST_BYTES)).await;
        let ((), parcel) = tokio::join!(handover.hand(raw(1)), handover.take());
        assert!(matches!(parcel, Parcel::Messages(_)));
        assert!(matches!(handover.take().await, Parcel::Messages(_)));
    }
}
