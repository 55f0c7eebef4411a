//! One command: reaching its device, handing it over once, and following it to its end.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::answer::in_time;
use super::reach::reach;
use super::report::{NotOurs, Report};
use super::runner::Runner;
use super::ssh::{Execute, Happening, Session};
use super::stop::{Stop, Why};
use super::turns::{Turn, Waiter};
use super::types::Execution;
use crate::event::CommandStatus;
use crate::store::{EXPIRED, Job};

/// How long a command has between TERM and KILL.
const GRACE: Duration = Duration::from_secs(2);

/// How long to leave the database alone after it failed.
const AGAIN: Duration = Duration::from_millis(500);

/// What is said of a command whose lease was over when its device was about to get it.
const HELD_UP: &str = "the server that was about to run this command was held up: it was not run";

/// Why a command was not handed to its device.
enum Unsent {
    /// What its output is to say.
    Because(String),
    /// It was not to begin any more.
    Stopped(Why),
}

/// How a command that was to be handed over ended.
enum Outcome {
    /// The device would not take it.
    Refused(String),
    /// On the device, or with the link to it.
    Ended(Happening),
    /// Its time was over.
    Late(Duration),
    /// It was to end.
    Stopped(Why),
}

/// Until when a running command is followed.
enum Followed {
    Ended(Happening),
    Late,
    Stopped(Why),
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
    let ready = tokio::select! {
        ready = make_ready(runner, &job, &mut report) => ready,
        why = stop.before_it_began() => Err(Unsent::Stopped(why)),
    };
    match ready {
        Ok((session, _turn)) => {
            let outcome = execute(runner, session, &execution, &mut report, &mut stop);
            if let Ok(outcome) = outcome.await {
                conclude(&mut report, outcome, &execution).await;
            }
        }
        Err(Unsent::Because(line)) => report.end(CommandStatus::Failed, None, &line).await,
        Err(Unsent::Stopped(why)) => end_unsent(runner, &mut report, &why).await,
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

/// Reaches the device, waits for a turn there, and marks the command as sent: what is next is to
/// hand it over. Given up on the way, the command is not run.
async fn make_ready(
    runner: &Runner,
    job: &Job,
    report: &mut Report<'_>,
) -> Result<(Session, Turn), Unsent> {
    let reached = reach(runner, job).await.map_err(Unsent::Because)?;
    // Waiting for it ends with the command's time in the queue.
    let left = job.expires.0.saturating_sub(runner.store.instant().0);
    let left = Duration::from_micros(u64::try_from(left).unwrap_or_default());
    let waiter = Waiter {
        organization: job.organization,
        rank: job.rank,
        created: job.command.created,
    };
    runner.is_reached(job.command.id);
    let Ok(turn) = timeout(left, runner.turns.take(waiter)).await else {
        return Err(Unsent::Because(EXPIRED.to_owned()));
    };
    // A device may not have waited for so long.
    let (connection, session) = if reached.1.is_closed() {
        reach(runner, job).await.map_err(Unsent::Because)?
    } else {
        reached
    };
    if !runner.holds(job.command.id).await {
        return Err(Unsent::Stopped(Why::Lost));
    }
    // From here on it is never begun again, whatever becomes of us.
    let mark = || {
        let node = runner.node.id;
        in_time(runner.store.mark_sent(node, job.command.id, connection))
    };
    let mut marked = mark().await;
    if matches!(marked, Ok(None)) && runner.renews(job.command.id).await {
        // The database's clock may have been set ahead: then the lease was over, and is not now.
        marked = mark().await;
    }
    match marked {
        Ok(Some(command)) => {
            report.updated(command);
            // The answer may have taken its time, or this process stood still.
            if runner.holds(job.command.id).await {
                Ok((session, turn))
            } else {
                Err(Unsent::Because(HELD_UP.to_owned()))
            }
        }
        Ok(None) => Err(Unsent::Because(unmarked(runner, job).await)),
        Err(error) => {
            let line = format!("it was not sent to the device: {error}");
            Err(Unsent::Because(line))
        }
    }
}

/// Why the command could not be marked as sent. Where it is not ours any more, nobody is told.
async fn unmarked(runner: &Runner, job: &Job) -> String {
    let asked = in_time(runner.store.cancelled(runner.node.id)).await;
    let mut asked = asked.unwrap_or_default().into_iter();
    match asked.find(|(id, _)| *id == job.command.id) {
        Some((_, by)) => cancelled_before(&by),
        None => "it was not run: its time in the queue was over, or the device was deactivated"
            .to_owned(),
    }
}

fn cancelled_before(by: &str) -> String {
    format!("cancelled by {by} before it was sent to the device")
}

/// Ends a command that is not to begin, or leaves it to the next server.
async fn end_unsent(runner: &Runner, report: &mut Report<'_>, why: &Why) {
    let line = match why {
        Why::Cancelled(by) => cancelled_before(by),
        Why::Drain | Why::Cut | Why::Lost => {
            // Until the database is there: what can wait is not ended. If this program ends before, others
            // find that the lease is over.
            let given_back = loop {
                let given_back = runner.store.give_back(runner.node.id, report.id());
                match in_time(given_back).await {
                    Ok(given_back) => break given_back,
                    Err(error) => {
                        tracing::warn!(code = "command_not_given_back", %error, command = %report.id(), "a command could not be given back; trying again");
                        sleep(AGAIN).await;
                    }
                }
            };
            if given_back {
                return;
            }
            "the server that was about to run this command was stopped: it was not run".to_owned()
        }
    };
    report.end(CommandStatus::Failed, None, &line).await;
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
        why = stop.since_it_began() => return Ok(Outcome::Stopped(why)),
        () = sleep_until(deadline) => return Ok(Outcome::Late(patience)),
    };
    let mut execute = match handed_over {
        Ok(execute) => execute,
        Err(error) => return Ok(Outcome::Refused(error.to_string())),
    };
    let outcome = match follow(&mut execute, report, Some(stop), deadline).await? {
        Followed::Ended(happening) => return Ok(Outcome::Ended(happening)),
        Followed::Late => Outcome::Late(patience),
        // There is no time for more than to say so.
        Followed::Stopped(Why::Cut) => return Ok(Outcome::Stopped(Why::Cut)),
        Followed::Stopped(why) => Outcome::Stopped(why),
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
                Some(stop) => stop.since_it_began().await,
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
            why = asked => return Ok(Followed::Stopped(why)),
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
        Outcome::Ended(Happening::Refused) => {
            let line = "the device refuses to run the command".to_owned();
            (CommandStatus::Failed, None, line)
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
        Outcome::Stopped(Why::Cancelled(by)) => {
            let line = format!("cancelled by {by}: the device may still be running it");
            (CommandStatus::Failed, None, line)
        }
        // Of one that is lost another node has told the end already.
        Outcome::Stopped(Why::Drain | Why::Cut | Why::Lost) => {
            let line =
                "the server that ran this command was stopped: it may have completed on the device"
                    .to_owned();
            (CommandStatus::Failed, None, line)
        }
    };
    report.end(status, exit_code, &line).await;
}
