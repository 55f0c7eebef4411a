//! The way from a listener to the routes, and back out at shutdown.

mod door;
mod listener;
mod proxied;
mod readiness;
pub mod standalone;
mod supervisor;

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tower::ServiceExt;

pub use self::door::Door;
pub use self::listener::Listener;
pub use self::readiness::Readiness;
pub use self::supervisor::Supervisor;

use self::door::Place;
use crate::access::Leases;
use crate::config::environment;
use crate::hub::CloseReason;
use crate::socket::{Sockets, Stream};
use crate::store::StoreError;
use crate::telemetry::{self, Limit, Metrics};

/// How long sockets that were told to close have beyond the drain window.
const LAST_WORDS: Duration = Duration::from_secs(6);

/// How long what is done while draining has beyond that: a part that hangs is cut off.
const CUT: Duration = Duration::from_secs(4);

/// The pause after a failed accept: others must end before one can begin.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Why the server did not start, or stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is taken or not ours.
    #[error("cannot listen on {address}: {source}; choose another address with --listen")]
    Listen {
        /// What was to be listened on.
        address: String,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The same of the metrics' own listener.
    #[error(
        "cannot listen on {address} for metrics: {source}; choose another address with metrics.listen"
    )]
    ListenForMetrics {
        /// What was to be listened on.
        address: String,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A part that runs for as long as the server has ended: a mistake of ours.
    #[error("a part of the server ended by itself; see the log, and start it again")]
    Broken,
    /// The system's signals cannot be waited for.
    #[error("cannot wait for signals: {0}")]
    Signals(#[source] io::Error),
}

/// SIGINT (Ctrl-C) and SIGTERM; from its making on they no longer kill the process.
#[derive(Debug)]
pub struct EndSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl EndSignals {
    /// Starts to listen for both.
    ///
    /// # Errors
    /// When the system does not let us.
    pub fn listen() -> Result<Self, ServeError> {
        let listen = |kind| signal(kind).map_err(ServeError::Signals);
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    /// Returns when either has come since [`EndSignals::listen`] or the last call.
    pub async fn received(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// What is served, and how it ends.
pub struct Site {
    /// Every route.
    pub router: Router,
    /// Its sockets.
    pub sockets: Arc<Sockets>,
    /// What keeps them open.
    pub leases: Arc<Leases>,
    /// Who lets connections in, and how much is taken of a client before there is a request.
    pub door: Arc<Door>,
    /// For how long all goes on at the end, and only readiness says that it is near.
    pub shutdown_delay: Duration,
    /// Over how long open sockets are closed then.
    pub drain_window: Duration,
}

/// What the routes of a site may ask about its end.
#[derive(Clone, Debug)]
pub struct Ending {
    /// Becomes true when it is near: whoever asks for readiness is to be sent elsewhere.
    pub announced: watch::Receiver<bool>,
    /// Becomes true when the drain begins.
    pub draining: watch::Receiver<bool>,
}

/// Serves metrics at `address`, for as long as the program runs.
///
/// # Errors
/// When it cannot listen there.
pub async fn serve_metrics(metrics: Arc<Metrics>, address: String) -> Result<(), ServeError> {
    let listener = TcpListener::bind(&address).await;
    let listener = listener.map_err(|source| ServeError::ListenForMetrics {
        address: address.clone(),
        source,
    })?;
    let router = telemetry::metrics_router(metrics);
    tracing::info!(%address, "metrics on http://{address}/metrics");
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(())
}

/// Serves `listener` until SIGTERM or SIGINT, goes on for the site's delay, then drains; a second signal ends
/// it at once. `also` is done while draining. What runs `beside` may not end before.
///
/// # Errors
/// When a part ends by itself: without it rights would not be checked, or moves not told.
pub async fn serve_until_signalled(
    site: impl FnOnce(Ending) -> Site,
    listener: Listener,
    signals: &mut EndSignals,
    beside: &mut JoinSet<()>,
    also: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let (announce, announced) = watch::channel(false);
    let (begin_drain, draining) = watch::channel(false);
    let site = site(Ending {
        announced,
        draining: draining.clone(),
    });
    let (place, window) = (listener.place(), site.drain_window);
    let delay = site.shutdown_delay;
    let sockets = Arc::clone(&site.sockets);
    let mut server = tokio::spawn(run(site, listener, draining));
    let supervisor = Supervisor::of(environment());
    if let Some(every) = supervisor.heartbeat() {
        let alive = move || {
            let sockets = Arc::clone(&sockets);
            async move { sockets.have_come_round().await }
        };
        beside.spawn(supervisor.clone().tell_alive(every, alive));
    }
    supervisor.tell_ready(&place);
    tokio::select! {
        () = signals.received() => {}
        _ = &mut server => return Err(ServeError::Broken),
        _ = beside.join_next() => return Err(ServeError::Broken),
    }
    supervisor.tell_stopping(window);
    announce.send_replace(true);
    if !delay.is_zero() {
        let seconds = delay.as_secs();
        tracing::info!(
            "stopping in {seconds} s: /readyz says so meanwhile; signal again to stop now"
        );
        tokio::select! {
            () = sleep(delay) => {}
            () = signals.received() => {
                tracing::info!("stopped at once");
                return Ok(());
            }
        }
    }
    tracing::info!("stopping: sockets are closed over the drain window; signal again to stop now");
    begin_drain.send_replace(true);
    let drained = timeout(window + LAST_WORDS + CUT, async {
        tokio::join!(server, also)
    });
    tokio::select! {
        drained = drained => if drained.is_ok() {
            tracing::info!("stopped");
        } else {
            tracing::warn!(code = "part_hangs", "stopped before everything had ended: a part of the server hangs");
        },
        () = signals.received() => tracing::info!("stopped at once"),
    }
    Ok(())
}

/// Serves `listener` until `draining` becomes true, then drains: no new sockets, the open ones
/// closed with 1001 spread over the drain window, requests under way finished.
pub async fn run(site: Site, listener: Listener, mut draining: watch::Receiver<bool>) {
    // Nothing is sent on it: it ends when the last connection has dropped its sender.
    let (connected, mut all_gone) = mpsc::channel::<()>(1);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => match site.door.enter() {
                    Ok(place) => {
                        let served = serve(stream, peer, place, &site, draining.clone());
                        let connected = connected.clone();
                        tokio::spawn(async move {
                            served.await;
                            drop(connected);
                        });
                    }
                    Err(full) => site.door.turn_away(stream, peer, full),
                },
                Err(error) => {
                    tracing::warn!(code = "accept_failed", %error, "cannot accept a connection; are there too many open files?");
                    sleep(ACCEPT_AGAIN).await;
                }
            },
            () = drain_begins(&mut draining) => break,
        }
    }
    drop((listener, connected));
    site.sockets.refuse_new();
    site.leases
        .end_all(site.drain_window, CloseReason::Draining)
        .await;
    let last_words = timeout(LAST_WORDS, async {
        site.leases.all_ended().await;
        all_gone.recv().await;
    });
    if last_words.await.is_err() {
        tracing::warn!(
            code = "connections_cut_off",
            "some connections did not end in time and are cut off"
        );
    }
}

async fn drain_begins(draining: &mut watch::Receiver<bool>) {
    // An error means that nobody can ask for the drain any more: a reason to stop as well.
    draining.wait_for(|draining| *draining).await.ok();
}

/// Serves one connection, once it is known whose it is.
fn serve(
    mut stream: Stream,
    peer: SocketAddr,
    mut place: Place,
    site: &Site,
    mut draining: watch::Receiver<bool>,
) -> impl Future<Output = ()> + Send + use<> {
    let (door, router) = (Arc::clone(&site.door), site.router.clone());
    async move {
        let client = tokio::select! {
            client = door.client(&mut stream, peer) => client,
            () = drain_begins(&mut draining) => return,
        };
        let client = match client {
            Ok(client) => client,
            Err(error) => {
                door.not_understood(peer, &error);
                return;
            }
        };
        match place.is_of(client.ip()) {
            Ok(()) => serve_http(stream, client, router, &door, draining).await,
            Err(full) => door.turn_away(stream, client, full),
        }
    }
}

/// Serves one client's requests, until one of them becomes a socket.
async fn serve_http(
    stream: Stream,
    client: SocketAddr,
    router: Router,
    door: &Door,
    mut draining: watch::Receiver<bool>,
) {
    if let Err(error) = stream.tune() {
        tracing::debug!(%error, "a connection ended before it began");
        return;
    }
    let has_asked = Arc::new(AtomicBool::new(false));
    let asks = Arc::clone(&has_asked);
    let service = service_fn(move |request: Request<Incoming>| {
        asks.store(true, Ordering::Relaxed);
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(client));
        router.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(door.head_timeout)
        .max_buf_size(door.head_limit)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = drain_begins(&mut draining) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        if error.is_parse_too_large() {
            door.metrics.limit_hit(Limit::HeadBytes);
        } else if error.is_timeout() && !has_asked.load(Ordering::Relaxed) {
            // Behind an answer it is the ordinary end of a connection that is not used again.
            door.metrics.limit_hit(Limit::HeaderTimeout);
        }
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Sockets are files: allow as many as the system lets this process have, and say how many those are.
pub fn raise_open_files() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(code = "open_files_limited", %error, "the limit of open files stays at {:?}", limit.current);
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}
