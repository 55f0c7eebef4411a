//! Who is there: tenants with their operators, vehicles that report, routers that commands run on; and a
//! stranger.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use super::history::{Scope, longitude};
use crate::support::ssh::{self, Account, OpenSsh, Options};
use crate::support::{
    Client, Credential, Device, FLEET, Seed, Server, command_path, feature, location_path,
};

const TENANTS: [&str; 4] = ["Alpha", "Beta", "Gamma", "Delta"];
const VEHICLES: usize = 5;
const ROUTERS: usize = 2;
/// Its vehicles report only while a fault pours, and only few sockets hear them.
const POURING: &str = "Pouring";
const POURING_VEHICLES: usize = 24;

/// All that the clients are about.
pub struct World {
    pub root: Credential,
    pub tenants: Vec<Tenant>,
    pub pouring: Tenant,
    /// Staff with every right, of no organization that has anything.
    pub stranger: Credential,
    /// What commands write to, a file a device.
    witness: TempDir,
    _device: ssh::Server,
}

/// An organization, and who works there.
pub struct Tenant {
    pub organization: String,
    pub operator: Credential,
    pub vehicles: Vec<Arc<Vehicle>>,
    pub routers: Vec<Router>,
}

/// A device that reports where it is.
pub struct Vehicle {
    pub device: Device,
    pub location: Uuid,
    /// The steps of its last report that was sent, and acknowledged.
    pub sent: AtomicU32,
    pub acknowledged: AtomicU32,
}

/// A device that commands run on.
#[derive(Clone)]
pub struct Router {
    pub id: Uuid,
    /// The file that its commands write to.
    pub file: PathBuf,
}

/// Where a socket listens, who does, and what it may hear of.
#[derive(Clone)]
pub struct Place {
    pub name: String,
    pub path: String,
    pub credential: Credential,
    pub scope: Scope,
    /// Whether the socket may stay open when its user loses a right: then it hears no more.
    pub may_stay: bool,
}

impl World {
    /// Makes it by the command line and the REST interface of `server`, which runs. Its routers are reached
    /// at `host`.
    pub async fn make(server: &Server, host: &str) -> Self {
        let device = OpenSsh::start(&Options::default());
        let router_address = format!("{host}:{}", device.address().port());
        let witness = TempDir::with_prefix("fleetwire-chaos-").unwrap();
        fs::set_permissions(witness.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let seed = Seed(server);
        let root = seed.root();
        let client = server.client(&root);
        let mut tenants = Vec::new();
        for (number, name) in TENANTS.iter().enumerate() {
            let organization = seed.organization(name);
            let mut tenant = Tenant::make(&seed, number, &organization, VEHICLES).await;
            let credential = credential(&client, &organization).await;
            for number in 0..ROUTERS {
                let name = format!("router-{number}");
                let id = router(&client, &name, &organization, &router_address, &credential).await;
                let file = witness.path().join(id.to_string());
                tenant.routers.push(Router { id, file });
            }
            tenants.push(tenant);
        }
        let organization = seed.organization(POURING);
        let pouring = Tenant::make(&seed, TENANTS.len(), &organization, POURING_VEHICLES).await;
        let elsewhere = seed.organization("Elsewhere");
        let stranger = operator(&seed, "stranger", &elsewhere);
        let world = Self {
            root,
            tenants,
            pouring,
            stranger,
            witness,
            _device: device,
        };
        world.lengthen(&client).await;
        world
    }

    pub fn all(&self) -> impl Iterator<Item = &Tenant> {
        self.tenants.iter().chain([&self.pouring])
    }

    pub fn vehicles(&self) -> impl Iterator<Item = &Arc<Vehicle>> {
        self.all().flat_map(|tenant| &tenant.vehicles)
    }

    pub fn routers(&self) -> impl Iterator<Item = (&Tenant, &Router)> {
        self.tenants
            .iter()
            .flat_map(|tenant| tenant.routers.iter().map(move |router| (tenant, router)))
    }

    /// Makes what the vehicles that pour are called as long as it may be: the more bytes a message has, the sooner
    /// it waits for a slow reader.
    async fn lengthen(&self, root: &Client) {
        const WIDE: &str = "\u{1f69a}";
        let body = json!({"name": WIDE.repeat(75), "address": WIDE.repeat(256)});
        for vehicle in &self.pouring.vehicles {
            let path = format!("/api/v1/controller/location/{}/", vehicle.location);
            root.patch(&path, &body).await.expect(200);
        }
    }

    /// The lines that all devices have written.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for entry in fs::read_dir(self.witness.path()).unwrap() {
            let text = fs::read_to_string(entry.unwrap().path()).unwrap();
            lines.extend(text.lines().map(str::to_owned));
        }
        lines
    }

    /// Where a crowd of `count` sockets listens: half of it at the fleets of their organizations, the others
    /// at single locations, at devices, at everything, and as the stranger who may hear nothing.
    pub fn places(&self, count: usize) -> Vec<Place> {
        (0..count).map(|number| self.place(number)).collect()
    }

    /// One at the fleet of each tenant.
    pub fn sentries(&self) -> Vec<Place> {
        let tenants = self.tenants.iter().enumerate();
        tenants.map(|(number, it)| it.fleet(number)).collect()
    }

    fn place(&self, number: usize) -> Place {
        let (kind, turn) = (number % 20, number / 20);
        let tenant = &self.tenants[number % self.tenants.len()];
        match kind {
            0..10 => tenant.fleet(number),
            10 if turn.is_multiple_of(2) => Place {
                name: format!("{number}: root's fleet"),
                path: FLEET.to_owned(),
                credential: self.root.clone(),
                scope: locations(self.vehicles()),
                may_stay: false,
            },
            10 | 11 => Place {
                name: format!("{number}: a stranger's fleet"),
                path: FLEET.to_owned(),
                credential: self.stranger.clone(),
                scope: locations([]),
                may_stay: false,
            },
            12..16 => tenant.location(number, turn),
            _ => {
                let router = &tenant.routers[turn % tenant.routers.len()];
                Place {
                    name: format!("{number}: a device's commands"),
                    path: command_path(&router.id.to_string()),
                    credential: tenant.operator.clone(),
                    scope: Scope::Device(router.id),
                    may_stay: false,
                }
            }
        }
    }
}

impl Tenant {
    async fn make(seed: &Seed<'_>, number: usize, organization: &str, vehicles: usize) -> Self {
        let operator = operator(seed, &format!("operator-{number}"), organization);
        let root = seed.0.client(&seed.token("root"));
        let mut made = Vec::new();
        for number in 0..vehicles {
            let name = format!("vehicle-{number}");
            made.push(Arc::new(Vehicle::make(&root, &name, organization).await));
        }
        Self {
            organization: organization.to_owned(),
            operator,
            vehicles: made,
            routers: Vec::new(),
        }
    }

    /// A place at one of its locations.
    pub fn location(&self, number: usize, turn: usize) -> Place {
        let vehicle = &self.vehicles[turn % self.vehicles.len()];
        Place {
            name: format!("{number}: one location"),
            path: location_path(&vehicle.location.to_string()),
            credential: self.operator.clone(),
            scope: locations([vehicle]),
            may_stay: false,
        }
    }

    /// A place at the fleet of this organization.
    pub fn fleet(&self, number: usize) -> Place {
        Place {
            name: format!("{number}: an operator's fleet"),
            path: FLEET.to_owned(),
            credential: self.operator.clone(),
            scope: locations(&self.vehicles),
            may_stay: false,
        }
    }
}

impl Vehicle {
    /// One that has reported once.
    async fn make(root: &Client, name: &str, organization: &str) -> Self {
        const DEVICES: &str = "/api/v1/controller/device/";
        let body = json!({"name": name, "organization": organization});
        let made = root.post(DEVICES, &body).await.expect(201);
        let device = Device {
            id: text(&made, "id"),
            key: text(&made, "key"),
        };
        let body = feature(longitude(1), 1.0);
        let reported = root.put(&device.coordinates_path(), &body).await;
        reported.expect(200);
        let path = format!("{DEVICES}{}/location/", device.id);
        let location = root.get(&path).await.expect(200);
        Self {
            location: text(&location["location"], "id").parse().unwrap(),
            device,
            sent: AtomicU32::new(1),
            acknowledged: AtomicU32::new(1),
        }
    }

    /// The steps so far: of the last report that was sent, and of the last that was acknowledged.
    pub fn progress(&self) -> (u32, u32) {
        let acknowledged = self.acknowledged.load(Ordering::SeqCst);
        (self.sent.load(Ordering::SeqCst), acknowledged)
    }
}

fn locations<'a>(vehicles: impl IntoIterator<Item = &'a Arc<Vehicle>>) -> Scope {
    let ids: BTreeSet<_> = vehicles.into_iter().map(|it| it.location).collect();
    Scope::Locations(Arc::new(ids))
}

/// The flags of `user add` for who works for an organization.
pub fn flags_of_operator(organization: &str) -> [&str; 5] {
    ["--staff", "--group", "Operator", "--manages", organization]
}

fn operator(seed: &Seed, name: &str, organization: &str) -> Credential {
    seed.user_with_token(name, &flags_of_operator(organization))
}

/// A credential's id: how all routers of an organization are logged in to.
async fn credential(root: &Client, organization: &str) -> String {
    let account = Account::of_the_tests();
    let params = json!({"username": account.user, "password": account.password});
    let body = json!({"name": "routers", "organization": organization, "params": params});
    let path = "/api/v1/controller/credential/";
    text(&root.post(path, &body).await.expect(201), "id")
}

async fn router(
    root: &Client,
    name: &str,
    organization: &str,
    address: &str,
    credential: &str,
) -> Uuid {
    let path = "/api/v1/controller/device/";
    let body = json!({"name": name, "organization": organization, "addresses": [address]});
    let id = text(&root.post(path, &body).await.expect(201), "id");
    let body = json!({"credentials": credential});
    let connected = root.post(&format!("{path}{id}/connection/"), &body).await;
    connected.expect(201);
    id.parse().unwrap()
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap().to_owned()
}
