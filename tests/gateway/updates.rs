//! What arrives of what happens in OpenWISP: message for message by Daphne and by us.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::{Peer, Stage, filled, is_documented, table};
use crate::support::Socket;
use crate::support::openwisp::{Django, OpenWisp};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[expect(dead_code, reason = "for readers of the table")]
    about: String,
    given: Vec<String>,
    watchers: BTreeMap<String, Place>,
    steps: Vec<Step>,
}

/// Where a watcher listens.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    path: String,
    #[serde(rename = "as")]
    user: String,
    /// How many of the marks between two steps are heard there.
    marks: usize,
    /// The difference because of which nothing at all is heard there of Daphne.
    unlike: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    rule: String,
    #[serde(rename = "do")]
    code: String,
    #[serde(default = "once")]
    times: usize,
    arrives: BTreeSet<String>,
    #[serde(default)]
    unlike: BTreeMap<String, Unlike>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unlike {
    #[serde(default)]
    also: BTreeSet<String>,
    #[serde(default)]
    not: BTreeSet<String>,
    /// To whom it sends something else.
    #[serde(default)]
    unequal: BTreeSet<String>,
}

const fn once() -> usize {
    1
}

/// Between two steps: what every watcher hears of that may hear anything.
const MARK: &str = "def mark(text):\n    \
    move('mobile-metro-transit', 1, 2, address=text)\n    \
    move('mobile-harbor', 1, 2, address=text)\n    \
    report('mark', text)";

impl Step {
    fn reaches(&self, peer: Peer, watcher: &str) -> bool {
        let ours = self.arrives.contains(watcher);
        let mut unlike = self.unlike.values();
        match peer {
            Peer::Gateway => ours,
            Peer::Daphne => {
                (ours && !unlike.clone().any(|it| it.not.contains(watcher)))
                    || unlike.any(|it| it.also.contains(watcher))
            }
        }
    }
}

/// A socket of one of the two.
struct Watcher {
    peer: Peer,
    name: String,
    marks: usize,
    socket: Socket,
}

impl Watcher {
    /// What comes before the marks of this text have all come.
    async fn until(&mut self, mark: &str) -> Vec<Value> {
        let mut heard = Vec::new();
        let mut marks = 0;
        while marks < self.marks {
            let message = self.socket.next().await;
            if text_of(&message) == mark {
                marks += 1;
            } else {
                heard.push(message);
            }
        }
        heard
    }
}

/// Where a mark stands in a message.
fn text_of(message: &Value) -> &str {
    let text = message
        .get("address")
        .or_else(|| message["data"].get("output"));
    text.and_then(Value::as_str).unwrap_or_default()
}

/// Opens all sockets on both, and returns when each hears what is sent: Daphne accepts before it listens.
async fn watch(stage: &mut Stage, table: &Table) -> Vec<Watcher> {
    let cookies = stage.openwisp.django.cookies().await;
    let (header, origin) = OpenWisp::origin();
    let mut watchers = Vec::new();
    for (name, place) in &table.watchers {
        for (peer, address) in stage.peers() {
            let (path, user) = (filled(&place.path), &cookies[&place.user]);
            let headers = [(header, &*origin)];
            let opened = Socket::try_open_at_with(address, &path, user, &headers).await;
            let deaf = peer == Peer::Daphne && place.unlike.is_some();
            watchers.push(Watcher {
                peer,
                name: name.clone(),
                marks: if deaf { 0 } else { place.marks },
                socket: opened.unwrap_or_else(|status| panic!("{peer:?}, {name}: {status}")),
            });
        }
    }
    let mut attempts = 0;
    let mut silent: Vec<_> = (0..watchers.len())
        .filter(|it| watchers[*it].marks > 0)
        .collect();
    while !silent.is_empty() {
        attempts += 1;
        assert!(
            attempts < 60,
            "nothing is heard by {}",
            watchers[silent[0]].name
        );
        mark(&mut stage.openwisp.django, "listening?").await;
        let mut still = Vec::new();
        for at in silent {
            let next = watchers[at].until("listening?");
            if tokio::time::timeout(Duration::from_secs(1), next)
                .await
                .is_err()
            {
                still.push(at);
            }
        }
        silent = still;
    }
    mark(&mut stage.openwisp.django, "now").await;
    for watcher in &mut watchers {
        watcher.until("now").await;
    }
    watchers
}

async fn mark(django: &mut Django, text: &str) {
    django.run(&format!("mark({text:?})")).await;
}

/// Does all of the table, and compares what was heard.
pub async fn compare(stage: &mut Stage) {
    let table: Table = table("updates");
    let steps = table.steps.iter();
    let differences = steps.flat_map(|step| step.unlike.keys());
    let places = table
        .watchers
        .values()
        .filter_map(|place| place.unlike.as_ref());
    differences
        .chain(places)
        .for_each(|name| is_documented(name));
    stage.openwisp.django.run(&table.given.join("\n")).await;
    stage.openwisp.django.run(MARK).await;
    let mut watchers = watch(stage, &table).await;
    let mut wrong = Vec::new();
    for (number, step) in table.steps.iter().enumerate() {
        stage.openwisp.django.run(&step.code).await;
        let end = format!("end of step {number}");
        mark(&mut stage.openwisp.django, &end).await;
        let mut heard = BTreeMap::new();
        for watcher in watchers.iter_mut().filter(|it| it.marks > 0) {
            let messages = watcher.until(&end).await;
            let reaches = step.reaches(watcher.peer, &watcher.name);
            let expected = if reaches { step.times } else { 0 };
            let (peer, name) = (watcher.peer, &watcher.name);
            if messages.len() != expected {
                let rule = &step.rule;
                wrong.push(format!(
                    "{rule}: {peer:?}, {name}: not {expected}: {messages:?}"
                ));
            }
            heard.insert((peer, watcher.name.clone()), messages);
        }
        wrong.extend(step.unequal(&heard));
    }
    for watcher in watchers.iter_mut().filter(|it| it.marks == 0) {
        let heard = watcher.socket.ping().await;
        assert_eq!(heard, [""; 0], "{:?}, {}", watcher.peer, watcher.name);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

impl Step {
    /// Where both sent something, and not the same.
    fn unequal(&self, heard: &BTreeMap<(Peer, String), Vec<Value>>) -> Vec<String> {
        let mut wrong = Vec::new();
        for ((peer, name), theirs) in heard {
            let ours = heard.get(&(Peer::Gateway, name.clone()));
            let Some(ours) = ours.filter(|_| *peer == Peer::Daphne) else {
                continue;
            };
            let mut unlike = self.unlike.values();
            let expected = !unlike.any(|it| it.unequal.contains(name));
            for (theirs, ours) in theirs.iter().zip(ours) {
                // Theirs has two of the six fields, those of the organization's message.
                let is_single = name.ends_with("location");
                let same = if is_single {
                    let all = &heard[&(Peer::Gateway, "all fleets".to_owned())];
                    let mut fields = ["geometry", "address"].iter();
                    fields.all(|it| theirs[it] == ours[it]) && all.contains(ours)
                } else {
                    theirs == ours
                };
                if same != expected {
                    let rule = &self.rule;
                    wrong.push(format!("{rule}: {name}: Daphne {theirs}, we {ours}"));
                }
            }
        }
        wrong
    }
}
