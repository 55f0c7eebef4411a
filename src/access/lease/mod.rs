//! Leases: the proof that a socket may stay open, renewed by asking about its user again.
//!
//! Every `lease.check_ms`, and at once when this node itself changed somebody's rights, the
//! [`Directory`] is asked whose rights have changed, and then about the leases of those alone, many
//! in one question. A directory that cannot tell is asked about all of them.

mod book;
mod crowd;
mod roster;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::seq::SliceRandom;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout_at};

pub use self::book::{Grounds, Moment};
pub use self::crowd::Crowded;
pub use self::roster::{OpenSocket, SocketFilter};

use self::book::Book;
use super::{Directory, DirectoryError};
use crate::config::LimitsConfig;
use crate::hub::{CloseReason, Subscriber};

/// An answer that takes longer than this is none.
const PATIENCE: Duration = Duration::from_secs(2);

/// After so long it is asked again what has changed, before the rest is asked about: many leases do not keep
/// a right that was just taken.
const SLICE: Duration = Duration::from_secs(1);

/// How often all are asked about although nothing is told of them: for changes that the directory was not
/// told of itself.
const ALL_AGAIN: Duration = Duration::from_mins(5);

/// Over how long the sockets are closed whose grace is over.
const GIVE_UP_WINDOW: Duration = Duration::from_secs(10);

/// Sockets closed together leave at least this far apart, so that few sockets are closed quickly
/// and many do not return in the same moment.
const APART: Duration = Duration::from_millis(5);

/// The leases of all open sockets of this node.
pub struct Leases {
    directory: Arc<dyn Directory>,
    grace: Duration,
    // A std lock around a map, never held across an await.
    book: Mutex<Book>,
    rights_changed: Notify,
    empty: Notify,
}

/// A granted lease; dropping it ends it.
pub struct Granted {
    place: usize,
    leases: Arc<Leases>,
}

impl Leases {
    /// An empty book, whose users `directory` knows. While the directory cannot be asked, leases
    /// last for `grace`. There are no more of them than `limits` say.
    #[must_use]
    pub fn new(directory: Arc<dyn Directory>, grace: Duration, limits: &LimitsConfig) -> Self {
        Self {
            directory,
            grace,
            book: Mutex::new(Book::new(limits)),
            rights_changed: Notify::new(),
            empty: Notify::new(),
        }
    }

    /// To be taken before the grounds of a lease are asked for.
    #[must_use]
    pub fn moment(&self) -> Moment {
        self.book().moment()
    }

    /// Whether somebody at `address` may have one more socket, as far as that can be told before it is
    /// known who it is.
    ///
    /// # Errors
    /// When a limit is reached.
    pub fn admits(&self, address: IpAddr) -> Result<(), Crowded> {
        self.book().admits(address)
    }

    /// Grants a lease to a socket of a client at `address` that the policy has just admitted, on what it
    /// asked for after `asked`.
    ///
    /// # Errors
    /// When a limit is reached.
    pub fn grant(
        self: &Arc<Self>,
        grounds: Grounds,
        asked: Moment,
        holder: Subscriber,
        address: IpAddr,
    ) -> Result<Granted, Crowded> {
        Ok(Granted {
            place: self.book().enter(grounds, asked, holder, address)?,
            leases: Arc::clone(self),
        })
    }

    /// This node took or gave rights: do not wait for the next round.
    pub fn rights_changed(&self) {
        self.rights_changed.notify_one();
    }

    /// Closes every open socket for `reason`, in random order and spread over up to `window`, so that
    /// clients do not all return at once.
    pub async fn end_all(&self, window: Duration, reason: CloseReason) {
        let holders = self.book().holders();
        close_spread(holders, window, reason).await;
    }

    /// How many are held.
    #[must_use]
    pub fn count(&self) -> usize {
        self.book().count()
    }

    /// Returns when no lease is held.
    pub async fn all_ended(&self) {
        loop {
            let ended = self.empty.notified();
            if self.book().count() == 0 {
                return;
            }
            ended.await;
        }
    }

    /// Checks the leases every `every` for as long as the program runs.
    ///
    /// A directory that does not answer refuses nobody: leases last on until the grace is over,
    /// then every socket is given up.
    pub async fn run(&self, every: Duration, outcome: impl Fn(&'static str)) {
        let (mut next, mut all_again) = (Instant::now() + every, Instant::now() + ALL_AGAIN);
        let mut answered = Instant::now();
        loop {
            // Elapsing is the ordinary case: nothing changed here, but elsewhere something may have.
            timeout_at(next, self.rights_changed.notified()).await.ok();
            let began = Instant::now();
            if began >= all_again {
                self.book().mark = None;
                all_again = began + ALL_AGAIN;
            }
            let checked = self.check(&mut answered).await;
            next = if self.book().is_due() && checked.is_ok() {
                began
            } else {
                began + every
            };
            let Err(error) = checked else {
                outcome("renewed");
                continue;
            };
            outcome("unreachable");
            tracing::warn!(code = "rights_unchecked", %error, "rights cannot be checked; open sockets are kept for the grace");
            if answered.elapsed() > self.grace {
                self.end_all(GIVE_UP_WINDOW, CloseReason::Unavailable).await;
            }
        }
    }

    /// Asks the directory about the leases of those whose rights may have changed, and acts on the
    /// answers, of which it notes the time in `answered`. Where they are too many for a slice of time, the
    /// rest stays due.
    async fn check(&self, answered: &mut Instant) -> Result<(), DirectoryError> {
        let began = Instant::now();
        // The first question has what is left of the time.
        let mut deadline = began + PATIENCE;
        let mark = {
            let mut book = self.book();
            if book.count() == 0 {
                // Nothing is asked, so where to read on becomes too old.
                book.mark = None;
                *answered = began;
                return Ok(());
            }
            book.mark.clone()
        };
        let changed = in_time(deadline, self.directory.rights_changed(mark)).await;
        let changed = changed.inspect_err(|_| {
            // The directory that answers next may be another one, or one that was set back: ask about all.
            self.book().mark = None;
        })?;
        let now = self.directory.now();
        self.book().note(&changed, now);
        loop {
            let Some(asked) = self.book().questions() else {
                *answered = began;
                return Ok(());
            };
            if began.elapsed() > SLICE {
                return Ok(());
            }
            let answers = async {
                let identities = self.directory.renew(&asked.proofs).await?;
                let organizations = self.directory.organizations_of(&asked.resources).await?;
                Ok((identities, organizations))
            };
            let (identities, organizations) = in_time(deadline, answers).await?;
            self.book().renew(&asked, &identities, &organizations);
            *answered = Instant::now();
            deadline = *answered + PATIENCE;
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn close_spread(mut holders: Vec<Subscriber>, window: Duration, reason: CloseReason) {
    holders.shuffle(&mut rand::rng());
    let count = u32::try_from(holders.len()).unwrap_or(u32::MAX).max(1);
    let spread = window.min(APART * count);
    let begin = Instant::now();
    for (position, holder) in (0_u32..).zip(holders) {
        sleep_until(begin + spread * position / count).await;
        holder.close(reason);
    }
}

async fn in_time<T>(
    deadline: Instant,
    answer: impl Future<Output = Result<T, DirectoryError>>,
) -> Result<T, DirectoryError> {
    let answered = timeout_at(deadline, answer).await;
    answered.unwrap_or_else(|late| Err(DirectoryError(late.into())))
}

impl Drop for Granted {
    fn drop(&mut self) {
        let mut book = self.leases.book();
        book.remove(self.place);
        if book.count() == 0 {
            self.leases.empty.notify_waiters();
        }
    }
}
