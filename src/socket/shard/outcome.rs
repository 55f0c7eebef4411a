//! What is to be done about a socket next.

/// About one to which something was delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// Nothing: it is written, or something will happen that leads to it.
    Done,
    /// Written as soon as the shard comes round.
    Soon,
    /// Written within the time in which messages are joined.
    Later,
    /// What follows is put off for it.
    Behind,
}

/// About one from which was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// Nothing: all that came was read.
    All,
    /// Read on in the next step.
    Throttled,
}
