//! One command: reaching its device, handing it over once, and following it to its end.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::report::{NotOurs, Report};
use super::runner::Runner;
use super::ssh::{self, Execute, Happening, Session, SshError, Timeouts};
use super::stop::Stop;
use super::types::Execution;
use crate::event::{Address, CommandStatus, ConnectionId};
use crate::store::{Job, Login};

/// How long all attempts of one command to reach its device may take.
const REACH: Duration = Duration::from_mins(1);

/// How long a command has between TERM and KILL.
const GRACE: Duration = Duration::from_secs(2);

/// Why a command did not reach its device.
enum Unsent {
    /// A reason for each attempt; together they are the one line that says why.
    Unreached(Vec<String>),
    /// Somebody wanted its end first.
    Stopped(String),
}

/// How a command that was to be handed over ended.
enum Outcome {
    /// The device would not take it.
    Refused(String),
    /// On the device, or with the link to it.
    Ended(Happening),
    /// Its time was over.
    Late(Duration),
    /// Somebody wanted its end.
    Stopped(String),
}

/// Until when a running command is followed.
enum Followed {
    Ended(Happening),
    Late,
    Stopped(String),
}

/// Runs a claimed command to its end.
pub(super) async fn run(runner: &Runner, job: Job, mut stop: Stop) {
    let execution = match execution(runner, &job) {
        Ok(execution) => execution,
        Err(reason) => {
            let mut report = Report::new(runner, job.command, Vec::new());
            report.end(CommandStatus::Failed, None, &reason).await;
            return;
        }
    };
    let mut report = Report::new(runner, job.command.clone(), execution.secrets.clone());
    let reached = tokio::select! {
        reached = reach(runner, &job) => reached,
        by = stop.asked() => Err(Unsent::Stopped(by)),
    };
    let (connection, session) = match reached {
        Ok(reached) => reached,
        Err(unsent) => {
            let line = match unsent {
                Unsent::Unreached(reasons) => reasons.join("; "),
                Unsent::Stopped(by) => {
                    format!("cancelled by {by} before it was sent to the device")
                }
            };
            report.end(CommandStatus::Failed, None, &line).await;
            return;
        }
    };
    let _turn = tokio::select! {
        turn = runner.turns.acquire() => turn,
        by = stop.asked() => {
            let line = format!("cancelled by {by} before it was sent to the device");
            report.end(CommandStatus::Failed, None, &line).await;
            return;
        }
    };
    // From here on it is never begun again, whatever becomes of us.
    match runner
        .store
        .mark_sent(runner.node.id, job.command.id, connection)
        .await
    {
        Ok(Some(command)) => report.updated(command),
        Ok(None) => {
            end_unmarked(runner, &job, &mut report).await;
            return;
        }
        Err(error) => {
            let line = format!("it was not sent to the device: {error}");
            report.end(CommandStatus::Failed, None, &line).await;
            return;
        }
    }
    if let Ok(outcome) = execute(runner, session, &execution, &mut report, &mut stop).await {
        conclude(&mut report, outcome, &execution).await;
    }
}

/// What the command's type makes of its input.
fn execution(runner: &Runner, job: &Job) -> Result<Execution, String> {
    let kind = &job.command.kind;
    let kind = runner
        .types
        .get(kind)
        .ok_or_else(|| format!("there is no command type \"{kind}\" any more"))?;
    kind.execution(&job.input.0)
        .map_err(|error| error.to_string())
}

/// Somebody asked for its end in the last moment, the device was deactivated, or the claim has ended
/// and with it the command.
async fn end_unmarked(runner: &Runner, job: &Job, report: &mut Report<'_>) {
    let asked = runner.store.cancelled(runner.node.id).await;
    let by = asked.unwrap_or_default().into_iter();
    if let Some((_, by)) = by.into_iter().find(|(id, _)| *id == job.command.id) {
        let line = format!("cancelled by {by} before it was sent to the device");
        report.end(CommandStatus::Failed, None, &line).await;
    } else {
        // Where it is not ours any more, this changes nothing.
        let line = "the device was deactivated: it was not run";
        report.end(CommandStatus::Failed, None, line).await;
    }
}

/// Tries each login at each address, in order, until one lets us in.
async fn reach(runner: &Runner, job: &Job) -> Result<(ConnectionId, Session), Unsent> {
    if job.addresses.is_empty() {
        let reason = "the device has no address: give it one";
        return Err(Unsent::Unreached(vec![reason.to_owned()]));
    }
    let mut reasons = Vec::new();
    let deadline = Instant::now() + REACH;
    for login in &job.logins {
        match reach_as(runner, login, &job.addresses, deadline).await {
            Ok(session) => return Ok((login.connection, session)),
            Err(mut more) => {
                note(runner, login.connection, None, Some(&more.join("; "))).await;
                reasons.append(&mut more);
            }
        }
    }
    if reasons.is_empty() {
        reasons.push("the device has no credentials any more".to_owned());
    }
    Err(Unsent::Unreached(reasons))
}

async fn reach_as(
    runner: &Runner,
    login: &Login,
    addresses: &[String],
    deadline: Instant,
) -> Result<Session, Vec<String>> {
    let secret = login.secret.clone().map_err(|reason| {
        vec![format!(
            "the secret of its credentials cannot be decrypted: {reason}"
        )]
    })?;
    let ssh_login = ssh::Login {
        username: login.username.clone(),
        secret,
        old_algorithms: login.old_algorithms,
    };
    let timeouts = Timeouts {
        connect: Duration::from_secs(runner.config.connect_timeout_s),
        authentication: Duration::from_secs(runner.config.authentication_timeout_s),
    };
    let mut reasons = Vec::new();
    for text in addresses {
        if Instant::now() > deadline {
            reasons.push(format!("no more was tried after {} s", REACH.as_secs()));
            break;
        }
        let address = match Address::parse(text, login.port) {
            Ok(address) => address,
            Err(error) => {
                reasons.push(error.to_string());
                continue;
            }
        };
        let known = login.host_key.as_deref();
        match ssh::connect(&address, &ssh_login, known, timeouts).await {
            Ok(session) => {
                note(runner, login.connection, Some(session.host_key()), None).await;
                return Ok(session);
            }
            Err(error) => {
                reasons.push(reason(&error));
                if !error.next_address_may_help() {
                    break;
                }
            }
        }
    }
    Err(reasons)
}

/// The error, and for a changed host key what an operator who trusts it does.
fn reason(error: &SshError) -> String {
    match error {
        SshError::HostKeyChanged { .. } => {
            format!("{error} (fleetwire connection set --forget-host-key)")
        }
        _ => error.to_string(),
    }
}

/// Notes how an attempt went; that it could not be noted changes nothing for the command.
async fn note(
    runner: &Runner,
    connection: ConnectionId,
    host_key: Option<&str>,
    failure_reason: Option<&str>,
) {
    let noted = runner
        .store
        .note_attempt(connection, host_key, failure_reason);
    if let Err(error) = noted.await {
        tracing::warn!(%error, %connection, "an attempt to log in could not be noted");
    }
}

/// Hands the command over and follows it to its end.
async fn execute(
    runner: &Runner,
    session: Session,
    execution: &Execution,
    report: &mut Report<'_>,
    stop: &mut Stop,
) -> Result<Outcome, NotOurs> {
    let usual = Duration::from_secs(runner.config.timeout_s);
    let patience = execution.timeout.unwrap_or(usual);
    let deadline = Instant::now() + patience;
    let handed_over = tokio::select! {
        handed_over = session.exec(execution) => handed_over,
        by = stop.asked() => return Ok(Outcome::Stopped(by)),
        () = sleep_until(deadline) => return Ok(Outcome::Late(patience)),
    };
    let mut execute = match handed_over {
        Ok(execute) => execute,
        Err(error) => return Ok(Outcome::Refused(error.to_string())),
    };
    let outcome = match follow(&mut execute, report, Some(stop), deadline).await? {
        Followed::Ended(happening) => return Ok(Outcome::Ended(happening)),
        Followed::Late => Outcome::Late(patience),
        Followed::Stopped(by) => Outcome::Stopped(by),
    };
    // As well as SSH can; what it prints meanwhile is taken in.
    execute.terminate().await;
    follow(&mut execute, report, None, Instant::now() + GRACE).await?;
    execute.kill().await;
    Ok(outcome)
}

/// Reports what happens until the command has ended, until `deadline`, or until it is to end.
async fn follow(
    execute: &mut Execute,
    report: &mut Report<'_>,
    mut stop: Option<&mut Stop>,
    deadline: Instant,
) -> Result<Followed, NotOurs> {
    loop {
        let asked = async {
            match &mut stop {
                Some(stop) => stop.asked().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            happening = execute.next() => match happening {
                Happening::Output { stream, bytes } => report.push(stream, &bytes),
                end => return Ok(Followed::Ended(end)),
            },
            // Only waited for here, and told below: a save that is begun is not given up.
            () = report.is_due() => {}
            by = asked => return Ok(Followed::Stopped(by)),
            () = sleep_until(deadline) => return Ok(Followed::Late),
        }
        if report.is_due_now() {
            report.tell().await?;
        }
    }
}

/// Says how it ended.
async fn conclude(report: &mut Report<'_>, outcome: Outcome, execution: &Execution) {
    let (status, exit_code, line) = match outcome {
        Outcome::Refused(reason) => (CommandStatus::Failed, None, reason),
        Outcome::Ended(Happening::Exited(0)) => (CommandStatus::Success, Some(0), String::new()),
        Outcome::Ended(Happening::Exited(code)) => {
            let line = format!("exit code: {code}");
            // A status has 32 bits, and no sign that anybody uses.
            let code = i32::try_from(code).unwrap_or(i32::MAX);
            (CommandStatus::Failed, Some(code), line)
        }
        Outcome::Ended(Happening::Lost(_)) if execution.ends_link => {
            (CommandStatus::Success, None, String::new())
        }
        Outcome::Ended(Happening::Lost(reason)) => {
            let line = format!("the link was lost ({reason}): it may have completed on the device");
            (CommandStatus::Failed, None, line)
        }
        Outcome::Ended(Happening::Signalled(signal)) => (
            CommandStatus::Failed,
            None,
            format!("ended by signal {signal}"),
        ),
        // `follow` hands on ends only; output is no end.
        Outcome::Ended(Happening::Output { .. }) => (
            CommandStatus::Failed,
            None,
            "it ended without saying how".to_owned(),
        ),
        Outcome::Late(patience) => {
            let seconds = patience.as_secs_f32();
            let line = format!("timed out after {seconds} s: the device may still be running it");
            (CommandStatus::Failed, None, line)
        }
        Outcome::Stopped(by) => {
            let line = format!("cancelled by {by}: the device may still be running it");
            (CommandStatus::Failed, None, line)
        }
    };
    report.end(status, exit_code, &line).await;
}
