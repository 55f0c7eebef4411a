//! Node with `ws`.

use std::path::PathBuf;

use anyhow::Result;

use super::{Kind, Running, installed, pinned, speaking};

const PROGRAM: &str = "node";

/// `ws` with its defaults.
pub struct Node;

/// Where `npm ci` puts it.
fn modules() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/clients/node/node_modules")
}

impl Kind for Node {
    fn name(&self) -> &'static str {
        "node-ws"
    }

    fn missing(&self) -> Option<String> {
        let lacks = "the npm package ws is not installed: npm ci --prefix tests/clients/node";
        let package = (!modules().join("ws").exists()).then(|| lacks.to_owned());
        installed(PROGRAM).or(package)
    }

    fn start(&self) -> Result<Running> {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("bench/fanout/server/ws.cjs");
        let mut command = pinned(PROGRAM);
        command.arg(script).arg(modules().join("ws"));
        speaking(command, "/", Vec::new())
    }
}
