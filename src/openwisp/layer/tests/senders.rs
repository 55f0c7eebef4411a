//! The real `channels_redis`, which sends.

use tokio::process::Command;

use super::{LayerKind, LayerSettings};

/// Sends to groups in turns, as one line of its input says: messages numbered from the first on.
const SCRIPT: &str = r#"
import asyncio, json, logging, sys
from channels_redis.core import RedisChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer

task = json.loads(sys.argv[1])
layer = {"core": RedisChannelLayer, "pubsub": RedisPubSubChannelLayer}[task["kind"]]
hosts = [{"address": url, "socket_timeout": None} for url in task["hosts"]]
options = {"prefix": task["prefix"], "symmetric_encryption_keys": task["keys"] or None}
if task["json"]:
    options["serializer_format"] = "json"

# What it finds no room for it only logs.
dropped = []

class OverCapacity(logging.Handler):
    def emit(self, record):
        if "over capacity" in record.getMessage():
            dropped.append(number)

logger = logging.getLogger("channels_redis.core")
logger.setLevel(logging.INFO)
logger.addHandler(OverCapacity())
number = None

async def main():
    global number
    it = layer(hosts=hosts, **options)
    if task["flush"]:
        await it.flush()
    for number in range(task["first"], task["first"] + task["count"]):
        group = task["groups"][number % len(task["groups"])]
        await it.group_send(group, {"type": "send.update", "number": number, "text": "dè 🚌", "data": task["data"]})

asyncio.run(main())
print(json.dumps(dropped))
"#;

/// A process of Django's.
#[derive(Clone)]
pub(super) struct Sender<'a> {
    pub(super) settings: &'a LayerSettings,
    pub(super) groups: &'a [&'a str],
    pub(super) first: u64,
    pub(super) count: u64,
    pub(super) json: bool,
    /// Deletes all keys of the layer before.
    pub(super) flush: bool,
}

impl<'a> Sender<'a> {
    pub(super) fn new(settings: &'a LayerSettings, groups: &'a [&'a str]) -> Self {
        Self {
            settings,
            groups,
            first: 0,
            count: 1,
            json: false,
            flush: false,
        }
    }

    /// Returns when all is sent, with the numbers of those for which there was no room: nobody gets them.
    pub(super) async fn run(self) -> Vec<u64> {
        let kind = match self.settings.kind {
            LayerKind::Core => "core",
            LayerKind::PubSub => "pubsub",
        };
        let task = serde_json::json!({
            "kind": kind,
            "hosts": self.settings.hosts,
            "prefix": self.settings.prefix,
            "keys": self.settings.encryption_keys,
            "json": self.json,
            "flush": self.flush,
            "groups": self.groups,
            "first": self.first,
            "count": self.count,
            "data": {"z": [1.5, -0.0, null], "a": true},
        });
        let output = Command::new(python())
            .args(["-c", SCRIPT, &task.to_string()])
            .kill_on_drop(true)
            .output()
            .await
            .expect("Python starts");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        serde_json::from_slice(&output.stdout).expect("numbers")
    }
}

/// Sends the messages `first` and following, to the groups in turns; those that were dropped.
pub(super) async fn send(
    settings: &LayerSettings,
    groups: &[&str],
    first: u64,
    count: u64,
) -> Vec<u64> {
    let sender = Sender {
        first,
        count,
        ..Sender::new(settings, groups)
    };
    sender.run().await
}

fn python() -> String {
    const NAME: &str = "FLEETWIRE_TEST_OPENWISP_PYTHON";
    #[expect(clippy::disallowed_methods, reason = "the test's own environment")]
    let python = std::env::var(NAME);
    python.unwrap_or_else(|_| {
        panic!(
            "{NAME} is not set: run `make test`, or `tests/servers/postgres.sh \
             tests/servers/openwisp.sh cargo test`"
        )
    })
}
