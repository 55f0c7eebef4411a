//! What was acknowledged stays, however the server ends, and a client that comes back misses
//! nothing.

mod drain;
mod kill;
mod order;
mod since;
mod straggler;
