//! Asking a running command to end.

use tokio::sync::watch;

/// Where a command hears that somebody wants it to end.
#[derive(Clone, Debug)]
pub(super) struct Stop(watch::Receiver<Option<String>>);

/// Where that is said.
#[derive(Debug)]
pub(super) struct StopSwitch(watch::Sender<Option<String>>);

impl StopSwitch {
    /// A switch that was not thrown, and what hears it.
    pub(super) fn new() -> (Self, Stop) {
        let (sender, receiver) = watch::channel(None);
        (Self(sender), Stop(receiver))
    }

    /// Says who wants it to end; the first one counts.
    pub(super) fn throw(&self, by: &str) {
        self.0.send_if_modified(|told| {
            let is_first = told.is_none();
            told.get_or_insert_with(|| by.to_owned());
            is_first
        });
    }
}

impl Stop {
    /// Returns who wants it to end, once somebody does.
    pub(super) async fn asked(&mut self) -> String {
        let told = self.0.wait_for(Option::is_some).await;
        let by = told.ok().and_then(|told| told.clone());
        match by {
            Some(by) => by,
            // Nobody is left who could ask.
            None => std::future::pending().await,
        }
    }
}
