//! Results on standard output, for people or as JSON; failures on standard error.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, Write as _};
use std::os::fd::AsFd;

use serde_json::Value;
use tokio::io::Interest;
use tokio::net::unix::pipe::Sender;

/// Standard output was closed by who read it: the end of the work, but no failure.
#[derive(Debug, thiserror::Error)]
#[error("standard output was closed")]
pub(crate) struct Closed;

/// Where results go, and in which form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether `--json` was asked for.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// A list of objects: an array, or a table of those of their fields that `columns` names.
    pub(crate) fn list(self, rows: Vec<Value>, columns: &[&str]) -> anyhow::Result<()> {
        if self.json {
            return print_json(&Value::Array(rows));
        }
        print(&table(&rows, columns))
    }

    /// One object: as it is, or a line a field.
    pub(crate) fn object(self, object: &Value) -> anyhow::Result<()> {
        if self.json {
            return print_json(object);
        }
        print(&lines(object))
    }

    /// What was done, for people; with `--json` nothing is to be said.
    pub(crate) fn done(self, text: &str) -> anyhow::Result<()> {
        if self.json {
            return Ok(());
        }
        print(&format!("{text}\n"))
    }
}

/// One JSON value on a line of its own.
pub(crate) fn print_json(value: &Value) -> anyhow::Result<()> {
    print(&format!("{value}\n"))
}

/// Writes a whole text, flushed.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Closed.into()),
        done => Ok(done?),
    }
}

/// Returns when who reads standard output has closed it, which a write would only find out later;
/// never where the system does not tell, as for a file.
pub(crate) async fn closed() {
    // Never written to: it only waits, on a descriptor of its own.
    let watched = io::stdout().as_fd().try_clone_to_owned();
    if let Ok(pipe) = watched.and_then(Sender::from_owned_fd_unchecked)
        && pipe.ready(Interest::ERROR).await.is_ok()
    {
        return;
    }
    std::future::pending::<()>().await;
}

/// A line for the person at the terminal that is no result.
pub(crate) fn note(text: &str) {
    // Where standard error is closed, nobody is there to be told.
    let _ = writeln!(io::stderr(), "fleetwire: {text}");
}

/// Says on one line why it failed.
pub(crate) fn complain(error: &anyhow::Error) {
    note(&explain(error));
}

/// The error and its causes, on one line; a cause that the text before it already tells is left out.
fn explain(error: &anyhow::Error) -> String {
    let mut told = String::new();
    for cause in error.chain() {
        let text = cause.to_string();
        if told.is_empty() {
            told = text;
        } else if !told.contains(&text) {
            let _ = write!(told, ": {text}");
        }
    }
    printable(&told)
}

fn table(rows: &[Value], columns: &[&str]) -> String {
    let mut cells = vec![
        columns
            .iter()
            .map(|name| name.to_uppercase())
            .collect::<Vec<_>>(),
    ];
    for row in rows {
        cells.push(columns.iter().map(|name| cell(&row[*name])).collect());
    }
    let width = |column: usize| {
        let lengths = cells.iter().map(|row| row[column].chars().count());
        lengths.max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let mut text = String::new();
    for row in &cells {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn lines(object: &Value) -> String {
    let mut text = String::new();
    for (name, value) in object.as_object().into_iter().flatten() {
        let _ = writeln!(text, "{name}: {}", cell(value));
    }
    text
}

/// A value in the words of a table.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::Bool(true) => "yes".into(),
        Value::Bool(false) => "no".into(),
        Value::Number(number) => number.to_string(),
        Value::String(text) if text.is_empty() => "-".into(),
        Value::String(text) => printable(text),
        Value::Array(values) if values.is_empty() => "-".into(),
        Value::Array(values) => values.iter().map(cell).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => match fields.get("coordinates").and_then(Value::as_array) {
            Some(point) => point.iter().map(cell).collect::<Vec<_>>().join(","),
            None => value.to_string(),
        },
    }
}

/// One line, without what would steer a terminal: names come from whoever may write to the API.
fn printable(text: &str) -> String {
    text.chars()
        .map(|letter| match letter {
            '\n' | '\r' | '\t' => ' ',
            letter if letter.is_control() => char::REPLACEMENT_CHARACTER,
            letter => letter,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_table_has_a_column_a_field_and_no_trailing_blanks() {
        let rows = [
            json!({"name": "Bus 1", "is_mobile": true, "geometry": {"type": "Point", "coordinates": [-3.7, 40.4]}}),
            json!({"name": "Vía", "is_mobile": false, "geometry": null}),
        ];
        assert_eq!(
            table(&rows, &["name", "is_mobile", "geometry"]),
            "NAME   IS_MOBILE  GEOMETRY\nBus 1  yes        -3.7,40.4\nVía    no         -\n"
        );
    }

    #[test]
    fn names_cannot_steer_the_terminal() {
        assert_eq!(
            lines(&json!({"name": "a\u{1b}[2Jb\nc"})),
            "name: a\u{fffd}[2Jb c\n"
        );
    }

    #[test]
    fn a_cause_is_told_once() {
        let cause = io::Error::other("disk full");
        let error = anyhow::Error::new(cause).context("the database failed: disk full");
        let error = error.context("cannot open it");
        assert_eq!(
            explain(&error),
            "cannot open it: the database failed: disk full"
        );
    }
}
