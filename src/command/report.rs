//! What is told and kept of a running command: its output as it grows, and how it ended.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::answer::in_time;
use super::output::Collected;
use super::runner::Runner;
use super::ssh::Stream;
use crate::event::{CommandId, CommandStatus, CommandUpdated};
use crate::store::{Command, Ending, Piece};

/// Between two pushes at least; more the longer the output is, since each push carries all of it.
const PUSH: Duration = Duration::from_millis(250);

/// Bytes of output that a second between two pushes stands for.
const SIZE_A_SECOND: f64 = 512.0 * 1024.0;

/// Between two saves at least.
const SAVE: Duration = Duration::from_secs(1);

/// Between two attempts to save how a command ended.
const AGAIN: Duration = Duration::from_secs(1);

/// The command is not this node's any more: its lease ended, and others have ended the command.
#[derive(Debug)]
pub(super) struct NotOurs;

/// The report of one running command.
pub(super) struct Report<'a> {
    runner: &'a Runner,
    /// As it was last saved, without its output.
    command: Command,
    collected: Collected,
    /// Bytes of the output that were pushed and saved.
    pushed: usize,
    saved: usize,
    /// Pieces that were saved.
    pieces: i64,
    pushed_at: Instant,
    saved_at: Instant,
    growth: u32,
}

impl<'a> Report<'a> {
    /// The report of a command that has printed nothing.
    pub(super) fn new(runner: &'a Runner, command: Command, secrets: Vec<String>) -> Self {
        let now = Instant::now();
        Self {
            runner,
            command,
            collected: Collected::new(runner.config.output_bytes, secrets),
            pushed: 0,
            saved: 0,
            pieces: 0,
            pushed_at: now,
            saved_at: now,
            growth: 0,
        }
    }

    /// Which command it is about.
    pub(super) fn id(&self) -> CommandId {
        self.command.id
    }

    /// Takes over the row as it was updated elsewhere, which told of it as well.
    pub(super) fn updated(&mut self, command: Command) {
        self.command = command;
        self.growth = 0;
        self.pushed_at = Instant::now();
    }

    /// Takes what the device printed.
    pub(super) fn push(&mut self, stream: Stream, bytes: &[u8]) {
        self.runner
            .metrics
            .command_output_bytes
            .inc_by(bytes.len() as u64);
        self.collected.push(stream, bytes);
    }

    /// Returns when something new is to be told or kept; never while there is nothing new.
    pub(super) async fn is_due(&self) {
        match self.due() {
            Some(due) => sleep_until(due).await,
            None => std::future::pending().await,
        }
    }

    /// Whether something new is to be told or kept now.
    pub(super) fn is_due_now(&self) -> bool {
        self.due().is_some_and(|due| due <= Instant::now())
    }

    fn due(&self) -> Option<Instant> {
        let size = self.collected.text().len();
        let push_at = self.pushed_at + push_interval(size);
        if size > self.pushed {
            Some(push_at)
        } else {
            (size > self.saved).then(|| push_at.max(self.saved_at + SAVE))
        }
    }

    /// Tells of the output so far; it is kept with it, if that was not done within the last second.
    pub(super) async fn tell(&mut self) -> Result<(), NotOurs> {
        let now = Instant::now();
        self.pushed_at = now;
        if now >= self.saved_at + SAVE {
            self.saved_at = now;
            return self.save().await;
        }
        self.pushed = self.collected.text().len();
        // What nobody sees need not be copied.
        let bytes = self.pushed;
        if self.runner.ingest.wants_growth(self.command.device, bytes) {
            self.growth = self.growth.saturating_add(1);
            let grown = CommandUpdated {
                modified: self.runner.store.instant(),
                growth: self.growth,
                ..self.snapshot()
            };
            self.runner.ingest.grow(grown);
        }
        Ok(())
    }

    async fn save(&mut self) -> Result<(), NotOurs> {
        let snapshot = self.snapshot();
        let store = &self.runner.store;
        let saving = store.save_output(self.runner.node.id, &snapshot, self.piece());
        match in_time(saving).await {
            Ok(Some(version)) => {
                self.pushed = snapshot.output.len();
                self.saved = snapshot.output.len();
                self.pieces += 1;
                self.command.version = version;
                self.growth = 0;
                Ok(())
            }
            Ok(None) => Err(NotOurs),
            Err(error) => {
                // It is still in memory, and goes with the next save.
                tracing::warn!(code = "output_not_saved", %error, command = %self.command.id, "output could not be saved");
                Ok(())
            }
        }
    }

    /// Ends the command, for good: tried until the database has it. `line` stands last in the
    /// output.
    pub(super) async fn end(&mut self, status: CommandStatus, exit_code: Option<i32>, line: &str) {
        self.collected.finish();
        if !line.is_empty() {
            self.collected.line(line);
        }
        let ending = Ending { status, exit_code };
        loop {
            let snapshot = self.snapshot();
            let store = &self.runner.store;
            let ending = store.end_command(self.runner.node.id, &snapshot, self.piece(), ending);
            match in_time(ending).await {
                Ok(Some(_)) => break,
                // Others have ended it.
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(code = "end_not_saved", %error, command = %self.command.id, "the end of a command could not be saved; trying again");
                    sleep(AGAIN).await;
                }
            }
        }
        self.runner.metrics.command_ended(status.on_the_wire());
    }

    fn snapshot(&self) -> CommandUpdated {
        CommandUpdated {
            output: self.collected.text().to_owned(),
            ..self.command.clone().into()
        }
    }

    /// What is not saved yet.
    fn piece(&self) -> Piece<'_> {
        Piece {
            number: self.pieces + 1,
            // Text only grows at its end, and `saved` was its length once: a character's boundary.
            text: self.collected.text().get(self.saved..).unwrap_or_default(),
        }
    }
}

/// Between two pushes of an output of `size` bytes: at most half a megabyte a second and socket.
fn push_interval(size: usize) -> Duration {
    #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
    let by_size = Duration::from_secs_f64(size as f64 / SIZE_A_SECOND);
    PUSH.max(by_size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_output_is_pushed_less_often() {
        for (size, expected) in [(0, 250), (1 << 16, 250), (1 << 18, 500), (1 << 20, 2000)] {
            assert_eq!(push_interval(size), Duration::from_millis(expected));
        }
    }
}
