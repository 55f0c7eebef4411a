//! A WebSocket client that follows the protocol: what an operator's program would use.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

use super::{Credential, Server, within};

/// An open WebSocket.
pub struct Socket {
    stream: WebSocketStream<TcpStream>,
    /// What it is, for the words of a failure.
    name: String,
}

/// What a socket heard.
#[derive(Debug, PartialEq)]
pub enum Heard {
    /// A text message.
    Text(String),
    /// The end: the close frame's code, or `None` when the connection just ended.
    Closed(Option<u16>),
}

impl Socket {
    /// In place of a status: nobody listens, or the connection ended without an answer.
    pub const GONE: u16 = 0;

    /// Opens `path`; the status of the refusal when it is refused.
    pub async fn try_open(
        server: &Server,
        path: &str,
        credential: &Credential,
    ) -> Result<Self, u16> {
        Self::try_open_with(server, path, credential, &[]).await
    }

    /// Like [`Socket::try_open`], with more headers in the handshake.
    pub async fn try_open_with(
        server: &Server,
        path: &str,
        credential: &Credential,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, u16> {
        Self::try_open_at_with(server.address(), path, credential, headers).await
    }

    /// Like [`Socket::try_open`], of whatever listens at `address`.
    pub async fn try_open_at(
        address: SocketAddr,
        path: &str,
        credential: &Credential,
    ) -> Result<Self, u16> {
        Self::try_open_at_with(address, path, credential, &[]).await
    }

    /// Like [`Socket::try_open_at`], with more headers in the handshake.
    pub async fn try_open_at_with(
        address: SocketAddr,
        path: &str,
        credential: &Credential,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, u16> {
        let mut request = format!("ws://{address}{path}")
            .into_client_request()
            .expect("a valid URL");
        let credential = credential.header();
        let all = headers
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .chain(credential);
        for (name, value) in all {
            let value = HeaderValue::from_str(&value).expect("a valid header");
            request.headers_mut().append(name, value);
        }
        let tcp = TcpStream::connect(address).await.map_err(|_| Self::GONE)?;
        let handshake = tokio_tungstenite::client_async(request, tcp);
        match within(path, handshake).await {
            Ok((stream, _)) => Ok(Self {
                stream,
                name: path.to_owned(),
            }),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(_) => Err(Self::GONE),
        }
    }

    /// Opens `path`, which must be allowed.
    pub async fn open(server: &Server, path: &str, credential: &Credential) -> Self {
        match Self::try_open(server, path, credential).await {
            Ok(socket) => socket,
            Err(status) => panic!("{path} was refused with {status}"),
        }
    }

    /// What comes next; pings are answered on the way.
    pub async fn hear(&mut self) -> Heard {
        let what = format!("{}: a message or the end", self.name);
        within(&what, self.hear_at_last()).await
    }

    /// Like [`Socket::hear`], where nothing need come for as long as the test runs.
    pub async fn hear_at_last(&mut self) -> Heard {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => return Heard::Text(text.to_string()),
                Some(Ok(Message::Close(frame))) => {
                    return Heard::Closed(frame.map(|frame| frame.code.into()));
                }
                Some(Ok(Message::Binary(_))) => panic!("{}: a binary message", self.name),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Heard::Closed(None),
            }
        }
    }

    /// The text of the next message.
    pub async fn next_text(&mut self) -> String {
        match self.hear().await {
            Heard::Text(text) => text,
            Heard::Closed(code) => panic!("{}: closed with {code:?}", self.name),
        }
    }

    /// The next message.
    pub async fn next(&mut self) -> Value {
        let text = self.next_text().await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
    }

    /// Reads on until a message fulfils `condition`, and answers with that one.
    pub async fn next_where(&mut self, condition: impl Fn(&Value) -> bool) -> Value {
        loop {
            let message = self.next().await;
            if condition(&message) {
                return message;
            }
        }
    }

    /// The code of the close frame, which must be the very next thing.
    pub async fn closed(&mut self) -> Option<u16> {
        match self.hear().await {
            Heard::Closed(code) => code,
            Heard::Text(text) => panic!("{}: a message instead of the end: {text}", self.name),
        }
    }

    /// Sends something; the contract says that data is ignored.
    pub async fn send(&mut self, message: Message) {
        self.stream.send(message).await.expect("sending");
    }

    /// Sends a ping and reads on until its pong, which shows that the connection is alive and
    /// that everything sent before it was read. Messages on the way are handed back.
    pub async fn ping(&mut self) -> Vec<String> {
        let payload = Bytes::from_static(b"are you there?");
        self.send(Message::Ping(payload.clone())).await;
        let mut heard = Vec::new();
        loop {
            match within("a pong", self.stream.next()).await {
                Some(Ok(Message::Pong(echo))) if echo == payload => return heard,
                Some(Ok(Message::Text(text))) => heard.push(text.to_string()),
                Some(Ok(Message::Close(frame))) => panic!("{}: closed {frame:?}", self.name),
                Some(Ok(_)) => {}
                Some(Err(error)) => panic!("{}: {error}", self.name),
                None => panic!("{}: the connection ended", self.name),
            }
        }
    }

    /// Closes in order: sends a close frame and waits for the answer.
    pub async fn close(mut self) {
        let _ = self.stream.close(None).await;
        while let Heard::Text(_) = self.hear().await {}
    }
}
