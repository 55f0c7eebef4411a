//! WebSocket clients that are not ours: Python's `websockets` and Node's `ws`. Each is a small
//! program in `tests/clients/` that opens both location endpoints, sends what is ignored, pings, and
//! hears a move. `make test` installs them.

use std::path::PathBuf;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::support::{Credential, FLEET, Seed, Server, location_path, within};

pub fn in_repository(path: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path);
    assert!(
        path.exists(),
        "{} is not there: run `make test` or `make test-clients`",
        path.display()
    );
    path
}

/// A client program: it is told the URL and a token, and says on its standard output what it
/// does, a line each.
struct Program {
    child: Child,
    said: Lines<BufReader<ChildStdout>>,
}

impl Program {
    fn start(command: &mut Command, server: &Server, path: &str, credential: &Credential) -> Self {
        let Credential::Token(token) = credential else {
            panic!("the programs take a token")
        };
        let url = format!("ws://{}{path}", server.address());
        let mut child = command
            .args([&url, token])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the client starts");
        let said = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, said }
    }

    /// The next line, which must be `expected`.
    async fn says(&mut self, expected: &str) {
        let line = within(expected, self.said.next_line()).await.unwrap();
        assert_eq!(line.as_deref(), Some(expected));
    }

    async fn exits_well(mut self) {
        let status = within("the client exits", self.child.wait()).await.unwrap();
        assert!(status.success(), "{status}");
    }
}

async fn a_client_hears_a_move_on_both_endpoints(command: impl Fn() -> Command) {
    let server = Server::start().await;
    let seed = Seed(&server);
    let organization = seed.organization("Alpha");
    let flags = ["--mobile", "--point", "1,2", "--address", "Vía Ñandú 1"];
    let bus = seed.location("Bus 1", &organization, &flags);
    let root = seed.root();
    let client = server.client(&root);
    for path in [FLEET, &location_path(&bus)] {
        let mut program = Program::start(&mut command(), &server, path, &root);
        // Open; it has sent texts, binaries and fragments, and its ping was answered after them.
        program.says("pong").await;
        client.move_location(&bus, 12.512_124, 41.898_903).await;
        program
            .says("Bus 1, Vía Ñandú 1, outdoor, mobile: 12.512124 41.898903")
            .await;
        // Closed in order.
        program.says("closed 1000").await;
        program.exits_well().await;

        let mut refused = Program::start(
            &mut command(),
            &server,
            path,
            &Credential::Token("x".into()),
        );
        refused.says("refused 403").await;
        refused.exits_well().await;
    }
}

#[tokio::test]
async fn pythons_websockets_hears_a_move() {
    let python = in_repository("target/clients/python/bin/python");
    let script = in_repository("tests/clients/python/client.py");
    a_client_hears_a_move_on_both_endpoints(|| {
        let mut command = Command::new(&python);
        command.arg(&script);
        command
    })
    .await;
}

#[tokio::test]
async fn nodes_ws_hears_a_move() {
    in_repository("tests/clients/node/node_modules/ws");
    let script = in_repository("tests/clients/node/client.js");
    a_client_hears_a_move_on_both_endpoints(|| {
        let mut command = Command::new("node");
        command.arg(&script);
        command
    })
    .await;
}
