//! The contract as a table: who may open which socket, which change is told to whom, and which
//! sockets end when a right is taken away. The tables are the JSON files of `tests/conformance/`;
//! each runs against the real program on SQLite and on PostgreSQL.

mod handshake;
mod rights;
mod updates;

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;

/// Makes one test an engine out of each `async fn(Engine)`.
macro_rules! on_both_engines {
    ($($rule:ident),+ $(,)?) => {
        mod sqlite {$(
            #[tokio::test]
            async fn $rule() {
                super::$rule(crate::support::Engine::Sqlite).await;
            }
        )+}
        mod postgres {$(
            #[tokio::test]
            async fn $rule() {
                super::$rule(crate::support::Engine::Postgres).await;
            }
        )+}
    };
}
pub(crate) use on_both_engines;

/// A table of `tests/conformance/`.
fn table<T: DeserializeOwned>(name: &str) -> T {
    let path = format!(
        "{}/tests/conformance/{name}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What `{names}` in a table stand for.
#[derive(Clone, Default)]
pub(crate) struct Names(BTreeMap<String, String>);

impl Names {
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.0.insert(format!("{{{name}}}"), value.to_owned());
    }

    /// `text` with every `{name}` replaced.
    pub(crate) fn fill(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (name, value)| {
            text.replace(name, value)
        })
    }

    /// `value` with every `{name}` in its texts replaced.
    fn fill_json(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.fill(text)),
            Value::Array(all) => all.iter().map(|item| self.fill_json(item)).collect(),
            Value::Object(all) => all
                .iter()
                .map(|(key, item)| (key.clone(), self.fill_json(item)))
                .collect(),
            other => other.clone(),
        }
    }

    fn fill_all(&self, arguments: &[String]) -> Vec<String> {
        arguments
            .iter()
            .map(|argument| self.fill(argument))
            .collect()
    }
}
