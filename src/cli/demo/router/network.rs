//! Interfaces that do not exist, and answers that nobody sent.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use russh::Error;
use tokio::time::{Instant, sleep_until};

use super::channel::Terminal;
use super::machine::Machine;

const BETWEEN_PINGS: Duration = Duration::from_secs(1);

/// Bytes that a ping carries unless told.
const PING_BYTES: u16 = 56;

/// What `ifconfig` prints.
pub(super) fn ifconfig(machine: &Machine) -> String {
    let (lan, mac) = (machine.lan(), machine.mac());
    let [a, b, c, _] = lan.octets();
    let (received, sent) = traffic(machine);
    let (mib_received, mib_sent) = (received / 1_048_576, sent / 1_048_576);
    let (packets_received, packets_sent) = (received / 811, sent / 402);
    format!(
        "\
br-lan    Link encap:Ethernet  HWaddr {mac}
          inet addr:{lan}  Bcast:{a}.{b}.{c}.255  Mask:255.255.255.0
          UP BROADCAST RUNNING MULTICAST  MTU:1500  Metric:1
          RX packets:{packets_received} errors:0 dropped:0 overruns:0 frame:0
          TX packets:{packets_sent} errors:0 dropped:0 overruns:0 carrier:0
          collisions:0 txqueuelen:1000
          RX bytes:{received} ({mib_received}.0 MiB)  TX bytes:{sent} ({mib_sent}.0 MiB)

lo        Link encap:Local Loopback
          inet addr:127.0.0.1  Mask:255.0.0.0
          inet6 addr: ::1/128 Scope:Host
          UP LOOPBACK RUNNING  MTU:65536  Metric:1
          RX packets:96 errors:0 dropped:0 overruns:0 frame:0
          TX packets:96 errors:0 dropped:0 overruns:0 carrier:0
          collisions:0 txqueuelen:1000
          RX bytes:7912 (7.7 KiB)  TX bytes:7912 (7.7 KiB)

"
    )
}

/// What `ip address` prints.
pub(super) fn ip_address(machine: &Machine) -> String {
    let (lan, mac) = (machine.lan(), machine.mac().to_ascii_lowercase());
    let [a, b, c, _] = lan.octets();
    format!(
        "\
1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN qlen 1000
    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00
    inet 127.0.0.1/8 scope host lo
       valid_lft forever preferred_lft forever
2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc fq_codel master br-lan state UP qlen 1000
    link/ether {mac} brd ff:ff:ff:ff:ff:ff
3: br-lan: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP qlen 1000
    link/ether {mac} brd ff:ff:ff:ff:ff:ff
    inet {lan}/24 brd {a}.{b}.{c}.255 scope global br-lan
       valid_lft forever preferred_lft forever
"
    )
}

/// Bytes received and sent since the router is up: some kilobytes a second.
fn traffic(machine: &Machine) -> (u64, u64) {
    let up = machine.up().as_secs() + 1;
    (up * 3_127, up * 1_409)
}

/// What `ping` is asked for.
struct Pings<'a> {
    host: &'a str,
    address: IpAddr,
    count: Option<u32>,
    bytes: u16,
}

/// `ping [-c COUNT] [-s SIZE] HOST`: a line a second, without an end when there is no count.
pub(super) async fn ping(arguments: &[String], terminal: &Terminal) -> Result<u32, Error> {
    let pings = match pings(arguments) {
        Ok(pings) => pings,
        Err(complaint) => {
            terminal.complain(&complaint).await?;
            return Ok(1);
        }
    };
    let (host, address, bytes) = (pings.host, pings.address, pings.bytes);
    let opening = format!("PING {host} ({address}): {bytes} data bytes\n");
    terminal.print(&opening).await?;
    let mut rng = StdRng::seed_from_u64(rand::random());
    let usual = rng.random_range(8.0..40.0);
    let mut times = Times::default();
    let mut next = Instant::now();
    while pings.count.is_none_or(|count| times.count < count) {
        sleep_until(next).await;
        next += BETWEEN_PINGS;
        let time = usual + rng.random_range(0.0..usual / 4.0);
        let (bytes, number) = (u32::from(bytes) + 8, times.count);
        let line = format!("{bytes} bytes from {address}: seq={number} ttl=57 time={time:.3} ms\n");
        terminal.print(&line).await?;
        times.add(time);
    }
    terminal.print(&times.summary(host)).await?;
    Ok(0)
}

fn pings(arguments: &[String]) -> Result<Pings<'_>, String> {
    let usage = || "Usage: ping [-c COUNT] [-s SIZE] HOST".to_owned();
    let (mut host, mut count, mut bytes) = (None, None, PING_BYTES);
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "-c" => count = Some(number(arguments.next().ok_or_else(usage)?)?),
            "-s" => bytes = number(arguments.next().ok_or_else(usage)?)?,
            // How long to wait for answers that always come.
            "-W" | "-w" => _ = number::<u32>(arguments.next().ok_or_else(usage)?)?,
            "-4" | "--" => {}
            option if option.starts_with('-') => return Err(usage()),
            name if host.is_none() => host = Some(name),
            _ => return Err(usage()),
        }
    }
    let host = host.ok_or_else(usage)?;
    let address = resolve(host).ok_or_else(|| format!("ping: bad address '{host}'"))?;
    // As in BusyBox: none is without an end.
    let count = count.filter(|count| *count > 0);
    Ok(Pings {
        host,
        address,
        count,
        bytes,
    })
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| format!("ping: invalid number '{text}'"))
}

/// An address of the documentation's network for each name but those that never have one.
fn resolve(host: &str) -> Option<IpAddr> {
    if let Ok(address) = host.parse() {
        return Some(address);
    }
    if host == "localhost" {
        return Some(Ipv4Addr::LOCALHOST.into());
    }
    let is_name = |it: char| it.is_ascii_alphanumeric() || matches!(it, '.' | '-' | '_');
    if host.is_empty() || !host.chars().all(is_name) || host.ends_with(".invalid") {
        return None;
    }
    let sum = host.bytes().fold(0, u8::wrapping_add);
    Some(Ipv4Addr::new(198, 51, 100, sum).into())
}

/// The round-trip times of a ping, in milliseconds.
#[derive(Default)]
struct Times {
    count: u32,
    sum: f64,
    least: f64,
    most: f64,
}

impl Times {
    fn add(&mut self, time: f64) {
        self.least = if self.count == 0 {
            time
        } else {
            self.least.min(time)
        };
        self.most = self.most.max(time);
        self.sum += time;
        self.count += 1;
    }

    fn summary(&self, host: &str) -> String {
        let Self {
            count, least, most, ..
        } = self;
        let mean = self.sum / f64::from((*count).max(1));
        format!(
            "\n--- {host} ping statistics ---\n\
             {count} packets transmitted, {count} packets received, 0% packet loss\n\
             round-trip min/avg/max = {least:.3}/{mean:.3}/{most:.3} ms\n"
        )
    }
}
