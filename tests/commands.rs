//! Commands from outside: asked for over REST or on the command line, run on real SSH servers, and
//! watched over real sockets.

mod batch;
mod batch_input;
mod crowd;
mod endings;
mod output;
mod reaching;
mod restart;
mod retention;
mod rights;
mod secrets;
mod since;
mod slow;
pub mod stage;
mod terminal;
mod types;
pub mod watcher;
pub mod witness;
