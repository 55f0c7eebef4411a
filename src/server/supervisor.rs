//! What a supervisor that started us is told: when we are ready, when we stop, and that we are alive.
//!
//! The protocol is systemd's (`sd_notify(3)`; `Type=notify` in a unit): lines to the datagram socket that the
//! variable `NOTIFY_SOCKET` names. Where nobody set it, nothing is told.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{MissedTickBehavior, interval};

/// Told before the database is open: its migrations may take a while.
pub fn tell_starting() {
    tell(&[NotifyState::Status("opening the database")]);
}

/// Told when the port accepts and the server can do its work. `place` is where it listens.
pub fn tell_ready(place: &str) {
    let status = format!("listening on {place}");
    tell(&[NotifyState::Ready, NotifyState::Status(&status)]);
}

/// Told when the drain begins, which lasts `window` at most for those who behave.
pub fn tell_stopping(window: Duration) {
    let status = format!("closing sockets over {} s", window.as_secs());
    tell(&[NotifyState::Stopping, NotifyState::Status(&status)]);
}

/// How often a supervisor wants to hear that we are alive: twice within what it waits. `None` if it does not.
#[must_use]
pub fn heartbeat() -> Option<Duration> {
    sd_notify::watchdog_enabled()
        .map(|patience| patience / 2)
        .filter(|every| !every.is_zero())
}

/// Says that we are alive, for as long as the program runs: that tasks still get their turn. Whether the
/// database answers is another matter (`/readyz`): a new start would not mend it.
pub async fn tell_alive(every: Duration) {
    let mut beats = interval(every);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beats.tick().await;
        tell(&[NotifyState::Watchdog]);
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the supervisor behind NOTIFY_SOCKET could not be told how it goes");
    }
}
