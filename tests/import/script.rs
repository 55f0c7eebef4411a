//! A script that was written for OpenWISP's REST API (`tests/clients/python/operate.py`), run unchanged
//! on OpenWISP and on the fleetwire that imported its database, both with the same device to command.

use std::process::Stdio;

use serde_json::json;

use crate::support::openwisp::{self, id};
use crate::support::ssh::{Account, OpenSsh, Options};
use crate::support::{Engine, Server};

/// Where the two may differ, as `docs/api.md` says: lines there, and in their place here.
const DIFFERENCES: [(&str, &str); 3] = [
    (
        "ended: success Custom commands",
        "ended: success Custom Command",
    ),
    (
        "ended: failed Custom commands",
        "ended: failed Custom Command",
    ),
    (
        "  Command \"echo to the end; exit 3\" returned non-zero exit code: 3",
        "  exit code: 3",
    ),
];

/// What the script prints, as an operator of Metro Transit.
async fn printed(base: &str) -> Vec<String> {
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/clients/python/operate.py"
    );
    let (device, location) = ("bus-1", "mobile-metro-transit");
    let foreign = id("device crane-1");
    let mut command = tokio::process::Command::from(openwisp::python());
    let output = command
        .arg(script)
        .args([
            base,
            "operator",
            "tester-operator",
            device,
            location,
            &foreign,
        ])
        .stdin(Stdio::null())
        .output()
        .await
        .expect("the script starts");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let (told, errors) = (text(output.stdout), text(output.stderr));
    assert!(output.status.success(), "{base}: {told}\n{errors}");
    told.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn it_finds_the_same_on_both() {
    let account = Account::of_the_tests();
    let device = OpenSsh::start(&Options::default());
    // In OpenWISP the device gets the login of this machine's SSH server, as an administrator gives it.
    let there = openwisp::client();
    let log_in = json!({"username": "root", "password": "tester-root"});
    let token = there
        .post("/api/v1/users/token/", &log_in)
        .await
        .expect(200);
    let bearer = format!("Bearer {}", token["token"].as_str().unwrap());
    let root = there.with_header("authorization", &bearer);
    let path = format!(
        "/api/v1/controller/credential/{}/",
        id("credentials routers")
    );
    let params = json!({
        "username": account.user,
        "password": account.password,
        "port": device.address().port(),
    });
    root.patch(&path, &json!({"params": params}))
        .await
        .expect(200);

    // Imported before the script has changed anything there.
    let mut server = Server::prepare(Engine::Sqlite, &[]).await;
    let live = openwisp::live();
    server.cli(&[
        "import",
        "openwisp",
        "--database",
        live.to_str().unwrap(),
        "--apply",
    ]);
    server.run().await;

    let there = printed(&openwisp::base()).await;
    let here = printed(&server.base()).await;
    let expected: Vec<String> = there
        .iter()
        .map(|line| {
            let differs = DIFFERENCES.iter().find(|(theirs, _)| theirs == line);
            differs.map_or_else(|| line.clone(), |(_, ours)| (*ours).to_owned())
        })
        .collect();
    assert_eq!(
        here,
        expected,
        "--- OpenWISP ---\n{}\n--- here ---\n{}",
        there.join("\n"),
        here.join("\n")
    );
}
