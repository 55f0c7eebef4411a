//! Who this node is: the same after a restart, so that it finds what it left running.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::event::NodeId;

const FILE: &str = "node";

/// What tells machines apart: the first is another one after each start, and out of sight in a unit with
/// `ProcSubset=pid`; the second is made anew for a copied image, as a rule.
const MACHINE_IDS: [&str; 2] = ["/proc/sys/kernel/random/boot_id", "/etc/machine-id"];

/// This node's identity, its own for as long as this lives.
#[derive(Debug)]
pub struct Node {
    /// What its claims name.
    pub id: NodeId,
    is_at_home: bool,
    /// Locked: a second process over the same directory is another node.
    file: Option<File>,
}

impl Node {
    /// The node of the directory, or a new one where that is not to be had: another process has it,
    /// or nothing can be written there. What a new one leaves running is ended by others, later.
    #[must_use]
    pub fn of(directory: &Path) -> Self {
        Self::stored(directory).unwrap_or_else(|error| {
            tracing::info!(%error, "this node has no lasting identity in {}", directory.display());
            Self {
                id: NodeId::random(),
                is_at_home: true,
                file: None,
            }
        })
    }

    /// Whether a node keeps its identity in the directory: a server has run over it.
    #[must_use]
    pub fn is_kept_in(directory: &Path) -> bool {
        directory.join(FILE).is_file()
    }

    /// Whether the identity can only be this node's: it was made or used on this machine since that was
    /// started. One that was not may have come with a copied directory, and be another node's as well.
    #[must_use]
    pub fn is_at_home(&self) -> bool {
        self.is_at_home
    }

    /// Takes another identity, and keeps it in the place of the one that turned out to be another node's.
    ///
    /// # Errors
    /// When it cannot be kept; it is taken all the same.
    pub fn renew(&mut self) -> io::Result<()> {
        self.id = NodeId::random();
        self.is_at_home = true;
        self.file
            .as_mut()
            .map_or(Ok(()), |file| write(file, self.id, &machine()))
    }

    fn stored(directory: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(directory)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(directory.join(FILE))?;
        file.try_lock().map_err(io::Error::from)?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let mut lines = text.lines().map(str::trim);
        let (kept, machine) = (lines.next().and_then(|it| it.parse().ok()), machine());
        let is_at_home = kept.is_none() || lines.next() == Some(machine.trim());
        let id = kept.unwrap_or_else(NodeId::random);
        if kept.is_none() || !is_at_home {
            write(&mut file, id, &machine)?;
        }
        Ok(Self {
            id,
            is_at_home,
            file: Some(file),
        })
    }
}

/// What tells this machine, as long as it runs, from every other one and from containers beside us.
fn machine() -> String {
    let ids = MACHINE_IDS.map(|file| std::fs::read_to_string(file).unwrap_or_default());
    let system = rustix::system::uname();
    let name = system.nodename().to_string_lossy();
    format!("{} {} {name}", ids[0].trim(), ids[1].trim())
}

fn write(file: &mut File, id: NodeId, machine: &str) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{id}\n{machine}")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_the_same_after_a_restart_and_another_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let first = Node::of(directory.path());
        let beside = Node::of(directory.path());
        assert_ne!(first.id, beside.id);
        let id = first.id;
        drop(first);
        assert_eq!(Node::of(directory.path()).id, id);
    }

    #[test]
    fn an_identity_that_came_from_elsewhere_is_told_and_can_be_left() {
        let directory = tempfile::tempdir().unwrap();
        let first = Node::of(directory.path());
        assert!(first.is_at_home());
        let id = first.id;
        drop(first);
        // As it is in the image of another machine, or was before this one was started anew.
        for copied in [format!("{id}\nother machine\n"), format!("{id}\n")] {
            std::fs::write(directory.path().join(FILE), copied).unwrap();
            let copy = Node::of(directory.path());
            assert!(copy.id == id && !copy.is_at_home());
        }
        let mut copy = Node::of(directory.path());
        assert!(copy.is_at_home(), "it was used here before");
        copy.renew().unwrap();
        assert_ne!(copy.id, id);
        let renewed = copy.id;
        drop(copy);
        assert_eq!(Node::of(directory.path()).id, renewed);
    }
}
