//! A shard: one thread with its own sockets, from the end of the handshake to the end of the connection.
//!
//! It does, round for round: what was [ordered](crate::hub::Order) in the hub (who joins, what is published) and
//! what came by [`post`] (sockets, pages of replays); writes to the sockets that are due; and waits in
//! [`poll`] for what happens on them. No socket has a task or a buffer of its own ([`socket`]). A lone message is
//! sent the moment it is published. When the shard comes round to several for a socket, or one came just
//! before, they are joined into one system call.

mod behind;
mod busy;
mod ended;
mod kit;
mod life;
mod outcome;
mod pace;
mod poll;
pub mod post;
mod rounds;
mod slot;
mod socket;
mod tally;
mod wheel;

use std::sync::Arc;
use std::thread;

use tokio::sync::oneshot;

use self::pace::Pace;
use self::poll::Poll;
use self::post::Post;
use self::rounds::Shard;
use crate::config::SocketConfig;
use crate::hub::{Hub, Subscriber};
use crate::telemetry::Metrics;

/// All shards of this node.
pub struct Shards {
    posts: Box<[Arc<Post>]>,
    pace: Pace,
    metrics: Arc<Metrics>,
}

impl Shards {
    /// One for each of the hub's inboxes. Nothing runs yet.
    pub fn new(hub: &Hub, config: &SocketConfig, metrics: Arc<Metrics>) -> Self {
        let posts = hub.inboxes().iter();
        Self {
            posts: posts
                .map(|inbox| Arc::new(Post::new(Arc::clone(inbox))))
                .collect(),
            pace: Pace::new(config),
            metrics,
        }
    }

    /// Where to send what concerns `subscriber`, who has joined the hub that these are of.
    pub fn post_of(&self, subscriber: &Subscriber) -> &Arc<Post> {
        &self.posts[subscriber.inbox().number()]
    }

    /// Runs them until the hub is gone. It ends before only when a thread does, which is said in the log.
    pub async fn run(&self) {
        let mut running = Vec::new();
        for (number, post) in self.posts.iter().enumerate() {
            match self.start(number, post) {
                Ok(ended) => running.push(ended),
                Err(error) => {
                    tracing::error!(code = "sockets_thread", %error, "no thread for the sockets");
                    return;
                }
            }
        }
        // Whichever is first: without it, a part of the sockets is silent.
        futures_util::future::select_all(running).await.0.ok();
    }

    /// Starts a thread; what is returned is ready when it has ended.
    fn start(&self, number: usize, post: &Arc<Post>) -> std::io::Result<oneshot::Receiver<()>> {
        let (post, pace) = (Arc::clone(post), self.pace);
        let metrics = Arc::clone(&self.metrics);
        let (ending, ended) = oneshot::channel();
        thread::Builder::new()
            .name(format!("sockets-{number}"))
            .spawn(move || {
                // Dropped when the thread ends, also by a panic.
                let _ending = ending;
                let served =
                    Poll::new().and_then(|poll| Shard::new(post, poll, pace, metrics).run());
                if let Err(error) = served {
                    tracing::error!(code = "sockets_thread", %error, "a thread of sockets has ended");
                }
            })?;
        Ok(ended)
    }
}

#[cfg(test)]
mod tests;
