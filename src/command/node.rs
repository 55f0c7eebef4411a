//! Who this node is: the same after a restart, so that it finds what it left running.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::event::NodeId;

const FILE: &str = "node";

/// This node's identity, its own for as long as this lives.
#[derive(Debug)]
pub struct Node {
    /// What its claims name.
    pub id: NodeId,
    /// Locked: a second process over the same directory is another node.
    _file: Option<File>,
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
                _file: None,
            }
        })
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
        let id = if let Ok(id) = text.trim().parse() {
            id
        } else {
            let id = NodeId::random();
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{id}")?;
            file.sync_all()?;
            id
        };
        Ok(Self {
            id,
            _file: Some(file),
        })
    }
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
}
