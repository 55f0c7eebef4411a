//! Marks that follow the messages through Redis: when a mark has come, so has all that was sent before it.

use std::time::{Duration, Instant};

use tokio::sync::watch;

/// A mark that has not come for so long is lost, as in a flush; the next one is sent.
const LOST_AFTER: Duration = Duration::from_secs(1);

/// Marks asked for and come. One that was sent after several asked serves all of them.
pub(super) struct Marks {
    asked: watch::Sender<u64>,
    hosts: watch::Sender<Vec<Host>>,
}

#[derive(Clone, Default)]
struct Host {
    /// The last mark that came.
    come: u64,
    /// The connection by which messages come; without one none is on its way.
    connection: Option<u64>,
    /// How many there have been.
    connections: u64,
}

impl Marks {
    pub(super) fn new(hosts: usize) -> Self {
        Self {
            asked: watch::Sender::new(0),
            hosts: watch::Sender::new(vec![Host::default(); hosts]),
        }
    }

    /// Asks for a mark and returns when it has come, on each of `hosts` that is connected for so long.
    pub(super) async fn settle(&self, hosts: &[usize]) {
        let mut number = 0;
        self.asked.send_modify(|asked| {
            *asked += 1;
            number = *asked;
        });
        let mut changes = self.hosts.subscribe();
        let is_settled = |host: &Host| host.connection.is_none() || host.come >= number;
        let all = |now: &Vec<Host>| hosts.iter().all(|&host| is_settled(&now[host]));
        // It ends only with ourselves.
        let _ = changes.wait_for(all).await;
    }

    /// The mark `number` has come from `host`.
    pub(super) fn come(&self, host: usize, number: u64) {
        self.hosts
            .send_modify(|hosts| hosts[host].come = hosts[host].come.max(number));
    }

    /// From now on messages come from `host`. Returns which connection it is.
    pub(super) fn connected(&self, host: usize) -> u64 {
        let mut number = 0;
        self.hosts.send_modify(|hosts| {
            let host = &mut hosts[host];
            host.connections += 1;
            number = host.connections;
            host.connection = Some(number);
        });
        number
    }

    /// All that came from `host` by this connection has been handed over, and no more will come by it.
    pub(super) fn disconnected(&self, host: usize, connection: u64) {
        self.hosts.send_modify(|hosts| {
            let host = &mut hosts[host];
            // The next one may be there already.
            host.connection.take_if(|it| *it == connection);
        });
    }
}

/// The marks that a connection sends: one at a time.
pub(super) struct Sending<'a> {
    marks: &'a Marks,
    host: usize,
    asked: watch::Receiver<u64>,
    hosts: watch::Receiver<Vec<Host>>,
    sent: Option<(u64, Instant)>,
}

impl<'a> Sending<'a> {
    pub(super) fn new(marks: &'a Marks, host: usize) -> Self {
        Self {
            marks,
            host,
            asked: marks.asked.subscribe(),
            hosts: marks.hosts.subscribe(),
            sent: None,
        }
    }

    /// Returns when [`due`](Self::due) may say something else than before.
    pub(super) async fn changed(&mut self) {
        tokio::select! {
            _ = self.asked.changed() => {}
            _ = self.hosts.changed() => {}
        }
    }

    /// The last that was asked for: a mark of this number serves all.
    pub(super) fn last_asked(&self) -> u64 {
        *self.marks.asked.borrow()
    }

    /// The mark to send now.
    pub(super) fn due(&mut self) -> Option<u64> {
        let asked = self.last_asked();
        let come = self.marks.hosts.borrow()[self.host].come;
        let under_way = self
            .sent
            .is_some_and(|(number, at)| number > come && at.elapsed() < LOST_AFTER);
        if asked <= come || under_way {
            return None;
        }
        self.sent = Some((asked, Instant::now()));
        Some(asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_mark_serves_all_who_asked_before_it() {
        let marks = Marks::new(1);
        marks.connected(0);
        let mut sending = Sending::new(&marks, 0);
        assert_eq!(sending.due(), None);
        let both = async { tokio::join!(marks.settle(&[0]), marks.settle(&[0])) };
        let answer = async {
            sending.changed().await;
            let due = sending.due();
            assert_eq!(sending.due(), None);
            marks.come(0, due.unwrap());
            due
        };
        let (_, due) = tokio::join!(both, answer);
        assert_eq!(due, Some(2));
    }

    #[tokio::test]
    async fn who_asks_after_a_mark_was_sent_waits_for_the_next() {
        let marks = Marks::new(2);
        marks.connected(1);
        let mut sending = Sending::new(&marks, 1);
        let first = marks.settle(&[1]);
        tokio::pin!(first);
        assert!(futures_util::poll!(&mut first).is_pending());
        assert_eq!(sending.due(), Some(1));
        let second = marks.settle(&[1]);
        tokio::pin!(second);
        assert!(futures_util::poll!(&mut second).is_pending());
        marks.come(1, 1);
        first.await;
        assert!(futures_util::poll!(&mut second).is_pending());
        assert_eq!(sending.due(), Some(2));
        marks.come(1, 2);
        second.await;
    }
    #[tokio::test]
    async fn nothing_is_waited_for_that_a_host_without_connection_would_send() {
        let marks = Marks::new(2);
        // Nobody answers.
        marks.settle(&[0, 1]).await;
        let first = marks.connected(0);
        let settled = marks.settle(&[0, 1]);
        tokio::pin!(settled);
        assert!(futures_util::poll!(&mut settled).is_pending());
        marks.disconnected(0, first);
        settled.await;
        // It is said late of the one before.
        let second = marks.connected(0);
        marks.disconnected(0, first);
        let settled = marks.settle(&[0]);
        tokio::pin!(settled);
        assert!(futures_util::poll!(&mut settled).is_pending());
        marks.disconnected(0, second);
        settled.await;
    }
}
