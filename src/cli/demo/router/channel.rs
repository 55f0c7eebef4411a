//! One channel of a connection: a command with its input, its output and its signals.

use std::sync::Arc;

use bytes::Bytes;
use russh::server::{Handle, Msg};
use russh::{Channel, ChannelId, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Error, Sig};
use tokio::sync::mpsc;

use super::machine::Machine;
use super::shell;

/// Pieces of input that wait for the command; it is typed by hand or short, so more is thrown away.
const INPUT_PIECES: usize = 32;

/// The longest line that a command reads.
const LONGEST_LINE: usize = 4096;

/// What standard error is called in SSH.
const STDERR: u32 = 1;

/// What Ctrl-C sends over a terminal.
const CTRL_C: u8 = 3;

/// What is asked of a channel.
struct Request {
    /// Without one, a shell is wanted.
    line: Option<String>,
    is_tty: bool,
}

/// Serves a channel to its end.
pub(super) async fn serve(channel: Channel<Msg>, handle: Handle, machine: Arc<Machine>) {
    let id = channel.id();
    let (mut incoming, outgoing) = channel.split();
    let Some(request) = await_request(&mut incoming).await else {
        return;
    };
    let (typing, input) = mpsc::channel(INPUT_PIECES);
    let terminal = Terminal {
        outgoing,
        input,
        typed: Vec::new(),
        is_tty: request.is_tty,
    };
    let end = tokio::select! {
        status = run(request.line, terminal, &machine) => status.ok().map(End::Exited),
        signal = listen(&mut incoming, typing, request.is_tty) => signal.map(End::Killed),
    };
    if let Some(end) = end {
        // Who does not hear this has gone.
        let _ = tell(&handle, id, end).await;
    }
}

async fn await_request(incoming: &mut ChannelReadHalf) -> Option<Request> {
    let mut is_tty = false;
    loop {
        let line = match incoming.wait().await? {
            ChannelMsg::RequestPty { .. } => {
                is_tty = true;
                continue;
            }
            ChannelMsg::Exec { command, .. } => Some(String::from_utf8_lossy(&command).into()),
            ChannelMsg::RequestShell { .. } => None,
            ChannelMsg::Close => return None,
            _ => continue,
        };
        return Some(Request { line, is_tty });
    }
}

async fn run(
    line: Option<String>,
    mut terminal: Terminal,
    machine: &Machine,
) -> Result<u32, Error> {
    if let Some(line) = line {
        return shell::run(&line, machine, &mut terminal).await;
    }
    let name = machine.hostname();
    let notice = format!("{name} is simulated: it runs commands, such as `uptime`, and no shell.");
    terminal.complain(&notice).await?;
    Ok(1)
}

/// Hands on what is typed, until a signal ends the command or the client goes (none).
async fn listen(
    incoming: &mut ChannelReadHalf,
    typing: mpsc::Sender<Bytes>,
    is_tty: bool,
) -> Option<Sig> {
    let mut typing = Some(typing);
    loop {
        match incoming.wait().await? {
            ChannelMsg::Data { data } => {
                if is_tty && data.contains(&CTRL_C) {
                    return Some(Sig::INT);
                }
                if let Some(typing) = &typing {
                    // A command that does not read must not hold up the signal behind its input.
                    let _ = typing.try_send(data);
                }
            }
            ChannelMsg::Eof => typing = None,
            ChannelMsg::Signal { signal } if !matches!(signal, Sig::Custom(_)) => {
                return Some(signal);
            }
            ChannelMsg::Close => return None,
            _ => {}
        }
    }
}

/// How a command ended.
enum End {
    Exited(u32),
    Killed(Sig),
}

/// Says how the command ended, behind all of its output.
async fn tell(handle: &Handle, id: ChannelId, end: End) -> Result<(), ()> {
    match end {
        End::Exited(status) => handle.exit_status_request(id, status).await?,
        End::Killed(signal) => {
            let nothing = String::new;
            handle
                .exit_signal_request(id, signal, false, nothing(), nothing())
                .await?;
        }
    }
    handle.eof(id).await?;
    handle.close(id).await
}

/// What a command reads from and writes to.
pub(super) struct Terminal {
    outgoing: ChannelWriteHalf<Msg>,
    input: mpsc::Receiver<Bytes>,
    /// Typed, and not yet a line.
    typed: Vec<u8>,
    is_tty: bool,
}

impl Terminal {
    /// Prints a text, as it is.
    pub(super) async fn print(&self, text: &str) -> Result<(), Error> {
        self.outgoing.data_bytes(self.bytes(text)).await
    }

    /// Prints a line to standard error.
    pub(super) async fn complain(&self, line: &str) -> Result<(), Error> {
        let bytes = self.bytes(&format!("{line}\n"));
        if self.is_tty {
            // A terminal has one stream.
            self.outgoing.data_bytes(bytes).await
        } else {
            self.outgoing.extended_data_bytes(STDERR, bytes).await
        }
    }

    /// The next line that is typed, without its end; none when there is no more.
    pub(super) async fn read_line(&mut self) -> Option<String> {
        // The Enter of a terminal is a carriage return.
        let ends_line = |it: &u8| *it == b'\n' || (self.is_tty && *it == b'\r');
        loop {
            if let Some(end) = self.typed.iter().position(ends_line) {
                let line: Vec<_> = self.typed.drain(..=end).take(end).collect();
                return Some(String::from_utf8_lossy(&line).into());
            }
            match self.input.recv().await {
                Some(piece) if self.typed.len() < LONGEST_LINE => self.typed.extend(piece),
                Some(_) => {}
                None if self.typed.is_empty() => return None,
                None => {
                    let line = std::mem::take(&mut self.typed);
                    return Some(String::from_utf8_lossy(&line).into());
                }
            }
        }
    }

    fn bytes(&self, text: &str) -> Bytes {
        if self.is_tty {
            text.replace('\n', "\r\n").into()
        } else {
            Bytes::copy_from_slice(text.as_bytes())
        }
    }
}
