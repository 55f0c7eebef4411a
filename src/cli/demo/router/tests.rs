//! Routers, logged in to over SSH as a device is.

use std::time::Instant;

use russh::client::{self, AuthResult, Handle};
use russh::keys::{PublicKey, PublicKeyOrCertificate};
use russh::{Channel, ChannelMsg, Disconnect, Sig};
use tokio::time::timeout;

use super::*;

const USER: &str = "root";
const PASSWORD: &str = "sesame-17";

/// What nothing here takes.
const LONG: Duration = Duration::from_secs(20);

fn start(name: &str) -> Router {
    Router::start(name, USER, PASSWORD).unwrap()
}

/// Takes any host key, and keeps it.
struct Trusting(Option<tokio::sync::oneshot::Sender<PublicKey>>);

impl client::Handler for Trusting {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        key: &PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        if let (Some(sender), PublicKeyOrCertificate::PublicKey { key, .. }) = (self.0.take(), key)
        {
            let _ = sender.send(key.clone());
        }
        Ok(true)
    }
}

async fn connect(router: &Router) -> Result<Handle<Trusting>, russh::Error> {
    client::connect(Arc::default(), router.address(), Trusting(None)).await
}

async fn log_in(router: &Router) -> Handle<Trusting> {
    let mut handle = connect(router).await.unwrap();
    let answer = handle.authenticate_password(USER, PASSWORD).await.unwrap();
    assert!(answer.success());
    handle
}

/// A command under way.
struct Command {
    channel: Channel<client::Msg>,
    // Dropped, the link is.
    _link: Handle<Trusting>,
}

/// What a command printed and how it ended.
#[derive(Debug, Default, PartialEq)]
struct Ended {
    out: String,
    err: String,
    status: Option<u32>,
    signal: Option<String>,
}

impl Command {
    async fn begin(router: &Router, line: &str) -> Self {
        let handle = log_in(router).await;
        let channel = handle.channel_open_session().await.unwrap();
        channel.exec(true, line).await.unwrap();
        Self {
            channel,
            _link: handle,
        }
    }

    async fn end(mut self) -> Ended {
        let mut ended = Ended::default();
        let text = |data: &[u8]| String::from_utf8(data.to_vec()).unwrap();
        let all = async {
            while let Some(message) = self.channel.wait().await {
                match message {
                    ChannelMsg::Data { data } => ended.out += &text(&data),
                    ChannelMsg::ExtendedData { data, ext: 1 } => ended.err += &text(&data),
                    ChannelMsg::ExitStatus { exit_status } => ended.status = Some(exit_status),
                    ChannelMsg::ExitSignal { signal_name, .. } => {
                        ended.signal = Some(format!("{signal_name:?}"));
                    }
                    _ => {}
                }
            }
        };
        timeout(LONG, all).await.expect("it ends");
        ended
    }

    async fn next_output(&mut self) -> String {
        let output = async {
            loop {
                if let ChannelMsg::Data { data } = self.channel.wait().await.unwrap() {
                    return String::from_utf8(data.to_vec()).unwrap();
                }
            }
        };
        timeout(LONG, output).await.expect("it prints")
    }
}

async fn run(router: &Router, line: &str) -> Ended {
    Command::begin(router, line).await.end().await
}

/// What a command that succeeds prints.
async fn output(router: &Router, line: &str) -> String {
    let ended = run(router, line).await;
    assert_eq!((ended.status, ended.err.as_str()), (Some(0), ""), "{line}");
    ended.out
}

#[tokio::test]
async fn a_router_answers_as_openwrt_does() {
    let router = start("Bus 7");
    for (line, parts) in [
        ("uptime", vec![" up ", " days, ", "load average: "]),
        ("uname -a", vec!["Linux bus-7 5.15", "mips GNU/Linux"]),
        ("uname -r", vec!["5.15.199\n"]),
        ("hostname", vec!["bus-7\n"]),
        ("cat /etc/openwrt_release", vec!["DISTRIB_ID='OpenWrt'\n"]),
        (
            "ifconfig",
            vec!["br-lan ", "inet addr:192.168.", "HWaddr 02:5A"],
        ),
        ("ip addr", vec!["2: eth0: <", "inet 192.168."]),
        ("ip a", vec!["3: br-lan: <"]),
        ("free", vec!["Mem:", "available"]),
        ("whoami", vec!["root\n"]),
        ("date", vec![" UTC 20"]),
        ("true", vec![""]),
    ] {
        let text = output(&router, line).await;
        for part in parts {
            assert!(text.contains(part), "{line}: {text}");
        }
    }
}

#[tokio::test]
async fn a_status_is_that_of_the_last_command() {
    let router = start("Bus 7");
    for (line, status, out, err) in [
        ("false", 1, "", ""),
        ("exit 3", 3, "", ""),
        ("exit 300", 44, "", ""),
        ("exit x", 2, "", "-ash: exit: Illegal number: x\n"),
        ("echo 'a  b' c; exit 3; echo d", 3, "a  b c\n", ""),
        ("false && echo no || echo yes", 0, "yes\n", ""),
        ("rm -rf /", 127, "", "-ash: rm: not found\n"),
        ("nonsense; true", 0, "", "-ash: nonsense: not found\n"),
        (
            "uptime > /tmp/x",
            2,
            "",
            "-ash: >: not simulated on this router\n",
        ),
        (
            "cat /etc/shadow",
            1,
            "",
            "cat: can't open '/etc/shadow': No such file or directory\n",
        ),
        ("sleep x", 1, "", "sleep: invalid number 'x'\n"),
        (
            "ping -c 1 nowhere.invalid",
            1,
            "",
            "ping: bad address 'nowhere.invalid'\n",
        ),
        ("", 0, "", ""),
    ] {
        let ended = run(&router, line).await;
        assert_eq!(ended.status, Some(status), "{line}");
        assert_eq!(
            (ended.out.as_str(), ended.err.as_str()),
            (out, err),
            "{line}"
        );
    }
}

#[tokio::test]
async fn a_ping_takes_a_second_a_line() {
    let router = start("Bus 7");
    let begun = Instant::now();
    let mut ping = Command::begin(&router, "ping -c 3 example.org").await;
    let opening = ping.next_output().await;
    assert!(
        opening.starts_with("PING example.org (198.51.100."),
        "{opening}"
    );
    let rest = ping.end().await;
    assert!(begun.elapsed() >= Duration::from_secs(2));
    for part in [
        "seq=0 ",
        "seq=2 ",
        "3 packets transmitted, 3 packets received",
    ] {
        assert!(rest.out.contains(part), "{}", rest.out);
    }
    assert_eq!(rest.status, Some(0));
}

#[tokio::test]
async fn a_log_is_the_same_log_whenever_it_is_read() {
    let router = start("Bus 7");
    let log = output(&router, "logread").await;
    assert_eq!(log.lines().count(), 200);
    let later = output(&router, "logread -l 150").await;
    let first = later.lines().next().unwrap();
    assert!(log.lines().any(|line| line == first), "{first}");
}

#[tokio::test]
async fn a_followed_log_grows_until_a_signal() {
    let router = start("Bus 7");
    for (signal, name) in [(Sig::TERM, "TERM"), (Sig::KILL, "KILL"), (Sig::INT, "INT")] {
        let mut command = Command::begin(&router, "logread -f").await;
        let lines = [command.next_output().await, command.next_output().await];
        assert_ne!(lines[0], lines[1]);
        assert!(lines.iter().all(|it| it.ends_with('\n')), "{lines:?}");
        command.channel.signal(signal).await.unwrap();
        let ended = command.end().await;
        assert_eq!((ended.status, ended.signal.as_deref()), (None, Some(name)));
    }
}

#[tokio::test]
async fn a_signal_ends_what_is_silent_and_a_close_too() {
    let router = start("Bus 7");
    let command = Command::begin(&router, "sleep 600").await;
    command.channel.signal(Sig::TERM).await.unwrap();
    assert_eq!(command.end().await.signal.as_deref(), Some("TERM"));
    // Another command of a link that closed one goes on.
    let link = log_in(&router).await;
    let closed = link.channel_open_session().await.unwrap();
    closed.exec(true, "logread -f").await.unwrap();
    closed.close().await.unwrap();
    let mut channel = link.channel_open_session().await.unwrap();
    channel.exec(true, "sleep 0.2; exit 5").await.unwrap();
    let status = async {
        loop {
            if let ChannelMsg::ExitStatus { exit_status } = channel.wait().await.unwrap() {
                return exit_status;
            }
        }
    };
    assert_eq!(timeout(LONG, status).await.unwrap(), 5);
    link.disconnect(Disconnect::ByApplication, "", "")
        .await
        .unwrap();
}

#[tokio::test]
async fn a_password_is_read_twice_from_the_input_and_never_printed() {
    let router = start("Bus 7");
    for (typed, status, said) in [
        (
            "n3w-secret\nn3w-secret\n",
            0,
            "passwd: password for root changed by root\n",
        ),
        (
            "n3w-secret\nn3w-secret",
            0,
            "passwd: password for root changed by root\n",
        ),
        (
            "n3w-secret\nother-secret\n",
            1,
            "passwd: password for root is unchanged\n",
        ),
        (
            "n3w-secret\n",
            1,
            "passwd: password for root is unchanged\n",
        ),
        ("", 1, "passwd: password for root is unchanged\n"),
    ] {
        let command = Command::begin(&router, "passwd").await;
        command.channel.data(typed.as_bytes()).await.unwrap();
        command.channel.eof().await.unwrap();
        let ended = command.end().await;
        assert_eq!(ended.status, Some(status), "{typed:?}");
        let all = ended.out + &ended.err;
        assert!(all.ends_with(said) && !all.contains("secret"), "{all}");
    }
    // The credential of a demo stays good.
    assert_eq!(output(&router, "hostname").await, "bus-7\n");
}

#[tokio::test]
async fn a_reboot_cuts_the_link_and_refuses_until_it_is_up_again() {
    let router = start("Bus 7");
    let other = Command::begin(&router, "sleep 600").await;
    let begun = Instant::now();
    let ended = run(&router, "reboot").await;
    assert_eq!(ended, Ended::default(), "no status: the link is lost");
    assert_eq!(other.end().await, Ended::default());
    let refused = connect(&router).await.err().expect("it is down");
    assert!(
        matches!(&refused, russh::Error::IO(error) if error.kind() == io::ErrorKind::ConnectionRefused),
        "{refused:?}"
    );
    let back = async {
        while connect(&router).await.is_err() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(LONG, back).await.expect("it comes back");
    assert!(begun.elapsed() >= DOWN);
    assert!(output(&router, "uptime").await.contains(" up 0 min, "));
    assert!(output(&router, "logread").await.lines().count() < 100);
}

#[tokio::test]
async fn a_dropped_router_is_gone_with_its_links() {
    let router = start("Bus 7");
    let command = Command::begin(&router, "logread -f").await;
    let address = router.address();
    drop(router);
    assert_eq!(command.end().await.status, None);
    let refused = async {
        while tokio::net::TcpStream::connect(address).await.is_ok() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(LONG, refused).await.expect("nobody listens");
}

#[tokio::test]
async fn a_wrong_login_is_refused_and_told_that_a_password_is_wanted() {
    let router = start("Bus 7");
    for (user, password) in [(USER, "wrong"), ("admin", PASSWORD), (USER, "")] {
        let mut link = connect(&router).await.unwrap();
        let answer = link.authenticate_password(user, password).await.unwrap();
        let AuthResult::Failure {
            remaining_methods, ..
        } = answer
        else {
            panic!("{user} with {password:?}");
        };
        assert_eq!(&remaining_methods[..], [russh::MethodKind::Password]);
    }
}

#[tokio::test]
async fn each_router_has_a_host_key_of_its_own() {
    let mut keys = Vec::new();
    for router in [start("Bus 1"), start("Bus 1")] {
        for _ in 0..2 {
            let (sender, key) = tokio::sync::oneshot::channel();
            let trusting = Trusting(Some(sender));
            client::connect(Arc::default(), router.address(), trusting)
                .await
                .unwrap();
            keys.push(key.await.unwrap());
        }
    }
    assert_eq!(keys[0], keys[1]);
    assert_eq!(keys[2], keys[3]);
    assert_ne!(keys[0], keys[2]);
}

#[tokio::test]
async fn a_terminal_has_one_stream_and_carriage_returns() {
    let router = start("Bus 7");
    let link = log_in(&router).await;
    let channel = link.channel_open_session().await.unwrap();
    channel
        .request_pty(true, "xterm", 80, 24, 0, 0, &[])
        .await
        .unwrap();
    channel
        .exec(true, "echo a; nonsense; logread -f")
        .await
        .unwrap();
    let mut command = Command {
        channel,
        _link: link,
    };
    assert_eq!(command.next_output().await, "a\r\n");
    assert_eq!(command.next_output().await, "-ash: nonsense: not found\r\n");
    command.next_output().await;
    command.channel.data(&b"\x03"[..]).await.unwrap();
    assert_eq!(command.end().await.signal.as_deref(), Some("INT"));
}

#[tokio::test]
async fn a_shell_is_not_simulated() {
    let router = start("Bus 7");
    let link = log_in(&router).await;
    let channel = link.channel_open_session().await.unwrap();
    channel.request_shell(true).await.unwrap();
    let ended = Command {
        channel,
        _link: link,
    }
    .end()
    .await;
    assert!(ended.err.starts_with("bus-7 is simulated"), "{ended:?}");
    assert_eq!(ended.status, Some(1));
}

#[tokio::test]
async fn a_client_with_a_small_window_gets_it_all() {
    let config = client::Config {
        window_size: 64,
        maximum_packet_size: 1024,
        ..client::Config::default()
    };
    let router = start("Bus 7");
    let mut link = client::connect(Arc::new(config), router.address(), Trusting(None))
        .await
        .unwrap();
    link.authenticate_password(USER, PASSWORD).await.unwrap();
    let channel = link.channel_open_session().await.unwrap();
    channel.exec(true, "logread").await.unwrap();
    let ended = Command {
        channel,
        _link: link,
    }
    .end()
    .await;
    assert_eq!((ended.out.lines().count(), ended.status), (200, Some(0)));
}

#[tokio::test]
async fn many_routers_serve_at_once() {
    let routers: Vec<_> = (0..40).map(|it| start(&format!("Bus {it}"))).collect();
    let names = routers.iter().map(|it| output(it, "hostname"));
    let names = futures_util::future::join_all(names).await;
    assert_eq!(names[39], "bus-39\n");
}
