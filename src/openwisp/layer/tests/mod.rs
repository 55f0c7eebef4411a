//! What the channel layer promises, with a real Redis, and the real `channels_redis` as the sender.

mod core;
mod faults;
mod pubsub;
mod senders;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::senders::{Sender, send};
use super::testing::{RedisServer, settings};
use super::*;

/// Time after which a test fails rather than waits. Faults are noticed within seconds.
const LONGEST: Duration = Duration::from_mins(1);

/// A layer that runs, and what it has handed over.
struct Member {
    layer: Arc<ChannelLayer>,
    received: Arc<Mutex<Vec<Received>>>,
    changed: watch::Receiver<usize>,
    running: JoinHandle<()>,
}

impl Member {
    fn start(settings: LayerSettings) -> Self {
        let layer = Arc::new(ChannelLayer::new(settings, Arc::default()));
        let received: Arc<Mutex<Vec<Received>>> = Arc::default();
        let (told, changed) = watch::channel(0);
        let running = tokio::spawn({
            let (layer, received) = (Arc::clone(&layer), Arc::clone(&received));
            async move {
                let receive = |it| {
                    received.lock().unwrap().push(it);
                    told.send_modify(|count| *count += 1);
                };
                layer.run(receive).await;
            }
        });
        Self {
            layer,
            received,
            changed,
            running,
        }
    }

    /// Is a member of `groups` when it returns.
    async fn join(&self, groups: &[&str]) {
        let groups: Vec<String> = groups.iter().map(|&group| group.into()).collect();
        self.layer.want(&groups.iter().cloned().collect());
        self.layer.joined(&groups).await.unwrap();
    }

    fn received(&self) -> MutexGuard<'_, Vec<Received>> {
        self.received.lock().unwrap()
    }

    /// Waits until what was received is `enough`.
    async fn until(&self, enough: impl Fn(&[Received]) -> bool) {
        let mut changed = self.changed.clone();
        let reached = changed.wait_for(|_| enough(&self.received()));
        let reached = timeout(LONGEST, reached).await;
        assert!(reached.is_ok(), "only received: {:?}", self.received());
    }

    /// The numbers that [`send`] sent, as they came.
    fn numbers(&self) -> Vec<u64> {
        numbers(&self.received())
    }

    fn gaps(&self) -> Vec<&'static str> {
        gaps(&self.received())
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.running.abort();
    }
}

fn numbers(received: &[Received]) -> Vec<u64> {
    let numbers = received.iter().filter_map(|it| match it {
        Received::Message { message, .. } => message["number"].as_u64(),
        Received::Gap { .. } => None,
    });
    numbers.collect()
}

fn gaps(received: &[Received]) -> Vec<&'static str> {
    let gaps = received.iter().filter_map(|it| match it {
        Received::Message { .. } => None,
        Received::Gap { cause, .. } => Some(*cause),
    });
    gaps.collect()
}

/// Asks until it is so.
async fn eventually(what: &str, is_so: impl AsyncFn() -> bool) {
    let asked = async {
        while !is_so().await {
            sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(timeout(LONGEST, asked).await.is_ok(), "{what}");
}
