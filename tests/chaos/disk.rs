//! A small disk of its own for a node, which can be filled.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system in memory, mounted over a directory. Unmounted when dropped.
pub struct Disk {
    mounted: PathBuf,
}

const BALLAST: &str = "ballast";

impl Disk {
    /// Mounts one over `directory`, or says why it cannot be done.
    pub fn mount(directory: &Path) -> Result<Self, String> {
        let output = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=24m", "fleetwire-chaos"])
            .arg(directory)
            .output()
            .map_err(|error| format!("mount: {error}"))?;
        if output.status.success() {
            let mounted = directory.to_owned();
            return Ok(Self { mounted });
        }
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }

    /// Takes all the room that is left.
    pub fn fill(&self) {
        let mut ballast = File::create(self.mounted.join(BALLAST)).expect("room for a name");
        // By ever smaller pieces, until not a byte more fits.
        for size in [1 << 20, 1 << 12, 1] {
            let piece = vec![b'.'; size];
            while ballast.write_all(&piece).is_ok() {}
        }
    }

    /// Whether the kernel says so to somebody who wants to write another byte.
    pub fn is_full(&self) -> bool {
        let ballast = File::options()
            .append(true)
            .open(self.mounted.join(BALLAST));
        let written = ballast.and_then(|mut file| file.write_all(b"."));
        written.is_err_and(|error| error.kind() == ErrorKind::StorageFull)
    }

    /// Gives the room back.
    pub fn relieve(&self) {
        fs::remove_file(self.mounted.join(BALLAST)).expect("the ballast is there");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: whoever still has a file open there keeps that to its own end.
        let _ = Command::new("umount").arg("-l").arg(&self.mounted).status();
    }
}
