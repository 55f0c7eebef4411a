//! A Redis of a test's own.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redis::FromRedisValue;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::openwisp::settings::{LayerKind, LayerSettings};

/// A server on a socket in a directory that vanishes with it.
pub(in crate::openwisp) struct RedisServer {
    directory: TempDir,
    process: Child,
    options: Vec<String>,
}

impl RedisServer {
    pub(in crate::openwisp) fn start() -> Self {
        Self::with(&[])
    }

    pub(in crate::openwisp) fn with(options: &[&str]) -> Self {
        let directory = TempDir::with_prefix("fleetwire-redis-").unwrap();
        let options: Vec<String> = options.iter().map(|&it| it.into()).collect();
        let process = launch(&directory, &options);
        Self {
            directory,
            process,
            options,
        }
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("redis.sock")
    }

    pub(in crate::openwisp) fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    pub(in crate::openwisp) async fn ask<T: FromRedisValue>(&self, command: &[&str]) -> T {
        let client = redis::Client::open(self.url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut question = redis::cmd(command[0]);
        question.arg(&command[1..]);
        question.query_async(&mut connection).await.unwrap()
    }

    /// All keys, in order.
    pub(in crate::openwisp) async fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.ask(&["KEYS", "*"]).await;
        keys.sort();
        keys
    }

    /// As a crash: nothing is kept.
    pub(in crate::openwisp) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub(in crate::openwisp) fn start_again(&mut self) {
        self.process = launch(&self.directory, &self.options);
    }

    pub(in crate::openwisp) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn launch(directory: &TempDir, options: &[String]) -> Child {
    let socket = directory.path().join("redis.sock");
    let _ = std::fs::remove_file(&socket);
    let process = Command::new("redis-server")
        .args(["--port", "0", "--save", "", "--unixsocket"])
        .arg(&socket)
        .arg("--dir")
        .arg(directory.path())
        .args(options)
        .stdout(Stdio::null())
        .spawn()
        .expect("no redis-server found; on Debian: apt-get install redis-server");
    let began = Instant::now();
    while UnixStream::connect(&socket).is_err() {
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "Redis does not start"
        );
        std::thread::yield_now();
    }
    process
}

/// A layer on these servers, as Django's defaults have it.
pub(in crate::openwisp) fn settings(kind: LayerKind, servers: &[&RedisServer]) -> LayerSettings {
    LayerSettings {
        kind,
        hosts: servers.iter().map(|server| server.url()).collect(),
        prefix: "asgi".into(),
        group_expiry_s: 86_400,
        capacity: 100,
        encryption_keys: Vec::new(),
    }
}
