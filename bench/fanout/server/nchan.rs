//! nchan in nginx: a channel that is published to by POST and read by WebSockets.

use std::path::Path;
use std::process::Stdio;

use anyhow::Result;

use super::{Kind, Running, installed, pinned, started};
use crate::client::protocol::{Piece, Protocol, WebSocket};

const PROGRAM: &str = "nginx";

/// Where Debian has it.
const MODULE: &str = "/usr/lib/nginx/modules/ngx_nchan_module.so";

/// One worker, no log of requests, messages kept for nobody.
const SETTINGS: &str = "
load_module /usr/lib/nginx/modules/ngx_nchan_module.so;
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid DIRECTORY/nginx.pid;
error_log DIRECTORY/error.log crit;
events { worker_connections 20000; }
http {
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  client_body_temp_path DIRECTORY/body;
  proxy_temp_path DIRECTORY/proxy;
  fastcgi_temp_path DIRECTORY/fastcgi;
  uwsgi_temp_path DIRECTORY/uwsgi;
  scgi_temp_path DIRECTORY/scgi;
  nchan_shared_memory_size 256M;
  server {
    listen ADDRESS backlog=4096;
    location = /publish {
      nchan_publisher http;
      nchan_channel_id bench;
      nchan_message_buffer_length 1000;
      nchan_message_timeout 10s;
    }
    location = /subscribe {
      nchan_subscriber websocket;
      nchan_channel_id bench;
      nchan_subscriber_first_message newest;
      nchan_websocket_ping_interval 20;
    }
  }
}
";

/// `nginx` with its module.
pub struct Nchan;

impl Kind for Nchan {
    fn name(&self) -> &'static str {
        "nchan"
    }

    fn missing(&self) -> Option<String> {
        let module = (!Path::new(MODULE).exists()).then(|| format!("there is no {MODULE}"));
        installed(PROGRAM).or(module)
    }

    fn start(&self) -> Result<Running> {
        let subscriber = WebSocket {
            path: "/subscribe",
            tokens: Vec::new(),
        };
        let protocol = Box::new(Posted(subscriber));
        started(self.name(), protocol, |address, directory| {
            let file = directory.join("nginx.conf");
            let settings = SETTINGS.replace("DIRECTORY", &directory.to_string_lossy());
            std::fs::write(&file, settings.replace("ADDRESS", &address.to_string()))?;
            let mut command = pinned(PROGRAM);
            // As root it would give its rights away, and with them the directory.
            command.args(["-g", "user root;", "-c"]).arg(&file);
            command.stderr(Stdio::null());
            Ok(command)
        })
    }
}

/// Published by POST on a kept connection, one behind the other.
struct Posted(WebSocket);

impl Protocol for Posted {
    fn hello(&self, number: usize) -> Vec<u8> {
        self.0.hello(number)
    }

    fn welcome(&self, bytes: &[u8]) -> Result<Option<usize>> {
        self.0.welcome(bytes)
    }

    fn next<'a>(&self, bytes: &'a [u8]) -> Result<Option<(Piece<'a>, usize)>> {
        self.0.next(bytes)
    }

    fn publish(&self, _location: usize, message: &[u8], bytes: &mut Vec<u8>) {
        let head = format!(
            "POST /publish HTTP/1.1\r\nHost: bench\r\nContent-Length: {}\r\n\r\n",
            message.len()
        );
        bytes.extend_from_slice(head.as_bytes());
        bytes.extend_from_slice(message);
    }
}
