//! `fleetwire run`: a command on a device, as if it ran here.

mod local;
mod printer;
mod remote;
mod rest;

use std::io::Read as _;

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::context::Context;
use super::output::{self, Closed, note};
use crate::server::EndSignals;
use local::Local;
use printer::{Printer, last_line};
use remote::Remote;

/// The type of what stands behind `--`.
const CUSTOM: &str = "custom";

/// What is said to a process that was interrupted, by custom of shells.
const INTERRUPTED: u8 = 130;

/// An input is no larger than what a server would take.
const INPUT_LIMIT_BYTES: u64 = 1 << 20;

#[derive(Args, Debug)]
#[command(override_usage = "\
fleetwire run [OPTIONS] <DEVICE> -- <COMMAND>...
       fleetwire run [OPTIONS] <DEVICE> --type <NAME> [--input <JSON>]")]
#[command(after_help = "\
Examples:
  fleetwire run \"Bus 1\" -- ping -c 5 10.0.0.1
  fleetwire run \"Bus 1\" -- 'logread | tail -n 20'
  fleetwire run \"Bus 1\" --type reboot
  fleetwire run \"Bus 1\" --type change_password --input - < input.json
  FLEETWIRE_TOKEN=TOKEN fleetwire run \"Bus 1\" --url https://fleet.example.org -- uptime

The arguments behind -- are joined with blanks, as ssh does: the device's shell reads them. What the
device prints is printed as it comes, and the exit code is that of the command; 1 where it had none,
with the reason on standard error. Ctrl-C cancels the command and waits for its end, a second one
leaves it to itself.

Without a token the command is put into the queue of the database here, and a `fleetwire serve` on
that database runs it. With a token it is asked of the server at --url.")]
pub(crate) struct Run {
    /// Id or name of the device
    device: String,
    /// The type of the command: `reboot`, `change_password`, or one of the configuration
    #[arg(long = "type", value_name = "NAME", conflicts_with = "line")]
    kind: Option<String>,
    /// The input of the type; - reads it from standard input, so that no secret stands here
    #[arg(long, value_name = "JSON", requires = "kind")]
    input: Option<String>,
    /// Where the server is
    #[arg(
        long,
        value_name = "URL",
        requires = "token",
        default_value = "http://127.0.0.1:8000"
    )]
    url: String,
    /// The token of a user who may run commands on the device; in the environment no list of
    /// processes shows it
    #[arg(
        long,
        value_name = "T",
        env = "FLEETWIRE_TOKEN",
        hide_env_values = true
    )]
    token: Option<String>,
    /// The command line
    #[arg(last = true, value_name = "COMMAND", required_unless_present = "kind")]
    line: Vec<String>,
}

/// The process ends with this code; all has been said.
#[derive(Debug, thiserror::Error)]
#[error("ended with {0}")]
pub(crate) struct ExitWith(pub(crate) u8);

/// What is to be run.
struct Wanted {
    kind: String,
    input: Value,
}

/// How a command stands.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Snapshot {
    output: String,
    /// `None` until it has ended.
    ended: Option<Ended>,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Success,
    /// With the code of the device's program, where that ended by itself.
    Failed(Option<i32>),
}

/// The way to the device.
enum Way {
    /// Through the database here.
    Local(Box<Local>),
    /// Through a server somewhere.
    Remote(Box<Remote>),
}

impl Way {
    /// The next state, or the same again. Given up half-way, nothing is lost.
    async fn next(&mut self) -> anyhow::Result<Snapshot> {
        match self {
            Self::Local(local) => local.next().await,
            Self::Remote(remote) => remote.next().await,
        }
    }

    /// Asks for the command's end, unless it has ended.
    async fn cancel(&self) -> anyhow::Result<()> {
        match self {
            Self::Local(local) => local.cancel().await,
            Self::Remote(remote) => remote.cancel().await,
        }
    }

    /// The whole command, as REST shows it.
    async fn whole(&self) -> anyhow::Result<Value> {
        match self {
            Self::Local(local) => local.whole().await,
            Self::Remote(remote) => remote.whole().await,
        }
    }
}

pub(crate) async fn run(run: &Run, context: &Context) -> anyhow::Result<()> {
    let mut signals = EndSignals::listen()?;
    let wanted = run.wanted()?;
    let token = run.token.as_deref().filter(|token| !token.is_empty());
    let way = if let Some(token) = token {
        let remote = Remote::start(&run.url, token, &run.device, &wanted);
        Way::Remote(Box::new(Box::pin(remote).await?))
    } else {
        let local = Local::start(context, &run.device, &wanted);
        Way::Local(Box::new(Box::pin(local).await?))
    };
    let cancel = Notify::new();
    let mut following = Box::pin(follow(way, context.output.is_json(), &cancel));
    tokio::select! {
        done = &mut following => return done,
        () = signals.received() => {}
    }
    cancel.notify_one();
    note("cancelling the command; again leaves it to itself");
    tokio::select! {
        done = &mut following => done,
        () = signals.received() => Err(ExitWith(INTERRUPTED).into()),
    }
}

/// Prints what the command prints until it has ended, and says how.
async fn follow(mut way: Way, is_json: bool, cancel: &Notify) -> anyhow::Result<()> {
    let mut printer = Printer::new(tokio::io::stdout());
    let end = loop {
        let snapshot = tokio::select! {
            snapshot = way.next() => snapshot?,
            () = cancel.notified() => {
                way.cancel().await?;
                continue;
            }
            () = output::closed() => {
                // Nobody reads: as a program here would end, so does that one.
                way.cancel().await?;
                return Err(Closed.into());
            }
        };
        if !is_json && let Err(error) = printer.print(&snapshot).await {
            way.cancel().await?;
            return Err(match error.kind() {
                std::io::ErrorKind::BrokenPipe => Closed.into(),
                _ => anyhow::Error::new(error).context("cannot write what came"),
            });
        }
        if snapshot.ended.is_some() {
            break snapshot;
        }
    };
    if is_json {
        output::print_json(&way.whole().await?)?;
    }
    end.verdict()
}

impl Run {
    fn wanted(&self) -> anyhow::Result<Wanted> {
        let Some(kind) = &self.kind else {
            return Ok(Wanted {
                kind: CUSTOM.to_owned(),
                input: json!({"command": self.line.join(" ")}),
            });
        };
        let input = match self.input.as_deref() {
            None => Value::Null,
            Some("-") => {
                let mut text = String::new();
                std::io::stdin()
                    .lock()
                    .take(INPUT_LIMIT_BYTES)
                    .read_to_string(&mut text)
                    .context("cannot read the input from standard input")?;
                serde_json::from_str(&text).context("the input is no JSON")?
            }
            Some(text) => serde_json::from_str(text).context("--input is no JSON")?,
        };
        Ok(Wanted {
            kind: kind.clone(),
            input,
        })
    }
}

impl Snapshot {
    /// What a command that has ended means for this process.
    fn verdict(&self) -> anyhow::Result<()> {
        match self.ended {
            None | Some(Ended::Success) => Ok(()),
            Some(Ended::Failed(Some(code))) => {
                let code = u8::try_from(code).ok().filter(|code| *code != 0);
                Err(ExitWith(code.unwrap_or(1)).into())
            }
            Some(Ended::Failed(None)) => match last_line(&self.output).1 {
                "" => bail!("the command failed"),
                reason => bail!("{reason}"),
            },
        }
    }
}

#[cfg(test)]
#[path = "run/tests.rs"]
mod tests;
