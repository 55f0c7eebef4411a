//! What the client promises, against real servers and against what is none.

mod keys;
mod login;
mod run;
mod strange;

use std::net::SocketAddr;
use std::time::Duration;

use crate::command::tests::servers::{self, Account, OpenSsh, Options, Server, both};

use super::{Execute, Happening, Login, LoginSecret, Session, SshError, Stream, Timeouts, connect};
use crate::command::types::Execution;
use crate::event::Address;

/// Long enough for a machine that does much else; a test that waits for a timeout sets its own.
const PATIENCE: Timeouts = Timeouts {
    connect: Duration::from_secs(10),
    authentication: Duration::from_secs(10),
};

fn address_of(socket: SocketAddr) -> Address {
    Address::parse(&socket.to_string(), 22).unwrap()
}

fn by_password() -> Login {
    let account = Account::of_the_tests();
    Login {
        username: account.user,
        secret: LoginSecret::Password(account.password),
        old_algorithms: false,
    }
}

async fn log_in(server: &Server) -> Session {
    let address = address_of(server.address());
    match connect(&address, &by_password(), None, PATIENCE).await {
        Ok(session) => session,
        Err(error) => panic!("{error}\n{}", server.log()),
    }
}

fn line(line: &str) -> Execution {
    Execution {
        line: line.to_owned(),
        stdin: Vec::new(),
        tty: false,
        timeout: None,
        ends_link: false,
        secrets: Vec::new(),
    }
}

/// What a command printed, and how it ended.
#[derive(Debug, Default)]
struct Heard {
    stdout: String,
    stderr: String,
    end: Option<Happening>,
}

async fn hear(execute: &mut Execute) -> Heard {
    let mut heard = Heard::default();
    let listen = async {
        loop {
            match execute.next().await {
                Happening::Output { stream, bytes } => {
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    match stream {
                        Stream::Stdout => heard.stdout += &text,
                        Stream::Stderr => heard.stderr += &text,
                    }
                }
                end => return end,
            }
        }
    };
    let end = tokio::time::timeout(Duration::from_mins(1), listen).await;
    heard.end = Some(end.expect("the command ends"));
    heard
}

/// Hears until standard output has `text` in it.
async fn hear_of(execute: &mut Execute, text: &str) {
    let mut heard = String::new();
    while !heard.contains(text) {
        match execute.next().await {
            Happening::Output { bytes, .. } => heard += &String::from_utf8_lossy(&bytes),
            end => panic!("{end:?} after {heard:?}"),
        }
    }
}

async fn run_on(server: &Server, execution: &Execution) -> Heard {
    let mut execute = log_in(server).await.exec(execution).await.unwrap();
    hear(&mut execute).await
}
