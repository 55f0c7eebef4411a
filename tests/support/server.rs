//! The real program, in a process of its own.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::postgres;
use super::process::Process;
use super::{Client, Credential};

const PROGRAM: &str = env!("CARGO_BIN_EXE_fleetwire");

/// What secrets are encrypted with on PostgreSQL, where a test does not say otherwise.
const SECRETS_KEY: &str = "5bd02a3de18a2a7cde4a5adb04fb9a67d9ad0bd08a6b9e6e8e5c1f3ce9a3b0f1";

/// Where a server keeps its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// `fleetwire serve` with a data directory and database of its own. Killed when dropped; its log is
/// printed when the test has failed.
pub struct Server {
    /// Its log is in the directory: it goes first.
    process: Process,
    directory: TempDir,
    settings: Vec<(String, String)>,
    address: SocketAddr,
}

/// Where and how a node runs, beside its settings.
#[derive(Default)]
pub struct Surroundings {
    /// Where it listens; a free port of the loopback interface where none is given.
    pub address: Option<SocketAddr>,
    /// A program that starts it in its own place, as `ip netns exec` does, with its first arguments.
    pub launcher: Vec<String>,
    pub environment: Vec<(String, String)>,
}

/// How much memory a process holds, in KiB.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Now resident.
    pub resident: u64,
    /// The most that was resident since [`Server::forget_peak`].
    pub peak: u64,
}

impl Server {
    /// A running server on SQLite with the default configuration.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// A running server on SQLite; `settings` are `("SECTION__KEY", "value")`.
    pub async fn start_with(settings: &[(&str, &str)]) -> Self {
        let mut server = Self::prepare(Engine::Sqlite, settings).await;
        server.run().await;
        server
    }

    /// Everything but the process: the command line works, nothing listens yet.
    pub async fn prepare(engine: Engine, settings: &[(&str, &str)]) -> Self {
        let mut settings: Vec<_> = settings
            .iter()
            .map(|(key, value)| (format!("FLEETWIRE_{key}"), (*value).to_owned()))
            .collect();
        if engine == Engine::Postgres {
            let url = postgres::create_database().await;
            settings.push(("FLEETWIRE_DATABASE__URL".to_owned(), url));
            // There no server starts without one.
            let key = "FLEETWIRE_SECRETS__KEY".to_owned();
            if !settings.iter().any(|(name, _)| *name == key) {
                settings.push((key, SECRETS_KEY.to_owned()));
            }
        }
        Self::with(settings)
    }

    /// Another node on the same database, which must be one that nodes can share.
    pub fn beside(&self) -> Self {
        Self::with(self.settings.clone())
    }

    /// Like [`Server::beside`], in surroundings of its own.
    pub fn beside_in(&self, surroundings: &Surroundings) -> Self {
        Self::within(self.settings.clone(), surroundings)
    }

    /// The same with other settings: `("SECTION__KEY", "value")`, which win.
    pub fn beside_with(&self, settings: &[(&str, &str)]) -> Self {
        let mut all = self.settings.clone();
        for (key, value) in settings {
            let key = format!("FLEETWIRE_{key}");
            all.retain(|(name, _)| *name != key);
            all.push((key, (*value).to_owned()));
        }
        Self::with(all)
    }

    fn with(settings: Vec<(String, String)>) -> Self {
        Self::within(settings, &Surroundings::default())
    }

    fn within(settings: Vec<(String, String)>, surroundings: &Surroundings) -> Self {
        let directory = TempDir::with_prefix("fleetwire-test-").expect("a temporary directory");
        let address = surroundings.address.unwrap_or_else(free_address);
        let arguments = ["serve", "--listen", &address.to_string()];
        let mut command = program(&directory, &settings, &arguments);
        if let [launcher, options @ ..] = &*surroundings.launcher {
            let mut launched = Command::new(launcher);
            launched
                .args(options)
                .arg(command.get_program())
                .args(command.get_args());
            launched
                .current_dir(directory.path())
                .envs(settings.iter().cloned());
            command = launched;
        }
        command.envs(surroundings.environment.iter().cloned());
        let log = directory.path().join("test-server.log");
        Self {
            process: Process::new(&format!("the server at {address}"), command, &log),
            directory,
            settings,
            address,
        }
    }

    /// Starts the process, and returns when its port accepts: by contract it is ready then.
    pub async fn run(&mut self) {
        let address = self.address;
        self.process.start();
        self.process
            .ready(async || TcpStream::connect(address).ok())
            .await;
    }

    /// The URL of its database; none for SQLite.
    pub fn database_url(&self) -> Option<&str> {
        let is_url = |(key, _): &&(String, String)| key == "FLEETWIRE_DATABASE__URL";
        let found = self.settings.iter().find(is_url);
        found.map(|(_, url)| &**url)
    }

    /// Where it keeps its files.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The file of its SQLite database.
    pub fn database_file(&self) -> PathBuf {
        self.directory.path().join("fleetwire.db")
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its origin, as a browser would name it.
    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A client of its REST interface.
    pub fn client(&self, credential: &Credential) -> Client {
        Client::new(self, credential.clone())
    }

    /// Runs the command line on the same data and answers with the JSON that it printed.
    pub fn cli(&self, arguments: &[&str]) -> Value {
        self.cli_with_input(arguments, "")
    }

    /// Like [`Server::cli`], with something to read on the standard input.
    pub fn cli_with_input(&self, arguments: &[&str], input: &str) -> Value {
        let (code, stdout, stderr) = self.try_cli(arguments, input);
        assert_eq!(code, 0, "fleetwire {arguments:?}: {stderr}");
        if stdout.trim().is_empty() {
            return Value::Null;
        }
        serde_json::from_str(&stdout)
            .unwrap_or_else(|error| panic!("fleetwire {arguments:?}: {error} in {stdout}"))
    }

    /// Runs the command line and answers with its exit code, standard output and standard error.
    pub fn try_cli(&self, arguments: &[&str], input: &str) -> (i32, String, String) {
        let mut child = self
            .command(&with_options(arguments, &["--json"]))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        // A command that does not read its input closes the pipe: that is not an error of the test.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let output = child.wait_with_output().expect("the program ends");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        (
            output.status.code().unwrap_or(-1),
            text(output.stdout),
            text(output.stderr),
        )
    }

    /// Like [`Server::try_cli`], without `--json` and without anything to read.
    pub fn try_plain_cli(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = self
            .command(arguments)
            .output()
            .expect("the program starts");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        (
            output.status.code().unwrap_or(-1),
            text(output.stdout),
            text(output.stderr),
        )
    }

    /// Writes a file beside the data and answers with its path.
    pub fn file(&self, name: &str, content: &str) -> String {
        let path = self.directory.path().join(name);
        std::fs::write(&path, content).expect("the file can be written");
        path.to_str().expect("UTF-8").to_owned()
    }

    /// The files of its directory that hold `text`: of the database, the key, the log, whatever
    /// it writes.
    pub fn files_with(&self, text: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.directory.path()).expect("the directory is there");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        let holds = |path: &PathBuf| {
            let bytes = std::fs::read(path).unwrap_or_default();
            let mut windows = bytes.windows(text.len());
            windows.any(|window| window == text.as_bytes())
        };
        paths.filter(holds).collect()
    }

    /// Everything that the server has printed so far.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Ends the process with `signal` without waiting for it.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Waits until the process has ended.
    pub async fn exit(&mut self) -> ExitStatus {
        self.process.exit().await
    }

    /// `kill -9`: no chance to write, close or say anything.
    pub async fn kill(&mut self) {
        self.process.kill().await;
    }

    /// SIGTERM, and the end of the process.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.process.terminate().await
    }

    /// What the process holds, as the kernel counts it.
    pub fn memory(&self) -> Memory {
        let path = format!("/proc/{}/status", self.process.pid().as_raw_nonzero());
        let status = std::fs::read_to_string(path).expect("the server runs");
        let read = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            let number = line.and_then(|rest| rest.trim().strip_suffix(" kB"));
            number
                .and_then(|number| number.parse().ok())
                .expect("a size in kB")
        };
        Memory {
            resident: read("VmRSS:"),
            peak: read("VmHWM:"),
        }
    }

    /// Makes the peak of [`Server::memory`] start anew from what is resident now.
    pub fn forget_peak(&self) {
        let path = format!("/proc/{}/clear_refs", self.process.pid().as_raw_nonzero());
        std::fs::write(path, "5").expect("the peak can be reset");
    }

    /// The program with `arguments` on the data of this server.
    pub fn command(&self, arguments: &[&str]) -> Command {
        program(&self.directory, &self.settings, arguments)
    }
}

fn program(directory: &TempDir, settings: &[(String, String)], arguments: &[&str]) -> Command {
    let path = directory.path().to_str().expect("UTF-8");
    let mut command = Command::new(PROGRAM);
    command
        .args(with_options(arguments, &["--data-dir", path]))
        .current_dir(path)
        .envs(settings.iter().cloned());
    command
}

/// The arguments with options after them, yet before `--`, behind which nothing is an option.
fn with_options<'a>(arguments: &[&'a str], options: &[&'a str]) -> Vec<&'a str> {
    let end = arguments.iter().position(|argument| *argument == "--");
    let (before, behind) = arguments.split_at(end.unwrap_or(arguments.len()));
    [before, options, behind].concat()
}

/// A port of the loopback interface that nobody listens at. Taken below the range that the kernel
/// gives to outgoing connections, so that no connection of another test sits on it by the time
/// the server binds it.
pub fn free_address() -> SocketAddr {
    const FIRST: u16 = 12_000;
    const COUNT: u16 = 16_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Test programs that run at the same time start at different places.
    let start = u16::try_from(std::process::id() % u32::from(COUNT)).expect("below COUNT");
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + (start.wrapping_add(step)) % COUNT;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}
