//! How open sockets behave, in the units in which a shard counts.

use super::wheel::TICK_MS;
use crate::config::SocketConfig;

/// What the operator set.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Ticks between two of our pings.
    pub ping: u32,
    /// Ticks without inbound bytes and without progress in writing events, after which the client is taken
    /// for gone.
    pub idle: u32,
    /// How long a message may wait to be joined with others, in units of 100 µs.
    pub batch: u32,
    /// Inbound bytes read in each [step](Self::INBOUND_STEP).
    pub inbound_step_bytes: u32,
    /// What may wait for a socket beyond one frame.
    pub outbox_bytes: usize,
}

impl Pace {
    /// In how small steps the inbound rate is kept, in units of 100 µs: 10 ms.
    pub const INBOUND_STEP: u32 = 100;

    /// The pace that `config` asks for.
    pub fn new(config: &SocketConfig) -> Self {
        let ticks = |seconds: u64| count(seconds.saturating_mul(1000 / TICK_MS));
        Self {
            ping: ticks(config.ping_s),
            idle: ticks(config.idle_s),
            batch: count(config.batch_ms.saturating_mul(10)),
            inbound_step_bytes: count((config.inbound_bytes_per_second / 100).max(1024) as u64),
            outbox_bytes: config.outbox_bytes,
        }
    }
}

/// Half of the range is more than anybody means, and never overflows when it is added to the time.
fn count(units: u64) -> u32 {
    u32::try_from(units).unwrap_or(u32::MAX).min(u32::MAX / 2)
}
