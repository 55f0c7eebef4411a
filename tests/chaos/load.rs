//! Steady work: vehicles that report, operators who ask for commands. What is acknowledged is written down.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};
use uuid::Uuid;

use super::checker::{Acknowledged, Steps};
use super::history::longitude;
use super::world::{Router, Vehicle, World};
use crate::support::{Credential, point};

/// Between two reports of a vehicle, and of one that pours.
const REPORT: Duration = Duration::from_secs(2);
const POUR: Duration = Duration::from_millis(50);

/// Between two commands on a router.
const COMMAND: Duration = Duration::from_secs(4);

/// A request that takes longer has no answer: what came of it is open.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is the matter at the moment, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    Steady,
    /// Something is broken.
    Broken,
    /// Half of its time is over.
    Midway,
    /// Nothing is broken any more.
    Mended,
    Over,
}

/// When a vehicle says its last word: what it said then must arrive without a later report that would bring it
/// along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rests {
    /// When something begins to be broken.
    AtOnce,
    /// With the first report that is acknowledged in the second half of that.
    Midway,
    Never,
}

/// The work of a scenario.
pub struct Load {
    tasks: JoinSet<()>,
    work: watch::Sender<Work>,
    pours: watch::Sender<bool>,
    vehicles: Vec<Arc<Vehicle>>,
    before: BTreeMap<Uuid, u32>,
    book: Arc<Book>,
}

/// What was said yes to.
#[derive(Default)]
struct Book {
    reports: AtomicUsize,
    /// How many requests had no answer, or were told "later".
    put_off: AtomicUsize,
    /// How many vehicles have said their last word in the middle of a fault.
    last_words: AtomicUsize,
    commands: Mutex<Vec<Uuid>>,
    late_commands: Mutex<Vec<Uuid>>,
    refusals: Mutex<Vec<String>>,
}

/// Whom the work is sent to: each request over a connection of its own, so that every node gets some.
#[derive(Clone)]
struct Sender {
    http: reqwest::Client,
    base: String,
    book: Arc<Book>,
}

impl Load {
    /// Begins to work at `base`. `before` is the step that each location is at; `scenario` marks its commands.
    pub fn begin(world: &World, base: &str, scenario: &str, before: &BTreeMap<Uuid, u32>) -> Self {
        let book = Arc::new(Book::default());
        let http = reqwest::Client::builder()
            .no_proxy()
            .pool_max_idle_per_host(0)
            .timeout(PATIENCE);
        let sender = Sender {
            http: http.build().expect("a plain HTTP client"),
            base: base.to_owned(),
            book: Arc::clone(&book),
        };
        let mut load = Self {
            tasks: JoinSet::new(),
            work: watch::Sender::new(Work::Steady),
            pours: watch::Sender::new(false),
            vehicles: world.vehicles().cloned().collect(),
            before: before.clone(),
            book,
        };
        let steady = world.tenants.iter().flat_map(|tenant| &tenant.vehicles);
        for (number, vehicle) in steady.enumerate() {
            let rests = [Rests::AtOnce, Rests::Midway, Rests::Never][number % 3];
            load.tasks.spawn(drive(
                sender.clone(),
                Arc::clone(vehicle),
                load.work.subscribe(),
                rests,
            ));
        }
        for vehicle in &world.pouring.vehicles {
            let (work, pours) = (load.work.subscribe(), load.pours.subscribe());
            // It says so much that a connection for each would be most of it.
            let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE);
            let sender = Sender {
                http: http.build().expect("a plain HTTP client"),
                ..sender.clone()
            };
            load.tasks
                .spawn(pour(sender, Arc::clone(vehicle), work, pours));
        }
        for (tenant, router) in world.routers() {
            let asks = Asks {
                sender: sender.clone(),
                credential: tenant.operator.clone(),
                router: router.clone(),
                scenario: scenario.to_owned(),
            };
            load.tasks.spawn(asks.run(load.work.subscribe()));
        }
        load
    }

    /// Something is the matter from now on.
    pub fn tell(&self, work: Work) {
        self.work.send_replace(work);
    }

    /// How many vehicles have said their last word in the middle of a fault.
    pub fn last_words(&self) -> usize {
        self.book.last_words.load(Ordering::SeqCst)
    }

    /// How many requests had no answer so far, or were told "later".
    pub fn put_off(&self) -> usize {
        self.book.put_off.load(Ordering::SeqCst)
    }

    /// Lets the vehicles that pour do so, or not.
    pub fn pour(&self, pours: bool) {
        self.pours.send_replace(pours);
    }

    /// How many reports and commands were acknowledged so far.
    pub fn acknowledged(&self) -> (usize, usize) {
        let commands = self.book.commands.lock().unwrap().len();
        (self.book.reports.load(Ordering::SeqCst), commands)
    }

    /// Ends the work, and answers with all that was acknowledged.
    pub async fn end(mut self) -> Acknowledged {
        self.work.send_replace(Work::Over);
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("no panic");
        }
        let steps = self.vehicles.iter().map(|vehicle| {
            let (sent, acknowledged) = vehicle.progress();
            let before = self.before.get(&vehicle.location).copied().unwrap_or(0);
            let steps = Steps {
                before,
                acknowledged,
                sent,
            };
            (vehicle.location, steps)
        });
        Acknowledged {
            steps: steps.collect(),
            commands: self.book.commands.lock().unwrap().drain(..).collect(),
            late_commands: self.book.late_commands.lock().unwrap().drain(..).collect(),
            reports: self.book.reports.load(Ordering::SeqCst),
            refusals: self.book.refusals.lock().unwrap().drain(..).collect(),
        }
    }
}

/// Reports step after step.
async fn drive(
    sender: Sender,
    vehicle: Arc<Vehicle>,
    mut work: watch::Receiver<Work>,
    rests: Rests,
) {
    let mut has_said_it = false;
    let mut ticks = interval(REPORT);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            changed = work.changed() => changed.expect("the load is there"),
        }
        let now = *work.borrow_and_update();
        let is_late = rests == Rests::Midway && now >= Work::Midway;
        match now {
            Work::Over => return,
            _ if rests == Rests::AtOnce && now >= Work::Broken => continue,
            _ if has_said_it => continue,
            _ => {}
        }
        if sender.report(&vehicle).await && is_late {
            has_said_it = true;
            if *work.borrow() == Work::Midway {
                sender.book.last_words.fetch_add(1, Ordering::SeqCst);
            }
        }
    }
}

/// The same as fast as it is told to.
async fn pour(
    sender: Sender,
    vehicle: Arc<Vehicle>,
    mut work: watch::Receiver<Work>,
    mut pours: watch::Receiver<bool>,
) {
    while *work.borrow_and_update() != Work::Over {
        if *pours.borrow_and_update() {
            sender.report(&vehicle).await;
            sleep(POUR).await;
        } else {
            tokio::select! {
                changed = work.changed() => changed.expect("the load is there"),
                changed = pours.changed() => changed.expect("the load is there"),
            }
        }
    }
}

/// An operator who asks for one command after the other on a router.
struct Asks {
    sender: Sender,
    credential: Credential,
    router: Router,
    scenario: String,
}

impl Asks {
    async fn run(self, mut work: watch::Receiver<Work>) {
        let mut ticks = interval(COMMAND);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                changed = work.changed() => changed.expect("the load is there"),
            }
            if *work.borrow_and_update() == Work::Over {
                return;
            }
            self.ask(&work).await;
        }
    }

    /// The command's mark is the only word of its line.
    async fn ask(&self, work: &watch::Receiver<Work>) {
        let mark = format!("{}:{}", self.scenario, Uuid::new_v4().simple());
        let file = self.router.file.display();
        let line = format!("echo {mark} >>{file}; echo begun; sleep 2; echo done");
        let body = json!({"type": "custom", "input": {"command": line}});
        let path = format!("/api/v1/controller/device/{}/command/", self.router.id);
        let (sender, credential) = (&self.sender, &self.credential);
        let is_late = *work.borrow() == Work::Mended;
        if let Some(made) = sender.send(Method::POST, &path, &body, credential).await {
            let id = made["id"].as_str().unwrap().parse().unwrap();
            if is_late {
                sender.book.late_commands.lock().unwrap().push(id);
            }
            sender.book.commands.lock().unwrap().push(id);
        }
    }
}

impl Sender {
    /// Whether it was acknowledged.
    async fn report(&self, vehicle: &Vehicle) -> bool {
        let step = vehicle.sent.fetch_add(1, Ordering::SeqCst) + 1;
        // An older report that was held up never replaces a newer one, as every report says its time. What
        // counts is their order: whatever the nodes' clocks say, it is long ago.
        let time = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(i64::from(step));
        let body = json!({
            "type": "Feature",
            "geometry": point(longitude(step), 1.0),
            "properties": {"time": time.to_string()},
        });
        let path = vehicle.device.coordinates_path();
        let nobody = &Credential::Nobody;
        let answer = self.send(Method::PUT, &path, &body, nobody).await;
        if answer.is_some() {
            vehicle.acknowledged.store(step, Ordering::SeqCst);
            self.book.reports.fetch_add(1, Ordering::SeqCst);
        }
        answer.is_some()
    }

    /// The answer of success; none where there was none, or where it said "later".
    async fn send(
        &self,
        method: Method,
        path: &str,
        body: &Value,
        credential: &Credential,
    ) -> Option<Value> {
        let answer = self.try_send(method, path, body, credential).await;
        let put_off = usize::from(answer.is_none());
        self.book.put_off.fetch_add(put_off, Ordering::SeqCst);
        answer
    }

    async fn try_send(
        &self,
        method: Method,
        path: &str,
        body: &Value,
        credential: &Credential,
    ) -> Option<Value> {
        let request = self.http.request(method, format!("{}{path}", self.base));
        let mut request = request
            .header("content-type", "application/json")
            .body(body.to_string());
        if let Some((name, value)) = credential.header() {
            request = request.header(name, value);
        }
        let answer = request.send().await.ok()?;
        let status = answer.status();
        let text = answer.text().await.ok()?;
        if status.is_client_error() && status.as_u16() != 429 {
            let mut refusals = self.book.refusals.lock().unwrap();
            refusals.push(format!("{path}: {status} {text}"));
        }
        // An answer that was cut off is none.
        let answer = serde_json::from_str(&text).ok()?;
        status.is_success().then_some(answer)
    }
}
