//! The system log: a line each quarter of a second, the same one whenever it is asked for.

use std::time::Duration;

use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use russh::Error;
use tokio::time::sleep;

use super::channel::Terminal;
use super::machine::Machine;

/// Milliseconds between two lines.
const LINE_MS: i64 = 250;

/// How many lines back the log goes.
const KEPT: i64 = 200;

/// What `logread` is asked for.
struct Wanted {
    follow: bool,
    /// How many of the last lines.
    lines: i64,
}

/// `logread [-f] [-l COUNT]`: what there is, or with `-f` what comes, without an end.
pub(super) async fn read(
    arguments: &[String],
    machine: &Machine,
    terminal: &Terminal,
) -> Result<u32, Error> {
    let Some(wanted) = wanted(arguments) else {
        terminal.complain("Usage: logread [-f] [-l COUNT]").await?;
        return Ok(1);
    };
    let next = now_slot() + 1;
    let first = (next - wanted.lines).max(machine.booted_ms() / LINE_MS);
    let past: String = (first..next).map(|slot| line(slot, machine)).collect();
    terminal.print(&past).await?;
    if wanted.follow {
        follow(next, machine, terminal).await?;
    }
    Ok(0)
}

/// Prints each line as it comes, from `next` on, until the client has gone.
async fn follow(mut next: i64, machine: &Machine, terminal: &Terminal) -> Result<(), Error> {
    loop {
        let wait = next * LINE_MS - Timestamp::now().as_millisecond();
        sleep(Duration::from_millis(u64::try_from(wait).unwrap_or(0))).await;
        terminal.print(&line(next, machine)).await?;
        // Who reads slowly misses lines, as in a log that is a ring: never a burst.
        next = (next + 1).max(now_slot());
    }
}

fn wanted(arguments: &[String]) -> Option<Wanted> {
    let (mut follow, mut lines) = (false, None);
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "-f" => follow = true,
            "-l" => lines = Some(arguments.next()?.parse::<u32>().ok()?),
            _ => return None,
        }
    }
    // Followed without a count, only what comes.
    let lines = lines.map_or(if follow { 0 } else { KEPT }, i64::from);
    Some(Wanted {
        follow,
        lines: lines.min(KEPT),
    })
}

fn now_slot() -> i64 {
    Timestamp::now().as_millisecond() / LINE_MS
}

/// The line of a quarter of a second, counted from 1970.
fn line(slot: i64, machine: &Machine) -> String {
    let at = slot * LINE_MS;
    let mut rng = StdRng::seed_from_u64(machine.seed() ^ slot.cast_unsigned());
    let time = Timestamp::from_millisecond(at).unwrap_or(Timestamp::UNIX_EPOCH);
    let time = time.strftime("%a %b %e %H:%M:%S %Y");
    let up_ms = (at - machine.booted_ms()).max(0);
    format!("{time} {}\n", event(&mut rng, machine, up_ms))
}

/// Something that may have happened.
fn event(rng: &mut StdRng, machine: &Machine, up_ms: i64) -> String {
    let [a, b, c, _] = machine.lan().octets();
    let phone = rng.random_range(100..116_u8);
    let mac = format!("02:7c:3e:00:00:{phone:02x}");
    let address = format!("{a}.{b}.{c}.{phone}");
    let signal = rng.random_range(58..94);
    match rng.random_range(0..8) {
        0 => format!("daemon.info dnsmasq-dhcp[1843]: DHCPREQUEST(br-lan) {address} {mac}"),
        1 => format!("daemon.info dnsmasq-dhcp[1843]: DHCPACK(br-lan) {address} {mac}"),
        2 => format!("daemon.notice hostapd: phy0-ap0: AP-STA-CONNECTED {mac} auth_alg=open"),
        3 => format!("daemon.notice hostapd: phy0-ap0: AP-STA-DISCONNECTED {mac}"),
        4 => format!("daemon.info modem[2107]: wwan0: LTE, signal -{signal} dBm"),
        5 => {
            let satellites = rng.random_range(6..14);
            format!("daemon.debug gps[2160]: fix 3D, {satellites} satellites")
        }
        6 => format!(
            "kern.info kernel: [{:>5}.{:03}000] br-lan: port 2(phy0-ap0) entered forwarding state",
            up_ms / 1000,
            up_ms % 1000
        ),
        _ => format!(
            "cron.info crond[1502]: USER root pid {} cmd report-position",
            4000 + signal
        ),
    }
}
