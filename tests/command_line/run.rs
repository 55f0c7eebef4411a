//! `fleetwire run` and `watch commands`, where it takes no SSH server.

use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, Command};

use super::data;
use crate::support::{Credential, Seed, Server, eventually, within};

/// A device that has a login and no address; answers with its id.
fn furnish(server: &Server) -> String {
    let seed = Seed(server);
    seed.organization("Alpha");
    let device = seed.device("router", "Alpha");
    seed.credential("routers", "Alpha", "geheim");
    server.cli(&["connection", "add", "router", "routers"]);
    device.id
}

pub(super) fn spawn(server: &Server, arguments: &[&str]) -> Child {
    Command::from(server.command(arguments))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// Exit code, standard output and standard error of a process that ends.
pub(super) async fn ended(child: Child) -> (i32, String, String) {
    let output = within("the end of the program", child.wait_with_output());
    let output = output.await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap_or(-1);
    (code, text(output.stdout), text(output.stderr))
}

pub(super) fn interrupt(child: &Child) {
    let id = i32::try_from(child.id().unwrap()).unwrap();
    kill_process(Pid::from_raw(id).unwrap(), Signal::INT).unwrap();
}

/// Reads until a line that holds `clue`.
pub(super) async fn line_with(lines: &mut Lines<BufReader<impl AsyncRead + Unpin>>, clue: &str) {
    let mut said = String::new();
    while !said.contains(clue) {
        let line = within(clue, lines.next_line()).await.unwrap();
        said = line.unwrap_or_else(|| panic!("it ended, and the last line was: {said}"));
    }
}

/// Waits until the command line has put `count` commands into the queue.
async fn asked(server: &Server, count: usize) {
    eventually("the command is in the queue", async || {
        let log = server.cli(&["audit", "list"]);
        let entries = log.as_array().unwrap();
        let runs = entries.iter().filter(|entry| entry["action"] == "run");
        (runs.count() == count).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_cannot_run_is_refused_with_what_to_do() {
    let server = data().await;
    furnish(&server);
    Seed(&server).device("bare", "Alpha");
    let secret = r#"{"password": "geheim", "confirm_password": "anders"}"#;
    for (arguments, clue) in [
        (&["run", "nothing", "--", "uptime"][..], "device list"),
        (&["run", "bare", "--", "uptime"], "connection add"),
        (&["run", "router", "--", " "], "input: "),
        (
            &["run", "router", "--type", "fly"],
            "there are: custom, reboot",
        ),
        (
            &["run", "router", "--type", "reboot", "--input", "{}"],
            "input: ",
        ),
        (
            &["run", "router", "--type", "reboot", "--input", "{"],
            "no JSON",
        ),
        (
            &[
                "run",
                "router",
                "--type",
                "change_password",
                "--input",
                secret,
            ],
            "input: ",
        ),
    ] {
        let (code, stdout, stderr) = server.try_cli(arguments, "");
        assert_eq!((code, stdout.as_str()), (1, ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains(clue), "{arguments:?}: {stderr}");
        assert!(!stderr.contains("geheim"), "{stderr}");
    }
    server.cli(&["device", "set", "router", "--deactivate"]);
    let (code, _, stderr) = server.try_cli(&["run", "router", "--", "uptime"], "");
    assert_eq!(code, 1);
    assert!(stderr.contains("--activate"), "{stderr}");
    let shown = server.cli(&["device", "set", "router", "--activate"]);
    assert_eq!(shown["is_active"], true);
    for arguments in [
        &["run", "router"][..],
        &["run", "router", "uptime"],
        &["run", "router", "--input", "{}"],
        &["run", "router", "--type", "reboot", "--", "x"],
    ] {
        assert_eq!(server.try_cli(arguments, "").0, 2, "{arguments:?}");
    }
}

#[tokio::test]
async fn ctrl_c_takes_back_what_nobody_has_taken() {
    let server = data().await;
    furnish(&server);
    let child = spawn(&server, &["run", "router", "--", "uptime"]);
    asked(&server, 1).await;
    interrupt(&child);
    let (code, stdout, stderr) = ended(child).await;
    assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
    assert!(stderr.contains("before it began"), "{stderr}");
    let log = server.cli(&["audit", "list", "--limit", "2"]);
    assert_eq!(log[0]["action"], "cancel", "{log}");
}

#[tokio::test]
async fn ctrl_c_ends_what_still_reads_its_input() {
    let server = data().await;
    furnish(&server);
    let arguments = ["run", "router", "--type", "change_password", "--input", "-"];
    let command = server.command(&arguments);
    // Who starts the tests in the background of a shell has them, and so the program, ignore SIGINT.
    let mut child = Command::new("env")
        .arg("--default-signal=INT")
        .arg(command.get_program())
        .args(command.get_args())
        .envs(
            command
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .stdin(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    // More than a pipe holds: once all is written, it is being read.
    let mut input = child.stdin.take().unwrap();
    let blanks = vec![b' '; 256 * 1024];
    let written = within("it reads", input.write_all(&blanks));
    written.await.unwrap();
    interrupt(&child);
    let status = within("the end of the program", child.wait())
        .await
        .unwrap();
    assert_eq!(status.signal(), Some(Signal::INT.as_raw()), "{status}");
}

#[tokio::test]
async fn a_command_that_nobody_takes_is_wondered_about() {
    let server = data().await;
    furnish(&server);
    let mut child = spawn(&server, &["run", "router", "--", "uptime"]);
    let mut notes = BufReader::new(child.stderr.take().unwrap()).lines();
    line_with(&mut notes, "nobody has taken the command yet").await;
    interrupt(&child);
    line_with(&mut notes, "before it began").await;
    assert_eq!(ended(child).await.0, 1);
}

#[tokio::test]
async fn an_empty_token_is_not_taken_for_none_where_a_server_is_named() {
    let server = data().await;
    furnish(&server);
    let remote = ["run", "router", "--url", "http://127.0.0.1:1"];
    let mut inherited = server.command(&[&remote[..], &["--", "uptime"]].concat());
    inherited.env("FLEETWIRE_TOKEN", "");
    let named = [&remote[..], &["--token", "", "--", "uptime"]].concat();
    for mut command in [inherited, server.command(&named)] {
        let output = command.output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains("the token is empty"), "{stderr}");
    }
    asked(&server, 0).await;
}

#[tokio::test]
async fn a_closed_output_takes_the_command_back() {
    let server = data().await;
    furnish(&server);
    let mut child = spawn(&server, &["run", "router", "--", "logread", "-f"]);
    asked(&server, 1).await;
    drop(child.stdout.take());
    let (code, _, stderr) = ended(child).await;
    assert_eq!(code, 0, "{stderr}");
    let log = server.cli(&["audit", "list", "--limit", "1"]);
    assert_eq!(log[0]["action"], "cancel", "{log}");
}

#[tokio::test]
async fn a_device_that_cannot_be_reached_is_told_of_here_and_there() {
    let mut server = data().await;
    let device = furnish(&server);
    let Credential::Token(token) = Seed(&server).root() else {
        unreachable!()
    };
    server.run().await;
    let base = server.base();
    let mut watching = Command::from(server.command(&["watch", "commands", &device]))
        .args(["--url", &base])
        .env("FLEETWIRE_TOKEN", &token)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut notes = BufReader::new(watching.stderr.take().unwrap()).lines();
    within("the connection", notes.next_line()).await.unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    let remote = ["--url", &base, "--token", &token];
    for way in [
        &["run", "router"][..],
        &[&["run", "router"], &remote[..]].concat(),
        &[&["run", &device], &remote[..]].concat(),
    ] {
        let (code, stdout, stderr) =
            ended(spawn(&server, &[way, &["--", "uptime"]].concat())).await;
        assert_eq!((code, stdout.as_str()), (1, ""), "{way:?}: {stderr}");
        assert!(stderr.contains("no address"), "{way:?}: {stderr}");
        // Each told of its end.
        let told = eventually("the end of the command", async || {
            let line = within("a line", lines.next_line()).await.unwrap().unwrap();
            let message: Value = serde_json::from_str(&line).unwrap();
            (message["data"]["status"] == "failed").then_some(message)
        })
        .await;
        assert_eq!(told["data"]["device"], json!(device), "{told}");
        let json = [way, &["--json", "--", "uptime"]].concat();
        let (code, stdout, _) = ended(spawn(&server, &json)).await;
        let whole: Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!((code, &whole["status"]), (1, &json!("failed")), "{whole}");
        assert_eq!(whole["exit_code"], Value::Null, "{whole}");
        let fields: Vec<_> = whole.as_object().unwrap().keys().cloned().collect();
        let expected = "id input device connection created modified status type output exit_code \
                        created_by batch";
        assert_eq!(fields.join(" "), expected, "{way:?}");
        within("a line", lines.next_line()).await.unwrap();
    }
}

#[tokio::test]
async fn a_system_without_certificates_still_speaks_http() {
    let mut server = data().await;
    furnish(&server);
    let Credential::Token(token) = Seed(&server).root() else {
        unreachable!()
    };
    server.run().await;
    let http = server.base();
    let https = http.replace("http", "https");
    let none = server.file("none.pem", "");
    for (url, clue) in [(http, "no address"), (https, "certificates")] {
        let output = server
            .command(&["run", "router", "--url", &url, "--", "uptime"])
            .env("FLEETWIRE_TOKEN", &token)
            .env("SSL_CERT_FILE", &none)
            .env("SSL_CERT_DIR", &none)
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains(clue), "{url}: {stderr}");
    }
}

#[tokio::test]
async fn a_server_that_says_no_is_quoted() {
    let mut server = data().await;
    furnish(&server);
    let Credential::Token(token) = Seed(&server).root() else {
        unreachable!()
    };
    server.run().await;
    let base = server.base();
    for (url, token, device, clue) in [
        (&*base, &*token, "nothing", "no device \"nothing\""),
        (&base, "wrong", "router", "401"),
        ("http://127.0.0.1:1", &token, "router", "127.0.0.1:1"),
        ("nowhere", &token, "router", "--url \"nowhere\""),
    ] {
        let arguments = [
            "run", device, "--url", url, "--token", token, "--", "uptime",
        ];
        let (code, stdout, stderr) = server.try_plain_cli(&arguments);
        assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
        assert!(stderr.contains(clue), "{stderr}");
        assert!(!stderr.contains(token), "{stderr}");
    }
}
