//! What the sockets of a shard share.

use std::time::Instant;

use super::busy::Busy;
use super::pace::Pace;
use super::tally::Tally;
use super::wheel::TICK_MS;

const READ_BYTES: usize = 16 * 1024;

/// [`Busy`]s that are kept for the next who needs one.
const SPARE: usize = 1024;

/// The clock, and buffers of which nothing outlives a call.
pub struct Kit {
    pub pace: Pace,
    pub tally: Tally,
    began: Instant,
    /// Since the start, in ticks of the wheel.
    pub tick: u32,
    /// Since the start, in units of 100 µs.
    pub now: u32,
    /// Where inbound bytes are read before they are thrown away.
    pub inbound: Box<[u8]>,
    /// Where small frames are put together.
    pub joined: Vec<u8>,
    #[expect(
        clippy::vec_box,
        reason = "they are handed over as the sockets have them"
    )]
    spare: Vec<Box<Busy>>,
}

impl Kit {
    pub fn new(pace: Pace) -> Self {
        Self {
            pace,
            tally: Tally::default(),
            began: Instant::now(),
            tick: 0,
            now: 0,
            inbound: vec![0; READ_BYTES].into(),
            joined: Vec::new(),
            spare: Vec::new(),
        }
    }

    /// Looks at the clock.
    pub fn look(&mut self) {
        const UNIT_US: u128 = 100;
        let micros = self.began.elapsed().as_micros();
        self.tick = truncated(micros / (u128::from(TICK_MS) * 1000));
        self.now = truncated(micros / UNIT_US);
    }

    /// What a socket gets that had nothing.
    pub fn busy(&mut self) -> Box<Busy> {
        let limit = self.pace.outbox_bytes;
        self.spare
            .pop()
            .unwrap_or_else(|| Box::new(Busy::new(limit)))
    }

    /// Takes back what a socket does not need any more.
    pub fn keep(&mut self, busy: Box<Busy>) {
        if self.spare.len() < SPARE && busy.outbox.is_small() {
            self.spare.push(busy);
        }
    }

    /// Whether what follows something `sent` then is to be joined.
    pub fn is_recent(&self, sent: u32) -> bool {
        self.now.wrapping_sub(sent) < self.pace.batch
    }
}

/// Ticks last for 13 years; the finer time is compared around its end.
#[expect(clippy::cast_possible_truncation, reason = "that is what it is for")]
fn truncated(time: u128) -> u32 {
    time as u32
}
