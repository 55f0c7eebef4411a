//! Many sockets, each of which remembers the last that it heard of each thing.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::task::JoinSet;

use super::filled;
use crate::support::openwisp::{Django, OpenWisp, id};
use crate::support::{Credential, FLEET, Heard, Socket, allow_open_files, eventually};

/// Where the sockets listen in turn, who does, and which things they hear of.
const PLACES: [(&str, &str, &[&str]); 5] = [
    (FLEET, "operator", &["location mobile-metro-transit"]),
    (
        FLEET,
        "root",
        &["location mobile-metro-transit", "location mobile-harbor"],
    ),
    (
        "/ws/loci/location/{location mobile-harbor}/",
        "dispatcher",
        &["location mobile-harbor"],
    ),
    (
        "/ws/controller/device/{device bus-1}/command",
        "operator",
        &["command first", "command second"],
    ),
    (
        "/ws/controller/device/{device crane-1}/command",
        "dispatcher",
        &["command third"],
    ),
];

/// What the crowd hears of, made before anybody listens.
const THINGS: &str =
    "command('first', 'bus-1'); command('second', 'bus-1'); command('third', 'crane-1')";

/// Without Redis each is saved all the same, and told to nobody. Django does not notice by itself that
/// PostgreSQL has hung up on it.
const ALL_BECOME: &str = "
def all_become(text):
    connection.close()
    for each in [
        lambda: change('mobile-metro-transit', address=text),
        lambda: change('mobile-harbor', address=text),
        lambda: report('first', text, 'in-progress'),
        lambda: report('second', text),
        lambda: report('third', text, 'failed'),
    ]:
        try:
            each()
        except Exception as error:
            print(repr(error)[:200])
";

/// Makes the things that the crowd hears of.
pub async fn make_things(django: &mut Django) {
    django.run(THINGS).await;
}

/// Has Django give all of them this text, whether or not it can tell of it.
pub async fn all_become(django: &mut Django, text: &str) {
    let code = format!("{ALL_BECOME}\nall_become({text:?})");
    django.run(&code).await;
}

/// Between two attempts to come back, so that a thousand leave the machine to who is to serve them.
const AGAIN: Duration = Duration::from_millis(200);

/// Open sockets.
pub struct Crowd {
    members: Vec<Arc<Member>>,
    tasks: JoinSet<()>,
}

struct Member {
    address: SocketAddr,
    path: String,
    credential: Credential,
    things: Vec<String>,
    comes_back: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    is_open: bool,
    /// How often it was closed, and with what the last time.
    closed: usize,
    code: Option<u16>,
    latest: BTreeMap<String, String>,
}

impl Crowd {
    /// Opens `count` sockets at `address`. Those that come back do so for as long as it takes, and ask
    /// for what they have missed.
    pub async fn gather(
        address: SocketAddr,
        credentials: &BTreeMap<String, Credential>,
        count: usize,
        comes_back: bool,
    ) -> Self {
        allow_open_files(4 * count as u64 + 1000);
        let members = PLACES.iter().cycle().take(count);
        let members: Vec<_> = members
            .map(|(path, user, things)| {
                Arc::new(Member {
                    address,
                    path: filled(path),
                    credential: credentials[*user].clone(),
                    things: things.iter().map(|it| id(it)).collect(),
                    comes_back,
                    state: Mutex::default(),
                })
            })
            .collect();
        let mut tasks = JoinSet::new();
        for member in &members {
            tasks.spawn(Arc::clone(member).listen());
        }
        let mut crowd = Self { members, tasks };
        crowd.are_all("open", |state, _| state.is_open).await;
        crowd
    }

    /// Waits until each has heard this text last, of each thing that it hears of.
    pub async fn know(&mut self, text: &str) {
        self.are_all(text, |state, member| {
            let mut things = member.things.iter();
            things.all(|thing| state.latest.get(thing).is_some_and(|it| it == text))
        })
        .await;
    }

    /// Waits until each is closed with this code.
    pub async fn are_closed(&mut self, code: u16) {
        self.are_all("closed", |state, _| {
            !state.is_open && state.code == Some(code)
        })
        .await;
    }

    /// How often any of them was closed.
    pub fn closed(&self) -> usize {
        let states = self.members.iter().map(|it| it.state.lock().unwrap());
        states.map(|state| state.closed).sum()
    }

    async fn are_all(&mut self, what: &str, holds: impl Fn(&State, &Member) -> bool) {
        let total = self.members.len();
        eventually(&format!("all {total} sockets: {what}"), async || {
            let mut members = self.members.iter();
            let all = members.all(|member| holds(&member.state.lock().unwrap(), member));
            all.then_some(())
        })
        .await;
        // None of them ends by itself, unless it fails.
        let ended = self.tasks.try_join_next();
        assert!(ended.is_none(), "{ended:?}");
    }
}

impl Member {
    async fn listen(self: Arc<Self>) {
        let mut since = None;
        loop {
            let mut socket = self.open(since).await;
            self.state.lock().unwrap().is_open = true;
            let code = self.hear(&mut socket).await;
            {
                let mut state = self.state.lock().unwrap();
                state.is_open = false;
                state.closed += 1;
                state.code = code;
            }
            if !self.comes_back {
                return std::future::pending().await;
            }
            since.get_or_insert_with(Timestamp::now);
        }
    }

    /// Tries until it is let in.
    async fn open(&self, since: Option<Timestamp>) -> Socket {
        loop {
            if let Some(socket) = self.try_open(since).await {
                return socket;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn try_open(&self, since: Option<Timestamp>) -> Option<Socket> {
        let path = match since {
            // Its clock may be wrong by a little.
            Some(since) => {
                let since = since - SignedDuration::from_secs(5);
                format!("{}?since={since}", self.path)
            }
            None => self.path.clone(),
        };
        let (name, origin) = OpenWisp::origin();
        let headers = [(name, &*origin)];
        let opened = Socket::try_open_at_with(self.address, &path, &self.credential, &headers);
        opened.await.ok()
    }

    /// Hears until the end, and answers with its code.
    async fn hear(&self, socket: &mut Socket) -> Option<u16> {
        loop {
            match socket.hear_at_last().await {
                Heard::Closed(code) => return code,
                Heard::Text(text) => {
                    let message: Value = serde_json::from_str(&text).unwrap();
                    let (row, text) = match message.get("data") {
                        Some(data) => (data, &data["output"]),
                        None => (&message, &message["address"]),
                    };
                    let of = row["id"].as_str().unwrap().to_owned();
                    let text = text.as_str().unwrap().to_owned();
                    self.state.lock().unwrap().latest.insert(of, text);
                }
            }
        }
    }
}
