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

/// Who answers what is not ours.
pub struct Proxy {
    target: Option<Address>,
    metrics: Arc<Metrics>,
    draining: watch::Receiver<bool>,
    drain_window: Duration,
}

impl Proxy {
    /// A proxy to `target`; without one everything is answered with 404.
    pub fn new(
        target: Option<Address>,
        metrics: Arc<Metrics>,
        draining: watch::Receiver<bool>,
        drain_window: Duration,
    ) -> Self {
        Self {
            target,
            metrics,
            draining,
            drain_window,
        }
    }
}

/// Hands a request through, if it is for a route below `/ws/` and there is somebody to ask.
pub async fn hand_through(State(proxy): State<Arc<Proxy>>, request: Request) -> Response {
    let Some(target) = proxy
        .target
        .as_ref()
        .filter(|_| request.uri().path().starts_with("/ws/"))
    else {
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
        tracing::warn!(%error, "gateway.fallback does not accept connections");
        answer(
            StatusCode::BAD_GATEWAY,
            "The server behind this one does not answer.",
        )
    })
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
            tracing::warn!(%error, "gateway.fallback did not answer as HTTP");
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
            tokio::spawn(tunnel(Arc::clone(proxy), client, server));
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
    for name in [KEEP_ALIVE, TE, TRAILER, TRANSFER_ENCODING] {
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
async fn tunnel(proxy: Arc<Proxy>, client: OnUpgrade, server: OnUpgrade) {
    let (Ok(client), Ok(server)) = tokio::join!(client, server) else {
        return;
    };
    proxy.metrics.proxied_open.inc();
    let (mut client, mut server) = (TokioIo::new(client), TokioIo::new(server));
    let mut draining = proxy.draining.clone();
    let told_to_end = async {
        // An error means that nobody can ask for the drain any more: a reason to end as well.
        draining.wait_for(|draining| *draining).await.ok();
        // Not all at once: they come back.
        sleep(proxy.drain_window.mul_f64(rand::random())).await;
    };
    tokio::select! {
        // How it ended is the two ends' matter.
        _ = copy_bidirectional(&mut client, &mut server) => {}
        () = told_to_end => {}
    }
    proxy.metrics.proxied_open.dec();
}

fn answer(status: StatusCode, detail: &str) -> Response {
    (status, Json(json!({ "detail": detail }))).into_response()
}
