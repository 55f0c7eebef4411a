//! A Redis of a test's own.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redis::FromRedisValue;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A server on a socket in a directory that vanishes with it.
pub(super) struct RedisServer {
    directory: TempDir,
    process: Child,
    options: Vec<String>,
}

impl RedisServer {
    pub(super) fn start() -> Self {
        Self::with(&[])
    }

    pub(super) fn with(options: &[&str]) -> Self {
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

    pub(super) fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    pub(super) async fn ask<T: FromRedisValue>(&self, command: &[&str]) -> T {
        let client = redis::Client::open(self.url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut question = redis::cmd(command[0]);
        question.arg(&command[1..]);
        question.query_async(&mut connection).await.unwrap()
    }

    /// All keys, in order.
    pub(super) async fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.ask(&["KEYS", "*"]).await;
        keys.sort();
        keys
    }

    /// As a crash: nothing is kept.
    pub(super) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub(super) fn start_again(&mut self) {
        self.process = launch(&self.directory, &self.options);
    }

    pub(super) fn signal(&self, signal: Signal) {
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
