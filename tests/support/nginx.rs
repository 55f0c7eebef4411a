//! A real nginx with a configuration of the test's.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::free_address;
use super::process::{Process, system_program};

/// One that serves. Killed when dropped.
pub struct Nginx {
    address: SocketAddr,
    _process: Process,
}

impl Nginx {
    /// Serves `locations` at a port of its own, with its files in `directory`.
    pub async fn start(directory: &Path, locations: &str) -> Self {
        let address = free_address();
        let file = configuration(directory, address, locations);
        Self::run(directory, address, &file).await
    }

    /// Balances TCP connections between `servers`: each is handed to one that takes it, and what is said on
    /// it is passed on as it is.
    pub async fn balance(directory: &Path, servers: &[SocketAddr]) -> Self {
        Self::balance_with(directory, servers, "").await
    }

    /// The same with one more `directive`.
    pub async fn balance_with(directory: &Path, servers: &[SocketAddr], directive: &str) -> Self {
        let address = free_address();
        let file = balancer(directory, address, servers, directive);
        Self::run(directory, address, &file).await
    }

    async fn run(directory: &Path, address: SocketAddr, file: &Path) -> Self {
        let mut command = nginx(file);
        command.args(["-g", "daemon off; master_process off;"]);
        Self {
            address,
            _process: Process::serving("nginx", command, directory, address).await,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has to say about `locations`, where it would not start with them.
    pub fn check(directory: &Path, locations: &str) -> Result<(), String> {
        let file = configuration(directory, free_address(), locations);
        let output = nginx(&file).arg("-t").output().expect("nginx starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() && !said.contains("[warn]") {
            Ok(())
        } else {
            Err(said)
        }
    }
}

fn nginx(file: &Path) -> Command {
    let mut command = system_program("nginx");
    command.args(["-e", "stderr", "-c"]).arg(file);
    command
}

fn configuration(directory: &Path, address: SocketAddr, locations: &str) -> PathBuf {
    let folder = directory.display();
    // Where it would put what does not fit into memory, were these not named.
    let places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let places = places.map(|it| format!("    {it}_temp_path {folder}/{it};\n"));
    let text = format!(
        "pid {folder}/nginx.pid;\nevents {{}}\nhttp {{\n{}    access_log off;\n    \
         server {{\n        listen {address};\n{locations}\n    }}\n}}\n",
        places.concat()
    );
    let file = directory.join("nginx.conf");
    std::fs::write(&file, text).expect("the folder can be written");
    file
}

fn balancer(
    directory: &Path,
    address: SocketAddr,
    servers: &[SocketAddr],
    directive: &str,
) -> PathBuf {
    // Debian's nginx has it as a module of its own; where it is built in there is no such file.
    let module = Path::new("/usr/lib/nginx/modules/ngx_stream_module.so");
    let load = if module.exists() {
        format!("load_module {};\n", module.display())
    } else {
        String::new()
    };
    let servers = servers
        .iter()
        .map(|server| format!("        server {server} max_fails=1 fail_timeout=2s;\n"));
    let text = format!(
        "{load}error_log stderr crit;\npid {}/nginx.pid;\nevents {{ worker_connections 18000; }}\nstream {{\n    upstream nodes {{\n        \
         least_conn;\n{}    }}\n    server {{\n        listen {address} backlog=4096 sndbuf=16k;\n        \
         proxy_pass nodes;\n        proxy_connect_timeout 2s;\n        proxy_timeout 1h;\n        {directive}\n    }}\n}}\n",
        directory.display(),
        servers.collect::<String>(),
    );
    let file = directory.join("nginx.conf");
    std::fs::write(&file, text).expect("the folder can be written");
    file
}
