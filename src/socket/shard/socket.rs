//! One open socket: what is read from it and written to it, and when it ends.
//!
//! Idle, it is these few bytes. What waits, is half written or is out of the ordinary lies in a [`Busy`].

mod inbound;

use std::io::IoSlice;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::io::Errno;
use rustix::net::{SendFlags, Shutdown, send, shutdown};

use super::busy::{Busy, Closing, Replay};
use super::ended::Ended;
use super::kit::Kit;
use super::life::{Life, held_by_kernel};
use super::outcome::Delivered;
use super::post::{Page, Pages};
use crate::access::{Endpoint, Granted};
use crate::event::Topic;
use crate::hub::{Outbox, Pushed, Snapshot};
use crate::socket::reader::FrameReader;

/// How much is taken from the outbox at a time: what is taken cannot be conflated any more.
const BATCH_BYTES: usize = 64 * 1024;

/// Frames joined into one system call where they are not copied together.
const JOINED: usize = 64;

/// How long a closing client has to answer our close frame, or to end after its own.
const CLOSING_TICKS: u32 = 50;

/// An open socket.
pub struct Socket {
    stream: OwnedFd,
    endpoint: Endpoint,
    reader: FrameReader,
    /// The number of the last publication that was looked at for it: it may be on several of its topics.
    pub publication: u64,
    /// When an event was last written.
    sent: u32,
    life: Life,
    /// The tick for which the wheel has it.
    pub due: u32,
    /// Inbound bytes that may still be read in this step.
    inbound_left: u32,
    inbound_step: u32,
    /// Whether it is among those that are read on in the next step.
    pub is_throttled: bool,
    /// Whether what is published for it is [put off](super::behind).
    pub is_behind: bool,
    busy: Option<Box<Busy>>,
    _lease: Granted,
}

impl Socket {
    /// The socket behind a `stream` on which the handshake is complete, with what was published since
    /// it was in the hub.
    pub fn new(
        (stream, endpoint, lease): (OwnedFd, Endpoint, Granted),
        outbox: Outbox,
        pages: Option<Pages>,
        kit: &mut Kit,
    ) -> Self {
        let busy = (pages.is_some() || !outbox.is_idle()).then(|| Busy {
            outbox,
            replay: pages.map_or(Replay::None, Replay::Due),
            ..Busy::new(kit.pace.outbox_bytes)
        });
        Self {
            stream,
            endpoint,
            reader: FrameReader::default(),
            publication: 0,
            sent: kit.now.wrapping_sub(kit.pace.batch),
            life: Life::new(kit.tick, &kit.pace),
            due: 0,
            inbound_left: 0,
            inbound_step: 0,
            is_throttled: false,
            is_behind: false,
            busy: busy.map(Box::new),
            _lease: lease,
        }
    }

    pub fn stream(&self) -> &OwnedFd {
        &self.stream
    }

    pub fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    /// Whether its close frame is written: what is left to do is to read until the client ends too.
    pub fn has_said_good_bye(&self) -> bool {
        let closing = self.busy.as_ref().and_then(|busy| busy.closing);
        closing.is_some_and(|closing| closing.has_written)
    }

    /// Bytes that its client has not taken yet: those here and those that the kernel holds.
    pub fn waiting_bytes(&self) -> u64 {
        let held = held_by_kernel(&self.stream).unwrap_or(0);
        let busy = self.busy.as_ref();
        u64::from(held) + busy.map_or(0, |busy| busy.waiting_bytes())
    }

    /// Why it is being closed, if it is.
    pub fn closing(&self) -> Option<Ended> {
        let closing = self.busy.as_ref()?.closing?;
        Some(closing.ended)
    }

    fn busy_or_new(&mut self, kit: &mut Kit) -> &mut Busy {
        self.busy.get_or_insert_with(|| kit.busy())
    }

    /// Whether it is [behind](super::behind) since the publication of that number.
    pub fn is_behind_since(&self, number: u64) -> bool {
        let busy = self.busy.as_ref();
        busy.is_some_and(|busy| busy.behind_since == Some(number))
    }

    /// Whether the kernel takes nothing more for it.
    pub fn is_blocked(&self) -> bool {
        self.busy.as_ref().is_some_and(|busy| busy.is_blocked)
    }

    /// Says that it is behind and is to catch up soon; false when that was said before.
    pub fn is_to_catch_up(&mut self) -> bool {
        let busy = self.busy.as_mut();
        busy.is_some_and(|busy| !std::mem::replace(&mut busy.catches_up, true))
    }

    /// Whether a snapshot could be queued without one giving way to it.
    pub fn has_room_for(&mut self, snapshot: &Snapshot) -> bool {
        let busy = self.busy.as_mut();
        busy.is_none_or(|busy| busy.outbox.has_room_for(snapshot))
    }

    /// Nothing is put off for it any more. Returns the last publication that it got if it was behind: it has to
    /// [catch up](Self::catch_up) with what came after it.
    pub fn ends_being_behind(&mut self) -> Option<u64> {
        self.is_behind = false;
        let busy = self.busy.as_mut()?;
        busy.catches_up = false;
        busy.behind_since.take()
    }

    /// Takes what was put off for it into its outbox.
    pub fn catch_up<'a>(
        &mut self,
        put_off: impl Iterator<Item = &'a Arc<Snapshot>> + Clone,
        kit: &mut Kit,
    ) -> Result<(), Ended> {
        let Some(busy) = &mut self.busy else {
            return Ok(());
        };
        let mut rest = put_off;
        while let Some(snapshot) = rest.next() {
            let mut pushed = busy.outbox.push(snapshot);
            if pushed == Pushed::Overflowed {
                // Beside older states of others, which are about to be replaced as well.
                let others = rest.clone().map(|it| it.subject);
                busy.outbox.give_way_to(&others.collect());
                pushed = busy.outbox.push(snapshot);
            }
            kit.tally.pushed_later(pushed)?;
        }
        Ok(())
    }

    /// Sends a snapshot at once where it is `alone` and nothing was sent just now; else it waits in the
    /// outbox to be joined with others.
    // Once a socket and message: left to itself, the compiler calls it, and one message to 1,000 sockets took a fifth more.
    #[inline]
    pub fn deliver(
        &mut self,
        snapshot: &Arc<Snapshot>,
        alone: bool,
        kit: &mut Kit,
    ) -> Result<Delivered, Ended> {
        let is_recent = kit.is_recent(self.sent);
        if let Some(busy) = &mut self.busy
            && busy.closing.is_none()
            && !busy.is_held()
            && !busy.outbox.has_room_for(snapshot)
        {
            // It is we who are slow, not the reader: nothing has to give way.
            let asks = self.write_out(kit)?;
            debug_assert!(!asks, "a page is due only while the kernel is full");
        }
        if let Some(busy) = &mut self.busy {
            if busy.closing.is_some() {
                return Ok(Delivered::Done);
            }
            let pushed = busy.outbox.push(snapshot);
            kit.tally.pushed(pushed)?;
            if pushed == Pushed::Conflated && busy.falls_behind(snapshot) {
                busy.behind_since = Some(self.publication);
                self.is_behind = true;
                return Ok(Delivered::Behind);
            }
            let waits = busy.is_held() || busy.is_queued;
            if waits || busy.outbox.front(0).next().is_none() {
                return Ok(Delivered::Done);
            }
        } else if alone && !is_recent {
            kit.tally.pushed(Pushed::Queued)?;
            return self.send_alone(snapshot, kit);
        } else {
            let mut busy = kit.busy();
            let pushed = kit.tally.pushed(busy.outbox.push(snapshot));
            self.busy = Some(busy);
            pushed?;
        }
        self.busy_or_new(kit).is_queued = true;
        Ok(if is_recent {
            Delivered::Later
        } else {
            Delivered::Soon
        })
    }

    fn send_alone(&mut self, snapshot: &Arc<Snapshot>, kit: &mut Kit) -> Result<Delivered, Ended> {
        let bytes = snapshot.frame.bytes();
        match send(&self.stream, bytes, SendFlags::NOSIGNAL) {
            Ok(written) if written == bytes.len() => {
                self.has_written(1, written, true, kit);
                return Ok(Delivered::Done);
            }
            Ok(written) => {
                self.has_written(0, written, true, kit);
                let busy = self.busy_or_new(kit);
                busy.writer.push_events([snapshot.frame.clone()]);
                busy.writer.advance(written);
            }
            Err(Errno::AGAIN | Errno::INTR) => {
                self.busy_or_new(kit).outbox.push(snapshot);
            }
            Err(_) => return Err(Ended::Lost),
        }
        // Until the kernel says that it is full: only then does it tell when it no longer is.
        self.write_out(kit).map(|_| Delivered::Done)
    }

    /// `bytes` were handed to the kernel, with which so many `frames` of events are complete, and some of them
    /// of an event where it is `progress`.
    fn has_written(&mut self, frames: u64, bytes: usize, progress: bool, kit: &mut Kit) {
        kit.tally.wrote(frames, bytes);
        self.life.write(bytes, progress, kit.tick);
        if progress {
            self.sent = kit.now;
        }
    }

    /// Writes until nothing waits or the kernel's buffer is full. True when a page of its replay is to be
    /// [asked for](Self::ask_for_page).
    pub fn write_out(&mut self, kit: &mut Kit) -> Result<bool, Ended> {
        let mut asks = false;
        loop {
            let Some(busy) = &mut self.busy else {
                return Ok(asks);
            };
            (busy.is_queued, busy.is_blocked) = (false, false);
            let written = if !busy.writer.is_empty() {
                self.write_taken(kit)
            } else if busy.closing.is_some() {
                self.end_writing()?;
                return Ok(false);
            } else if let Replay::Reading(_) = busy.replay {
                return Ok(asks);
            } else if let Replay::Due(_) = busy.replay {
                // What waits now is written before the page, which is read later and so is never older.
                let count = busy.outbox.front(BATCH_BYTES).count();
                busy.writer.push_events(busy.outbox.take(count));
                busy.replay = match std::mem::replace(&mut busy.replay, Replay::None) {
                    Replay::Due(pages) => Replay::Reading(pages),
                    other => other,
                };
                asks = true;
                continue;
            } else {
                self.write_waiting(kit)
            };
            match written {
                Ok(true) | Err(Errno::INTR) => {}
                Ok(false) => break,
                Err(Errno::AGAIN) => {
                    self.busy_or_new(kit).is_blocked = true;
                    return Ok(asks);
                }
                Err(_) => return Err(Ended::Lost),
            }
        }
        if let Some(busy) = self.busy.take_if(|busy| busy.is_idle()) {
            kit.keep(busy);
        }
        Ok(asks)
    }

    /// One system call for what was taken before.
    fn write_taken(&mut self, kit: &mut Kit) -> Result<bool, Errno> {
        let Some(busy) = &mut self.busy else {
            return Ok(false);
        };
        let mut slices = [IoSlice::new(&[]); JOINED];
        let filled = busy.writer.slices(&mut slices);
        let written = rustix::io::writev(&self.stream, &slices[..filled])?;
        let progress = busy.writer.advance(written);
        self.has_written(progress.frames, written, progress.events_moved, kit);
        Ok(true)
    }

    /// One system call for what waits in the outbox; false when nothing does.
    fn write_waiting(&mut self, kit: &mut Kit) -> Result<bool, Errno> {
        let Some(busy) = &mut self.busy else {
            return Ok(false);
        };
        let mut frames = busy.outbox.front(BATCH_BYTES);
        let Some(first) = frames.next() else {
            return Ok(false);
        };
        kit.joined.clear();
        let mut count = 1;
        for frame in frames {
            if count == 1 {
                kit.joined.extend_from_slice(first.bytes());
            }
            kit.joined.extend_from_slice(frame.bytes());
            count += 1;
        }
        let bytes = if count == 1 {
            &first.bytes()[..]
        } else {
            &kit.joined
        };
        let length = bytes.len();
        let written = send(&self.stream, bytes, SendFlags::NOSIGNAL)?;
        let frames = if written == length {
            busy.outbox.forget(count);
            count as u64
        } else {
            busy.writer.push_events(busy.outbox.take(count));
            busy.writer.advance(written).frames
        };
        self.has_written(frames, written, true, kit);
        Ok(true)
    }

    /// Asks for the next page of the replay, on the topics of now: an organization lost meanwhile is not
    /// replayed.
    pub fn ask_for_page(&self, topics: Vec<Topic>) {
        if let Some(Replay::Reading(pages)) = self.busy.as_ref().map(|busy| &busy.replay) {
            // There is room: one page at a time is asked for. Whoever answers is gone only with the server.
            pages.try_send(topics).ok();
        }
    }

    /// A page of the replay has been read. Events as old as what it holds are not delivered after it.
    pub fn add_page(&mut self, page: Page, kit: &mut Kit) -> Result<bool, Ended> {
        if let Some(busy) = &mut self.busy
            && busy.closing.is_none()
        {
            if page.ages {
                busy.outbox.age_floors();
            }
            busy.outbox.raise_floors(page.versions);
            busy.writer.push_events(page.frames);
            busy.replay = match std::mem::replace(&mut busy.replay, Replay::None) {
                Replay::Reading(pages) if page.is_last => Replay::Settling { _pages: pages },
                Replay::Reading(pages) => Replay::Due(pages),
                other => other,
            };
            if !busy.is_blocked {
                return self.write_out(kit);
            }
        }
        Ok(false)
    }

    /// Whatever is older than what a replay sent long enough ago has come by now; with the last of it, the
    /// replay is over.
    pub fn age_floors(&mut self, is_over: bool, kit: &mut Kit) {
        if let Some(busy) = &mut self.busy {
            busy.outbox.age_floors();
            if is_over {
                busy.replay = Replay::None;
            }
        }
        if let Some(busy) = self.busy.take_if(|busy| busy.is_idle()) {
            kit.keep(busy);
        }
    }

    /// Pings when it is time, and gives up on a client without a sign of life. Returns when to look next.
    pub fn keep_time(&mut self, kit: &mut Kit) -> Result<u32, Ended> {
        if let Some(closing) = self.busy.as_ref().and_then(|busy| busy.closing) {
            // Whoever does not take part in the closing in time is cut off.
            return if kit.tick < closing.until {
                Ok(closing.until)
            } else {
                Err(closing.ended)
            };
        }
        if self.life.is_over(kit.tick, &kit.pace) {
            // After a stall of ours the signs of life are there, only unread.
            self.read_in(kit)?;
            let is_over = self.life.is_over(kit.tick, &kit.pace);
            if is_over && !self.life.drains(&self.stream, kit.tick) {
                return Err(Ended::Idle);
            }
        }
        if self.life.takes_ping(kit.tick, &kit.pace) {
            if self.life.is_cut_off(&self.stream, kit.tick, &kit.pace) {
                return Err(Ended::Idle);
            }
            let busy = self.busy_or_new(kit);
            busy.writer.push_ping();
            if !busy.is_blocked {
                self.write_out(kit)?;
            }
        }
        Ok(self.life.next_look(&kit.pace))
    }

    /// Says good-bye, within a bounded time. An error means that there is nobody to say it to.
    pub fn begin_closing(&mut self, ended: Ended, kit: &mut Kit) -> Result<(), Ended> {
        if self.closing().is_some() || matches!(ended, Ended::Lost | Ended::Idle) {
            return Err(ended);
        }
        let until = kit.tick + CLOSING_TICKS;
        let busy = self.busy_or_new(kit);
        if let Ended::Closed(reason) = ended {
            busy.writer.push_close(reason);
        }
        busy.outbox = Outbox::default();
        busy.replay = Replay::None;
        busy.closing = Some(Closing {
            ended,
            has_written: false,
            until,
        });
        let is_blocked = busy.is_blocked;
        self.due = until;
        if is_blocked {
            return Ok(());
        }
        self.write_out(kit).map(drop)
    }

    /// All is written: what the client still sends is thrown away until it ends too, as a socket that is
    /// dropped with unread bytes is reset, which could take our close frame with it.
    fn end_writing(&mut self) -> Result<(), Ended> {
        if let Some(closing) = self.busy.as_mut().and_then(|busy| busy.closing.as_mut())
            && !closing.has_written
        {
            closing.has_written = true;
            let ended = closing.ended;
            if ended.is_by_client_or_unframed() {
                shutdown(&self.stream, Shutdown::Write).map_err(|_| ended)?;
            }
        }
        Ok(())
    }
}
