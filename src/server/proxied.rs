//! The PROXY protocol, by which a balancer of TCP says in front of a connection whose it is: versions 1 and 2.
//!
//! <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>. Exactly the header is read here: what comes behind it
//! is the client's.

use std::io;
use std::net::SocketAddr;

use ppp::{HeaderResult, v1, v2};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The shortest header there is: `PROXY UNKNOWN` and the end of its line.
const SHORTEST: usize = 15;

/// The longest line of version 1, by the specification.
const LONGEST_LINE: usize = 107;

/// What stands in front of the addresses of version 2; its last two bytes are the length of what follows.
const FIXED: usize = 16;

/// The most of that which is read. Balancers add what they know of TLS, or of their own networks.
const LONGEST: usize = 4096;

/// Why nobody knows whose a connection is.
#[derive(Debug, thiserror::Error)]
pub enum Unproxied {
    /// It broke, or ended.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// What stands there is something else.
    #[error("it does not begin with a header of the PROXY protocol")]
    Missing,
    /// The header is damaged.
    #[error("its header of the PROXY protocol is not understood: {0}")]
    Damaged(String),
    /// It did not come.
    #[error("no header of the PROXY protocol came in time")]
    Late,
}

/// Reads the header in front of a connection. `None` for one of the balancer itself, which asks whether we are
/// there, and for a client of whom it knows nothing.
///
/// # Errors
/// When there is none.
pub async fn client(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<Option<SocketAddr>, Unproxied> {
    let header = header(stream).await?;
    let damaged = |error: &dyn std::error::Error| Unproxied::Damaged(error.to_string());
    match HeaderResult::parse(&header) {
        HeaderResult::V1(header) => Ok(match header.map_err(|error| damaged(&error))?.addresses {
            v1::Addresses::Tcp4(it) => Some((it.source_address, it.source_port).into()),
            v1::Addresses::Tcp6(it) => Some((it.source_address, it.source_port).into()),
            v1::Addresses::Unknown => None,
        }),
        HeaderResult::V2(header) => {
            let header = header.map_err(|error| damaged(&error))?;
            Ok(match header.addresses {
                _ if header.command == v2::Command::Local => None,
                v2::Addresses::IPv4(it) => Some((it.source_address, it.source_port).into()),
                v2::Addresses::IPv6(it) => Some((it.source_address, it.source_port).into()),
                v2::Addresses::Unix(_) | v2::Addresses::Unspecified => None,
            })
        }
    }
}

/// The bytes of the header, and not one of what follows.
async fn header(stream: &mut (impl AsyncRead + Unpin)) -> Result<Vec<u8>, Unproxied> {
    let mut header = vec![0; SHORTEST];
    stream.read_exact(&mut header).await?;
    if header.starts_with(v2::PROTOCOL_PREFIX) {
        header.resize(FIXED, 0);
        stream.read_exact(&mut header[SHORTEST..]).await?;
        let length = usize::from(u16::from_be_bytes([header[14], header[15]]));
        if length > LONGEST {
            return Err(Unproxied::Damaged(format!("{length} bytes are too many")));
        }
        header.resize(FIXED + length, 0);
        stream.read_exact(&mut header[FIXED..]).await?;
        Ok(header)
    } else if header.starts_with(b"PROXY ") {
        // A line says nowhere how long it is.
        while !header.ends_with(b"\n") {
            if header.len() == LONGEST_LINE {
                return Err(Unproxied::Damaged("its line has no end".to_owned()));
            }
            header.push(stream.read_u8().await?);
        }
        Ok(header)
    } else {
        Err(Unproxied::Missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read of `bytes`, and what is left.
    async fn read(bytes: &[u8]) -> (Result<Option<SocketAddr>, Unproxied>, Vec<u8>) {
        let mut rest = bytes;
        let read = client(&mut rest).await;
        (read, rest.to_vec())
    }

    /// A header of version 2, as it stands in the specification.
    fn binary(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
        let mut bytes = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
        let length = u16::try_from(addresses.len()).unwrap();
        bytes.extend([command, family]);
        bytes.extend(length.to_be_bytes());
        bytes.extend(addresses);
        bytes
    }

    #[tokio::test]
    async fn both_versions_say_whose_a_connection_is_and_what_follows_is_left() {
        let ipv4 = [192, 0, 2, 7, 192, 0, 2, 1, 0x12, 0x67, 0, 80];
        let mut ipv6 = [0; 36];
        ipv6[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
        ipv6[15] = 7;
        ipv6[32..34].copy_from_slice(&[0x12, 0x67]);
        // A TLV of a balancer's own behind the addresses.
        let with_more = [&ipv4[..], &[0xea, 0, 2, 1, 2]].concat();
        let line = |text: &str| format!("{text}\r\n").into_bytes();
        let longest = format!(
            "PROXY UNKNOWN {0} {0} 65535 65535",
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
        );
        for (header, expected) in [
            (
                line("PROXY TCP4 192.0.2.7 192.0.2.1 4711 80"),
                Some("192.0.2.7:4711"),
            ),
            (
                line("PROXY TCP6 2001:db8::7 ::1 4711 80"),
                Some("[2001:db8::7]:4711"),
            ),
            (line("PROXY UNKNOWN"), None),
            (line(&longest), None),
            (binary(0x21, 0x11, &ipv4), Some("192.0.2.7:4711")),
            (binary(0x21, 0x11, &with_more), Some("192.0.2.7:4711")),
            (binary(0x21, 0x21, &ipv6), Some("[2001:db8::7]:4711")),
            (binary(0x21, 0x31, &[0; 216]), None),
            (binary(0x20, 0x00, &[]), None),
            (binary(0x20, 0x11, &ipv4), None),
        ] {
            let (read, rest) = read(&[&header[..], b"GET /"].concat()).await;
            let expected = expected.map(|it| it.parse().unwrap());
            assert_eq!(read.unwrap(), expected, "{header:?}");
            assert_eq!(rest, b"GET /", "{header:?}");
        }
    }

    #[tokio::test]
    async fn what_is_no_header_is_nobodys_connection() {
        let endless = format!("PROXY TCP4 {}", "1".repeat(200));
        for bytes in [
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7 192.0.2.1 4711\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 99999\r\n".to_vec(),
            b"PROXY TCP5 192.0.2.7 192.0.2.1 4711 80\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7".to_vec(),
            b"PROXY".to_vec(),
            Vec::new(),
            endless.into_bytes(),
            binary(0x31, 0x11, &[0; 12]),
            binary(0x22, 0x11, &[0; 12]),
            binary(0x21, 0x11, &[0; 11]),
            binary(0x21, 0x11, &[0; LONGEST + 1]),
            binary(0x21, 0x11, &[0; 12])[..20].to_vec(),
        ] {
            let (read, _) = read(&bytes).await;
            assert!(read.is_err(), "{bytes:?}: {read:?}");
        }
    }
}
