//! Telling a command under way that it is to end.

use tokio::sync::watch;

/// Why a command is to end; a later one counts for more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    /// The server stops: what has not begun is left to the next one.
    Drain,
    /// Somebody, by name, wants its end.
    Cancelled(String),
    /// The server stops now.
    Cut,
    /// It is this node's no more: the lease is over, and another node has ended it or may.
    Lost,
}

/// Where a command hears of it.
#[derive(Clone, Debug)]
pub(super) struct Stop(watch::Receiver<Option<Why>>);

/// Where it is said.
#[derive(Debug)]
pub(super) struct StopSwitch(watch::Sender<Option<Why>>);

impl StopSwitch {
    /// A switch that was not thrown, and what hears it.
    pub(super) fn new() -> (Self, Stop) {
        let (sender, receiver) = watch::channel(None);
        (Self(sender), Stop(receiver))
    }

    /// Says why it is to end.
    pub(super) fn throw(&self, why: Why) {
        self.0.send_if_modified(|told| {
            let counts = told.as_ref().is_none_or(|told| *told < why);
            if counts {
                *told = Some(why);
            }
            counts
        });
    }
}

impl Stop {
    /// Returns why it is not to begin any more.
    pub(super) async fn before_it_began(&mut self) -> Why {
        self.thrown(|_| true).await
    }

    /// Returns why it is to end though it has begun.
    pub(super) async fn since_it_began(&mut self) -> Why {
        self.thrown(|why| *why != Why::Drain).await
    }

    async fn thrown(&mut self, counts: impl Fn(&Why) -> bool) -> Why {
        let told = self.0.wait_for(|told| told.as_ref().is_some_and(&counts));
        let why = told.await.ok().and_then(|told| told.clone());
        match why {
            Some(why) => why,
            // Nobody is left who could say it.
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_has_begun_goes_on_while_the_server_drains() {
        let (switch, mut stop) = StopSwitch::new();
        switch.throw(Why::Drain);
        assert_eq!(stop.before_it_began().await, Why::Drain);
        switch.throw(Why::Cancelled("ada".into()));
        switch.throw(Why::Drain);
        assert_eq!(stop.since_it_began().await, Why::Cancelled("ada".into()));
        switch.throw(Why::Cut);
        assert_eq!(stop.since_it_began().await, Why::Cut);
    }
}
