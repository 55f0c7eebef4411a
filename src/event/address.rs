//! Where a device is reached.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The longest name that the DNS knows (RFC 1035, section 2.3.4).
const LONGEST_NAME: usize = 253;

/// A host and a port. Shown as `host:port`, or `[IPv6]:port`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// A name, an IPv4 address, or an IPv6 address without brackets (it may name a zone).
    pub host: String,
    /// 1 to 65535.
    pub port: u16,
}

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// There is nothing in it.
    #[error("the address is empty")]
    Empty,
    /// Neither a name nor an IP address.
    #[error("{0:?} is neither a host name nor an IP address")]
    Host(String),
    /// What stands behind the colon is no port.
    #[error("{0:?} is no port from 1 to 65535")]
    Port(String),
}

impl Address {
    /// Reads `host`, `host:port`, an IPv6 address, or `[IPv6]:port`.
    ///
    /// # Errors
    /// When the text is neither.
    pub fn parse(text: &str, default_port: u16) -> Result<Self, AddressError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(AddressError::Empty);
        }
        let wrong = || AddressError::Host(text.to_owned());
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (host, rest) = rest.split_once(']').ok_or_else(wrong)?;
            let port = match rest {
                "" => None,
                rest => Some(rest.strip_prefix(':').ok_or_else(wrong)?),
            };
            if !is_ipv6(host) {
                return Err(wrong());
            }
            (host, port)
        } else if is_ipv6(text) {
            (text, None)
        } else {
            match text.split_once(':') {
                // More of them only stand in IPv6, and that this is not.
                Some((_, port)) if port.contains(':') => return Err(wrong()),
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            }
        };
        if !is_ipv6(host) && !is_name(host) {
            return Err(wrong());
        }
        let port = match port {
            Some(port) => parse_port(port)?,
            None => default_port,
        };
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') {
            write!(formatter, "[{host}]:{port}")
        } else {
            write!(formatter, "{host}:{port}")
        }
    }
}

fn parse_port(text: &str) -> Result<u16, AddressError> {
    // `u16` would take a sign.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(port) if digits && port > 0 => Ok(port),
        _ => Err(AddressError::Port(text.to_owned())),
    }
}

fn is_ipv6(host: &str) -> bool {
    let (ip, zone) = match host.split_once('%') {
        Some((ip, zone)) => (ip, Some(zone)),
        None => (host, None),
    };
    let is_zone = |zone: &str| !zone.is_empty() && zone.bytes().all(is_of_a_name);
    ip.parse::<Ipv6Addr>().is_ok() && zone.is_none_or(is_zone)
}

fn is_name(host: &str) -> bool {
    let labels = host.strip_suffix('.').unwrap_or(host);
    // What looks like an IPv4 address must be one: resolvers read "10.1" as 10.0.0.1.
    let last_is_number = labels
        .rsplit('.')
        .next()
        .is_some_and(|it| it.bytes().all(|byte| byte.is_ascii_digit()));
    if last_is_number {
        return host.parse::<Ipv4Addr>().is_ok();
    }
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && label.bytes().all(is_of_a_name)
    };
    labels.len() <= LONGEST_NAME && labels.split('.').all(is_label)
}

fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        Address::parse(text, 22).unwrap().to_string()
    }

    #[test]
    fn a_port_is_optional() {
        assert_eq!(shown("router.example.com"), "router.example.com:22");
        assert_eq!(shown("router_1.example.:2222"), "router_1.example.:2222");
        assert_eq!(shown(" 10.0.0.1 "), "10.0.0.1:22");
        assert_eq!(shown("10.0.0.1:65535"), "10.0.0.1:65535");
    }

    #[test]
    fn ipv6_has_a_port_only_behind_brackets() {
        assert_eq!(shown("2001:db8::1"), "[2001:db8::1]:22");
        assert_eq!(shown("[2001:db8::1]"), "[2001:db8::1]:22");
        assert_eq!(shown("[::1]:2222"), "[::1]:2222");
        assert_eq!(shown("fe80::1%eth0.2"), "[fe80::1%eth0.2]:22");
    }

    #[test]
    fn what_is_no_address_is_refused_by_what_is_wrong() {
        use AddressError::{Empty, Host, Port};
        assert_eq!(Address::parse("  ", 22), Err(Empty));
        for port in ["0", "65536", "-1", "+1", "", "22a"] {
            let text = format!("router:{port}");
            assert_eq!(Address::parse(&text, 22), Err(Port(port.to_owned())));
        }
        let long = "a".repeat(64);
        for text in [
            "a b",
            "a/b",
            "-v",
            "a..b",
            ".a",
            "[::1",
            "[::1]2",
            "[a]:1",
            "10.1",
            "1.2.3.256",
            "12",
            "user@host",
            "$(x)",
            "a:2:3",
            "fe80::1%",
            "fe80::1%a b",
            &long,
            "müller",
        ] {
            assert_eq!(
                Address::parse(text, 22),
                Err(Host(text.to_owned())),
                "{text}"
            );
        }
    }
}
