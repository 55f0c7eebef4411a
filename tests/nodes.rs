//! Several nodes on one PostgreSQL: what is done at one of them is seen at the others, through Redis or
//! through the database, and when either breaks.

mod clock;
mod cluster;
mod copied;
mod faults;
mod forgotten;
mod gate;
mod relay;
mod rights;
mod runner;
mod silent;
mod way;
