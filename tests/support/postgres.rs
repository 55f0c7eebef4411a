//! A PostgreSQL database of its own for each server, and servers of a test's own.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use reqwest::Url;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use super::{free_address, within};

/// Names the server that the tests were given.
const VARIABLE: &str = "FLEETWIRE_TEST_POSTGRES_URL";

/// Makes a database that nothing else uses, in the PostgreSQL that the tests were given, and
/// answers with its URL as the configuration takes it. It stays when the test ends: the server
/// that `tests/servers/postgres.sh` starts is thrown away as a whole.
pub async fn create_database() -> String {
    create(&server_url(), "").await
}

/// Makes a copy of a database that nobody is connected to.
pub async fn copy_database(template: &str) -> String {
    let url = Url::parse(template).expect("a URL");
    let name = url.path().trim_start_matches('/');
    create(&server_url(), &format!("TEMPLATE {name}")).await
}

async fn create(server: &str, options: &str) -> String {
    let name = format!("fleetwire_outside_{}", uuid::Uuid::new_v4().simple());
    let mut connection = PgConnection::connect(server)
        .await
        .expect("PostgreSQL answers");
    // The name is made of letters and digits above: nothing in it can end the identifier.
    let statement = AssertSqlSafe(format!("CREATE DATABASE {name} {options}"));
    connection
        .execute(statement)
        .await
        .expect("the database is created");
    connection
        .close()
        .await
        .expect("the connection ends in order");
    let mut url = Url::parse(server).expect("a URL");
    url.set_path(&name);
    url.into()
}

/// A transaction of somebody else, in another database of the same server, that has written and
/// does not end before this is dropped. Until then the server knows of commits that may yet come
/// before everybody else's.
pub struct Straggler {
    _connection: PgConnection,
}

impl Straggler {
    pub async fn begin() -> Self {
        let mut connection = PgConnection::connect(&server_url())
            .await
            .expect("PostgreSQL answers");
        for statement in ["BEGIN", "SELECT pg_current_xact_id()"] {
            connection
                .execute(statement)
                .await
                .expect("the transaction begins");
        }
        Self {
            _connection: connection,
        }
    }
}

fn server_url() -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the tests' setting, not the product's"
    )]
    let url = std::env::var(VARIABLE);
    url.unwrap_or_else(|_| {
        panic!("{VARIABLE} is not set: run `make test`, or `tests/servers/postgres.sh cargo test`")
    })
}

/// A PostgreSQL that one test may stop: `tests/servers/postgres.sh` again, which ends with it.
pub struct OwnPostgres {
    url: String,
    script: Child,
    /// The script ends with its input, however the test ends.
    input: Option<ChildStdin>,
    /// What it is started with, beyond what the script says.
    options: String,
}

impl OwnPostgres {
    pub async fn start() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/postgres.sh");
        let mut script = Command::new(script)
            .args(["sh", "-c", "echo \"$FLEETWIRE_TEST_POSTGRES_URL\"; cat"])
            .env_remove(VARIABLE)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the script starts");
        let input = script.stdin.take().expect("a pipe");
        let output = script.stdout.take().expect("a pipe");
        let read = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            BufReader::new(output).read_line(&mut line).map(|_| line)
        });
        let line = within("a PostgreSQL", read).await.expect("no panic");
        let url = line.expect("text").trim().to_owned();
        assert!(!url.is_empty(), "no PostgreSQL started");
        Self {
            url,
            script,
            input: Some(input),
            options: String::new(),
        }
    }

    /// Makes it listen at an address of this machine, too, and answers with the URL of its database
    /// `postgres` there. Everybody who reaches it may enter.
    pub fn listen_at(&mut self, address: IpAddr) -> String {
        let port = free_address().port();
        let mut rules = File::options()
            .append(true)
            .open(self.directory().join("data/pg_hba.conf"))
            .expect("the rules can be written");
        rules
            .write_all(b"host all all all trust\n")
            .expect("the rules can be written");
        self.options = format!("-c listen_addresses={address} -c port={port}");
        // The name of its socket is made of the port.
        let mut url = Url::parse(&self.url).expect("a URL");
        url.query_pairs_mut().append_pair("port", &port.to_string());
        self.url = url.into();
        self.stop();
        self.run();
        format!("postgres://postgres@{address}:{port}/postgres")
    }

    /// The URL of another one of its databases, of which [`OwnPostgres::fill`] may make one.
    pub fn database(&self, name: &str) -> String {
        let mut url = Url::parse(&self.url).expect("a URL");
        url.set_path(name);
        url.into()
    }

    /// Makes a database from a dump.
    pub fn fill(&self, name: &str, dump: &Path) {
        let create = format!("CREATE DATABASE {name}");
        psql(&self.url, &["--command", &create]);
        let file = dump.to_str().expect("UTF-8");
        psql(&self.database(name), &["--file", file]);
    }

    /// Ends it: connections are cut.
    pub fn stop(&self) {
        self.control(&["stop", "--mode=fast"]);
    }

    pub fn run(&self) {
        match &*self.options {
            "" => self.control(&["start"]),
            options => self.control(&["start", &format!("--options={options}")]),
        }
    }

    fn control(&self, arguments: &[&str]) {
        let mut command = Command::new(self.directory().join("ctl"));
        command.args(arguments).stdout(Stdio::null());
        let status = command.status().expect("pg_ctl starts");
        assert!(status.success(), "{arguments:?}: {status}");
    }

    /// Where its socket is, and all that it has.
    fn directory(&self) -> PathBuf {
        let url = Url::parse(&self.url).expect("a URL");
        let host = url.host_str().expect("a socket's directory");
        PathBuf::from(host.replace("%2F", "/"))
    }
}

fn psql(url: &str, arguments: &[&str]) {
    let mut command = Command::new("psql");
    command
        .args(["--quiet", "--set=ON_ERROR_STOP=1", url])
        .args(arguments);
    let output = command.output().expect("psql starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
}

impl Drop for OwnPostgres {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.script.wait();
    }
}
