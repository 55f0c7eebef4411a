//! What it costs to ask who is who: at a handshake, and when the rights of all are asked for again.

use std::time::Duration;

use anyhow::Result;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use sqlx::{Connection as _, PgConnection};
use tokio::time::sleep;

use super::cluster::{Cluster, Used};
use super::house::House;
use super::updates::{Socket, watch};

/// Handshakes that are under way at a time.
const TOGETHER: usize = 40;

/// The leases are looked at every two seconds (`lease.check_ms`): by then all have been asked about.
const CHECKED: Duration = Duration::from_secs(4);

/// What one cost, in microseconds of processor time.
pub struct Cost {
    pub handshake: Used,
    pub lease: Used,
}

/// Each operator opens a socket; then the rights of all may have changed.
pub async fn measure(house: &House, cluster: &Cluster) -> Result<Cost> {
    let idle = cluster.idle().await?;
    let address = &cluster.addresses[0];
    let began = cluster.begin()?;
    let handshakes = stream::iter(&house.operators).map(|token| watch(address, token));
    let sockets: Vec<Socket> = handshakes.buffer_unordered(TOGETHER).try_collect().await?;
    let handshakes = cluster.used_since(&began)?;
    let count = f64::from(u32::try_from(sockets.len())?);
    // With the sockets' own part.
    let resting = cluster.idle().await?;
    let mut database = PgConnection::connect(cluster.database()).await?;
    let began = cluster.begin()?;
    sqlx::query("INSERT INTO rights_change DEFAULT VALUES")
        .execute(&mut database)
        .await?;
    sleep(CHECKED).await;
    let leases = cluster.used_since(&began)?;
    database.close().await?;
    Ok(Cost {
        handshake: handshakes.beyond(&idle, count),
        lease: leases.beyond(&resting, count),
    })
}
