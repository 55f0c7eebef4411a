//! The runner's room: commands on devices over SSH, with output that is seen as it grows.
//!
//! The command's row is the job. A [`Runner`] claims it ([`runner`]), reaches the device
//! ([`reach`]), hands it over once ([`run`]), and reports what it prints until it ends ([`report`]).
//! What is to be done on the device, [`types`] makes of the command's input; [`ssh`] does it, and
//! [`output`] makes text of what comes back.

mod answer;
pub mod node;
pub mod output;
mod presence;
mod reach;
mod report;
mod run;
mod runner;
pub mod ssh;
mod stop;
#[cfg(test)]
mod tests;
mod turns;
pub mod types;

pub use node::Node;
pub use runner::Runner;

use crate::config::LimitsConfig;
use crate::store::QueueLimits;

/// How many commands may wait, as the operator has set it.
#[must_use]
pub fn queue_limits(limits: &LimitsConfig) -> QueueLimits {
    QueueLimits {
        device: limits.commands_per_device,
        organization: limits.commands_per_organization,
    }
}
