//! What a shard has done since it last told the metrics: counting costs an addition, telling does not.

use super::ended::Ended;
use crate::hub::{CloseReason, Pushed};
use crate::telemetry::{Limit, Metrics};

/// Counts of one round.
#[derive(Debug, Default)]
pub struct Tally {
    frames: u64,
    bytes: u64,
    ignored: u64,
    queued: u64,
    conflated: u64,
    overflowed: u64,
    throttled: u64,
}

impl Tally {
    /// `bytes` were handed to the kernel, with which so many event frames are complete.
    pub fn wrote(&mut self, frames: u64, bytes: usize) {
        self.frames += frames;
        self.bytes += bytes as u64;
    }

    /// A client sent `bytes` that are thrown away.
    pub fn ignored(&mut self, bytes: usize) {
        self.ignored += bytes as u64;
    }

    /// A client sent more than is read at once: the rest waits.
    pub fn throttled(&mut self) {
        self.throttled += 1;
    }

    /// What became of a snapshot in an outbox; one that does not fit ends its socket.
    pub fn pushed(&mut self, pushed: Pushed) -> Result<(), Ended> {
        match pushed {
            Pushed::Queued => self.queued += 1,
            Pushed::Conflated => self.conflated += 1,
            Pushed::Ignored => {}
            Pushed::Overflowed => {
                self.overflowed += 1;
                return Err(Ended::Closed(CloseReason::TooSlow));
            }
        }
        Ok(())
    }

    /// A snapshot was put off: it gives way to a newer one, or an older one to it.
    pub fn put_off(&mut self) {
        self.conflated += 1;
    }

    /// What became of one that was put off, which is counted already.
    pub fn pushed_later(&mut self, pushed: Pushed) -> Result<(), Ended> {
        match pushed {
            Pushed::Overflowed => self.pushed(pushed),
            _ => Ok(()),
        }
    }

    /// Adds everything to the metrics and begins anew.
    pub fn tell(&mut self, metrics: &Metrics) {
        let Self {
            frames,
            bytes,
            ignored,
            queued,
            conflated,
            overflowed,
            throttled,
        } = std::mem::take(self);
        metrics.frames_written.inc_by(frames);
        metrics.socket_bytes_written.inc_by(bytes);
        metrics.socket_bytes_ignored.inc_by(ignored);
        metrics.snapshots("queued", queued);
        metrics.snapshots("conflated", conflated);
        metrics.snapshots("overflowed", overflowed);
        if throttled > 0 {
            metrics.limits_hit(Limit::InboundBytesPerSecond, throttled);
        }
    }
}
