//! A client's signs of life, and when to look for them.

use std::ffi::c_int;
use std::os::fd::OwnedFd;

use rustix::ioctl::{Getter, Opcode, ioctl};

use super::pace::Pace;

/// When a client last gave a sign of life. Times are ticks.
#[derive(Debug)]
pub struct Life {
    /// Inbound bytes.
    heard: u32,
    /// Progress in writing events: control frames are none, or a client that is gone would live on by our own
    /// pings.
    moved: u32,
    next_ping: u32,
    /// Bytes handed to the kernel, modulo 2^32.
    written: u32,
    /// Those of them that the client's side had acknowledged when it was looked last.
    acknowledged: u32,
    /// When there last were more of them, or none was missing.
    acknowledged_at: u32,
}

impl Life {
    /// Of a client that has just connected.
    pub fn new(tick: u32, pace: &Pace) -> Self {
        Self {
            heard: tick,
            moved: tick,
            next_ping: tick + pace.ping,
            written: 0,
            acknowledged: 0,
            acknowledged_at: tick,
        }
    }

    /// Bytes came.
    pub fn hear(&mut self, tick: u32) {
        self.heard = tick;
    }

    /// `bytes` were handed to the kernel, some of them of an event where it is `progress`.
    pub fn write(&mut self, bytes: usize, progress: bool, tick: u32) {
        self.written = self.written.wrapping_add(low_bits(bytes));
        if progress {
            self.moved = tick;
        }
    }

    /// Whether the client gave no sign for too long.
    pub fn is_over(&self, tick: u32, pace: &Pace) -> bool {
        tick >= self.heard.max(self.moved) + pace.idle
    }

    /// Whether of what was written more was acknowledged since that was looked last: a slow reader's sign of
    /// life while the kernel takes nothing more. Of a client that is gone, pings alone are.
    pub fn drains(&mut self, stream: &OwnedFd, tick: u32) -> bool {
        const ONLY_PINGS: u32 = 1024;
        let Some(held) = held_by_kernel(stream).filter(|held| *held > ONLY_PINGS) else {
            return false;
        };
        let acknowledged = self.written.wrapping_sub(held);
        let drains = acknowledged != self.acknowledged;
        if drains {
            (self.acknowledged, self.acknowledged_at) = (acknowledged, tick);
            self.moved = tick;
        }
        drains
    }

    /// Whether it is time for a ping, which is sent then.
    pub fn takes_ping(&mut self, tick: u32, pace: &Pace) -> bool {
        let is_time = tick >= self.next_ping;
        if is_time {
            self.next_ping = tick + pace.ping;
        }
        is_time
    }

    /// When it is time to look again.
    pub fn next_look(&self, pace: &Pace) -> u32 {
        self.next_ping.min(self.heard.max(self.moved) + pace.idle)
    }

    /// Asks the kernel how much of what was written it still holds. Whether that has been the same for too long:
    /// then nothing reaches the client, whatever more the kernel would take. To be asked with every ping.
    pub fn is_cut_off(&mut self, stream: &OwnedFd, tick: u32, pace: &Pace) -> bool {
        let Some(held) = held_by_kernel(stream) else {
            return false;
        };
        let acknowledged = self.written.wrapping_sub(held);
        if held == 0 || acknowledged != self.acknowledged {
            (self.acknowledged, self.acknowledged_at) = (acknowledged, tick);
        }
        tick >= self.heard.max(self.acknowledged_at) + pace.idle
    }
}

#[expect(clippy::cast_possible_truncation, reason = "it is counted modulo 2^32")]
fn low_bits(bytes: usize) -> u32 {
    bytes as u32
}

/// Bytes that were written and not acknowledged (TCP), or not read (a local socket), by the other side.
pub fn held_by_kernel(stream: &OwnedFd) -> Option<u32> {
    const SIOCOUTQ: Opcode = 0x5411;
    // SAFETY: for a socket, SIOCOUTQ (tcp(7), unix(7); TIOCOUTQ in asm-generic/ioctls.h) is valid and writes one
    // C int through the pointer that `Getter` hands to the kernel, which is the type given here.
    #[expect(unsafe_code, reason = "no library has it")]
    let held = unsafe { ioctl(stream, Getter::<SIOCOUTQ, c_int>::new()) };
    u32::try_from(held.ok()?).ok()
}
