//! A Redis of a test's own.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use reqwest::Url;
use rustix::process::Signal;

use super::free_address;
use super::process::Process;

/// A Redis that keeps what it was told when it is killed, as one with a volume does.
pub struct Redis {
    process: Process,
    address: SocketAddr,
    password: Option<String>,
}

impl Redis {
    /// A running one, with its files in `directory`; `name` tells it from others there.
    pub async fn start(directory: &Path, name: &str, password: Option<&str>) -> Self {
        Self::start_at(free_address(), directory, name, password).await
    }

    /// The same at an address of this machine.
    pub async fn start_at(
        address: SocketAddr,
        directory: &Path,
        name: &str,
        password: Option<&str>,
    ) -> Self {
        let data = directory.join(name);
        std::fs::create_dir(&data).expect("a directory");
        let mut command = Command::new("redis-server");
        command
            .args([
                "--bind",
                &address.ip().to_string(),
                "--protected-mode",
                "no",
            ])
            .args(["--save", "", "--appendonly", "yes"])
            .args(["--port", &address.port().to_string()])
            .arg("--dir")
            .arg(&data);
        if let Some(password) = password {
            command.args(["--requirepass", password]);
        }
        let log = directory.join(format!("{name}.log"));
        let mut redis = Self {
            process: Process::new(name, command, &log),
            address,
            password: password.map(str::to_owned),
        };
        redis.run().await;
        redis
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of one of its databases.
    pub fn url(&self, database: u8) -> String {
        let place = format!("redis://{}/{database}", self.address);
        let mut url = Url::parse(&place).expect("a URL");
        url.set_password(self.password.as_deref()).expect("a host");
        url.into()
    }

    /// Starts it again, at the same port with what it had.
    pub async fn run(&mut self) {
        self.process.start();
        let client = redis::Client::open(self.url(0)).expect("a URL");
        self.process
            .ready(async || client.get_multiplexed_async_connection().await.ok())
            .await;
    }

    /// Another connection to it.
    pub fn client(&self) -> redis::Client {
        redis::Client::open(self.url(0)).expect("a URL")
    }

    /// Ends it as an operator does.
    pub async fn terminate(&mut self) {
        self.process.terminate().await;
    }

    /// `kill -9`
    pub async fn kill(&mut self) {
        self.process.kill().await;
    }

    /// Makes it hang: connections stay, and nothing is answered.
    pub fn pause(&self) {
        self.process.signal(Signal::STOP);
    }

    /// The end of [`Redis::pause`].
    pub fn resume(&self) {
        self.process.signal(Signal::CONT);
    }

    /// Makes it forget everything.
    pub async fn flush(&self) {
        self.command(&["FLUSHALL"]).await;
    }

    /// What it answers to a command.
    pub async fn command(&self, words: &[&str]) -> redis::Value {
        self.command_in(0, words).await
    }

    /// The same in another of its databases.
    pub async fn command_in(&self, database: u8, words: &[&str]) -> redis::Value {
        let client = redis::Client::open(self.url(database)).expect("a URL");
        let mut connection = client
            .get_multiplexed_async_connection()
            .await
            .expect("Redis answers");
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        let answer = command.query_async(&mut connection).await;
        answer.unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }
}
