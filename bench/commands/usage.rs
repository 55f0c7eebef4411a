//! What the server has used, as the kernel and its database know it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection as _};

/// Ticks a second of the processor times in `/proc`: fixed in Linux's interface.
const TICKS_A_SECOND: f64 = 100.0;

/// What a process has used since it began.
pub struct Usage {
    pub cpu: Duration,
    /// Since the measurement began.
    pub peak_memory: u64,
    /// Bytes that it had the kernel write to the disk.
    pub written: u64,
    /// Updates of commands, and pieces of output stored.
    pub rows: u64,
}

impl Usage {
    /// Reads it all; the peak of memory begins anew.
    pub async fn read(process: u32, database: &Path) -> Result<Self> {
        let proc = |file| fs::read_to_string(format!("/proc/{process}/{file}"));
        let usage = Self {
            cpu: cpu(&proc("stat")?).context("a strange /proc/PID/stat")?,
            peak_memory: number(&proc("status")?, "VmHWM:").context("no VmHWM")? * 1024,
            written: number(&proc("io")?, "write_bytes:").context("no write_bytes")?,
            rows: rows(database).await?,
        };
        fs::write(format!("/proc/{process}/clear_refs"), "5")?;
        Ok(usage)
    }

    /// What was used between two readings.
    pub fn since(&self, before: &Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(before.cpu),
            peak_memory: self.peak_memory,
            written: self.written - before.written,
            rows: self.rows - before.rows,
        }
    }
}

/// User and system time: the 14th and 15th field, counted behind the name, which may hold blanks.
fn cpu(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    let seconds = (ticks(11)? + ticks(12)?) / TICKS_A_SECOND;
    Some(Duration::from_secs_f64(seconds))
}

/// The first number of the line that begins with `name`.
fn number(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

async fn rows(database: &Path) -> Result<u64> {
    let mut connection = SqliteConnectOptions::new()
        .filename(database)
        .read_only(true)
        .connect()
        .await?;
    let query = "SELECT (SELECT coalesce(sum(version), 0) FROM command)
        + (SELECT count(*) FROM command_output)";
    let rows: i64 = sqlx::query_scalar(query).fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(rows.try_into()?)
}
