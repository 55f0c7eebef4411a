//! Who has no right knocks all the time, whatever else happens.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::Method;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::checker::Intrusions;
use super::world::World;
use crate::support::{Client, Credential, FLEET, Socket, command_path, feature, location_path};

const PAUSE: Duration = Duration::from_millis(250);
const PATIENCE: Duration = Duration::from_secs(10);

/// A door, who tries it, and with what.
struct Attempt {
    who: &'static str,
    path: String,
    credential: Credential,
}

pub struct Intruders {
    task: JoinHandle<Intrusions>,
    is_over: watch::Sender<bool>,
}

impl Intruders {
    /// They begin at `entrance`.
    pub fn begin(world: &World, entrance: SocketAddr) -> Self {
        let attempts = attempts(world);
        let reports: Vec<_> = wrong_keys(world).collect();
        let (is_over, over) = watch::channel(false);
        let task = tokio::spawn(async move {
            let client = Client::of(entrance);
            let mut intrusions = Intrusions::default();
            for (attempt, report) in attempts.iter().cycle().zip(reports.iter().cycle()) {
                if *over.borrow() {
                    break;
                }
                intrusions.attempts += 2;
                let opened = Socket::try_open_at(entrance, &attempt.path, &attempt.credential);
                let Attempt { who, path, .. } = attempt;
                let what = format!("{who} at {path}");
                match timeout(PATIENCE, opened).await {
                    Ok(Ok(_)) => intrusions.admitted.push(what),
                    Ok(Err(status)) => intrusions.note(status, &what),
                    Err(_) => {}
                }
                let body = feature(0.0, 89.0).to_string();
                let reported = client.try_send(Method::PUT, report, Some(body));
                if let Ok(Ok(answer)) = timeout(PATIENCE, reported).await {
                    let what = format!("a wrong key at {report}");
                    if answer.is_success() {
                        intrusions.admitted.push(what);
                    } else {
                        intrusions.note(answer.status, &what);
                    }
                }
                sleep(PAUSE).await;
            }
            intrusions
        });
        Self { task, is_over }
    }

    pub async fn end(self) -> Intrusions {
        self.is_over.send_replace(true);
        self.task.await.expect("no panic")
    }
}

impl Intrusions {
    /// An answer that let nobody in.
    fn note(&mut self, status: u16, what: &str) {
        match status {
            401 | 403 => self.refused += 1,
            // Nobody there, or "later".
            Socket::GONE | 429 | 500.. => {}
            _ => self.odd.push(format!("{what}: {status}")),
        }
    }
}

fn attempts(world: &World) -> Vec<Attempt> {
    let [alpha, beta, ..] = &world.tenants[..] else {
        panic!("two tenants at least")
    };
    let location = location_path(&alpha.vehicles[0].location.to_string());
    let device = command_path(&alpha.routers[0].id.to_string());
    let unknown = Credential::Token("0".repeat(43));
    [
        ("nobody", FLEET, &Credential::Nobody),
        ("an unknown token", FLEET, &unknown),
        ("nobody", &location, &Credential::Nobody),
        ("a stranger", &location, &world.stranger),
        ("another tenant", &location, &beta.operator),
        ("a stranger", &device, &world.stranger),
        ("another tenant", &device, &beta.operator),
    ]
    .map(|(who, path, credential)| Attempt {
        who,
        path: path.to_owned(),
        credential: credential.clone(),
    })
    .into()
}

/// Where devices report, with the key of another one.
fn wrong_keys(world: &World) -> impl Iterator<Item = String> {
    let vehicles: Vec<_> = world.vehicles().collect();
    let pairs = vehicles.iter().zip(vehicles.iter().skip(1));
    let paths = pairs.map(|(one, other)| {
        let (id, key) = (&one.device.id, &other.device.key);
        format!("/api/v1/controller/device/{id}/coordinates/?key={key}")
    });
    paths.collect::<Vec<_>>().into_iter()
}
