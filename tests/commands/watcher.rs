//! An operator who watches the commands of a device.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::support::{Credential, Server, Socket, command_path};

const KEYS: [&str; 9] = [
    "id",
    "device",
    "connection",
    "type",
    "input",
    "output",
    "status",
    "created",
    "modified",
];

/// A socket on the commands of one device. Each message that it hears is held against the contract.
pub struct Watcher {
    socket: Socket,
    heard: HashMap<String, Vec<Value>>,
}

impl Watcher {
    pub async fn open(server: &Server, device: &str, credential: &Credential) -> Self {
        Self::open_since(server, device, credential, "").await
    }

    /// `query` is "" or `?since=...`.
    pub async fn open_since(
        server: &Server,
        device: &str,
        credential: &Credential,
        query: &str,
    ) -> Self {
        let path = command_path(device) + query;
        Self {
            socket: Socket::open(server, &path, credential).await,
            heard: HashMap::new(),
        }
    }

    /// The `data` of the next message.
    pub async fn next(&mut self) -> Value {
        let message = self.socket.next().await;
        assert_eq!(keys(&message), ["model", "data"]);
        assert_eq!(message["model"], json!("Command"));
        let data = message["data"].clone();
        let heard = self.heard.entry(text(&data, "id")).or_default();
        check(heard.last(), &data);
        heard.push(data.clone());
        data
    }

    /// Reads on until a message about this command fulfils `condition`.
    pub async fn until(&mut self, id: &str, condition: impl Fn(&Value) -> bool) -> Value {
        loop {
            let data = self.next().await;
            if data["id"] == id && condition(&data) {
                return data;
            }
        }
    }

    /// Reads on until exactly this has been printed.
    pub async fn until_output(&mut self, id: &str, output: &str) {
        self.until(id, |data| data["output"] == output).await;
    }

    /// Reads on until this command has ended, and answers with its last message.
    pub async fn end(&mut self, id: &str) -> Value {
        self.until(id, is_final).await
    }

    /// All that was heard of a command.
    pub fn heard(&self, id: &str) -> &[Value] {
        self.heard.get(id).map_or(&[], Vec::as_slice)
    }

    /// All that was heard.
    pub fn all(&self) -> &HashMap<String, Vec<Value>> {
        &self.heard
    }

    /// Shows that nothing is on its way but what was heard.
    pub async fn hears_nothing_more(&mut self) {
        let more = self.socket.ping().await;
        assert!(more.is_empty(), "{more:?}");
    }
}

/// Holds a message against the one before it about the same command.
pub fn check(before: Option<&Value>, data: &Value) {
    assert_eq!(keys(data), KEYS);
    let status = text(data, "status");
    assert!(
        ["in-progress", "success", "failed"].contains(&&*status),
        "{data}"
    );
    for key in ["created", "modified"] {
        let moment = text(data, key);
        assert!(moment.len() == 27 && moment.ends_with('Z'), "{data}");
    }
    let Some(before) = before else {
        // Nothing is pushed for the creation.
        assert!(text(data, "modified") > text(data, "created"), "{data}");
        return;
    };
    for key in ["device", "type", "input", "created"] {
        assert_eq!(before[key], data[key], "{key}");
    }
    assert!(!is_final(before), "after its end: {before} then {data}");
    assert!(text(data, "modified") >= text(before, "modified"));
    let (shorter, longer) = (text(before, "output"), text(data, "output"));
    assert!(longer.starts_with(&shorter), "{shorter:?} then {longer:?}");
}

/// Whether a command as a message or REST shows it has ended.
pub fn is_final(command: &Value) -> bool {
    command["status"] != "in-progress"
}

/// A text in an object.
pub fn text(object: &Value, key: &str) -> String {
    let text = object[key].as_str();
    text.unwrap_or_else(|| panic!("{key} is no text: {object}"))
        .to_owned()
}

fn keys(value: &Value) -> Vec<&str> {
    let object = value.as_object();
    let object = object.unwrap_or_else(|| panic!("no object: {value}"));
    object.keys().map(String::as_str).collect()
}
