//! What is broken on purpose, and what holds then: the last state of everything reaches every socket that may
//! see it, in order; nobody hears what is not theirs; no command runs twice; nothing acknowledged is gone.
//!
//! Real processes: three nodes on PostgreSQL with Redis behind a TCP balancer, one node on SQLite, SSH servers
//! that commands run on. [`crowd`] are the clients, [`load`] is the work, [`faults`] is what breaks, [`shown`] what
//! shows that it did; when all has come to rest, the [`checker`] compares what each client saw with the database. `make chaos` breaks everything
//! by itself and in pairs; `make test` does a few things of it.

mod broken;
mod checker;
pub mod clock;
mod cluster;
mod crowd;
mod disk;
mod doctored;
mod faults;
mod history;
mod intruders;
mod leaver;
mod load;
mod network;
mod plan;
mod scenario;
mod shown;
mod watch;
mod world;
