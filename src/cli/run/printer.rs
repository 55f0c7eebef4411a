//! Output that grows: of each snapshot only what is new is printed.

use std::io;

use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::{Ended, Snapshot};

/// Prints the snapshots of one command.
pub(super) struct Printer<W> {
    out: W,
    /// What was printed. The output of a command whose node died may be shorter than what was pushed
    /// before.
    printed: String,
}

impl<W: AsyncWrite + Unpin> Printer<W> {
    pub(super) fn new(out: W) -> Self {
        Self {
            out,
            printed: String::new(),
        }
    }

    /// Prints what is new, but not the line that says why a command failed: that one is not the
    /// device's.
    pub(super) async fn print(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        let text = match snapshot.ended {
            Some(Ended::Failed(_)) => last_line(&snapshot.output).0,
            _ => &snapshot.output,
        };
        let Some(new) = text.strip_prefix(&self.printed) else {
            return Ok(());
        };
        if new.is_empty() {
            return Ok(());
        }
        self.out.write_all(new.as_bytes()).await?;
        self.out.flush().await?;
        self.printed.push_str(new);
        Ok(())
    }
}

/// The last line, and all before it with its line end.
pub(super) fn last_line(output: &str) -> (&str, &str) {
    let begin = output.rfind('\n').map_or(0, |at| at + 1);
    output.split_at(begin)
}
