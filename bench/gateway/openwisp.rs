//! A real OpenWISP's two servers of sockets, Daphne and ours, on one processor; and what publishes for both.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::program::{Process, SERVER_CPU, free_address};

/// What `tests/servers/openwisp.sh` says.
fn variable(name: &str) -> Result<String> {
    let name = format!("FLEETWIRE_TEST_OPENWISP_{name}");
    #[expect(
        clippy::disallowed_methods,
        reason = "the benchmark's settings, not the product's"
    )]
    std::env::var(&name).with_context(|| format!("{name} is not set: run `make bench-gateway`"))
}

/// Python with OpenWISP, on the database and the Redis of that script.
fn python(program: &str) -> Result<Command> {
    let project = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/openwisp");
    let redis = variable("REDIS")?;
    let mut command = Command::new(program);
    command
        .env("PYTHONPATH", project)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("DJANGO_SETTINGS_MODULE", "controller.settings")
        .env(
            "OPENWISP_DATABASE",
            format!("sqlite://{}", variable("LIVE")?),
        )
        .env("OPENWISP_CACHE", format!("unix://{redis}?db=0"))
        .env("OPENWISP_CHANNELS", format!("unix://{redis}?db=1"))
        .stderr(Stdio::null());
    Ok(command)
}

/// A server of sockets, and what the kernel knows of it.
pub struct Server {
    pub name: &'static str,
    pub address: String,
    process: Process,
}

impl Server {
    /// Daphne, as docker-openwisp starts it.
    pub async fn daphne() -> Result<Self> {
        let (address, python_path) = (free_address()?, variable("PYTHON")?);
        let port = address.rsplit(':').next().context("a port")?.to_owned();
        let child = python("taskset")?
            .args([
                "-c",
                SERVER_CPU,
                &python_path,
                "-m",
                "daphne",
                "--bind",
                "127.0.0.1",
            ])
            .args(["--port", &port, "controller.asgi:application"])
            .stdout(Stdio::null())
            .spawn()?;
        Self::ready("Daphne", address, Process(child)).await
    }

    /// The gateway, with an operator's settings.
    pub async fn gateway(directory: &TempDir) -> Result<Self> {
        let (address, redis) = (free_address()?, variable("REDIS")?);
        let child = Command::new("taskset")
            .args([
                "-c",
                SERVER_CPU,
                env!("CARGO_BIN_EXE_fleetwire"),
                "gateway",
                "--listen",
                &address,
            ])
            .arg("--data-dir")
            .arg(directory.path())
            .env("DB_ENGINE", "openwisp_utils.db.backends.spatialite")
            .env("DB_NAME", variable("LIVE")?)
            .env("REDIS_CACHE_URL", format!("unix://{redis}?db=0"))
            .env("CHANNEL_REDIS_URL", format!("unix://{redis}?db=1"))
            .env(
                "DJANGO_SECRET_KEY",
                "only-for-the-tests-of-fleetwire-0123456789-0123456789",
            )
            .env("DJANGO_ALLOWED_HOSTS", "*")
            .env("FLEETWIRE_LOG__LEVEL", "warn")
            .env("FLEETWIRE_LIMITS__CONNECTIONS_PER_ADDRESS", "0")
            .env("FLEETWIRE_LIMITS__HANDSHAKES_PER_SECOND_PER_ADDRESS", "0")
            .spawn()
            .context("taskset (util-linux) starts the server")?;
        Self::ready("fleetwire", address, Process(child)).await
    }

    async fn ready(name: &'static str, address: String, process: Process) -> Result<Self> {
        let deadline = Instant::now() + Duration::from_mins(1);
        while TcpStream::connect(&address).await.is_err() {
            ensure!(
                Instant::now() < deadline,
                "{name} did not listen within a minute"
            );
            sleep(Duration::from_millis(50)).await;
        }
        Ok(Self {
            name,
            address,
            process,
        })
    }

    /// Time on the processor, of all its threads.
    pub fn cpu(&self) -> Result<Duration> {
        let mut nanoseconds = 0;
        for task in fs::read_dir(self.proc("task"))? {
            let text = fs::read_to_string(task?.path().join("schedstat"))?;
            let on_cpu = text
                .split_whitespace()
                .next()
                .context("a strange schedstat")?;
            nanoseconds += on_cpu.parse::<u64>()?;
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// Bytes of memory that it holds now.
    pub fn memory(&self) -> Result<f64> {
        let status = fs::read_to_string(self.proc("status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line
            .and_then(|it| it.split_whitespace().next())
            .context("no VmRSS")?;
        Ok(kilobytes.parse::<f64>()? * 1024.0)
    }

    fn proc(&self, file: &str) -> PathBuf {
        Path::new("/proc")
            .join(self.process.0.id().to_string())
            .join(file)
    }
}

/// A Django that publishes.
pub struct Publisher {
    _process: Process,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Publisher {
    pub fn start() -> Result<Self> {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("bench/gateway/publish.py");
        let mut child: Child = python(&variable("PYTHON")?)?
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take().context("its input is a pipe")?;
        let output = BufReader::new(child.stdout.take().context("its output is a pipe")?);
        Ok(Self {
            _process: Process(child),
            input,
            output,
        })
    }

    /// The cookie of a superuser who has logged in.
    pub fn cookie(&mut self) -> Result<String> {
        let answer = self.ask("cookie")?;
        Ok(answer.as_str().context("a cookie is a text")?.to_owned())
    }

    /// Sends `messages` to the group of all locations, as fast as Django can.
    pub fn publish(&mut self, messages: usize) -> Result<()> {
        self.ask(&format!("publish {messages}")).map(drop)
    }

    fn ask(&mut self, line: &str) -> Result<Value> {
        writeln!(self.input, "{line}")?;
        let mut answer = String::new();
        if self.output.read_line(&mut answer)? == 0 {
            bail!("the publisher ended");
        }
        Ok(serde_json::from_str(&answer)?)
    }
}
