//! What commands leave on the device, and what they wait for there.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use crate::support::eventually;

/// A directory that both the commands and the test write to. When it is gone, whatever waits in it
/// ends.
pub struct Witness(TempDir);

impl Witness {
    pub fn new() -> Self {
        let directory = TempDir::with_prefix("fleetwire-witness-").unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
        Self(directory)
    }

    /// A file in it, for a command line.
    pub fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    /// A part of a command line that waits until the test opens this gate.
    pub fn wait_for(&self, gate: &str) -> String {
        let (directory, gate) = (self.path(""), self.path(gate));
        format!("while [ -d {directory} ] && [ ! -e {gate} ]; do sleep 0.05; done")
    }

    /// Lets those go on who wait for this gate.
    pub fn open(&self, gate: &str) {
        fs::write(self.path(gate), "").unwrap();
    }

    /// What a command has written; "" when it did not run.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// Waits until a command has made this file.
    pub async fn exists(&self, name: &str) {
        let path = self.0.path().join(name);
        eventually("a command makes a file", async || {
            path.exists().then_some(())
        })
        .await;
    }

    /// Waits until a command has written something.
    pub async fn written(&self, name: &str) {
        eventually("a command writes", async || {
            (!self.read(name).is_empty()).then_some(())
        })
        .await;
    }
}
