//! REST as its clients see it: the whole router, over a real database.

mod captured;
mod cast;
mod command;
mod connection;
mod credential;
mod device_location;
mod group;
mod login;
mod me;
mod openapi;
mod order;
mod organization;
mod password;
mod report;
mod shape;
mod stage;
mod user;
