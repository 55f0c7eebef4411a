//! `[server]`: the listener, whom it believes, and how much it takes.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize};

use super::check::{Problems, between};

/// The HTTP listener.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// Address and port to listen on; port 0 takes a free one.
    #[serde(deserialize_with = "address")]
    pub listen: SocketAddr,
    /// Proxies whose `X-Forwarded-For`, `-Proto` and `-Host` are believed: networks, or single
    /// addresses.
    #[serde(deserialize_with = "networks")]
    pub trusted_proxies: Vec<IpNet>,
    /// Whether they begin each connection with a header of the PROXY protocol that says whose it is.
    pub proxy_protocol: bool,
    /// Origins accepted beside the server's own, e.g. `https://console.example.org`.
    pub allowed_origins: Vec<String>,
    /// The largest request body that is taken, in bytes; a larger one gets a 413.
    pub body_limit_bytes: usize,
    /// The largest head of a request that is taken, in bytes; a larger one gets a 431.
    pub head_limit_bytes: usize,
    /// Seconds that a client has to send the head of a request.
    pub header_timeout_s: u64,
    /// Seconds in which all goes on after the server was told to end, and only `/readyz` says so.
    pub shutdown_delay_s: u64,
    /// Seconds over which open sockets are closed when the server is told to end; 0 closes all at
    /// once.
    pub drain_s: u64,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8000)),
            trusted_proxies: Vec::new(),
            proxy_protocol: false,
            allowed_origins: Vec::new(),
            body_limit_bytes: 1024 * 1024,
            head_limit_bytes: 32 * 1024,
            header_timeout_s: 10,
            shutdown_delay_s: 0,
            drain_s: 10,
        }
    }
}

impl ServerConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        if self.proxy_protocol && self.trusted_proxies.is_empty() {
            let reason = "it is read from server.trusted_proxies only, and there are none";
            problems.add("server", "proxy_protocol", reason);
        }
        for origin in &self.allowed_origins {
            if let Err(reason) = check_origin(origin) {
                problems.add("server", "allowed_origins", reason);
            }
        }
        between(
            problems,
            "server",
            "body_limit_bytes",
            self.body_limit_bytes as u64,
            1024,
            1 << 30,
        );
        // Less than 8 KiB is less than browsers may send; the HTTP library takes no less either.
        let head = self.head_limit_bytes as u64;
        between(problems, "server", "head_limit_bytes", head, 8192, 1 << 20);
        between(
            problems,
            "server",
            "header_timeout_s",
            self.header_timeout_s,
            1,
            3600,
        );
        let delay = self.shutdown_delay_s;
        between(problems, "server", "shutdown_delay_s", delay, 0, 3600);
        between(problems, "server", "drain_s", self.drain_s, 0, 3600);
    }
}

/// An origin as browsers send it (RFC 6454, section 6.2): a scheme, a host, and a port unless it is
/// the scheme's own. Anything more would never be equal to what a browser sends.
fn check_origin(origin: &str) -> Result<(), String> {
    let form = || {
        format!("\"{origin}\" must be scheme://host[:port], such as https://console.example.org")
    };
    let (scheme, authority) = origin.split_once("://").ok_or_else(form)?;
    if !matches!(scheme, "http" | "https") {
        return Err(format!("{} (http or https)", form()));
    }
    let uri: http::Uri = origin.parse().map_err(|_| form())?;
    let host = uri.host().unwrap_or_default();
    // A part left after the host, a user before it, or a colon with no number behind it.
    let port = uri
        .port()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    if host.is_empty() || host.contains('*') || format!("{host}{port}") != authority {
        return Err(form());
    }
    if host.chars().any(|letter| letter.is_ascii_uppercase()) {
        return Err(format!(
            "\"{origin}\" must be in lower case, as browsers send it"
        ));
    }
    Ok(())
}

/// Reads an address and a port; names are not looked up.
fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.trim().parse().map_err(|_| {
        serde::de::Error::custom(format_args!(
            "\"{text}\" is no IP address with a port such as 127.0.0.1:8000"
        ))
    })
}

/// Reads networks; a single address stands for itself alone.
fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts
        .iter()
        .map(|text| {
            let text = text.trim();
            text.parse::<IpNet>()
                .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
                .map_err(|_| {
                    serde::de::Error::custom(format_args!(
                        "\"{text}\" is no address and no network such as 10.0.0.0/8"
                    ))
                })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_what_a_browser_would_send_and_nothing_more() {
        for good in [
            "https://console.example.org",
            "http://localhost:5173",
            "http://127.0.0.1:8000",
            "https://[2001:db8::1]:8443",
        ] {
            assert_eq!(check_origin(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "*",
            "console.example.org",
            "https://",
            "https://*.example.org",
            "https://console.example.org/",
            "https://console.example.org/map",
            "https://user@console.example.org",
            "https://console.example.org:",
            "https://console.example.org:99999",
            "https://Console.example.org",
            "ftp://console.example.org",
            "https://two words",
        ] {
            assert!(check_origin(bad).is_err(), "{bad}");
        }
    }
}
