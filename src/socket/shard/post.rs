//! What a shard gets from the tasks that wait for others: accepted sockets, and pages of replays.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc::Sender;

use crate::access::{Endpoint, Granted};
use crate::event::{Frame, SubjectId, Topic};
use crate::hub::{Inbox, SubscriberId};

/// A connection on which the handshake is complete.
pub struct Attachment {
    pub endpoint: Endpoint,
    pub stream: OwnedFd,
    /// Bytes that came right behind the handshake.
    pub early: Bytes,
    /// Held for as long as the socket is open.
    pub lease: Granted,
    /// Asks for the next page of its replay, if it wants one.
    pub pages: Option<Pages>,
}

/// Asks for a page on these topics. Dropped, it says that the socket has ended.
pub type Pages = Sender<Vec<Topic>>;

/// A part of a replay.
pub struct Page {
    /// To be sent before what waits.
    pub frames: Vec<Frame>,
    /// Of what, and of which version.
    pub versions: Vec<(SubjectId, i64)>,
    /// Whether floors that were raised long ago are to be forgotten before.
    pub ages: bool,
    /// Whether none follows.
    pub is_last: bool,
}

/// What has come.
pub enum Delivery {
    Attachment(SubscriberId, Box<Attachment>),
    Page(SubscriberId, Page),
    /// Floors that were raised long ago are to be forgotten.
    Age(SubscriberId),
    /// The replay's last floors are forgotten.
    Replayed(SubscriberId),
}

/// Where it lies until the shard comes round.
pub struct Post {
    inbox: Arc<Inbox>,
    // A std lock: held for a push or a swap.
    waiting: Mutex<Vec<Delivery>>,
}

impl Post {
    pub fn new(inbox: Arc<Inbox>) -> Self {
        Self {
            inbox,
            waiting: Mutex::default(),
        }
    }

    pub fn inbox(&self) -> &Arc<Inbox> {
        &self.inbox
    }

    pub fn send(&self, delivery: Delivery) {
        self.waiting().push(delivery);
        self.inbox.wake();
    }

    /// Sends together with what others, who are ready to, send: in a storm of handshakes waking the shard for each
    /// costs more than what it then does.
    pub async fn send_with_others(&self, delivery: Delivery) {
        self.waiting().push(delivery);
        tokio::task::yield_now().await;
        // Gone, if one of the others has woken the shard.
        if !self.is_empty() {
            self.inbox.wake();
        }
    }

    pub fn take(&self) -> Vec<Delivery> {
        std::mem::take(&mut self.waiting())
    }

    pub fn is_empty(&self) -> bool {
        self.waiting().is_empty()
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Delivery>> {
        // A list is whole whatever panicked.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
