//! One feed of one server: where it is, and what the server says to whoever asks for it.

use std::time::Duration;

use http::header::{AUTHORIZATION, LOCATION};
use http::{HeaderValue, Response, StatusCode, Uri};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error as WebSocketError, handshake::client::Request};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::clock::ServerClock;
use crate::event::Timestamp;

/// How long a server has to accept, to shake hands over TLS and to answer.
const PATIENCE: Duration = Duration::from_secs(15);

pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What is watched, and with which right. The token is not printed.
pub(super) struct Feed {
    /// `ws://` or `wss://`, with the path, without a query.
    url: String,
    authorization: HeaderValue,
}

/// What on the command line is no server or no token.
#[derive(Debug, thiserror::Error)]
pub(super) enum FeedError {
    #[error("--url \"{0}\" is no address of a server; write it like http://127.0.0.1:8000")]
    Url(String),
    #[error("--token holds characters that no token has")]
    Token,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    /// The server answered, and it will not answer otherwise when asked again.
    #[error("{0}")]
    Refused(String),
    /// The server answered that it cannot serve now.
    #[error("the server cannot serve now ({0})")]
    Unavailable(StatusCode),
    /// Nobody answered, or not in a way that is understood.
    #[error("cannot connect to {url}: {reason}")]
    Unreachable { url: String, reason: String },
}

impl Feed {
    /// The feed at `path` of the server at `base`: http, https, ws or wss, perhaps with a path of
    /// its own.
    pub(super) fn new(base: &str, path: &str, token: &str) -> Result<Self, FeedError> {
        let malformed = || FeedError::Url(base.to_owned());
        let uri: Uri = base.parse().map_err(|_| malformed())?;
        let scheme = match uri.scheme_str() {
            Some("http" | "ws") => "ws",
            Some("https" | "wss") => "wss",
            _ => return Err(malformed()),
        };
        let authority = uri.authority().ok_or_else(malformed)?.as_str();
        if authority.contains('@') || uri.query().is_some() {
            return Err(malformed());
        }
        let prefix = uri.path().trim_end_matches('/');
        let authorization = HeaderValue::try_from(format!("Bearer {token}"));
        let mut authorization = authorization.map_err(|_| FeedError::Token)?;
        authorization.set_sensitive(true);
        Ok(Self {
            url: format!("{scheme}://{authority}{prefix}{path}"),
            authorization,
        })
    }

    /// Where the feed is.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Opens it; with `since`, what changed after that comes first.
    pub(super) async fn connect(
        &self,
        since: Option<Timestamp>,
    ) -> Result<(Socket, ServerClock), ConnectError> {
        let unreachable = |reason: String| ConnectError::Unreachable {
            url: self.url.clone(),
            reason,
        };
        let request = self
            .request(since)
            .map_err(|error| unreachable(error.to_string()))?;
        match tokio::time::timeout(PATIENCE, connect_async(request)).await {
            Ok(Ok((socket, answer))) => Ok((socket, ServerClock::read(answer.headers()))),
            Ok(Err(WebSocketError::Http(answer))) => Err(refusal(&answer, &self.url)),
            Ok(Err(WebSocketError::Io(error))) => Err(unreachable(error.to_string())),
            Ok(Err(error)) => Err(unreachable(error.to_string())),
            Err(_) => Err(unreachable(format!("no answer within {PATIENCE:?}"))),
        }
    }

    fn request(&self, since: Option<Timestamp>) -> Result<Request, WebSocketError> {
        let url = match since {
            // In UTC, so without a `+` that a query would read as a blank.
            Some(since) => format!("{}?since={since}", self.url),
            None => self.url.clone(),
        };
        let mut request = url.into_client_request()?;
        request
            .headers_mut()
            .insert(AUTHORIZATION, self.authorization.clone());
        Ok(request)
    }
}

/// What an answer other than 101 means to the person at the terminal.
fn refusal(answer: &Response<Option<Vec<u8>>>, url: &str) -> ConnectError {
    let status = answer.status();
    ConnectError::Refused(match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => format!(
            "the server refused ({status}): the token is not valid, or its user may not see this, \
             or there is no such location"
        ),
        StatusCode::NOT_FOUND => {
            format!("there is nothing at {url} ({status}): is --url the address of a fleetwire?")
        }
        _ if status.is_redirection() => {
            let target = answer
                .headers()
                .get(LOCATION)
                .and_then(|value| value.to_str().ok());
            format!(
                "the server sends elsewhere ({status}): pass the address of {} with --url",
                target.unwrap_or("the right server")
            )
        }
        _ if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            return ConnectError::Unavailable(status);
        }
        _ => format!("the server did not open the feed at {url} ({status})"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_server_leads_to_its_feed() {
        for (base, url) in [
            ("http://127.0.0.1:8000", "ws://127.0.0.1:8000/ws/"),
            ("https://fleet.example.org/", "wss://fleet.example.org/ws/"),
            ("ws://[::1]:8000", "ws://[::1]:8000/ws/"),
            ("wss://example.org/fleet/", "wss://example.org/fleet/ws/"),
        ] {
            assert_eq!(Feed::new(base, "/ws/", "t").ok().unwrap().url(), url);
        }
        for base in [
            "",
            "localhost:8000",
            "ftp://a",
            "http://",
            "http://u:p@a",
            "http://a/?b=c",
        ] {
            assert!(Feed::new(base, "/ws/", "t").is_err(), "{base}");
        }
        assert!(Feed::new("http://a", "/ws/", "two\nlines").is_err());
    }
}
