//! Daphne with Django Channels: what OpenWISP serves its sockets with.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::Result;

use super::{Kind, Running, pinned, speaking};

/// A consumer in a group, with the layer in memory: cheaper than OpenWISP's, which goes through Redis.
pub struct Daphne;

fn python() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/openwisp/venv/bin/python")
}

impl Kind for Daphne {
    fn name(&self) -> &'static str {
        "daphne"
    }

    fn missing(&self) -> Option<String> {
        (!python().exists()).then(|| "it is not installed: make openwisp".to_owned())
    }

    /// A connect takes milliseconds.
    fn most(&self) -> usize {
        1000
    }

    fn start(&self) -> Result<Running> {
        let script =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("bench/fanout/server/consumer.py");
        let mut command = pinned(&python().to_string_lossy());
        command.arg(script).stderr(Stdio::null());
        speaking(command, "/", Vec::new())
    }
}
