//! Running it: under a supervisor, with backups, from version to version, and with its secrets kept.

mod backup;
mod secrets;
mod supervisor;
mod upgrade;
