//! The processor time of a process and of all that it has started.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// Ticks a second of the processor times in `/proc`: fixed in Linux's interface.
const TICKS_A_SECOND: f64 = 100.0;

/// Of the process, its children that have ended, and those that run: the last are one generation, as
/// `PostgreSQL` has them.
pub fn cpu(process: u32) -> Result<Duration> {
    let own = ticks(process, 4).context("a process has ended")?;
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
    let children = children.unwrap_or_default();
    let children = children.split_whitespace().filter_map(|it| it.parse().ok());
    // One that ends meanwhile is in the sum of those that have.
    let running: f64 = children.filter_map(|child| ticks(child, 2)).sum();
    Ok(Duration::from_secs_f64((own + running) / TICKS_A_SECOND))
}

/// The first `count` of user and system time, and user and system time of children that have ended: from the
/// 14th field on, counted behind the name, which may hold blanks.
fn ticks(process: u32, count: usize) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<f64> = fields
        .split_whitespace()
        .skip(11)
        .take(count)
        .filter_map(|field| field.parse().ok())
        .collect();
    (fields.len() == count).then(|| fields.iter().sum())
}
