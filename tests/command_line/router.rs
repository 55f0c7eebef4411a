//! `fleetwire run` on a real SSH server: what the terminal sees of a command, and how both end.

use rustix::process::Signal;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr};

use super::run::{ended, interrupt, line_with, spawn};
use crate::support::ssh::{self, Account, OpenSsh, Options};
use crate::support::{Credential, Engine, Seed, Server, free_address, within};

/// A running server, its one device, and the two ways to that.
struct Stage {
    server: Server,
    token: String,
    _router: ssh::Server,
}

impl Stage {
    async fn set_up() -> Self {
        let router = OpenSsh::start(&Options::default());
        // A busy machine is no dead router.
        let patient = [
            ("COMMANDS__CONNECT_TIMEOUT_S", "20"),
            ("COMMANDS__AUTHENTICATION_TIMEOUT_S", "20"),
            ("COMMANDS__TIMEOUT_S", "600"),
        ];
        let mut server = Server::prepare(Engine::Sqlite, &patient).await;
        let seed = Seed(&server);
        seed.organization("Alpha");
        seed.device("router", "Alpha");
        let Account { user, password, .. } = Account::of_the_tests();
        let credential = ["credential", "add", "routers", "--org", "Alpha"];
        let login = ["--username", &user, "--password-stdin"];
        let input = format!("{password}\n");
        server.cli_with_input(&[&credential[..], &login].concat(), &input);
        server.cli(&["connection", "add", "router", "routers"]);
        let address = router.address().to_string();
        server.cli(&["device", "set", "router", "--address", &address]);
        let Credential::Token(token) = seed.root() else {
            unreachable!()
        };
        server.run().await;
        Self {
            server,
            token,
            _router: router,
        }
    }

    /// The options of each way: through the database here, and of a server somewhere.
    fn ways(&self) -> [Vec<String>; 2] {
        let remote = ["--url", &self.server.base(), "--token", &self.token];
        [vec![], remote.map(str::to_owned).into()]
    }

    fn run(&self, way: &[String], line: &str) -> Child {
        let way = way.iter().map(String::as_str);
        let arguments: Vec<_> = ["run", "router"].into_iter().chain(way).collect();
        spawn(&self.server, &[&arguments[..], &["--", line]].concat())
    }

    /// A command that has begun and does not end by itself, and what is said about it.
    async fn run_for_long(&self, way: &[String]) -> (Child, Lines<BufReader<ChildStderr>>) {
        let mut child = self.run(way, "echo begun; exec sleep 600");
        let mut printed = BufReader::new(child.stdout.take().unwrap()).lines();
        line_with(&mut printed, "begun").await;
        child.stdout = Some(printed.into_inner().into_inner());
        let notes = BufReader::new(child.stderr.take().unwrap()).lines();
        (child, notes)
    }
}

#[tokio::test]
async fn the_process_ends_as_the_command_did() {
    let stage = Stage::set_up().await;
    for way in stage.ways() {
        for (line, code, printed, reason) in [
            ("echo one; echo two", 0, "one\ntwo\n", ""),
            ("echo exit code: 3", 0, "exit code: 3\n", ""),
            ("printf one; exit 3", 3, "one\n", ""),
            ("exit 255", 255, "", ""),
            ("echo one; kill -9 $$", 1, "one\n", "ended by signal"),
        ] {
            let (found, stdout, stderr) = ended(stage.run(&way, line)).await;
            assert_eq!((found, &*stdout), (code, printed), "{line}: {stderr}");
            assert!(stderr.contains(reason), "{line}: {stderr}");
        }
    }
}

#[tokio::test]
async fn all_reasons_for_not_reaching_a_device_are_told_on_one_line() {
    let stage = Stage::set_up().await;
    let closed = [free_address(), free_address()].map(|address| address.to_string());
    let addresses = ["--address", &closed[0], "--address", &closed[1]];
    let set = [&["device", "set", "router"], &addresses[..]].concat();
    stage.server.cli(&set);
    for way in stage.ways() {
        let (code, stdout, stderr) = ended(stage.run(&way, "uptime")).await;
        assert_eq!((code, &*stdout), (1, ""), "{stderr}");
        let last = stderr.lines().last().unwrap();
        let is_whole = closed.iter().all(|address| last.contains(address));
        assert!(is_whole, "{stderr}");
    }
}

#[tokio::test]
async fn ctrl_c_waits_for_the_end_of_the_command() {
    let stage = Stage::set_up().await;
    for way in stage.ways() {
        let (child, mut notes) = stage.run_for_long(&way).await;
        interrupt(&child);
        line_with(&mut notes, "cancelled by").await;
        assert_eq!(ended(child).await.0, 1);
    }
}

#[tokio::test]
async fn a_second_ctrl_c_leaves_the_command_to_itself() {
    for at in [0, 1] {
        // Each of its own: what is left to itself keeps the device busy.
        let stage = Stage::set_up().await;
        let way = &stage.ways()[at];
        let (mut child, mut notes) = stage.run_for_long(way).await;
        // Whoever would end it does not get to it.
        stage.server.signal(Signal::STOP);
        interrupt(&child);
        line_with(&mut notes, "again leaves it to itself").await;
        interrupt(&child);
        let status = within("the end of the program", child.wait()).await;
        assert_eq!(status.unwrap().code(), Some(130), "{way:?}");
    }
}

#[tokio::test]
async fn a_command_is_not_let_go_of_while_its_server_is_away() {
    let mut stage = Stage::set_up().await;
    let [_, remote] = stage.ways();
    let (child, mut notes) = stage.run_for_long(&remote).await;
    stage.server.kill().await;
    for _ in 0..2 {
        interrupt(&child);
        line_with(&mut notes, "cannot cancel the command").await;
    }
    stage.server.run().await;
    line_with(&mut notes, "may have completed").await;
    assert_eq!(ended(child).await.0, 1);
}
