//! What the operating system lets a test do.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the number of files that this process may open, as far as it is allowed to.
pub fn allow_open_files(count: u64) {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < count) {
        let current = Some(count.min(limit.maximum.unwrap_or(count)));
        setrlimit(Resource::Nofile, Rlimit { current, ..limit }).expect("up to the hard limit");
    }
}
