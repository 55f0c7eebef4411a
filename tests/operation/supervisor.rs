//! What is told to the socket that `NOTIFY_SOCKET` names, as systemd would read it.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram as StdDatagram};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::net::UnixDatagram;

use crate::support::{Client, Engine, Server, eventually, free_address, within};

/// Who listens as systemd does.
struct Supervisor {
    socket: UnixDatagram,
    /// The value of `NOTIFY_SOCKET`.
    name: String,
    directory: TempDir,
}

/// What it has started; killed when dropped.
struct Supervised(Child);

impl Supervisor {
    fn at_a_path() -> Self {
        let directory = TempDir::with_prefix("fleetwire-notify-").unwrap();
        let path = directory.path().join("notify");
        Self {
            socket: UnixDatagram::bind(&path).unwrap(),
            name: path.to_str().unwrap().to_owned(),
            directory,
        }
    }

    /// A name without a file, which systemd writes with an `@`.
    fn at_a_name() -> Self {
        let name = format!("fleetwire-test-{}", uuid::Uuid::new_v4().simple());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let socket = StdDatagram::bind_addr(&address).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self {
            socket: UnixDatagram::from_std(socket).unwrap(),
            name: format!("@{name}"),
            directory: TempDir::with_prefix("fleetwire-notify-").unwrap(),
        }
    }

    fn start(&self, mut command: Command) -> Supervised {
        let log = std::fs::File::create(self.directory.path().join("log")).unwrap();
        command
            .env("NOTIFY_SOCKET", &self.name)
            .stdin(Stdio::null())
            .stderr(log);
        Supervised(command.spawn().unwrap())
    }

    /// The lines of the next message.
    async fn hear(&self) -> Vec<String> {
        let mut bytes = [0; 4096];
        let heard = within("a message", self.socket.recv(&mut bytes)).await;
        let text = std::str::from_utf8(&bytes[..heard.unwrap()]).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// The first message with this line, and what came before it.
    async fn hear_until(&self, line: &str) -> (Vec<String>, Vec<String>) {
        let mut before = Vec::new();
        loop {
            let message = self.hear().await;
            if message.iter().any(|it| it == line) {
                return (before, message);
            }
            before.extend(message);
        }
    }
}

impl Supervised {
    fn terminate(&self) {
        kill_process(Pid::from_child(&self.0), Signal::TERM).unwrap();
    }

    async fn exit(&mut self) -> ExitStatus {
        eventually("the program ends", async || self.0.try_wait().unwrap()).await
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn the_server_says_when_it_is_ready_alive_and_about_to_stop() {
    for supervisor in [Supervisor::at_a_path(), Supervisor::at_a_name()] {
        let server = Server::prepare(Engine::Sqlite, &[("SERVER__DRAIN_S", "1")]).await;
        let address = server.address();
        let mut command = server.command(&["serve", "--listen", &address.to_string()]);
        command.env("WATCHDOG_USEC", "200000");
        let mut process = supervisor.start(command);

        let (before, ready) = supervisor.hear_until("READY=1").await;
        assert!(
            before.contains(&"STATUS=opening the database".to_owned()),
            "{before:?}"
        );
        let status = format!("STATUS=listening on http://{address}");
        assert!(ready.contains(&status), "{ready:?}");
        // At once, without another attempt.
        Client::of(address).get("/readyz").await.expect(200);

        for _ in 0..3 {
            supervisor.hear_until("WATCHDOG=1").await;
        }
        process.terminate();
        let (_, stopping) = supervisor.hear_until("STOPPING=1").await;
        let status = "STATUS=closing sockets over 1 s".to_owned();
        assert!(stopping.contains(&status), "{stopping:?}");
        assert!(process.exit().await.success());
    }
}

#[tokio::test]
async fn nobody_is_told_of_a_heart_that_nobody_asked_for() {
    let supervisor = Supervisor::at_a_path();
    let server = Server::prepare(Engine::Sqlite, &[("SERVER__DRAIN_S", "1")]).await;
    let address = server.address().to_string();
    let mut command = server.command(&["serve", "--listen", &address]);
    // That of another process, which handed its environment on.
    command
        .env("WATCHDOG_USEC", "1000")
        .env("WATCHDOG_PID", "1");
    let mut process = supervisor.start(command);
    supervisor.hear_until("READY=1").await;
    process.terminate();
    let (before, _) = supervisor.hear_until("STOPPING=1").await;
    assert_eq!(before, [""; 0]);
    assert!(process.exit().await.success());
}

#[tokio::test]
async fn a_server_that_cannot_start_is_never_ready() {
    let supervisor = Supervisor::at_a_path();
    let server = Server::prepare(Engine::Sqlite, &[]).await;
    let taken = std::net::TcpListener::bind(server.address()).unwrap();
    let address = server.address().to_string();
    let mut process = supervisor.start(server.command(&["serve", "--listen", &address]));
    assert_eq!(process.exit().await.code(), Some(1));
    drop(taken);
    // What it told before it ended is all here by now.
    let told = supervisor.hear().await;
    assert_eq!(told, ["STATUS=opening the database"]);
    assert!(
        supervisor.socket.try_recv(&mut [0; 1]).is_err(),
        "it said more"
    );
}

/// The gateway serves whether or not OpenWISP's database and Redis are there: it is ready when it listens.
#[tokio::test]
async fn the_gateway_is_ready_when_it_listens() {
    let supervisor = Supervisor::at_a_path();
    let nobody = free_address();
    let mut command = Command::new(env!("CARGO_BIN_EXE_fleetwire"));
    let socket = supervisor.directory.path().join("gateway.sock");
    let place = format!("unix:{}", socket.display());
    command
        .args(["gateway", "--listen", &place])
        .current_dir(supervisor.directory.path())
        .envs([
            ("DB_ENGINE", "django.contrib.gis.db.backends.postgis"),
            ("DB_NAME", "openwisp"),
            ("DB_USER", "openwisp"),
            ("DB_HOST", "127.0.0.1"),
            ("DB_PORT", &nobody.port().to_string()),
            ("REDIS_HOST", "127.0.0.1"),
            ("REDIS_PORT", &nobody.port().to_string()),
            ("DASHBOARD_DOMAIN", "dashboard.example.org"),
            ("DJANGO_SECRET_KEY", "a key"),
            ("FLEETWIRE_SERVER__DRAIN_S", "1"),
        ]);
    let mut process = supervisor.start(command);
    let (_, ready) = supervisor.hear_until("READY=1").await;
    assert!(
        ready.contains(&format!("STATUS=listening on {place}")),
        "{ready:?}"
    );
    assert!(std::os::unix::net::UnixStream::connect(&socket).is_ok());
    process.terminate();
    supervisor.hear_until("STOPPING=1").await;
    assert!(process.exit().await.success());
}
