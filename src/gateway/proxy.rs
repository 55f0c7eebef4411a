//! The other routes below `/ws/`: handed through to a Daphne, WebSockets and all.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, TE, TRAILER, TRANSFER_ENCODING,
};
use http::{StatusCode, Uri};
use hyper::client::conn::http1;
use hyper::upgrade::{self, OnUpgrade};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::openwisp::settings::Address;
use crate::telemetry::Metrics;

/// A server that takes longer to accept a connection is away.
const CONNECT: Duration = Duration::from_secs(5);

/// A Daphne may take twenty seconds to answer a handshake; longer is no answer.
const ANSWER: Duration = Duration::from_secs(30);

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

/// How much of the path Daphne leaves out before it looks for a route: with it, whoever asks could have
/// any path taken for one of ours.
const ROOT_PATH: HeaderName = HeaderName::from_static("daphne-root-path");

/// Who answers what is not ours.
pub struct Proxy {
    target: Option<Address>,
    tunnels: Arc<Tunnels>,
    draining: watch::Receiver<bool>,
}

impl Proxy {
    /// A proxy to `target`; without one everything is answered with 404.
    pub fn new(
        target: Option<Address>,
        tunnels: Arc<Tunnels>,
        draining: watch::Receiver<bool>,
    ) -> Self {
        Self {
            target,
            tunnels,
            draining,
        }
    }
}

/// The WebSockets that are handed through. The server that accepted them knows nothing more of them.
pub struct Tunnels {
    open: watch::Sender<usize>,
    metrics: Arc<Metrics>,
    drain_window: Duration,
}

impl Tunnels {
    /// None is open yet; in the drain they end over `drain_window`.
    pub fn new(metrics: Arc<Metrics>, drain_window: Duration) -> Self {
        Self {
            open: watch::Sender::new(0),
            metrics,
            drain_window,
        }
    }

    /// Returns when none is open: at the latest when the drain that has begun is over.
    pub async fn all_ended(&self) {
        let mut open = self.open.subscribe();
        let none = open.wait_for(|open| *open == 0);
        // Each ends by itself within the window.
        timeout(self.drain_window + CONNECT, none).await.ok();
    }

    fn open_one(self: &Arc<Self>) -> Tunnel {
        self.open.send_modify(|open| *open += 1);
        self.metrics.proxied_open.inc();
        Tunnel(Arc::clone(self))
    }
}

/// One of them, for as long as it is held.
struct Tunnel(Arc<Tunnels>);

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.0.metrics.proxied_open.dec();
        self.0.open.send_modify(|open| *open -= 1);
    }
}

/// Hands a request through, if it is for a route below `/ws/` and there is somebody to ask. What the
/// server behind would take for one of our own routes is not handed through: it has other rules on who
/// may listen to them.
pub async fn hand_through(State(proxy): State<Arc<Proxy>>, request: Request) -> Response {
    let path = request.uri().path();
    let is_theirs = path.starts_with("/ws/") && !may_be_taken_for_ours(path);
    let Some(target) = proxy.target.as_ref().filter(|_| is_theirs) else {
        return answer(StatusCode::NOT_FOUND, "Not found.");
    };
    let connected = match target {
        Address::Tcp(address) => match in_time(TcpStream::connect(address)).await {
            Ok(stream) => Ok(ask(&proxy, stream, request).await),
            Err(error) => Err(error),
        },
        Address::Unix(path) => match in_time(UnixStream::connect(path)).await {
            Ok(stream) => Ok(ask(&proxy, stream, request).await),
            Err(error) => Err(error),
        },
    };
    connected.unwrap_or_else(|error| {
        tracing::warn!(code = "fallback_away", %error, "gateway.fallback does not accept connections");
        answer(
            StatusCode::BAD_GATEWAY,
            "The server behind this one does not answer.",
        )
    })
}

/// Whether Daphne and Channels could take `path` for one of our three routes. They drop what follows a `;`,
/// then undo percent-encoding, then pass over slashes at the beginning. More than that is held back, for
/// nothing else of OpenWISP's is called so: slashes doubled or missing anywhere, and blanks at the end.
fn may_be_taken_for_ours(path: &str) -> bool {
    let path = unquoted(path);
    let segments: Vec<&[u8]> = path
        .split(|byte| *byte == b'/')
        .map(|segment| {
            segment
                .split(|byte| *byte == b';')
                .next()
                .unwrap_or(segment)
        })
        .map(<[u8]>::trim_ascii)
        .filter(|segment| !segment.is_empty())
        .collect();
    matches!(
        segments.as_slice(),
        [b"ws", b"controller", b"device", _, b"command"]
            | [b"ws", b"loci", b"location"]
            | [b"ws", b"loci", b"location", _]
    )
}

/// `path` without percent-encoding, as Python's `unquote` reads it: what is none stays as it is.
fn unquoted(path: &str) -> Vec<u8> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let mut unquoted = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let code = match after {
            [high, low, ..] if byte == b'%' => digit(high).zip(digit(low)),
            _ => None,
        };
        let value = code.and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
        unquoted.push(value.unwrap_or(byte));
        rest = if value.is_some() { &after[2..] } else { after };
    }
    unquoted
}

async fn in_time<T>(connecting: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(CONNECT, connecting)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Sends the request on, and what is answered back.
async fn ask<S>(proxy: &Arc<Proxy>, stream: S, mut request: Request) -> Response
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let client = request.extensions_mut().remove::<OnUpgrade>();
    prepare(&mut request, client.is_some());
    let asked = async {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // It ends with the exchange, or becomes the tunnel's.
        tokio::spawn(connection.with_upgrades());
        sender.send_request(request).await
    };
    let mut response = match timeout(ANSWER, asked).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => {
            tracing::warn!(code = "fallback_away", %error, "gateway.fallback did not answer as HTTP");
            return answer(
                StatusCode::BAD_GATEWAY,
                "The server behind this one does not answer.",
            );
        }
        Err(_) => {
            return answer(
                StatusCode::GATEWAY_TIMEOUT,
                "The server behind this one does not answer.",
            );
        }
    };
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        let server = upgrade::on(&mut response);
        if let Some(client) = client {
            // Counted from here on: the connection ends for the server when the tunnel begins.
            let tunnel = proxy.tunnels.open_one();
            tokio::spawn(carry(tunnel, client, server, proxy.draining.clone()));
        }
    } else {
        response.headers_mut().remove(CONNECTION);
        response.headers_mut().remove(KEEP_ALIVE);
    }
    response.map(Body::new)
}

/// The request as the next server takes it (RFC 9110, section 7.6.1).
fn prepare(request: &mut Request, is_upgrade: bool) {
    let path = request.uri().path_and_query().cloned();
    if let Some(path) = path {
        *request.uri_mut() = Uri::from(path);
    }
    let peer = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map(|it| it.0.ip());
    let headers = request.headers_mut();
    for name in [KEEP_ALIVE, TE, TRAILER, TRANSFER_ENCODING, ROOT_PATH] {
        headers.remove(name);
    }
    if !is_upgrade {
        headers.remove(CONNECTION);
    }
    if let Some(peer) = peer {
        append_hop(headers, &peer.to_canonical().to_string());
    }
}

fn append_hop(headers: &mut HeaderMap, peer: &str) {
    let before = headers.get_all(X_FORWARDED_FOR).iter();
    let mut hops: Vec<_> = before
        .filter_map(|it| it.to_str().ok())
        .map(str::to_owned)
        .collect();
    hops.push(peer.to_owned());
    if let Ok(value) = HeaderValue::try_from(hops.join(", ")) {
        headers.insert(X_FORWARDED_FOR, value);
    }
}

/// Carries bytes both ways until one side ends, or until its turn in the drain.
async fn carry(
    tunnel: Tunnel,
    client: OnUpgrade,
    server: OnUpgrade,
    mut draining: watch::Receiver<bool>,
) {
    let (Ok(client), Ok(server)) = tokio::join!(client, server) else {
        return;
    };
    let (mut client, mut server) = (TokioIo::new(client), TokioIo::new(server));
    let told_to_end = async {
        // An error means that nobody can ask for the drain any more: a reason to end as well.
        draining.wait_for(|draining| *draining).await.ok();
        // Not all at once: they come back.
        sleep(tunnel.0.drain_window.mul_f64(rand::random())).await;
    };
    tokio::select! {
        // How it ended is the two ends' matter.
        _ = copy_bidirectional(&mut client, &mut server) => {}
        () = told_to_end => {}
    }
}

fn answer(status: StatusCode, detail: &str) -> Response {
    (status, Json(json!({ "detail": detail }))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01234567-89ab-cdef-0123-456789abcdef";

    #[test]
    fn what_daphne_would_take_for_one_of_our_routes_is_known() {
        for path in [
            "/ws/controller/device/ID/comman%64",
            "/ws/controller/device/ID/command%2F",
            "/ws/controller/device/ID/command%0a",
            "/ws/controller/device/ID/command;to",
            "/ws/controller/device/ID/command;",
            "/ws/%63ontroller%2Fdevice/ID//command//",
            "/ws//loci/location/",
            "/ws/loci/locatio%6E",
            "/ws/loci/location/;to",
            "/ws/loci/location/%49D",
            "/ws/loci/location%2fID/",
        ] {
            assert!(may_be_taken_for_ours(&path.replace("ID", ID)), "{path}");
        }
    }

    #[test]
    fn what_is_not_ours_is_handed_on() {
        for path in [
            "/ws/notification/",
            "/ws/controller/batch-command/ID",
            "/ws/controller/device/ID/firmware",
            // Undone once, not twice.
            "/ws/loci/locatio%256E/",
            "/ws/loci/location%/",
            "/ws/loci/location%zz/",
        ] {
            assert!(!may_be_taken_for_ours(&path.replace("ID", ID)), "{path}");
        }
    }
}
