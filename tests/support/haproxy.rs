//! A real `HAProxy` that balances TCP.

use std::net::SocketAddr;
use std::path::Path;

use super::free_address;
use super::process::{Process, system_program};

/// One that serves. Killed when dropped.
pub struct Haproxy {
    address: SocketAddr,
    _process: Process,
}

impl Haproxy {
    /// Hands what is said to it on to `server`, which has these `options`, such as `send-proxy-v2`; its
    /// files are in `directory`.
    pub async fn balance(directory: &Path, server: SocketAddr, options: &str) -> Self {
        let address = free_address();
        let text = format!(
            "defaults\n    mode tcp\n    timeout connect 10s\n    timeout client 1h\n    timeout server 1h\n\
             listen fleet\n    bind {address}\n    server node {server} {options}\n"
        );
        let file = directory.join("haproxy.cfg");
        std::fs::write(&file, text).expect("the folder can be written");
        let mut command = system_program("haproxy");
        command.args(["-db", "-f"]).arg(&file);
        Self {
            address,
            _process: Process::serving("haproxy", command, directory, address).await,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}
