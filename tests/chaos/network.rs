//! A network namespace of its own for a node, with one cable to this machine that can be pulled.

use std::net::IpAddr;
use std::process::{Command, Stdio};

use rustix::process::{Pid, getpid, test_kill_process};

use crate::support::ssh::run;

const PREFIX: &str = "fleetwire-chaos-";

/// Removed when dropped, and by the next run when that did not happen.
pub struct Namespace {
    name: String,
    /// The end of the cable on this side; on the other side it is `eth0`. An interface's name has 15 letters at most.
    cable: String,
    /// The addresses of both ends: from the range that is set aside for trials of networks (RFC 2544).
    pub here: IpAddr,
    pub there: IpAddr,
}

impl Namespace {
    /// Makes one, or says why it cannot be made.
    pub fn make() -> Result<Self, String> {
        remove_left_over();
        let process = getpid().as_raw_nonzero().get();
        let network = process.rem_euclid(16_000);
        let base = format!("198.18.{}.{}", network / 64, network % 64 * 4);
        let host = |number: i32| -> IpAddr {
            let (front, last) = base.rsplit_once('.').expect("four numbers");
            let last: i32 = last.parse().expect("a number");
            format!("{front}.{}", last + number)
                .parse()
                .expect("an address")
        };
        let made = Self {
            name: format!("{PREFIX}{process}"),
            cable: format!("fwc{process}"),
            here: host(1),
            there: host(2),
        };
        let (name, cable) = (&*made.name, &*made.cable);
        let (here, there) = (format!("{}/30", made.here), format!("{}/30", made.there));
        for line in [
            format!("netns add {name}"),
            format!("link add {cable} type veth peer name eth0 netns {name}"),
            format!("addr add {here} dev {cable}"),
            format!("link set {cable} up"),
            format!("-n {name} addr add {there} dev eth0"),
            format!("-n {name} link set lo up"),
            format!("-n {name} link set eth0 up"),
        ] {
            ip(&line)?;
        }
        Ok(made)
    }

    /// What a program in it is started with.
    pub fn launcher(&self) -> Vec<String> {
        ["ip", "netns", "exec", &self.name]
            .map(str::to_owned)
            .into()
    }

    /// Pulls the cable at the far end, or plugs it in again. Here packets go out and nothing comes back, as
    /// where a network is broken: nobody is told that a connection has ended.
    pub fn connect(&self, is_connected: bool) {
        let state = if is_connected { "up" } else { "down" };
        let set = ip(&format!("-n {} link set eth0 {state}", self.name));
        set.unwrap_or_else(|error| panic!("{error}"));
    }

    /// Has every packet on the cable vanish, or none: on both sides all is up and has its routes, and nobody is
    /// told of anything. What is sent goes to a hardware address that nobody has.
    pub fn lose(&self, loses: bool) {
        const NOBODY: &str = "02:00:00:00:00:01";
        let (name, cable) = (&self.name, &self.cable);
        for (front, peer, device) in [
            (String::new(), self.there, &**cable),
            (format!("-n {name} "), self.here, "eth0"),
        ] {
            let line = if loses {
                format!("{front}neigh replace {peer} lladdr {NOBODY} dev {device} nud permanent")
            } else {
                format!("{front}neigh del {peer} dev {device}")
            };
            ip(&line).unwrap_or_else(|error| panic!("{error}"));
        }
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // The cable goes with one of its ends; when a process still runs in the namespace, that is ours.
        let _ = ip(&format!("link del {}", self.cable));
        let _ = ip(&format!("netns del {}", self.name));
    }
}

fn ip(line: &str) -> Result<(), String> {
    let output = Command::new("ip")
        .args(line.split(' '))
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("ip {line}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("ip {line}: {}", said.trim()))
}

/// What runs have left that were killed outright.
fn remove_left_over() {
    if Command::new("ip").arg("-V").output().is_err() {
        return;
    }
    for line in run("ip", &["netns", "list"]).lines() {
        let name = line.split(' ').next().unwrap_or_default();
        let process = name.strip_prefix(PREFIX).and_then(|it| it.parse().ok());
        let Some(process) = process.and_then(Pid::from_raw) else {
            continue;
        };
        if test_kill_process(process).is_err() {
            let _ = ip(&format!("link del fwc{}", process.as_raw_nonzero()));
            let _ = ip(&format!("netns del {name}"));
        }
    }
}
