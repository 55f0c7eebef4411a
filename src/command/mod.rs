//! The runner's room: commands on devices over SSH, with output that is seen as it grows.
//!
//! Nothing runs here yet. What is ready for it: the topic
//! [`DeviceCommands`](crate::event::Topic::DeviceCommands), its endpoint with handshake and
//! policy, and the way that every event takes from its commit to the sockets.

pub mod output;
pub mod ssh;
pub mod types;
