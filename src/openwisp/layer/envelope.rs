//! What is around a message on its way through Redis, and how it is taken off.

use serde_json::{Map, Value};

use super::fernet::Keys;
use super::msgpack;
use crate::event::Timestamp;
use crate::openwisp::settings::{LayerKind, LayerSettings};

/// Random bytes ahead of a message of the core layer, so that equal messages differ in the sorted set.
const RANDOM: usize = 12;
/// The largest message that is read. Daphne gives up a socket on a frame of more than 1 MiB, and
/// `MessagePack` is not larger than JSON; base64 of encryption adds a third.
const LARGEST: usize = 4 * 1024 * 1024;
/// `expiry` of the core layer, by which it also judges encrypted messages, with 10 s added.
const VALID_S: i64 = 60 + 10;
/// By how much more the clock of OpenWISP's machine may differ from ours. Django's own consumers allow
/// nothing more into the past: there a clock that is a minute slow makes every message invalid.
const SKEW_S: i64 = 60;
/// Where the core layer tells which channels a message is for.
const CHANNELS: &str = "__asgi_channel__";

/// A message without what was around it.
#[derive(Debug, PartialEq)]
pub struct Opened {
    /// The channels it is for: none in the pub/sub layer.
    pub channels: Vec<String>,
    /// The whole message, without them.
    pub message: Value,
}

/// Opens what senders closed.
pub struct Opener {
    random: usize,
    valid_s: Option<i64>,
    keys: Option<Keys>,
}

impl Opener {
    /// Of the senders that `settings` describe.
    #[must_use]
    pub fn new(settings: &LayerSettings) -> Self {
        let (random, valid_s) = match settings.kind {
            LayerKind::Core => (RANDOM, Some(VALID_S + SKEW_S)),
            // It has no expiry, and so Django's consumers ask for no age.
            LayerKind::PubSub => (0, None),
        };
        let keys = &settings.encryption_keys;
        Self {
            random,
            valid_s,
            keys: (!keys.is_empty()).then(|| Keys::new(keys)),
        }
    }

    /// Takes off what is around a message.
    ///
    /// # Errors
    /// With why it is no message, in the words of a log. Nothing of the message is repeated: it may be
    /// a secret.
    pub fn open(&self, bytes: &[u8]) -> Result<Opened, String> {
        if bytes.len() > LARGEST {
            return Err(format!("it has {} bytes", bytes.len()));
        }
        let Some(body) = bytes.get(self.random..) else {
            return Err("it is too short".into());
        };
        let value = match &self.keys {
            None => read(body),
            Some(keys) => {
                let now_s = Timestamp::now().0.div_euclid(1_000_000);
                let opened = keys.open(body, now_s, self.valid_s);
                read(&opened.map_err(|error| error.to_string())?)
            }
        };
        let Value::Object(mut message) = value? else {
            return Err("it is no object".into());
        };
        let channels = take_channels(&mut message)?;
        Ok(Opened {
            channels,
            message: Value::Object(message),
        })
    }
}

/// Reads either of the two serializers of `channels_redis`: a message is an object, and no object of
/// `MessagePack` begins with a brace.
fn read(body: &[u8]) -> Result<Value, String> {
    match body.first() {
        Some(b'{') => serde_json::from_slice(body).map_err(|error| match error.classify() {
            serde_json::error::Category::Eof => "its JSON ends early".into(),
            _ => format!("its JSON is wrong at byte {}", error.column()),
        }),
        // 0x80, the version of Fernet, in base64.
        Some(b'g') if body.starts_with(b"gAAAA") => {
            Err("it is encrypted: set gateway.channel_encryption_keys".into())
        }
        _ => msgpack::read(body).map_err(|error| format!("it is no MessagePack: {error}")),
    }
}

/// A list from `group_send`, a text from `send`.
fn take_channels(message: &mut Map<String, Value>) -> Result<Vec<String>, String> {
    // Not the last entry's place for the removed one's: the order of keys is the sender's.
    let texts = match message.shift_remove(CHANNELS) {
        None => return Ok(Vec::new()),
        Some(Value::String(channel)) => return Ok(vec![channel]),
        Some(Value::Array(channels)) => channels,
        Some(_) => return Err(format!("its {CHANNELS} is neither a text nor a list")),
    };
    let channels = texts.into_iter().map(|channel| match channel {
        Value::String(channel) => Ok(channel),
        _ => Err(format!("its {CHANNELS} is no list of texts")),
    });
    channels.collect()
}

#[cfg(test)]
#[path = "tests/envelopes.rs"]
mod tests;
