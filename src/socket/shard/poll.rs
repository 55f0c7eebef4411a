//! What a shard waits on: its sockets, and whoever wakes it (`epoll(7)`, edge-triggered).

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};

use crate::hub::SubscriberId;

/// Taken out of the kernel at a time.
const EVENTS: usize = 512;

/// What the waker's events carry: no subscriber has this serial in this slot before all others had one.
const WAKER: u64 = u64::MAX;

/// The kernel's list of sockets on which something happened.
pub struct Poll {
    epoll: OwnedFd,
    waker: Arc<OwnedFd>,
    events: Vec<Event>,
}

/// What happened on a socket.
#[derive(Clone, Copy, Debug)]
pub struct Readiness {
    pub id: SubscriberId,
    /// Bytes came, or the end of them.
    pub readable: bool,
    /// The kernel's buffer was full and has room again.
    pub writable: bool,
}

impl Poll {
    /// # Errors
    /// When there are too many open files.
    pub fn new() -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let waker = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        // Edge-triggered: each write to it is news, so it need not be read.
        let data = EventData::new_u64(WAKER);
        epoll::add(&epoll, &waker, data, EventFlags::IN | EventFlags::ET)?;
        Ok(Self {
            epoll,
            waker: Arc::new(waker),
            events: Vec::with_capacity(EVENTS),
        })
    }

    /// What ends a wait from another thread.
    pub fn waker(&self) -> impl Fn() + Send + Sync + 'static {
        let waker = Arc::clone(&self.waker);
        move || {
            // It fails only when it has been written to 2^64 times: then it is awake.
            rustix::io::write(&*waker, &1_u64.to_ne_bytes()).ok();
        }
    }

    /// Watches a socket from now on, until it is closed. What is there already is told as well.
    ///
    /// # Errors
    /// When the system's limit of watched files is reached.
    pub fn add(&self, socket: &OwnedFd, id: SubscriberId) -> io::Result<()> {
        let data = u64::from(id.serial) << 32 | u64::from(id.slot);
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::ET;
        Ok(epoll::add(
            &self.epoll,
            socket,
            EventData::new_u64(data),
            flags,
        )?)
    }

    /// Waits until something happens, at most for `timeout`.
    ///
    /// # Errors
    /// None that would pass by itself.
    pub fn wait(&mut self, timeout: Duration) -> io::Result<()> {
        let timeout = Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: timeout.subsec_nanos().into(),
        };
        self.events.clear();
        match epoll::wait(
            &self.epoll,
            spare_capacity(&mut self.events),
            Some(&timeout),
        ) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// How many events the last wait brought.
    pub fn count(&self) -> usize {
        self.events.len()
    }

    /// One of those; `None` for the waker's.
    pub fn readiness(&self, index: usize) -> Option<Readiness> {
        let event = self.events.get(index)?;
        let (flags, data) = (event.flags, event.data.u64());
        if data == WAKER {
            return None;
        }
        let ended = EventFlags::ERR | EventFlags::HUP;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the two halves that `add` put together"
        )]
        let id = SubscriberId {
            slot: data as u32,
            serial: (data >> 32) as u32,
        };
        Some(Readiness {
            id,
            readable: flags.intersects(EventFlags::IN | ended),
            writable: flags.intersects(EventFlags::OUT),
        })
    }
}
