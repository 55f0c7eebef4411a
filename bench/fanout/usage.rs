//! What a server has used, as the kernel knows it.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// A process and, of a server, what it has started.
pub struct Usage {
    process: u32,
    is_alone: bool,
}

impl Usage {
    pub fn of(process: u32) -> Self {
        Self {
            process,
            is_alone: false,
        }
    }

    /// This program, without the servers that it has started.
    pub fn ourselves() -> Self {
        Self {
            process: std::process::id(),
            is_alone: true,
        }
    }

    /// Time on the processor, of all its threads: nanoseconds, where `/proc/PID/stat` has ticks of 10 ms.
    pub fn cpu(&self) -> Result<Duration> {
        let mut nanoseconds = 0;
        for process in self.family() {
            for task in fs::read_dir(format!("/proc/{process}/task"))? {
                // A thread may end meanwhile.
                let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else {
                    continue;
                };
                let first = text.split_whitespace().next();
                nanoseconds += first.context("a strange schedstat")?.parse::<u64>()?;
            }
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// Bytes of memory that it holds now.
    pub fn memory(&self) -> Result<f64> {
        let mut kilobytes = 0.0;
        for process in self.family() {
            let status = fs::read_to_string(format!("/proc/{process}/status"))?;
            kilobytes += number(&status, "VmRSS:").context("no VmRSS")?;
        }
        Ok(kilobytes * 1024.0)
    }

    /// It and its children.
    fn family(&self) -> Vec<u32> {
        let process = self.process;
        if self.is_alone {
            return vec![process];
        }
        let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
        let children = children.unwrap_or_default();
        let children = children.split_whitespace().filter_map(|it| it.parse().ok());
        std::iter::once(process).chain(children).collect()
    }
}

/// Bytes of the kernel that hold its own structures, sockets among them: of the whole machine.
pub fn kernel_memory() -> Result<f64> {
    let text = fs::read_to_string("/proc/meminfo")?;
    Ok(number(&text, "Slab:").context("no Slab")? * 1024.0)
}

fn number(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}
