//! What is particular to one router: its name, its login, its addresses, since when it is up.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::Notify;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// One router. The same name makes the same addresses.
pub(super) struct Machine {
    hostname: String,
    username: String,
    password: String,
    seed: u64,
    lan: Ipv4Addr,
    mac: String,
    /// In milliseconds since 1970. Written by `boot`, read by the commands.
    booted: AtomicI64,
    reboot: Notify,
}

impl Machine {
    /// A router that has been up for days.
    pub(super) fn new(name: &str, username: &str, password: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        let seed = hasher.finish();
        let mut rng = StdRng::seed_from_u64(seed);
        let up = rng.random_range(2 * DAY_MS..40 * DAY_MS);
        let tail: [u8; 4] = rng.random();
        Self {
            hostname: hostname(name),
            username: username.to_owned(),
            password: password.to_owned(),
            seed,
            lan: Ipv4Addr::new(192, 168, rng.random_range(1..=250), 1),
            // 02: locally administered, so it is no maker's.
            mac: format!(
                "02:5A:{:02X}:{:02X}:{:02X}:{:02X}",
                tail[0], tail[1], tail[2], tail[3]
            ),
            booted: AtomicI64::new(Timestamp::now().as_millisecond() - up),
            reboot: Notify::new(),
        }
    }

    pub(super) fn hostname(&self) -> &str {
        &self.hostname
    }

    /// Who logs in, and who commands run as.
    pub(super) fn username(&self) -> &str {
        &self.username
    }

    pub(super) fn accepts(&self, username: &str, password: &str) -> bool {
        self.username == username && self.password == password
    }

    /// What chance begins with where two calls are to answer the same.
    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    /// Its address in its own network.
    pub(super) fn lan(&self) -> Ipv4Addr {
        self.lan
    }

    pub(super) fn mac(&self) -> &str {
        &self.mac
    }

    /// In milliseconds since 1970.
    pub(super) fn booted_ms(&self) -> i64 {
        self.booted.load(Ordering::Relaxed)
    }

    pub(super) fn up(&self) -> Duration {
        let up = Timestamp::now().as_millisecond() - self.booted_ms();
        // Negative when the clock was set back.
        Duration::from_millis(u64::try_from(up).unwrap_or(0))
    }

    /// It is up again, from now.
    pub(super) fn boot(&self) {
        let now = Timestamp::now().as_millisecond();
        self.booted.store(now, Ordering::Relaxed);
    }

    /// Asks for a reboot; while one is under way, nothing.
    pub(super) fn ask_reboot(&self) {
        self.reboot.notify_waiters();
    }

    /// Waits for a reboot to be asked for, counted from the call.
    pub(super) fn reboot_asked(&self) -> impl Future<Output = ()> {
        self.reboot.notified()
    }
}

/// A name as a host may have it: "Bus 7" is `bus-7`.
fn hostname(name: &str) -> String {
    let words: Vec<_> = name
        .split(|it: char| !it.is_ascii_alphanumeric())
        .filter(|it| !it.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    if words.is_empty() {
        "openwrt".to_owned()
    } else {
        words.join("-")
    }
}
