//! Which change is told to whom: exactly one message, or none.

mod case;

use reqwest::Method;
use serde_json::{Value, json};

use case::{Case, Change, DeviceIs, Ends, Organization, Status, Table, Watcher};

use super::{Names, on_both_engines, table};
use crate::support::{
    Client, Credential, Device, Engine, FLEET, Heard, Seed, Server, Socket, eventually,
    free_address, location_path, point,
};

on_both_engines! {
    every_change_is_told_to_whom_the_table_says_and_to_nobody_else,
}

/// Longitudes of the events that show that nothing came before them. No case uses them.
const FLEET_MARKER: f64 = 170.0;
const SUBJECT_MARKER: f64 = -170.0;

/// A fleet feed and whose moves it is told.
struct Feed {
    name: &'static str,
    socket: Socket,
    own: bool,
    other: bool,
}

/// What stays the same from case to case.
struct Stage {
    server: Server,
    metrics: Client,
    root: Credential,
    client: Client,
    names: Names,
    managers: [Credential; 2],
    organizations: [String; 2],
    markers: [String; 2],
    feeds: Vec<Feed>,
    /// Counts the markers, so that each has coordinates of its own.
    marked: f64,
}

/// The thing that a case changes.
struct Subject {
    id: Option<String>,
    names: Names,
    /// The message of the location as it is before the change.
    before: Value,
    manager: Option<Socket>,
    superuser: Option<Socket>,
}

async fn every_change_is_told_to_whom_the_table_says_and_to_nobody_else(engine: Engine) {
    let table: Table = table("updates");
    let mut stage = Stage::set_up(engine).await;
    let mut subjects = Vec::new();
    for case in &table.cases {
        subjects.push(stage.subject(case).await);
    }
    stage.open_feeds().await;
    for (case, subject) in table.cases.iter().zip(subjects) {
        stage.play(case, subject).await;
    }
    stage.those_without_an_organization_heard_nothing().await;
}

const VIEWER: [&str; 3] = ["--staff", "--permission", "geo.view_location"];

impl Stage {
    async fn set_up(engine: Engine) -> Self {
        let metrics = free_address();
        let settings = [
            ("METRICS__LISTEN", metrics.to_string()),
            ("INGEST__TAIL_MS", "50".to_owned()),
        ];
        let settings = settings
            .each_ref()
            .map(|(key, value)| (*key, value.as_str()));
        let mut server = Server::prepare(engine, &settings).await;
        let seed = Seed(&server);
        let organizations = ["Own", "Other"].map(|name| seed.organization(name));
        let markers = [0, 1].map(|at| {
            let name = format!("marker {at}");
            seed.location(&name, &organizations[at], &["--mobile", "--point", "0,0"])
        });
        let root = seed.root();
        let managers = [0, 1].map(|at| {
            let flags = [&VIEWER[..], &["--manages", &organizations[at]]].concat();
            seed.user_with_token(&format!("manager {at}"), &flags)
        });
        let mut names = Names::default();
        names.set("Own", &organizations[0]);
        names.set("Other", &organizations[1]);
        server.run().await;
        let client = server.client(&root);
        let (feeds, marked) = (Vec::new(), 0.0);
        Self {
            server,
            metrics: Client::of(metrics),
            root,
            client,
            names,
            managers,
            organizations,
            markers,
            feeds,
            marked,
        }
    }

    /// Waits until the tail has read everything committed before this call, so that what comes
    /// after it cannot hide what the tail makes of it.
    async fn tail_has_passed(&self) {
        let passes = async || {
            let text = self.metrics.get("/metrics").await.text;
            let count = text
                .lines()
                .find_map(|it| it.strip_prefix("fleetwire_tail_passes_total "));
            count
                .expect("tail passes are counted")
                .parse::<u64>()
                .unwrap()
        };
        // The first may have begun before the commit.
        let enough = passes().await + 2;
        eventually("two more passes of the tail", async || {
            (passes().await >= enough).then_some(())
        })
        .await;
    }

    async fn open_feeds(&mut self) {
        let seed = Seed(&self.server);
        let both = [
            "--manages",
            &self.organizations[0],
            "--manages",
            &self.organizations[1],
        ];
        let both = seed.user_with_token("manager of both", &[&VIEWER[..], &both].concat());
        let all = [
            ("own fleet", &self.managers[0], true, false),
            ("other fleet", &self.managers[1], false, true),
            ("both fleets", &both, true, true),
            ("a superuser's fleets", &self.root, true, true),
        ];
        for (name, credential, own, other) in all {
            let socket = Socket::open(&self.server, FLEET, credential).await;
            self.feeds.push(Feed {
                name,
                socket,
                own,
                other,
            });
        }
        for (name, flags) in [
            ("plain member", &["--member", &self.organizations[0]][..]),
            ("nobody's manager", &[]),
        ] {
            let credential = seed.user_with_token(name, &[&VIEWER[..], flags].concat());
            let socket = Socket::open(&self.server, FLEET, &credential).await;
            self.feeds.push(Feed {
                name,
                socket,
                own: false,
                other: false,
            });
        }
    }

    /// The location of a case, as it is given, and the device.
    async fn subject(&self, case: &Case) -> Subject {
        let mut names = self.names.clone();
        let given = case.given;
        let at = usize::from(given.is_some_and(|it| it.organization == Organization::Other));
        if case.device.is_some() {
            let name = format!("device of {}", case.rule.replace(' ', "-"));
            let device: Device = Seed(&self.server).device(&name, &self.organizations[at]);
            names.set("DEVICE", &device.id);
            names.set("DEVICE NAME", &name);
            names.set("KEY", &device.key);
        }
        let before = json!({
            "name": case.rule,
            "address": "Vía Ñandú 1",
            "type": "outdoor",
            "is_mobile": given.is_some_and(|it| it.is_mobile),
            "geometry": given.and_then(|it| it.point).map(|(x, y)| point(x, y)),
        });
        let mut subject = Subject {
            id: None,
            names,
            before,
            manager: None,
            superuser: None,
        };
        if given.is_some() {
            let mut body = subject.before.clone();
            body["organization"] = json!(self.organizations[at]);
            let made = self
                .client
                .post("/api/v1/controller/location/", &body)
                .await
                .expect(201);
            let id = made["id"].as_str().unwrap().to_owned();
            subject.before["id"] = json!(id);
            subject.names.set("SUBJECT", &id);
            if case.device == Some(DeviceIs::There) {
                let device = subject
                    .names
                    .fill("/api/v1/controller/device/{DEVICE}/location/");
                let answer = self.client.put(&device, &json!({"location": id})).await;
                assert!(answer.is_success(), "{} {}", answer.status, answer.text);
            }
            let path = location_path(&id);
            subject.manager = Some(Socket::open(&self.server, &path, &self.managers[at]).await);
            subject.superuser = Some(Socket::open(&self.server, &path, &self.root).await);
            subject.id = Some(id);
        }
        subject
    }

    async fn play(&mut self, case: &Case, mut subject: Subject) {
        let rule = &case.rule;
        let answered = self.change(case, &subject.names).await;
        let mut message = subject.before.clone();
        if let Value::Object(becomes) = subject.names.fill_json(&case.becomes) {
            message.as_object_mut().unwrap().extend(becomes);
        }
        if subject.id.is_none() {
            // Made by the change: a creation says its id itself, a report does not.
            let id = answered["id"].as_str().map(str::to_owned);
            message["id"] = match id {
                Some(id) => json!(id),
                None => self.location_of_device(&subject.names).await,
            };
        }
        let message = plain(&message);
        self.tail_has_passed().await;
        self.subject_heard(case, &mut subject, &message).await;
        self.marked += 1.0;
        for marker in &self.markers {
            let place = format!("{FLEET_MARKER},{}", self.marked / 1000.0);
            self.server
                .cli(&["location", "set", marker, "--point", &place]);
        }
        for feed in &mut self.feeds {
            if !feed.own && !feed.other {
                continue;
            }
            let arrives = case.arrives.contains(&Watcher::Own) && feed.own
                || case.arrives.contains(&Watcher::Other) && feed.other;
            let expected = if arrives {
                vec![message.clone()]
            } else {
                Vec::new()
            };
            let markers = usize::from(feed.own) + usize::from(feed.other);
            let heard = feed
                .hear_until(markers, self.marked / 1000.0, expected.len())
                .await;
            assert_eq!(heard, expected, "{rule}: {}", feed.name);
        }
    }

    async fn change(&self, case: &Case, names: &Names) -> Value {
        match &case.change {
            Change::Command { cli } => {
                let arguments = names.fill_all(cli);
                let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
                self.server.cli(&arguments)
            }
            Change::Request {
                method,
                path,
                body,
                status,
            } => {
                let method = Method::from_bytes(method.as_bytes()).unwrap();
                let body = (!body.is_null()).then(|| names.fill_json(body).to_string());
                let answer = self.client.send(method, &names.fill(path), body).await;
                let expected = match status {
                    Status::One(one) => &vec![*one],
                    Status::Any(any) => any,
                };
                assert!(
                    expected.contains(&answer.status),
                    "{}: {} {}",
                    case.rule,
                    answer.status,
                    answer.text
                );
                answer.json
            }
        }
    }

    async fn location_of_device(&self, names: &Names) -> Value {
        if !names.0.contains_key("{DEVICE}") {
            return Value::Null;
        }
        let path = names.fill("/api/v1/controller/device/{DEVICE}/location/");
        self.client.get(&path).await.expect(200)["location"]["id"].clone()
    }

    /// The sockets of the single location: the message or nothing, then the next move, which shows
    /// that there was no more; or the end.
    async fn subject_heard(&mut self, case: &Case, subject: &mut Subject, message: &Value) {
        let rule = &case.rule;
        let (Some(id), Some(manager), Some(superuser)) =
            (&subject.id, &mut subject.manager, &mut subject.superuser)
        else {
            return;
        };
        let (mut living, ending) = match case.ends {
            None => (vec![manager, superuser], vec![]),
            Some(Ends::Manager) => (vec![superuser], vec![manager]),
            Some(Ends::Everybody) => (vec![], vec![manager, superuser]),
        };
        for socket in ending {
            // Until the lease ends it, the socket may still be told what it was open for.
            let code = loop {
                if let Heard::Closed(code) = socket.hear().await {
                    break code;
                }
            };
            assert_eq!(code, Some(1008), "{rule}");
        }
        let arrives = case.arrives.contains(&Watcher::Location)
            || case.arrives.contains(&Watcher::SuperuserLocation);
        for socket in &mut living {
            if arrives {
                assert_eq!(in_order(&socket.next().await), *message, "{rule}");
            }
        }
        if !living.is_empty() {
            self.client
                .move_location(id, SUBJECT_MARKER, self.marked / 1000.0)
                .await;
        }
        for socket in living {
            let next = socket.next().await;
            assert_eq!(
                next["geometry"],
                point(SUBJECT_MARKER, self.marked / 1000.0),
                "{rule}"
            );
        }
    }

    /// The feeds of users who manage nothing: they follow what they come to manage, and its next
    /// move is the first thing that they ever hear.
    async fn those_without_an_organization_heard_nothing(&mut self) {
        for feed in self
            .feeds
            .iter_mut()
            .filter(|feed| !feed.own && !feed.other)
        {
            self.server.cli(&[
                "user",
                "set",
                feed.name,
                "--manages",
                &self.organizations[0],
            ]);
            let (client, marker) = (&self.client, &self.markers[0]);
            let mut latitude = 0.0;
            let heard = eventually("a feed follows a new organization", async || {
                latitude += 0.001;
                client.move_location(marker, FLEET_MARKER, latitude).await;
                feed.socket.ping().await.into_iter().next()
            })
            .await;
            let heard: Value = serde_json::from_str(&heard).unwrap();
            assert_eq!(heard["id"], json!(self.markers[0]), "{}", feed.name);
            assert_eq!(
                heard["geometry"]["coordinates"][0],
                json!(FLEET_MARKER),
                "{}",
                feed.name
            );
        }
    }
}

impl Feed {
    /// What came before this round's markers, or after them if less than `expected` did. The
    /// markers of single locations are left out: they move too.
    async fn hear_until(
        &mut self,
        mut markers: usize,
        latitude: f64,
        expected: usize,
    ) -> Vec<Value> {
        let mut heard = Vec::new();
        while markers > 0 || heard.len() < expected {
            let message = self.socket.next().await;
            if message["geometry"] == point(FLEET_MARKER, latitude) {
                markers -= 1;
            } else if message["geometry"]["coordinates"][0] != json!(SUBJECT_MARKER) {
                heard.push(in_order(&message));
            }
        }
        heard
    }
}

/// A message as it came: its keys must be the contract's, in the contract's order.
fn in_order(message: &Value) -> Value {
    let keys: Vec<_> = message.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        ["id", "name", "address", "type", "is_mobile", "geometry"]
    );
    plain(message)
}

/// A message for comparing: `5` and `5.0` are the same number.
fn plain(message: &Value) -> Value {
    let coordinates = &message["geometry"]["coordinates"];
    json!({
        "id": message["id"],
        "name": message["name"],
        "address": message["address"],
        "type": message["type"],
        "is_mobile": message["is_mobile"],
        "longitude": coordinates[0].as_f64(),
        "latitude": coordinates[1].as_f64(),
    })
}
