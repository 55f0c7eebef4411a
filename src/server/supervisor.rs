//! What a supervisor that started us is told: when we are ready, when we stop, and that we are alive.
//!
//! The protocol is systemd's (`sd_notify(3)`; `Type=notify` in a unit): lines to the datagram socket that the
//! variable `NOTIFY_SOCKET` names. Where nobody set it, nothing is told.

use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

/// Who started this process, and what it wants to hear.
#[derive(Clone, Debug, Default)]
pub struct Supervisor {
    /// A path, or a name without a file behind an `@`.
    socket: Option<String>,
    /// It ends us when it hears nothing for this long.
    patience: Option<Duration>,
}

impl Supervisor {
    /// As these variables have it. A patience that is meant for another process is none.
    #[must_use]
    pub fn of(environment: impl Iterator<Item = (String, String)>) -> Self {
        let (mut supervisor, mut is_ours) = (Self::default(), true);
        for (name, value) in environment {
            match name.as_str() {
                "NOTIFY_SOCKET" => supervisor.socket = Some(value).filter(|it| !it.is_empty()),
                "WATCHDOG_USEC" => {
                    let patience = value.parse().ok().filter(|it| *it > 0);
                    supervisor.patience = patience.map(Duration::from_micros);
                }
                "WATCHDOG_PID" => is_ours = value == std::process::id().to_string(),
                _ => {}
            }
        }
        supervisor.patience = supervisor.patience.filter(|_| is_ours);
        supervisor
    }

    /// Told before the database is open: its migrations may take a while.
    pub fn tell_starting(&self) {
        self.tell("STATUS=opening the database\n");
    }

    /// Told when the port accepts and the server can do its work. `place` is where it listens.
    pub fn tell_ready(&self, place: &str) {
        self.tell(&format!("READY=1\nSTATUS=listening on {place}\n"));
    }

    /// Told when the drain begins, which lasts `window` for those who behave.
    pub fn tell_stopping(&self, window: Duration) {
        let seconds = window.as_secs();
        self.tell(&format!(
            "STOPPING=1\nSTATUS=closing sockets over {seconds} s\n"
        ));
    }

    /// How often it has to hear that we are alive: twice within its patience. `None` if it does not want to.
    #[must_use]
    pub fn heartbeat(&self) -> Option<Duration> {
        self.patience
            .filter(|_| self.socket.is_some())
            .map(|it| it / 2)
    }

    /// Says `every` so often that we are alive, for as long as the program runs: that tasks still get their
    /// turn, and that what `works` asks for comes back. Whether the database answers is another matter
    /// (`/readyz`): a new start would not mend it.
    pub async fn tell_alive<F: Future<Output = ()>>(
        self,
        every: Duration,
        works: impl Fn() -> F + Send,
    ) {
        let mut beats = interval(every.max(Duration::from_millis(1)));
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beats.tick().await;
            // Where something hangs so does this, and the supervisor's patience ends.
            works().await;
            self.tell("WATCHDOG=1\n");
        }
    }

    fn tell(&self, lines: &str) {
        let Some(socket) = &self.socket else {
            return;
        };
        if let Err(error) = send(socket, lines) {
            tracing::warn!(code = "supervisor_untold", %error, "the supervisor behind NOTIFY_SOCKET could not be told how it goes");
        }
    }
}

/// Sends one message; where the supervisor's queue is full, it is left out rather than waited for.
fn send(socket: &str, lines: &str) -> io::Result<()> {
    let address = match socket.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    let ours = UnixDatagram::unbound()?;
    ours.set_nonblocking(true)?;
    ours.send_to_addr(lines.as_bytes(), &address).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Supervisor {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Supervisor::of(variables.iter().map(owned))
    }

    #[test]
    fn a_heart_beats_twice_within_the_patience_of_who_listens_to_ours() {
        let own = std::process::id().to_string();
        let (socket, usec) = (
            ("NOTIFY_SOCKET", "/run/notify"),
            ("WATCHDOG_USEC", "30000000"),
        );
        let every = Some(Duration::from_secs(15));
        assert_eq!(of(&[socket, usec]).heartbeat(), every);
        assert_eq!(
            of(&[("WATCHDOG_PID", &own), usec, socket]).heartbeat(),
            every
        );
        assert_eq!(of(&[socket, usec, ("WATCHDOG_PID", "1")]).heartbeat(), None);
        assert_eq!(of(&[usec]).heartbeat(), None);
        for nonsense in ["", "0", "-1", "soon"] {
            assert_eq!(of(&[socket, ("WATCHDOG_USEC", nonsense)]).heartbeat(), None);
        }
    }

    #[tokio::test]
    async fn a_heart_stands_still_where_something_hangs() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let heard = tokio::net::UnixDatagram::bind(&path).unwrap();
        let (asked, mut times) = tokio::sync::watch::channel(0);
        let works = move || {
            asked.send_modify(|times| *times += 1);
            let hangs = *asked.borrow() > 3;
            async move {
                if hangs {
                    std::future::pending::<()>().await;
                }
            }
        };
        let supervisor = of(&[("NOTIFY_SOCKET", path.to_str().unwrap())]);
        let beating = tokio::spawn(supervisor.tell_alive(Duration::from_millis(1), works));
        times.wait_for(|times| *times == 4).await.unwrap();
        let mut bytes = [0; 64];
        for _ in 0..3 {
            let read = heard.recv(&mut bytes).await.unwrap();
            assert_eq!(&bytes[..read], b"WATCHDOG=1\n");
        }
        assert!(
            heard.try_recv(&mut bytes).is_err(),
            "it says that it is alive"
        );
        beating.abort();
    }
}
