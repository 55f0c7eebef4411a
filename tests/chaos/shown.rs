//! What shows that a fault happened. One that nobody has noticed proves nothing.

use std::collections::BTreeMap;

use super::broken::Broken;
use super::faults::{Fault, SILENT_READERS, SLOW_READERS};
use super::watch::{CONFLATED, IDLE, LEASES_UNREACHABLE, Signs, TAIL_FAILED};

/// What was seen while something was broken.
#[derive(Debug, Default)]
pub struct Noticed {
    /// Of each node.
    pub nodes: Vec<Signs>,
    /// Connections of the crowd that ended, by the close frame's code.
    pub closes: BTreeMap<Option<u16>, usize>,
    /// How many sockets there are.
    pub crowd: usize,
    /// Requests that had no answer, or were told "later".
    pub put_off: usize,
}

impl Noticed {
    fn closed(&self, code: Option<u16>) -> usize {
        self.closes.get(&code).copied().unwrap_or(0)
    }

    fn grown(&self, series: &str) -> u64 {
        self.nodes.iter().map(|node| node.grown(series)).sum()
    }

    /// How many nodes were `ill`, and whether that is each of those that could say so all the time.
    fn ill(&self, ill: fn(&Signs) -> usize) -> (usize, bool) {
        let are_ill = self.nodes.iter().filter(|node| ill(node) > 0).count();
        let mut nodes = self.nodes.iter();
        let is_each = nodes.all(|node| ill(node) > 0 || node.was_away());
        (are_ill, is_each && are_ill > 0)
    }

    fn conflated(&self, readers: usize) -> (bool, String) {
        let (conflated, idle) = (self.grown(CONFLATED), self.grown(IDLE));
        let is_each = conflated >= readers as u64;
        let text = format!(
            "{conflated} older states were replaced in outboxes, {idle} readers given up as dead"
        );
        (is_each, text)
    }
}

impl Broken {
    /// Says what shows that it happened; or what there is, which does not.
    pub fn shown(&self, noticed: &Noticed) -> Result<String, String> {
        let number = self.victim;
        let victim = &noticed.nodes[number];
        let broken_off = noticed.closed(None);
        let (is_shown, text) = match self.fault {
            Fault::KillNode => (
                victim.refused > 0 && broken_off > 0,
                format!(
                    "node {number} refused {} times, {broken_off} connections broke off",
                    victim.refused
                ),
            ),
            Fault::TerminateNode => {
                let closed = noticed.closed(Some(1001));
                let text = format!(
                    "node {number} refused {} times, {closed} sockets were closed with 1001",
                    victim.refused
                );
                (victim.refused > 0 && closed > 0, text)
            }
            Fault::StopRedis | Fault::PauseRedis => {
                let (ill, is_shown) = noticed.ill(|node| node.without_hints);
                (is_shown, format!("{ill} nodes were degraded: no hints"))
            }
            Fault::StopPostgres => {
                let (ill, is_shown) = noticed.ill(|node| node.without_database);
                (is_shown, format!("{ill} nodes were not ready: no database"))
            }
            Fault::CutNode | Fault::LosePackets => {
                let failed = victim.grown(TAIL_FAILED) + victim.grown(LEASES_UNREACHABLE);
                let text = format!(
                    "node {number} was silent {} times, and its database {failed} times to it",
                    victim.silent
                );
                (victim.silent > 0 && failed > 0, text)
            }
            Fault::TurnClock => (
                victim.behind > 3000 && victim.ahead > 3000,
                format!(
                    "node {number} was {} s behind and {} s ahead",
                    victim.behind, victim.ahead
                ),
            ),
            Fault::FlushRedis => return self.found.clone(),
            Fault::FillDisk => {
                let found = self.found.clone()?;
                let text = format!("{found}, {} requests were put off", noticed.put_off);
                (noticed.put_off > 0, text)
            }
            Fault::SlowReaders => noticed.conflated(SLOW_READERS),
            Fault::SilentReaders => noticed.conflated(SILENT_READERS),
            Fault::Storm => (
                broken_off >= noticed.crowd * 4 / 5,
                format!("{broken_off} connections broke off"),
            ),
        };
        if is_shown { Ok(text) } else { Err(text) }
    }
}
