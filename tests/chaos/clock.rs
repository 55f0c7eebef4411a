//! The clock of one node, which can be turned: libfaketime, loaded into its process.

use std::fs;
use std::path::{Path, PathBuf};

/// Where Debian keeps it; `*` is the machine's kind.
const LIBRARIES: &str = "/usr/lib";
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

/// What a process is started with whose clock follows a file.
pub struct Clock {
    library: PathBuf,
    file: PathBuf,
}

impl Clock {
    /// A clock that is right, with its file in `directory`; or why there can be none.
    pub fn make(directory: &Path) -> Result<Self, String> {
        let folders = fs::read_dir(LIBRARIES).map_err(|error| format!("{LIBRARIES}: {error}"))?;
        let mut libraries = folders.filter_map(|folder| Some(folder.ok()?.path().join(LIBRARY)));
        let library = libraries.find(|it| it.exists());
        let clock = Self {
            library: library.ok_or("libfaketime is not installed (Debian's faketime)")?,
            file: directory.join("clock"),
        };
        clock.turn("+0");
        Ok(clock)
    }

    /// Turns it by so much from what is right, such as `-1h`.
    pub fn turn(&self, by: &str) {
        // As one step: it is read while the node runs.
        let new = self.file.with_extension("new");
        fs::write(&new, by).unwrap();
        fs::rename(new, &self.file).unwrap();
    }

    /// The clock that counts up is real: an operator who sets the time does not turn it.
    pub fn environment(&self) -> Vec<(String, String)> {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        [
            ("LD_PRELOAD", text(&self.library)),
            ("FAKETIME_TIMESTAMP_FILE", text(&self.file)),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("FAKETIME_CACHE_DURATION", "1".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }
}
