//! The thread that speaks with Redis: however long the others are at work, it takes out what came.

use std::io;
use std::sync::Arc;
use std::thread::Builder;

use futures_util::future::join_all;
use tokio::sync::watch;

use super::Shared;
use super::link::Link;
use crate::event::Timestamp;

/// A thread that runs. It ends some time after this is dropped.
pub(super) struct Running {
    _stop: watch::Sender<()>,
}

/// Starts the thread.
///
/// # Errors
/// When the system lets us have no thread, or nothing to wait with.
pub(super) fn start(shared: &Arc<Shared>) -> io::Result<Running> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (stop, mut stopped) = watch::channel(());
    let shared = Arc::clone(shared);
    let now = Timestamp::now();
    let began = *shared.began.get_or_init(|| now);
    shared.running.send_replace(true);
    let ended = Ended(Arc::clone(&shared));
    Builder::new().name("channel-layer".into()).spawn(move || {
        let _ended = ended;
        runtime.block_on(async {
            let links: Vec<Link<'_>> = (0..shared.names.hosts())
                .map(|host| Link::new(&shared, host))
                .collect();
            if began != now {
                // Another thread was there, and nobody knows how far it came.
                for link in &links {
                    link.lose(began, "connection");
                }
            }
            let mut over = shared.stopped.subscribe();
            tokio::select! {
                _ = join_all(links.iter().map(Link::keep)) => {}
                // The sender is dropped.
                _ = stopped.changed() => {}
                _ = over.wait_for(|over| *over) => {}
            }
        });
    })?;
    Ok(Running { _stop: stop })
}

/// Says that the thread is not there any more, also when it panicked.
struct Ended(Arc<Shared>);

impl Drop for Ended {
    fn drop(&mut self) {
        for host in 0..self.0.names.hosts() {
            self.0.membership.set_up(host, false);
        }
        self.0.running.send_replace(false);
    }
}
