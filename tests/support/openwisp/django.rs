//! A Django that stays: what takes three seconds to start does each of a test's steps at once.

use std::collections::BTreeMap;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::support::Credential;
use crate::support::within;

/// `tests/openwisp/obey.py`, which runs Python with all that this file defines.
pub struct Django {
    _child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Django {
    /// Starts it; what is asked meanwhile waits.
    pub fn start(python: std::process::Command) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/openwisp/obey.py");
        let mut child = Command::from(python)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("Python starts");
        Self {
            input: child.stdin.take().expect("a pipe"),
            output: BufReader::new(child.stdout.take().expect("a pipe")).lines(),
            _child: child,
        }
    }

    /// Runs Python; the value of its last line where that is an expression.
    pub async fn run(&mut self, code: &str) -> Value {
        self.try_run(code)
            .await
            .unwrap_or_else(|error| panic!("{code}: {error}"))
    }

    /// Like [`Django::run`]; the trace of what was raised in place of the value.
    pub async fn try_run(&mut self, code: &str) -> Result<Value, String> {
        let line = format!("{}\n", json!(code));
        self.input
            .write_all(line.as_bytes())
            .await
            .expect("Django is there");
        let line = within(code, self.output.next_line()).await;
        let line = line.expect("text").expect("Django is there");
        let answer: Value = serde_json::from_str(&line).expect("JSON");
        match answer.get("raised").and_then(Value::as_str) {
            Some(trace) => Err(trace.to_owned()),
            None => Ok(answer["value"].clone()),
        }
    }

    /// A session cookie of each user of the seed, as logging in makes it.
    pub async fn cookies(&mut self) -> BTreeMap<String, Credential> {
        let cookies = self.run("cookies()").await;
        let cookies = cookies.as_object().expect("names and cookies").iter();
        cookies
            .map(|(name, cookie)| {
                let cookie = cookie.as_str().expect("a cookie").to_owned();
                (name.clone(), Credential::Cookie(cookie))
            })
            .collect()
    }

    /// The session cookie that Python makes.
    pub async fn cookie(&mut self, code: &str) -> Credential {
        let cookie = self.run(code).await;
        Credential::Cookie(cookie.as_str().expect("a cookie").to_owned())
    }
}
