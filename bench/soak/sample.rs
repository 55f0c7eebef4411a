//! What a process holds at a moment, and whether it grows.

use std::fmt;

use anyhow::{Context, Result};

/// What a process holds.
#[derive(Clone, Copy)]
pub struct Sample {
    /// Resident memory, in KiB.
    pub memory: u64,
    /// Open files, sockets among them.
    pub files: u64,
    /// Threads.
    pub threads: u64,
}

impl Sample {
    /// As the kernel counts it.
    pub fn of(pid: u32) -> Result<Self> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let number = |name: &str| -> Result<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let word = line.and_then(|rest| rest.split_whitespace().next());
            Ok(word.with_context(|| format!("no {name}"))?.parse()?)
        };
        let files = std::fs::read_dir(format!("/proc/{pid}/fd"))?.count();
        Ok(Self {
            memory: number("VmRSS:")?,
            files: u64::try_from(files)?,
            threads: number("Threads:")?,
        })
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = number(self.memory) / 1024.0;
        write!(f, "{mib:8.1}  {:6}  {:7}", self.files, self.threads)
    }
}

/// How one of them went in the second half of a run.
pub struct Judgement {
    /// Which, and its unit.
    pub what: &'static str,
    /// The mean.
    mean: f64,
    /// By how much the line through the samples rises from their first to their last.
    growth: f64,
    /// How much of that is taken for noise.
    allowed: f64,
}

impl Judgement {
    pub fn is_flat(&self) -> bool {
        self.growth <= self.allowed
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            mean,
            growth,
            allowed,
        } = self;
        write!(
            f,
            "{what:12} mean {mean:9.1}, in the second half {growth:+8.2} (at most {allowed:.2})"
        )
    }
}

/// What the caches of a database that grows may still take in half an hour, and what clients that come and go
/// by chance make of the count of files: a part of the mean, or else so much.
const NOISE: f64 = 0.05;
const LEAST: [(&str, f64); 3] = [("memory, MiB", 4.0), ("files", 10.0), ("threads", 1.0)];

/// Judges the second half of `samples`.
pub fn judge(samples: &[Sample]) -> Vec<Judgement> {
    let half = &samples[samples.len() / 2..];
    let all: [fn(&Sample) -> f64; 3] = [
        |it| number(it.memory) / 1024.0,
        |it| number(it.files),
        |it| number(it.threads),
    ];
    let judged = LEAST.iter().zip(all).map(|((what, least), value)| {
        let values: Vec<f64> = half.iter().map(value).collect();
        let (mean, growth) = line(&values);
        Judgement {
            what,
            mean,
            growth,
            allowed: (mean * NOISE).max(*least),
        }
    });
    judged.collect()
}

/// The mean of `values`, and the rise of the line through them (least squares) from the first to the last.
fn line(values: &[f64]) -> (f64, f64) {
    let count = number(values.len() as u64);
    let mean = values.iter().sum::<f64>() / count;
    let middle = (count - 1.0) / 2.0;
    let (mut above, mut below) = (0.0, 0.0);
    for (at, value) in values.iter().enumerate() {
        let from_middle = number(at as u64) - middle;
        above += from_middle * (value - mean);
        below += from_middle * from_middle;
    }
    (mean, above / below * (count - 1.0))
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn number(count: u64) -> f64 {
    count as f64
}
