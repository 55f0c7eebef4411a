//! One feed of one server: where it is, and what the server says to whoever asks for it.

use std::time::Duration;

use http::header::{AUTHORIZATION, LOCATION};
use http::{HeaderValue, Response, StatusCode};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error as WebSocketError, handshake::client::Request};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::clock::ServerClock;
use crate::cli::server_url::{ServerUrl, UrlError};
use crate::event::Timestamp;

/// How long a server has to accept, to shake hands over TLS and to answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long taking leave may take.
const FAREWELL: Duration = Duration::from_secs(1);

pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What is watched, and with which right. The token is not printed.
pub(crate) struct Feed {
    /// `ws://` or `wss://`, with the path, without a query.
    url: String,
    authorization: HeaderValue,
}

/// What on the command line is no server or no token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FeedError {
    #[error(transparent)]
    Url(#[from] UrlError),
    #[error("--token holds characters that no token has")]
    Token,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
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
    /// The feed at `path` of the server at `base`.
    pub(crate) fn new(base: &str, path: &str, token: &str) -> Result<Self, FeedError> {
        Ok(Self {
            url: ServerUrl::parse(base)?.websocket(path),
            authorization: bearer(token)?,
        })
    }

    /// Where the feed is.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Whether it may be watched.
    pub(crate) async fn check(&self) -> Result<(), ConnectError> {
        let (mut socket, _) = self.connect(None).await?;
        // Where the server does not hear that, it will see that nobody is there.
        let _ = tokio::time::timeout(FAREWELL, socket.close(None)).await;
        Ok(())
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

/// The header that shows a token; it is not printed.
pub(crate) fn bearer(token: &str) -> Result<HeaderValue, FeedError> {
    let header = HeaderValue::try_from(format!("Bearer {token}"));
    let mut header = header.map_err(|_| FeedError::Token)?;
    header.set_sensitive(true);
    Ok(header)
}

/// What an answer other than 101 means to the person at the terminal.
fn refusal(answer: &Response<Option<Vec<u8>>>, url: &str) -> ConnectError {
    let status = answer.status();
    ConnectError::Refused(match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => format!(
            "the server refused ({status}): the token is not valid, or its user may not see this, \
             or there is nothing of this id"
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
    fn a_feed_has_an_address_and_a_token() {
        let feed = Feed::new("http://a", "/ws/", "t").ok().unwrap();
        assert_eq!(feed.url(), "ws://a/ws/");
        assert!(Feed::new("a", "/ws/", "t").is_err());
        assert!(Feed::new("http://a", "/ws/", "two\nlines").is_err());
    }
}
