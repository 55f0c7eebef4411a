//! Real SSH servers to run commands on: OpenSSH's sshd and Dropbear, each on a port of its own.
//!
//! The unit tests of the SSH client use them, too; so this file knows no other of the support.
//!
//! What a test runs there runs on this very machine, in the account that `tests/servers/ssh.sh` made
//! for it, with a `PATH` whose first directory holds stand-ins for what would do harm: [`reboot`]
//! only cuts the connections of its server, `passwd` only writes down what it reads.
//!
//! [`reboot`]: OpenSsh

use std::fs;
use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use tempfile::TempDir;

/// The account that may log in.
#[derive(Clone)]
pub struct Account {
    pub user: String,
    pub password: String,
    pub home: PathBuf,
}

impl Account {
    pub fn of_the_tests() -> Self {
        Self {
            user: variable("FLEETWIRE_TEST_SSH_USER"),
            password: variable("FLEETWIRE_TEST_SSH_PASSWORD"),
            home: variable("FLEETWIRE_TEST_SSH_HOME").into(),
        }
    }
}

fn variable(name: &str) -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "these are the tests' settings, not the product's"
    )]
    let value = std::env::var(name);
    value.unwrap_or_else(|_| {
        panic!("{name} is not set: run `make test`, or `tests/servers/ssh.sh cargo test`")
    })
}

/// An sshd.
pub struct OpenSsh;

/// What an sshd is like.
#[derive(Default)]
pub struct Options {
    /// Kinds of host keys as `ssh-keygen -t` takes them; Ed25519 when there is none.
    pub host_keys: &'static [&'static str],
    /// The public key in OpenSSH's one-line form that the account's owner has.
    pub authorized: Option<String>,
    /// Lines of `sshd_config` that go before all others, and so win.
    pub configuration: &'static [&'static str],
    /// What `passwd` does before it ends, as a line of shell.
    pub after_passwd: String,
}

impl OpenSsh {
    pub fn start(options: &Options) -> Server {
        let rooms = Rooms::furnish(&options.after_passwd);
        let kinds = match options.host_keys {
            [] => &["ed25519"],
            kinds => kinds,
        };
        let mut host_keys = Vec::new();
        let mut lines: Vec<String> = options.configuration.iter().map(|&it| it.into()).collect();
        for kind in kinds {
            let file = rooms.path(&format!("host_{kind}"));
            host_keys.push(generate_key(&file, kind, None));
            lines.push(format!("HostKey {}", file.display()));
        }
        let authorized = rooms.path("authorized_keys");
        fs::write(&authorized, options.authorized.as_deref().unwrap_or("")).unwrap();
        // Not a forced command: sshd passes no signals on to one.
        lines.push(format!(
            "SetEnv PATH={}:/usr/local/bin:/usr/bin:/bin",
            rooms.stand_ins().display()
        ));
        lines.push(format!("AllowUsers {}", Account::of_the_tests().user));
        lines.push(format!("AuthorizedKeysFile {}", authorized.display()));
        lines.extend(
            [
                "UsePAM no",
                "PasswordAuthentication yes",
                "KbdInteractiveAuthentication no",
                "StrictModes no",
                "PrintMotd no",
                "PrintLastLog no",
                "LogLevel VERBOSE",
            ]
            .map(str::to_owned),
        );
        let configuration = rooms.path("sshd_config");
        fs::write(&configuration, lines.join("\n") + "\n").unwrap();
        let program = variable("FLEETWIRE_TEST_SSHD");
        let arguments = vec![
            "-i".to_owned(),
            "-e".to_owned(),
            "-f".to_owned(),
            configuration.display().to_string(),
        ];
        Server::start(rooms, host_keys, program, arguments)
    }
}

/// A Dropbear, with an Ed25519 host key.
pub struct Dropbear;

impl Dropbear {
    pub fn start() -> Server {
        Self::start_with(&[])
    }

    /// One that lets nobody in by password, and the owner of this public key. It looks for keys in
    /// the account's home, which it shares with every other one.
    pub fn start_for_key(public: &str) -> Server {
        let keys = Account::of_the_tests().home.join(".ssh");
        fs::create_dir_all(&keys).unwrap();
        let mut file = fs::File::options();
        let mut file = file
            .append(true)
            .create(true)
            .open(keys.join("authorized_keys"))
            .unwrap();
        file.write_all(format!("{public}\n").as_bytes()).unwrap();
        Self::start_with(&["-s"])
    }

    fn start_with(flags: &[&str]) -> Server {
        let rooms = Rooms::furnish("");
        let file = rooms.path("host_ed25519");
        let (key, program) = (file.display().to_string(), "dropbearkey");
        let told = run(program, &["-t", "ed25519", "-f", &key]);
        let host_key = told
            .lines()
            .find(|line| line.starts_with("ssh-ed25519 "))
            .unwrap();
        let mut words = host_key.split(' ');
        let host_key = format!("{} {}", words.next().unwrap(), words.next().unwrap());
        let forced = format!(
            "PATH={}:$PATH exec sh -c \"$SSH_ORIGINAL_COMMAND\"",
            rooms.stand_ins().display()
        );
        let program = variable("FLEETWIRE_TEST_DROPBEAR");
        let arguments = [&["-i", "-m", "-r", &key, "-c", &forced], flags].concat();
        let arguments = arguments.into_iter().map(str::to_owned).collect();
        Server::start(rooms, vec![host_key], program, arguments)
    }
}

/// One of each, which do some things differently.
pub fn both() -> [Server; 2] {
    [OpenSsh::start(&Options::default()), Dropbear::start()]
}

/// The same, which let nobody in by password, and the owner of this public key.
pub fn both_for_key(public: &str) -> [Server; 2] {
    let options = Options {
        authorized: Some(public.to_owned()),
        configuration: &["PasswordAuthentication no"],
        ..Options::default()
    };
    [OpenSsh::start(&options), Dropbear::start_for_key(public)]
}

/// A server that runs until it is dropped. It listens on every address of IPv4, so that 127.0.0.2
/// and its like are further addresses of the same device.
pub struct Server {
    address: SocketAddr,
    host_keys: Vec<String>,
    rooms: Rooms,
    open: Arc<Mutex<Open>>,
    threads: Vec<JoinHandle<()>>,
}

/// The connections of a server.
#[derive(Default)]
struct Open {
    is_over: bool,
    connections: Vec<TcpStream>,
}

impl Open {
    /// Their processes end by themselves.
    fn cut(&mut self) {
        for connection in self.connections.drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

impl Server {
    /// Serves each connection with a process of its own, as inetd would: so no port has to be
    /// guessed, and there is nothing to wait for.
    fn start(
        rooms: Rooms,
        host_keys: Vec<String>,
        program: String,
        arguments: Vec<String>,
    ) -> Self {
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let open = Arc::new(Mutex::new(Open::default()));
        let log = rooms.path("log");
        let serving = Arc::clone(&open);
        let accept = std::thread::spawn(move || {
            for connection in listener.incoming() {
                let connection = connection.unwrap();
                let mut open = serving.lock().unwrap();
                if open.is_over {
                    break;
                }
                open.connections.push(connection.try_clone().unwrap());
                let log = fs::File::options().append(true).create(true).open(&log);
                let socket = || OwnedFd::from(connection.try_clone().unwrap());
                let mut process = Command::new(&program)
                    .args(&arguments)
                    .stdin(socket())
                    .stdout(socket())
                    .stderr(log.unwrap())
                    .spawn()
                    .unwrap();
                std::thread::spawn(move || {
                    let _ = process.wait();
                    // What is kept for `cut` would hold it open.
                    let _ = connection.shutdown(Shutdown::Both);
                });
            }
        });
        let cut = Arc::clone(&open);
        let orders = fs::File::options()
            .read(true)
            .write(true)
            .open(rooms.orders())
            .unwrap();
        let obey = std::thread::spawn(move || {
            let mut order = [0];
            while std::io::Read::read_exact(&mut &orders, &mut order).is_ok() && order != *b"q" {
                cut.lock().unwrap().cut();
            }
        });
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            host_keys,
            rooms,
            open,
            threads: vec![accept, obey],
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its host keys in OpenSSH's one-line form.
    pub fn host_keys(&self) -> &[String] {
        &self.host_keys
    }

    /// What a stand-in has written down, if it ran: `passwd` the two lines that it read, `reboot`
    /// nothing.
    pub fn witness(&self, stand_in: &str) -> Option<String> {
        fs::read_to_string(self.rooms.path("witness").join(stand_in)).ok()
    }

    /// Cuts all connections.
    pub fn cut(&self) {
        self.open.lock().unwrap().cut();
    }

    /// What an sshd told about its connections; a Dropbear keeps no log here.
    pub fn log(&self) -> String {
        fs::read_to_string(self.rooms.path("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        {
            let mut open = self.open.lock().unwrap();
            open.is_over = true;
            open.cut();
        }
        // Wakes the threads, so that they see it.
        let _ = TcpStream::connect(self.address);
        let orders = fs::File::options().write(true).open(self.rooms.orders());
        let _ = orders.and_then(|mut orders| orders.write_all(b"q"));
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// A directory for the keys, the configuration and the stand-ins of a server.
struct Rooms(TempDir);

impl Rooms {
    fn furnish(after_passwd: &str) -> Self {
        let rooms = Self(tempfile::tempdir().unwrap());
        let witness = rooms.path("witness");
        fs::create_dir(&witness).unwrap();
        fs::create_dir(rooms.stand_ins()).unwrap();
        // The account of the tests reads and writes in here.
        allow(rooms.0.path(), 0o755);
        allow(&rooms.stand_ins(), 0o755);
        allow(&witness, 0o777);
        run("mkfifo", &[&rooms.orders().display().to_string()]);
        allow(&rooms.orders(), 0o666);
        rooms.stand_in(
            "passwd",
            &format!(
                "read -r new; read -r again\n\
                 printf '%s\\n%s\\n' \"$new\" \"$again\" >{}\n\
                 echo 'passwd: password changed'\n\
                 {after_passwd}",
                witness.join("passwd").display()
            ),
        );
        rooms.stand_in(
            "reboot",
            &format!(
                ": >{}\necho r >{}\nsleep 10",
                witness.join("reboot").display(),
                rooms.orders().display()
            ),
        );
        for harmful in ["halt", "poweroff", "shutdown", "init"] {
            rooms.stand_in(harmful, "exit 1");
        }
        rooms
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn stand_ins(&self) -> PathBuf {
        self.path("bin")
    }

    fn orders(&self) -> PathBuf {
        self.path("orders")
    }

    fn stand_in(&self, name: &str, script: &str) {
        let path = self.stand_ins().join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        allow(&path, 0o755);
    }
}

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Makes a private key in a file, in OpenSSH's form, and answers with its public key in one line
/// without a comment.
pub fn generate_key(file: &Path, kind: &str, passphrase: Option<&str>) -> String {
    let file = file.display().to_string();
    let passphrase = passphrase.unwrap_or("");
    run(
        "ssh-keygen",
        &["-q", "-t", kind, "-N", passphrase, "-C", "", "-f", &file],
    );
    let line = fs::read_to_string(file + ".pub").unwrap();
    line.trim().to_owned()
}

/// Runs a program to its end, and answers with what it printed.
pub fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}
