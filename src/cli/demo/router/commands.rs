//! What each command of a router answers.

use std::time::Duration;

use jiff::Timestamp;
use rand::RngExt;
use russh::Error;
use tokio::time::sleep;

use super::channel::Terminal;
use super::machine::Machine;
use super::{log, network};

/// What a shell answers to a name that it does not know.
const NOT_FOUND: u32 = 127;

const RELEASE: &str = "\
DISTRIB_ID='OpenWrt'
DISTRIB_RELEASE='23.05.9'
DISTRIB_REVISION='r24999-demo'
DISTRIB_TARGET='ath79/generic'
DISTRIB_ARCH='mips_24kc'
DISTRIB_DESCRIPTION='OpenWrt 23.05.9 r24999-demo (simulated)'
DISTRIB_TAINTS=''
";

/// The names of the release, the version and the machine, in the order of `uname -a`.
const KERNEL: [&str; 3] = ["5.15.199", "#0 Mon Sep 22 10:13:37 2025", "mips"];

/// Runs one command: its exit status.
pub(super) async fn run(
    name: &str,
    arguments: &[String],
    machine: &Machine,
    terminal: &mut Terminal,
) -> Result<u32, Error> {
    match name {
        "logread" => return log::read(arguments, machine, terminal).await,
        "passwd" => return change_password(arguments, machine, terminal).await,
        "ping" => return network::ping(arguments, terminal).await,
        "reboot" => return reboot(machine).await,
        "sleep" => return doze(arguments, terminal).await,
        _ => {}
    }
    match answer(name, arguments, machine) {
        Ok(text) => {
            terminal.print(&text).await?;
            Ok(0)
        }
        Err(Failure { status, complaint }) => {
            if !complaint.is_empty() {
                terminal.complain(&complaint).await?;
            }
            Ok(status)
        }
    }
}

/// A command that did not do what it was to do.
struct Failure {
    status: u32,
    /// A line for standard error; empty, there is none.
    complaint: String,
}

impl Failure {
    fn new(status: u32, complaint: impl Into<String>) -> Self {
        let complaint = complaint.into();
        Self { status, complaint }
    }
}

/// The commands that answer at once.
fn answer(name: &str, arguments: &[String], machine: &Machine) -> Result<String, Failure> {
    Ok(match name {
        "true" | ":" => String::new(),
        "false" => return Err(Failure::new(1, "")),
        "echo" => format!("{}\n", arguments.join(" ")),
        "hostname" => format!("{}\n", machine.hostname()),
        "whoami" => format!("{}\n", machine.username()),
        "date" => format!(
            "{}\n",
            Timestamp::now().strftime("%a %b %e %H:%M:%S UTC %Y")
        ),
        "uname" => uname(arguments, machine)?,
        "uptime" => uptime(machine),
        "free" => free(),
        "cat" => cat(arguments, machine)?,
        "ifconfig" => network::ifconfig(machine),
        "ip" if arguments.first().is_some_and(|it| is_address(it)) => network::ip_address(machine),
        "ip" => return Err(Failure::new(1, "Usage: ip address")),
        _ => return Err(Failure::new(NOT_FOUND, format!("-ash: {name}: not found"))),
    })
}

/// Whether a word is `address`, or short for it.
fn is_address(word: &str) -> bool {
    !word.is_empty() && "address".starts_with(word)
}

fn uname(arguments: &[String], machine: &Machine) -> Result<String, Failure> {
    let [release, version, hardware] = KERNEL;
    let all = [
        ('s', "Linux"),
        ('n', machine.hostname()),
        ('r', release),
        ('v', version),
        ('m', hardware),
        ('o', "GNU/Linux"),
    ];
    let mut wanted = String::new();
    for argument in arguments {
        match argument.strip_prefix('-') {
            Some(letters) if !letters.is_empty() => wanted.push_str(letters),
            _ => return Err(Failure::new(1, "Usage: uname [-amnrsvo]")),
        }
    }
    if let Some(unknown) = wanted.chars().find(|it| !"amnrsvo".contains(*it)) {
        let complaint = format!("uname: unrecognized option: {unknown}");
        return Err(Failure::new(1, complaint));
    }
    if wanted.is_empty() {
        wanted.push('s');
    }
    let shown = all
        .into_iter()
        .filter(|(letter, _)| wanted.contains(['a', *letter]))
        .map(|(_, text)| text);
    Ok(format!("{}\n", shown.collect::<Vec<_>>().join(" ")))
}

fn uptime(machine: &Machine) -> String {
    let minutes = machine.up().as_secs() / 60;
    let (days, hours) = (minutes / (24 * 60), minutes / 60 % 24);
    let days = match days {
        0 => String::new(),
        1 => "1 day, ".to_owned(),
        _ => format!("{days} days, "),
    };
    let rest = match hours {
        0 => format!("{minutes} min", minutes = minutes % 60),
        _ => format!("{hours:2}:{:02}", minutes % 60),
    };
    let mut rng = rand::rng();
    let [one, five, fifteen] = [0.6, 0.3, 0.15].map(|most| rng.random_range(0.0..most));
    let now = Timestamp::now().strftime("%H:%M:%S");
    format!(" {now} up {days}{rest},  load average: {one:.2}, {five:.2}, {fifteen:.2}\n")
}

fn free() -> String {
    const TOTAL: u32 = 123_544;
    let mut rng = rand::rng();
    let (used, cached) = (rng.random_range(38_000..52_000), 24_812);
    let (shared, left) = (1_096, TOTAL - used - cached);
    let available = left + cached / 2;
    let head = ["total", "used", "free", "shared", "buff/cache", "available"];
    let head = head.map(|it| format!("{it:>12}")).join("");
    let memory = [TOTAL, used, left, shared, cached, available];
    let memory = memory.map(|it| format!("{it:>12}")).join("");
    let swap = ["0"; 3].map(|it| format!("{it:>12}")).join("");
    format!("{:<7}{head}\nMem:   {memory}\nSwap:  {swap}\n", "")
}

fn cat(arguments: &[String], machine: &Machine) -> Result<String, Failure> {
    let mut text = String::new();
    for path in arguments {
        match path.as_str() {
            "/etc/openwrt_release" => text.push_str(RELEASE),
            "/proc/sys/kernel/hostname" => {
                text.push_str(machine.hostname());
                text.push('\n');
            }
            _ => {
                let complaint = format!("cat: can't open '{path}': No such file or directory");
                return Err(Failure::new(1, complaint));
            }
        }
    }
    Ok(text)
}

async fn doze(arguments: &[String], terminal: &Terminal) -> Result<u32, Error> {
    let [number] = arguments else {
        terminal.complain("Usage: sleep SECONDS").await?;
        return Ok(1);
    };
    let length = number.parse().ok().map(Duration::try_from_secs_f64);
    let Some(Ok(length)) = length else {
        let complaint = format!("sleep: invalid number '{number}'");
        terminal.complain(&complaint).await?;
        return Ok(1);
    };
    sleep(length).await;
    Ok(0)
}

/// Asks for a new password twice and says that it was set. The old one stays good: the credential
/// that a demo was given must survive what is tried on it.
async fn change_password(
    arguments: &[String],
    machine: &Machine,
    terminal: &mut Terminal,
) -> Result<u32, Error> {
    let user = machine.username();
    if let Some(other) = arguments.first().filter(|it| *it != user) {
        let complaint = format!("passwd: unknown user {other}");
        terminal.complain(&complaint).await?;
        return Ok(1);
    }
    let opening = format!("Changing password for {user}\nNew password: ");
    terminal.print(&opening).await?;
    let first = terminal.read_line().await.unwrap_or_default();
    terminal.print("\nRetype password: ").await?;
    let second = terminal.read_line().await.unwrap_or_default();
    terminal.print("\n").await?;
    let is_set = !first.is_empty() && first == second;
    if is_set {
        let closing = format!("passwd: password for {user} changed by {user}\n");
        terminal.print(&closing).await?;
        return Ok(0);
    }
    if first != second {
        terminal.complain("Passwords don't match").await?;
    }
    let complaint = format!("passwd: password for {user} is unchanged");
    terminal.complain(&complaint).await?;
    Ok(1)
}

/// Never answers: the link is cut under it.
async fn reboot(machine: &Machine) -> Result<u32, Error> {
    machine.ask_reboot();
    std::future::pending().await
}
