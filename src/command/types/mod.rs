//! What may run on a device, and what its input makes of it.

mod execution;

pub use execution::Execution;
