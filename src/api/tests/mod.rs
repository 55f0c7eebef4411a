//! REST as its clients see it: the whole router, over a real database.

mod captured;
mod cast;
mod command;
mod connection;
mod credential;
mod device_location;
mod login;
mod openapi;
mod order;
mod report;
mod shape;
mod stage;
