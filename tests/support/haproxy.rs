//! A real `HAProxy` that balances TCP.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use tokio::net::TcpStream;

use super::free_address;
use super::process::Process;

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
        // Debian keeps it where only root's `PATH` leads.
        let program = Path::new("/usr/sbin/haproxy");
        let mut command = Command::new(if program.exists() {
            program
        } else {
            Path::new("haproxy")
        });
        command.args(["-db", "-f"]).arg(&file);
        let mut process = Process::new("haproxy", command, &directory.join("haproxy.log"));
        process.start();
        process
            .ready(async || TcpStream::connect(address).await.ok())
            .await;
        Self {
            address,
            _process: process,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}
