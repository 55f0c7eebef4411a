//! What a request says about who sent it: pure functions over its headers.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use http::header::{AUTHORIZATION, COOKIE, HOST};
use ipnet::IpNet;

use super::Credential;

/// The credential that a request shows, if it shows one.
///
/// `Authorization: Bearer …` (or `Token …`, the keyword of Django REST framework) beats the
/// cookie. One of these that is malformed is no credential at all: who meant to send a token is not
/// taken for whoever left a cookie. Another scheme, such as a proxy's `Basic`, says nothing to us.
#[must_use]
pub fn credential(headers: &HeaderMap, cookie_name: &str) -> Option<Credential> {
    match authorization(headers) {
        Authorization::Token(token) => Some(Credential::Token(token)),
        Authorization::Malformed => None,
        Authorization::Absent => session_cookie(headers, cookie_name).map(Credential::Session),
    }
}

/// The value of the session cookie. When several cookies of this name were sent the last one
/// counts, as in Django; a value in double quotes counts without them.
#[must_use]
pub fn session_cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|header| header.as_bytes().split(|byte| *byte == b';'))
        .filter_map(|pair| {
            let equals = pair.iter().position(|byte| *byte == b'=')?;
            (pair[..equals].trim_ascii() == name.as_bytes())
                .then(|| pair[equals + 1..].trim_ascii())
        })
        .next_back()?;
    let unquoted = value
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""))
        .unwrap_or(value);
    let text = std::str::from_utf8(unquoted).ok()?;
    (!text.is_empty()).then(|| text.to_owned())
}

/// What the `Authorization` header holds for us.
enum Authorization {
    /// Nothing.
    Absent,
    /// A token's secret.
    Token(String),
    /// Something that was meant as a token and is none.
    Malformed,
}

fn authorization(headers: &HeaderMap) -> Authorization {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Authorization::Absent;
    };
    let Ok(text) = value.to_str() else {
        return Authorization::Malformed;
    };
    let mut words = text.split_ascii_whitespace();
    let scheme = words.next().unwrap_or_default();
    if !["bearer", "token"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known))
    {
        return Authorization::Absent;
    }
    match (words.next(), words.next(), values.next()) {
        (Some(token), None, None) => Authorization::Token(token.to_owned()),
        _ => Authorization::Malformed,
    }
}

/// Where a request comes from and how the client addressed this server, as seen by the client
/// itself: what proxies in between report is believed of trusted ones only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// The client's own address; one of IPv4 is never written as IPv6.
    pub address: IpAddr,
    /// Whether the client speaks TLS (which a trusted proxy ends).
    pub is_https: bool,
    /// Host, and port where given, that the client asked for.
    pub host: Option<String>,
}

impl Client {
    /// The client behind the connection from `peer`.
    ///
    /// `X-Forwarded-For`, `-Proto` and `-Host` count only if `peer` is one of `trusted_proxies`.
    /// Of a chain of addresses the client is the rightmost that is not a trusted proxy: what stands
    /// left of it was written by the client itself. Of several protocols or hosts the last counts,
    /// which is the nearest proxy's.
    #[must_use]
    pub fn new(peer: SocketAddr, headers: &HeaderMap, trusted_proxies: &[IpNet]) -> Self {
        let peer = peer.ip().to_canonical();
        let host = last_value(headers, HOST.as_str());
        let is_trusted = |address| trusted_proxies.iter().any(|net| net.contains(&address));
        if !is_trusted(peer) {
            return Self {
                address: peer,
                is_https: false,
                host,
            };
        }
        let mut address = peer;
        for hop in values(headers, "x-forwarded-for").rev() {
            // Whoever stands before something unreadable is unknown: the last known hop answers.
            let Some(hop) = forwarded_address(hop) else {
                break;
            };
            address = hop;
            if !is_trusted(hop) {
                break;
            }
        }
        Self {
            address,
            is_https: last_value(headers, "x-forwarded-proto").is_some_and(|protocol| {
                // Some proxies (Traefik) say `wss` of an upgrade.
                ["https", "wss"]
                    .iter()
                    .any(|tls| protocol.eq_ignore_ascii_case(tls))
            }),
            host: last_value(headers, "x-forwarded-host").or(host),
        }
    }

    /// Whether a page of `origin` may act here: it is of the scheme, host and port that this very
    /// request was sent to, or one of `allowed`.
    #[must_use]
    pub fn accepts_origin(&self, origin: &str, allowed: &[String]) -> bool {
        let Some(site) = Site::of_origin(origin) else {
            return false;
        };
        let own = self
            .host
            .as_deref()
            .and_then(|host| Site::new(self.is_https, host));
        own.as_ref() == Some(&site)
            || allowed
                .iter()
                .filter_map(|entry| Site::of_origin(entry.trim_end_matches('/')))
                .any(|entry| entry == site)
    }

    /// The start of absolute URLs for this client, such as `https://fleet.example.org`; `None` when
    /// the request named no host, or something that cannot be one.
    #[must_use]
    pub fn base_url(&self) -> Option<String> {
        let host = self.host.as_deref()?;
        Site::new(self.is_https, host)?;
        let scheme = if self.is_https { "https" } else { "http" };
        Some(format!("{scheme}://{host}"))
    }
}

/// Reads a network such as `10.0.0.0/8`, or a single address, which stands for itself alone.
#[must_use]
pub fn network(text: &str) -> Option<IpNet> {
    let address = |_| text.parse::<IpAddr>().map(IpNet::from);
    text.parse().or_else(address).ok()
}

/// Scheme, host and port: what makes two pages of one origin (RFC 6454).
#[derive(PartialEq, Eq)]
struct Site {
    is_https: bool,
    host: String,
    port: u16,
}

impl Site {
    /// Reads `scheme://host[:port]`; `null`, other schemes and anything longer are no site.
    fn of_origin(origin: &str) -> Option<Self> {
        let (scheme, authority) = origin.split_once("://")?;
        if scheme.eq_ignore_ascii_case("https") {
            Self::new(true, authority)
        } else if scheme.eq_ignore_ascii_case("http") {
            Self::new(false, authority)
        } else {
            None
        }
    }

    fn new(is_https: bool, authority: &str) -> Option<Self> {
        let (host, port) = if authority.starts_with('[') {
            authority.split_at(authority.find(']')? + 1)
        } else {
            authority.split_at(authority.find(':').unwrap_or(authority.len()))
        };
        if !is_host(host) {
            return None;
        }
        let digits = port.strip_prefix(':').unwrap_or_default();
        let port = if port.is_empty() || port == ":" {
            if is_https { 443 } else { 80 }
        } else if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            digits.parse().ok()?
        } else {
            return None;
        };
        Some(Self {
            is_https,
            host: host.to_ascii_lowercase(),
            port,
        })
    }
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        return address
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() || b":.".contains(&byte));
    }
    !host.is_empty()
        && host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

/// The comma-separated values of all headers of this name, in order; "" for one that is no ASCII. A proxy
/// writes what it knows behind what the client wrote, which must not make that unreadable.
fn values<'a>(
    headers: &'a HeaderMap,
    name: &'a str,
) -> impl DoubleEndedIterator<Item = &'a str> + 'a {
    let headers = headers.get_all(name).iter();
    let values = headers.flat_map(|header| header.as_bytes().split(|byte| *byte == b','));
    values.map(|value| {
        let text = std::str::from_utf8(value).ok();
        text.filter(|text| text.is_ascii())
            .unwrap_or_default()
            .trim()
    })
}

fn last_value(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = values(headers, name).next_back()?;
    (!value.is_empty()).then(|| value.to_owned())
}

/// One hop of `X-Forwarded-For`: some proxies write a port behind the address, or brackets around
/// one of IPv6.
fn forwarded_address(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim_matches('"');
    let bare = hop
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(hop);
    bare.parse::<IpAddr>()
        .or_else(|_| hop.parse::<SocketAddr>().map(|address| address.ip()))
        .ok()
        .map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, http::HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn token(text: &str) -> Credential {
        Credential::Token(text.into())
    }

    fn session(text: &str) -> Credential {
        Credential::Session(text.into())
    }

    #[test]
    fn a_token_beats_the_cookie_and_a_malformed_one_is_nobody() {
        for (authorization, expected) in [
            ("Bearer abc", Some(token("abc"))),
            ("bearer  abc ", Some(token("abc"))),
            ("Token abc", Some(token("abc"))),
            ("Bearer", None),
            ("Bearer a b", None),
            ("Basic dXNlcjpwYXNz", Some(session("s"))),
            ("", Some(session("s"))),
        ] {
            let headers = headers(&[("authorization", authorization), ("cookie", "sessionid=s")]);
            assert_eq!(
                credential(&headers, "sessionid"),
                expected,
                "{authorization}"
            );
        }
        let twice = headers(&[("authorization", "Bearer a"), ("authorization", "Bearer b")]);
        assert_eq!(credential(&twice, "sessionid"), None);
        let mut binary = HeaderMap::new();
        binary.insert(
            AUTHORIZATION,
            http::HeaderValue::from_bytes(b"Bearer \xff").unwrap(),
        );
        assert_eq!(credential(&binary, "sessionid"), None);
    }

    #[test]
    fn the_last_cookie_of_the_name_wins() {
        for (cookies, expected) in [
            (&["sessionid=a"][..], Some(session("a"))),
            (&["x=1; sessionid=a; y=2"], Some(session("a"))),
            (&["sessionid=a; sessionid=b"], Some(session("b"))),
            (&["sessionid=a", "sessionid=b; x=1"], Some(session("b"))),
            (&["sessionid=\"a\""], Some(session("a"))),
            (&["sessionid = a "], Some(session("a"))),
            (&["sessionid=a=b"], Some(session("a=b"))),
            (&["sessionid="], None),
            (&["sessionid=\"\""], None),
            (&["xsessionid=a; Sessionid=b; sessionid"], None),
            (&[], None),
        ] {
            let lines: Vec<_> = cookies.iter().map(|cookie| ("cookie", *cookie)).collect();
            assert_eq!(
                credential(&headers(&lines), "sessionid"),
                expected,
                "{cookies:?}"
            );
        }
    }

    #[test]
    fn a_foreign_cookie_of_odd_bytes_does_not_hide_ours() {
        let mut headers = HeaderMap::new();
        let value = http::HeaderValue::from_bytes(b"theme=\xff; sessionid=a").unwrap();
        headers.insert(COOKIE, value);
        assert_eq!(credential(&headers, "sessionid"), Some(session("a")));
    }

    fn client(peer: &str, lines: &[(&'static str, &str)]) -> Client {
        let trusted: Vec<IpNet> =
            ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()].into();
        Client::new(peer.parse().unwrap(), &headers(lines), &trusted)
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn forwarded_headers_of_an_untrusted_peer_are_not_believed() {
        let lines = [
            ("host", "fleet.test"),
            ("x-forwarded-for", "1.1.1.1"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "evil.test"),
        ];
        let seen = client("8.8.8.8:5000", &lines);
        assert_eq!(seen.address, address("8.8.8.8"));
        assert!(!seen.is_https);
        assert_eq!(seen.host.as_deref(), Some("fleet.test"));
        let seen = client("10.0.0.1:5000", &lines);
        assert_eq!(seen.address, address("1.1.1.1"));
        assert!(seen.is_https);
        assert_eq!(seen.host.as_deref(), Some("evil.test"));
        // What Traefik says of an upgrade.
        assert!(client("10.0.0.1:5000", &[("x-forwarded-proto", "wss")]).is_https);
    }

    #[test]
    fn the_client_is_the_rightmost_address_that_is_no_trusted_proxy() {
        for (chain, expected) in [
            ("1.1.1.1", "1.1.1.1"),
            ("6.6.6.6, 1.1.1.1", "1.1.1.1"),
            ("6.6.6.6, 1.1.1.1, 10.0.0.7", "1.1.1.1"),
            ("10.0.0.8, 10.0.0.7", "10.0.0.8"),
            ("6.6.6.6, unknown, 10.0.0.7", "10.0.0.7"),
            ("1.1.1.1:4711", "1.1.1.1"),
            ("\"[2001:db8::1]:4711\"", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("::ffff:1.1.1.1", "1.1.1.1"),
            ("", "10.0.0.1"),
        ] {
            let seen = client("10.0.0.1:5000", &[("x-forwarded-for", chain)]);
            assert_eq!(seen.address, address(expected), "{chain}");
        }
        // nginx writes the address that it sees behind whatever the client wrote, in one header.
        let mut odd = HeaderMap::new();
        let value = http::HeaderValue::from_bytes(b"6.6.6.6, \xff, 1.1.1.1").unwrap();
        odd.insert("x-forwarded-for", value);
        let proxy = ["10.0.0.1/32".parse().unwrap()];
        let seen = Client::new("10.0.0.1:5000".parse().unwrap(), &odd, &proxy);
        assert_eq!(seen.address, address("1.1.1.1"));
        let twice = [
            ("x-forwarded-for", "6.6.6.6"),
            ("x-forwarded-for", "1.1.1.1"),
        ];
        assert_eq!(client("10.0.0.1:5000", &twice).address, address("1.1.1.1"));
        let mapped = client("[::ffff:10.0.0.1]:5000", &[("x-forwarded-for", "1.1.1.1")]);
        assert_eq!(mapped.address, address("1.1.1.1"));
    }

    #[test]
    fn an_origin_is_accepted_when_scheme_host_and_port_are_the_requests() {
        let allowed = [
            "https://console.example.org".to_owned(),
            "http://dev.test:5173/".to_owned(),
        ];
        for (is_https, host, origin, accepted) in [
            (false, "fleet.test", "http://fleet.test", true),
            (false, "fleet.test", "http://fleet.test:80", true),
            (false, "Fleet.Test:80", "http://fleet.test", true),
            (true, "fleet.test", "https://fleet.test:443", true),
            (false, "127.0.0.1:8000", "http://127.0.0.1:8000", true),
            (false, "[::1]:8000", "http://[::1]:8000", true),
            (false, "[::1]:8000", "http://[::1]:8001", false),
            (false, "fleet.test", "https://fleet.test", false),
            (true, "fleet.test", "http://fleet.test", false),
            (false, "fleet.test", "http://fleet.test:8000", false),
            (false, "fleet.test", "http://evil.test", false),
            (false, "fleet.test", "http://fleet.test.evil.test", false),
            (false, "fleet.test", "http://evil.test@fleet.test", false),
            (false, "fleet.test", "http://fleet.test/", false),
            (false, "fleet.test", "null", false),
            (false, "fleet.test", "", false),
            (false, "fleet.test", "http://fleet.test:+80", false),
            (false, "", "http://", false),
            (false, "fleet.test", "https://console.example.org", true),
            (false, "fleet.test", "https://console.example.org:443", true),
            (false, "fleet.test", "http://console.example.org", false),
            (
                false,
                "fleet.test",
                "https://sub.console.example.org",
                false,
            ),
            (false, "fleet.test", "http://dev.test:5173", true),
        ] {
            let client = Client {
                address: address("1.1.1.1"),
                is_https,
                host: Some(host.into()),
            };
            assert_eq!(
                client.accepts_origin(origin, &allowed),
                accepted,
                "{host} {origin}"
            );
        }
    }

    #[test]
    fn urls_start_with_what_the_client_used() {
        let mut client = Client {
            address: address("1.1.1.1"),
            is_https: true,
            host: Some("fleet.test:8443".into()),
        };
        assert_eq!(
            client.base_url().as_deref(),
            Some("https://fleet.test:8443")
        );
        client.host = Some("fleet.test/path?".into());
        assert_eq!(client.base_url(), None);
    }
}
