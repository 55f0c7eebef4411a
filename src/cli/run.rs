//! `fleetwire run`: a command on a device, as if it ran here.

mod local;
mod printer;
mod remote;
mod rest;

use std::io::Read as _;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::context::Context;
use super::output::{self, Closed, note};
use crate::config::Hidden;
use crate::server::EndSignals;
use local::Local;
use printer::{Printer, last_line};
use remote::Remote;

/// The type of what stands behind `--`.
const CUSTOM: &str = "custom";

/// The server that a token is shown to where none is named.
const HERE: &str = "http://127.0.0.1:8000";

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
    /// Where the server is, when there is a token [default: the one at port 8000 here]
    #[arg(long, value_name = "URL", requires = "token")]
    url: Option<String>,
    /// The token of a user who may run commands on the device; in the environment no list of
    /// processes shows it
    #[arg(
        long,
        value_name = "T",
        env = "FLEETWIRE_TOKEN",
        hide_env_values = true
    )]
    token: Option<Hidden>,
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

/// A command that may be asked for.
enum Ready {
    /// In the database here.
    Local(Box<local::Ready>),
    /// Of a server somewhere.
    Remote(Box<remote::Ready>),
}

/// A command that was asked for.
enum Way {
    /// In the database here.
    Local(Box<Local>),
    /// Of a server somewhere.
    Remote(Box<Remote>),
}

impl Ready {
    /// Asks for it.
    async fn ask(self) -> anyhow::Result<Way> {
        Ok(match self {
            Self::Local(local) => Way::Local(Box::new(local.ask().await?)),
            Self::Remote(remote) => Way::Remote(Box::new(remote.ask().await?)),
        })
    }
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

/// That the person at the terminal wants the command's end.
#[derive(Default)]
struct Wish {
    /// And is being heard, so that the next one means something else.
    is_heard: AtomicBool,
    told: Notify,
}

pub(crate) async fn run(run: &Run, context: &Context) -> anyhow::Result<()> {
    let wanted = run.wanted()?;
    let ready = Box::pin(run.ready(context, &wanted)).await?;
    // Not before: until something was asked for, Ctrl-C has nothing to take back.
    let mut signals = EndSignals::listen()?;
    let wish = Wish::default();
    let mut following = Box::pin(async {
        let way = ready.ask().await?;
        follow(way, context.output.is_json(), &wish).await
    });
    loop {
        tokio::select! {
            done = &mut following => return done,
            () = signals.received() => {}
        }
        if wish.is_heard.swap(true, Ordering::Relaxed) {
            return Err(ExitWith(INTERRUPTED).into());
        }
        note("cancelling the command; again leaves it to itself");
        wish.told.notify_one();
    }
}

/// Prints what the command prints until it has ended, and says how.
async fn follow(mut way: Way, is_json: bool, wish: &Wish) -> anyhow::Result<()> {
    let mut printer = Printer::new(tokio::io::stdout());
    let end = loop {
        let snapshot = tokio::select! {
            snapshot = way.next() => snapshot?,
            () = wish.told.notified() => {
                if let Err(error) = way.cancel().await {
                    // It runs on, and so do we.
                    wish.is_heard.store(false, Ordering::Relaxed);
                    note(&format!("cannot cancel the command: {error:#}; Ctrl-C tries it again"));
                }
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
    /// Finds the way: of a server where a token is shown, else of the database here.
    async fn ready(&self, context: &Context, wanted: &Wanted) -> anyhow::Result<Ready> {
        let token = self.token.as_ref().filter(|token| !token.0.is_empty());
        let Some(Hidden(token)) = token else {
            // Whoever names a server does not mean the database here.
            ensure!(
                self.url.is_none(),
                "the token is empty: pass that of a user with --token or in FLEETWIRE_TOKEN"
            );
            let found = local::Ready::find(context, &self.device, wanted).await?;
            return Ok(Ready::Local(Box::new(found)));
        };
        let url = self.url.as_deref().unwrap_or(HERE);
        let found = remote::Ready::find(url, token, &self.device, wanted).await?;
        Ok(Ready::Remote(Box::new(found)))
    }

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
