//! What is to be done on a device: what a command type makes of its input.

use std::fmt;
use std::time::Duration;

/// What is to be done on the device.
#[derive(Clone)]
pub struct Execution {
    /// The command line. It may hold secrets.
    pub line: String,
    /// Written to its standard input, then that ends; when empty, it ends at once.
    pub stdin: Vec<u8>,
    /// Whether it gets a pseudo-terminal.
    pub tty: bool,
    /// How long it may take, instead of `commands.timeout_s`.
    pub timeout: Option<Duration>,
    /// Whether a link lost after it began means that it worked, as of a reboot.
    pub ends_link: bool,
    /// Texts that must not be seen in the output.
    pub secrets: Vec<String>,
}

impl fmt::Debug for Execution {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Execution")
            .field("tty", &self.tty)
            .field("timeout", &self.timeout)
            .field("ends_link", &self.ends_link)
            .finish_non_exhaustive()
    }
}
