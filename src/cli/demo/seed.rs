//! What a demo's database holds at the start: two organizations, who may see them, and a fleet.

use std::sync::Arc;

use anyhow::Context as _;
use rand::distr::{Alphanumeric, SampleString};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::streets::Streets;
use super::vehicle::Vehicle;
use crate::access::password;
use crate::event::{DeviceId, LocationId, OrganizationId, Point};
use crate::store::{Device, NewAccount, NewDevice, NewLocation, Store};

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
    let mut first = None;
    let mut rng = StdRng::seed_from_u64(rand::random());
    for (index, company) in (0_u16..).zip(&COMPANIES) {
        let organization = store.add_organization(company.name).await?.id;
        logins.push(add_operator(store, company, organization).await?);
        let middle = Point::new(company.middle.0, company.middle.1)?;
        first.get_or_insert((organization, middle));
        let streets = Arc::new(Streets::grow(middle, company.turn, &mut rng));
        // The first gets the odd one.
        for number in 1..=(vehicles + 1 - index) / 2 {
            let vehicle = Vehicle::new(Arc::clone(&streets), rng.random());
            let name = format!("{} {number}", company.vehicle);
            fleet.push(add_member(store, organization, name, vehicle).await?);
        }
    }
    let (organization, middle) = first.context("there are companies")?;
    let spare = add_device(store, organization, "Your vehicle".to_owned()).await?;
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

async fn add_member(
    store: &Store,
    organization: OrganizationId,
    name: String,
    vehicle: Vehicle,
) -> anyhow::Result<Member> {
    let device = add_device(store, organization, name).await?;
    let location = NewLocation {
        organization: Some(organization),
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
    })
}

async fn add_device(
    store: &Store,
    organization: OrganizationId,
    name: String,
) -> anyhow::Result<Device> {
    let device = NewDevice {
        name,
        organization: Some(organization),
        ..NewDevice::default()
    };
    Ok(store.add_device(&device).await?)
}
