//! What must not be seen: passwords, hashes, private keys and the keys of devices.

use std::process::Stdio;

use super::{device, import};
use crate::support::openwisp::{Database, Kind};
use crate::support::{Engine, Server};

/// Parts of everything secret that the seed holds.
const SECRETS: [&str; 8] = [
    "a-routers-password",
    "a-shared-password",
    "an-unused-password",
    "PRIVATE KEY",
    "pbkdf2_sha256$",
    "pbkdf2-sha256$",
    "key-of-bus-1",
    "too-short-a-key",
];

#[tokio::test]
async fn nothing_secret_is_printed() {
    for kind in [Kind::SpatiaLite, Kind::PostGis] {
        let database = Database::copy(kind).await;
        let server = Server::prepare(Engine::Sqlite, &[]).await;
        let line = ["import", "openwisp", "--database", database.url()];
        for arguments in [
            &line[..],
            &[&line[..], &["--json"]].concat(),
            &[&line[..], &["--apply"]].concat(),
        ] {
            let output = server
                .command(arguments)
                .env("RUST_LOG", "trace")
                .stdin(Stdio::null())
                .output()
                .unwrap();
            assert!(output.status.success(), "{output:?}");
            let told = [output.stdout, output.stderr].concat();
            let told = String::from_utf8(told).unwrap();
            for secret in SECRETS {
                assert!(!told.contains(secret), "{secret}: {told}");
            }
        }
        let audit = server
            .cli(&["audit", "list", "--limit", "1000"])
            .to_string();
        for secret in SECRETS {
            assert!(!audit.contains(secret), "{secret}");
        }
    }
}

#[tokio::test]
async fn passwords_and_private_keys_lie_encrypted_in_the_database() {
    let database = Database::copy(Kind::SpatiaLite).await;
    let server = Server::prepare(Engine::Sqlite, &[]).await;
    import(&server, &database);
    for secret in ["a-routers-password", "a-shared-password", "PRIVATE KEY"] {
        assert_eq!(
            server.files_with(secret),
            Vec::<std::path::PathBuf>::new(),
            "{secret}"
        );
    }
    // What is no secret is found so: the test looks where it must.
    assert_ne!(
        server.files_with(&device("bus-1").key),
        Vec::<std::path::PathBuf>::new()
    );
    // They open with another key, too.
    server.cli(&["key", "rotate"]);
    assert_eq!(super::done(&import(&server, &database)), []);
}
