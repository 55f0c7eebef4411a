//! A real OpenWISP: the one that `tests/servers/openwisp.sh` has started, databases of it to import, and
//! whole ones of a test's own ([`OpenWisp`]).

mod django;
mod own;

pub use django::Django;
pub use own::{Layout, OpenWisp, Options};

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use sha1::{Digest, Sha1};
use tempfile::TempDir;
use uuid::Uuid;

use super::postgres;
use super::{Client, OwnPostgres};

/// Which database an OpenWISP is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    SpatiaLite,
    PostGis,
}

/// A database of an OpenWISP, of a test's own.
pub struct Database {
    url: String,
    _directory: TempDir,
}

impl Database {
    /// A copy of the one that `tests/openwisp/seed.py` filled.
    pub async fn copy(kind: Kind) -> Self {
        let directory = TempDir::with_prefix("fleetwire-openwisp-copy-").expect("a directory");
        let url = match kind {
            Kind::SpatiaLite => {
                let file = directory.path().join("openwisp.db");
                std::fs::copy(variable("SQLITE"), &file).expect("the template is there");
                format!("sqlite://{}", file.display())
            }
            Kind::PostGis => postgres::copy_database(&variable("POSTGRES")).await,
        };
        Self {
            url,
            _directory: directory,
        }
    }

    /// The same in a PostgreSQL of the test's own.
    pub fn restore(server: &OwnPostgres) -> Self {
        server.fill("openwisp", &PathBuf::from(variable("DUMP")));
        Self {
            url: server.database("openwisp"),
            _directory: TempDir::with_prefix("fleetwire-openwisp-copy-").expect("a directory"),
        }
    }

    /// As `fleetwire import openwisp --database` takes it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Has OpenWISP alter it: `script` is Python, run with all models and `load_model`.
    pub fn alter(&self, script: &str) {
        let script = format!("from swapper import load_model\n{script}");
        let output = python()
            .args(["-m", "django", "shell", "--command", &script])
            .env("OPENWISP_DATABASE", &self.url)
            .env("OPENWISP_PREFIX", &self.url)
            .output()
            .expect("Python starts");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}: {errors}");
    }
}

/// Python with OpenWISP and what it brings (`requests` among it).
pub fn python() -> Command {
    let project = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/openwisp");
    let mut command = Command::new(variable("PYTHON"));
    command
        .env("PYTHONPATH", project)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("DJANGO_SETTINGS_MODULE", "controller.settings");
    let redis = variable("REDIS");
    for (name, database) in [("OPENWISP_CACHE", 0), ("OPENWISP_CHANNELS", 1)] {
        command.env(name, format!("unix://{redis}?db={database}"));
    }
    command
}

/// The URL of the OpenWISP that runs.
pub fn base() -> String {
    variable("URL")
}

/// Where the OpenWISP that runs listens.
pub fn address() -> SocketAddr {
    let base = base();
    let address = base.strip_prefix("http://").expect("plain HTTP");
    address.parse().expect("an address and a port")
}

/// Speaks to the OpenWISP that runs, as nobody.
pub fn client() -> Client {
    Client::of(address())
}

/// The file of its database.
pub fn live() -> PathBuf {
    variable("LIVE").into()
}

/// The id of what the seed calls so: `device bus-1`, `organization Harbor`.
pub fn id(name: &str) -> String {
    let mut digest = Sha1::new_with_prefix(Uuid::NAMESPACE_URL);
    digest.update(name);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.finalize()[..16]);
    let id = uuid::Builder::from_sha1_bytes(bytes).into_uuid();
    id.to_string()
}

fn variable(name: &str) -> String {
    let name = format!("FLEETWIRE_TEST_OPENWISP_{name}");
    #[expect(
        clippy::disallowed_methods,
        reason = "these are the tests' settings, not the product's"
    )]
    let value = std::env::var(&name);
    value.unwrap_or_else(|_| {
        panic!(
            "{name} is not set: run `make test`, or `tests/servers/postgres.sh \
             tests/servers/openwisp.sh cargo test`"
        )
    })
}
