//! What a node asks `PostgreSQL` again and again, by itself: the tail's readings, and whose it is what is watched.

use std::time::Duration;

use anyhow::{Result, ensure};
use fleetwire::event::{Point, Topic};
use fleetwire::store::{Engine, Report, Store};
use futures_util::future::try_join_all;

use super::cluster::{Began, Cluster};
use super::house::{DEVICES, House};
use super::usage::Usage;

/// How often each is asked.
const TIMES: u32 = 200;

/// What one of something cost, in microseconds of processor time.
#[derive(Clone, Copy)]
pub struct Cost {
    pub postgres: f64,
    /// Of the process that asks.
    pub node: f64,
}

/// Each as its name says.
pub struct Costs {
    /// A reading of the tail that finds nothing.
    pub empty_reading: Cost,
    /// A changed location in a reading that finds as many as there are.
    pub changed_location: Cost,
    /// The organization of one location.
    pub owner: Cost,
}

/// Asks, of a database that no node uses.
pub async fn measure(house: &House, cluster: &Cluster) -> Result<Costs> {
    let url = cluster.database().to_owned();
    let store = Store::open(&Engine::Postgres { url }).await?;
    let before = store.position().await?;
    let reports = house.devices.iter().map(async |(device, key)| {
        let report = Report {
            device: *device,
            key: key.clone(),
            geometry: Point::new(1.0, 41.9)?,
            time: None,
        };
        anyhow::Ok(store.report_coordinates(report).await?)
    });
    try_join_all(reports).await?;
    let (changes, now) = store.changes_after(&before).await?;
    let found = changes.locations.len();
    ensure!(
        found == DEVICES,
        "{found} of {DEVICES} moves are in the log"
    );
    let topics: Vec<Topic> = changes
        .locations
        .iter()
        .map(|it| Topic::Location(it.id))
        .collect();

    let meter = Meter::begin(cluster)?;
    for _ in 0..TIMES {
        store.changes_after(&now).await?;
    }
    let empty_reading = meter.cost_of_each(cluster, f64::from(TIMES))?;
    let rows = f64::from(TIMES) * f64::from(u32::try_from(DEVICES)?);
    let meter = Meter::begin(cluster)?;
    for _ in 0..TIMES {
        store.changes_after(&before).await?;
    }
    let changed_location = meter.cost_of_each(cluster, rows)?;
    let meter = Meter::begin(cluster)?;
    for _ in 0..TIMES {
        store.owners_of(&topics).await?;
    }
    let owner = meter.cost_of_each(cluster, rows)?;
    store.close().await;
    Ok(Costs {
        empty_reading,
        changed_location,
        owner,
    })
}

/// What had been used when something began.
struct Meter {
    postgres: Began,
    node: Duration,
}

impl Meter {
    fn begin(cluster: &Cluster) -> Result<Self> {
        Ok(Self {
            postgres: cluster.begin()?,
            node: Usage::ourselves().cpu()?,
        })
    }

    fn cost_of_each(&self, cluster: &Cluster, count: f64) -> Result<Cost> {
        let node = Usage::ourselves().cpu()?.saturating_sub(self.node);
        Ok(Cost {
            postgres: cluster.used_since(&self.postgres)?.postgres * 1e6 / count,
            node: node.as_secs_f64() * 1e6 / count,
        })
    }
}
