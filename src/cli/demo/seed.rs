//! What a demo's database holds at the start: two organizations, who may see them, and a fleet of
//! vehicles, each with a router that can be logged in to.

use std::sync::Arc;

use anyhow::Context as _;
use rand::distr::{Alphanumeric, SampleString};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::router::Router;
use super::streets::Streets;
use super::vehicle::Vehicle;
use crate::access::password;
use crate::event::{CredentialId, DeviceId, LocationId, OrganizationId, Point};
use crate::store::{
    Device, LoginSecret, NewAccount, NewConnection, NewCredential, NewDevice, NewLocation, Store,
};

/// Who logs in to the routers.
const ROOT: &str = "root";

/// A made-up company and the quarter that it drives in.
struct Company {
    name: &'static str,
    operator: &'static str,
    vehicle: &'static str,
    /// Longitude and latitude of the quarter's middle, and how its streets are turned.
    middle: (f64, f64),
    turn: f64,
}

/// In Rome and in Hamburg.
const COMPANIES: [Company; 2] = [
    Company {
        name: "Metro Transit",
        operator: "metro-operator",
        vehicle: "Bus",
        middle: (12.4964, 41.9028),
        turn: 0.25,
    },
    Company {
        name: "Harbor Logistics",
        operator: "harbor-operator",
        vehicle: "Truck",
        middle: (9.9937, 53.5511),
        turn: -0.4,
    },
];

/// Somebody who can log in.
pub(super) struct Login {
    pub(super) username: String,
    pub(super) password: String,
    pub(super) token: String,
    /// What for, in words.
    pub(super) role: String,
}

/// A vehicle of the fleet, as it authenticates itself.
pub(super) struct Member {
    pub(super) device: DeviceId,
    pub(super) key: String,
    pub(super) location: LocationId,
    pub(super) vehicle: Vehicle,
    /// On for as long as this is there.
    _router: Router,
}

/// An organization's login to all its routers.
struct Access {
    organization: OrganizationId,
    credential: CredentialId,
    password: String,
}

/// All that was put into the database.
pub(super) struct Seeded {
    /// The superuser, then the operator of each organization.
    pub(super) logins: Vec<Login>,
    /// The first is one of the first operator's.
    pub(super) fleet: Vec<Member>,
    /// A device of the first operator's that nobody drives and that was nowhere yet.
    pub(super) spare: Device,
    /// Where the first company's quarter is.
    pub(super) middle: Point,
}

/// Fills an empty database, with `vehicles` in all.
pub(super) async fn seed(store: &Store, vehicles: u16) -> anyhow::Result<Seeded> {
    let mut logins = vec![add_admin(store).await?];
    let mut fleet = Vec::new();
    let mut first: Option<(Access, Point)> = None;
    let mut rng = StdRng::seed_from_u64(rand::random());
    for (index, company) in (0_u16..).zip(&COMPANIES) {
        let organization = store.add_organization(company.name).await?.id;
        logins.push(add_operator(store, company, organization).await?);
        let middle = Point::new(company.middle.0, company.middle.1)?;
        let access = add_access(store, organization).await?;
        let streets = Arc::new(Streets::grow(middle, company.turn, &mut rng));
        // The first gets the odd one.
        for number in 1..=(vehicles + 1 - index) / 2 {
            let vehicle = Vehicle::new(Arc::clone(&streets), rng.random());
            let name = format!("{} {number}", company.vehicle);
            fleet.push(add_member(store, &access, name, vehicle).await?);
        }
        first.get_or_insert((access, middle));
    }
    let (access, middle) = first.context("there are companies")?;
    let (spare, _) = add_device(store, &access, "Your vehicle".to_owned()).await?;
    Ok(Seeded {
        logins,
        fleet,
        spare,
        middle,
    })
}

async fn add_admin(store: &Store) -> anyhow::Result<Login> {
    let admin = NewAccount {
        username: "admin".to_owned(),
        is_superuser: true,
        is_staff: true,
        ..NewAccount::default()
    };
    add_login(store, admin, "superuser: sees everything".to_owned()).await
}

async fn add_operator(
    store: &Store,
    company: &Company,
    organization: OrganizationId,
) -> anyhow::Result<Login> {
    let operator = NewAccount {
        username: company.operator.to_owned(),
        is_staff: true,
        groups: vec![store.find_group("Operator").await?.id],
        manages: vec![organization],
        ..NewAccount::default()
    };
    add_login(store, operator, format!("operator of {}", company.name)).await
}

async fn add_login(store: &Store, account: NewAccount, role: String) -> anyhow::Result<Login> {
    let password = Alphanumeric.sample_string(&mut rand::rng(), 12);
    let account = NewAccount {
        password_hash: Some(password::hash_blocking(&password)?),
        ..account
    };
    let user = store.add_user(&account).await?.id;
    let (_, token) = store.add_token(user, "demo").await?;
    Ok(Login {
        username: account.username,
        password,
        token,
        role,
    })
}

async fn add_access(store: &Store, organization: OrganizationId) -> anyhow::Result<Access> {
    let password = Alphanumeric.sample_string(&mut rand::rng(), 12);
    let credential = NewCredential {
        name: "Routers".to_owned(),
        organization: Some(organization),
        username: ROOT.to_owned(),
        secret: Some(LoginSecret::Password(password.clone())),
        ..NewCredential::default()
    };
    Ok(Access {
        organization,
        credential: store.add_credential(&credential).await?.id,
        password,
    })
}

async fn add_member(
    store: &Store,
    access: &Access,
    name: String,
    vehicle: Vehicle,
) -> anyhow::Result<Member> {
    let (device, router) = add_device(store, access, name).await?;
    let location = NewLocation {
        organization: Some(access.organization),
        name: device.name,
        is_mobile: true,
        geometry: Some(vehicle.point()?),
        device: Some(device.id),
        ..NewLocation::default()
    };
    let location = store.add_location(&location).await?.id;
    Ok(Member {
        device: device.id,
        key: device.key,
        location,
        vehicle,
        _router: router,
    })
}

/// A device whose router is on.
async fn add_device(
    store: &Store,
    access: &Access,
    name: String,
) -> anyhow::Result<(Device, Router)> {
    let router = Router::start(&name, ROOT, &access.password)
        .context("cannot start the simulated router of a vehicle")?;
    let device = NewDevice {
        name,
        organization: Some(access.organization),
        addresses: vec![router.address().to_string()],
        ..NewDevice::default()
    };
    let device = store.add_device(&device).await?;
    let connection = NewConnection {
        device: device.id,
        credential: access.credential,
        is_enabled: true,
    };
    store.add_connection(connection).await?;
    Ok((device, router))
}
