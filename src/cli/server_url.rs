//! Where a server is: what `--url` says.

use http::Uri;

/// The address of a server, with a path of its own where it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerUrl {
    is_secure: bool,
    /// Host, port and path, without a slash at the end.
    place: String,
}

/// What on the command line is no server.
#[derive(Debug, thiserror::Error)]
#[error("--url \"{0}\" is no address of a server; write it like http://127.0.0.1:8000")]
pub(crate) struct UrlError(String);

impl ServerUrl {
    /// Reads http, https, ws or wss.
    pub(crate) fn parse(text: &str) -> Result<Self, UrlError> {
        let malformed = || UrlError(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| malformed())?;
        let is_secure = match uri.scheme_str() {
            Some("http" | "ws") => false,
            Some("https" | "wss") => true,
            _ => return Err(malformed()),
        };
        let authority = uri.authority().ok_or_else(malformed)?.as_str();
        if authority.contains('@') || uri.query().is_some() {
            return Err(malformed());
        }
        let prefix = uri.path().trim_end_matches('/');
        Ok(Self {
            is_secure,
            place: format!("{authority}{prefix}"),
        })
    }

    /// Whether it is spoken to over TLS.
    pub(crate) fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// A path of its REST interface.
    pub(crate) fn rest(&self, path: &str) -> String {
        let scheme = if self.is_secure { "https" } else { "http" };
        format!("{scheme}://{}{path}", self.place)
    }

    /// A path of its WebSocket interface.
    pub(crate) fn websocket(&self, path: &str) -> String {
        let scheme = if self.is_secure { "wss" } else { "ws" };
        format!("{scheme}://{}{path}", self.place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_server_leads_to_both_of_its_interfaces() {
        for (text, websocket, rest) in [
            (
                "http://127.0.0.1:8000",
                "ws://127.0.0.1:8000/a/",
                "http://127.0.0.1:8000/a/",
            ),
            (
                "https://fleet.example.org/",
                "wss://fleet.example.org/a/",
                "https://fleet.example.org/a/",
            ),
            (
                "ws://[::1]:8000",
                "ws://[::1]:8000/a/",
                "http://[::1]:8000/a/",
            ),
            (
                "wss://example.org/fleet/",
                "wss://example.org/fleet/a/",
                "https://example.org/fleet/a/",
            ),
        ] {
            let server = ServerUrl::parse(text).unwrap();
            assert_eq!(server.websocket("/a/"), websocket);
            assert_eq!(server.rest("/a/"), rest);
        }
        for text in [
            "",
            "localhost:8000",
            "ftp://a",
            "http://",
            "http://u:p@a",
            "http://a/?b=c",
        ] {
            assert!(ServerUrl::parse(text).is_err(), "{text}");
        }
    }
}
