//! What is to be done on a device.

use std::fmt;
use std::time::Duration;

/// What a command type makes of its input: a command line for SSH, and how to run it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Execution {
    /// The command line. It may hold secrets.
    pub line: String,
    /// Written to its standard input, which then ends; empty ends it at once.
    pub stdin: Vec<u8>,
    /// Whether a pseudo-terminal is asked for first.
    pub tty: bool,
    /// How long it may run, instead of `commands.timeout_s`.
    pub timeout: Option<Duration>,
    /// Whether a link that is lost once it runs means that it succeeded, as a reboot's does.
    pub ends_link: bool,
    /// Texts that must not be seen in its output.
    pub secrets: Vec<String>,
}

impl fmt::Debug for Execution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Execution")
            .field("tty", &self.tty)
            .field("timeout", &self.timeout)
            .field("ends_link", &self.ends_link)
            .finish_non_exhaustive()
    }
}
