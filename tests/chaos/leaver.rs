//! One who works for an organization and loses the right to listen while something is broken.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::crowd::StepsOf;
use super::world::{Place, Vehicle, World, flags_of_operator};
use crate::support::{Client, Credential, FLEET, Seed, Server};

/// How many sockets there are of such a user: enough that each node has some.
const SOCKETS: usize = 12;

/// A socket of one who has lost the right is closed so soon, by contract, where the database can be asked; and so
/// much longer it may take on a machine that has much else to do.
const LEASE: Duration = Duration::from_secs(5);
const BUSY: Duration = Duration::from_secs(5);

/// A request that takes longer has no answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How a right is taken away.
const WAYS: [&str; 3] = ["organization_users", "groups", "is_active"];

pub struct Leaver {
    root: Credential,
    user: String,
    change: Value,
    pub places: Vec<Place>,
}

impl Leaver {
    /// A new user, who may listen. `random` chooses how that ends.
    pub fn make(server: &Server, world: &World, name: &str, random: u64) -> Self {
        let seed = Seed(server);
        let tenant = &world.tenants[0];
        let user = seed.user(name, &flags_of_operator(&tenant.organization));
        let token = seed.token(name);
        let way = WAYS[usize::try_from(random % 3).expect("one of three")];
        let nothing = if way == "is_active" {
            json!(false)
        } else {
            json!([])
        };
        let places = (0..SOCKETS).map(|number| {
            let place = if number % 2 == 0 {
                tenant.fleet(number)
            } else {
                tenant.location(number, number / 2)
            };
            Place {
                name: format!("{name} (who loses {way}), {}", place.name),
                credential: token.clone(),
                may_stay: way == "organization_users" && place.path == FLEET,
                ..place
            }
        });
        Self {
            root: world.root.clone(),
            user,
            change: json!({ way: nothing }),
            places: places.collect(),
        }
    }

    /// Has the right taken away by one of `servers`, the first that does it. Answers with the steps that may have
    /// been told by then: of what was sent until the sockets had to be closed. That is soon after the change, or
    /// after `may_begin`, when nodes cannot ask their database before.
    pub fn leave(
        self,
        servers: Vec<SocketAddr>,
        vehicles: Vec<Arc<Vehicle>>,
        mut may_begin: watch::Receiver<bool>,
    ) -> JoinHandle<StepsOf> {
        tokio::spawn(async move {
            let path = format!("/api/v1/users/user/{}/", self.user);
            for server in servers.iter().cycle() {
                let (name, value) = self.root.header().expect("root's token");
                let client = Client::of(*server).with_header(name, &value);
                let body = Some(self.change.to_string());
                let changed = client.try_send(Method::PATCH, &path, body);
                match timeout(PATIENCE, changed).await {
                    Ok(Ok(answer)) if answer.is_success() => break,
                    Ok(Ok(answer)) if (400..500).contains(&answer.status) => {
                        panic!("{path}: {} {}", answer.status, answer.text)
                    }
                    _ => sleep(Duration::from_millis(500)).await,
                }
            }
            let begun = may_begin.wait_for(|it| *it).await;
            begun.expect("the scenario is there");
            sleep(LEASE + BUSY).await;
            let steps = vehicles.iter().map(|it| (it.location, it.progress().0));
            steps.collect()
        })
    }
}
