//! The way from a listener to the routes, and back out at shutdown.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::{Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tower::ServiceExt;

use crate::app::App;
use crate::config::Config;
use crate::store::{Engine, StoreError};
use crate::{api, console, socket, telemetry};

/// What a request's head may take; beyond it hyper answers 431.
const HEAD_BYTES: usize = 32 * 1024;

/// Bytes of data that the kernel keeps for a socket before we keep them: what it holds cannot be
/// conflated any more.
const UNSENT_BYTES: u32 = 128 * 1024;

/// How long sockets that were told to close have beyond the drain window.
const LAST_WORDS: Duration = Duration::from_secs(6);

/// A database that needs longer to answer is not ready.
const PATIENCE: Duration = Duration::from_secs(2);

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

/// Opens everything, then listens, until SIGTERM or SIGINT: when the port accepts, the server is
/// ready. A second signal ends the drain at once.
///
/// # Errors
/// When the server cannot start.
pub async fn run_until_signalled(
    config: Config,
    engine: Engine,
    data_dir: &Path,
) -> Result<(), ServeError> {
    let mut signals = EndSignals::listen()?;
    raise_open_files();
    let address = config.server.listen;
    let metrics_address = config.metrics.listen.clone();
    let app = tokio::select! {
        opened = App::open(config, &engine, data_dir) => Arc::new(opened?),
        () = signals.received() => return Ok(()),
    };
    // Found out now, and not by the first who wants a command to be run.
    app.store.check_key().await?;
    if !metrics_address.is_empty() {
        serve_metrics(&app, metrics_address).await?;
    }
    let mut beside = app.start().await?;
    let listener = listen(&address.to_string()).await?;
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "listening on http://{address}");
    }
    let (begin_drain, draining) = watch::channel(false);
    let mut server = tokio::spawn(run(Arc::clone(&app), listener, draining));
    tokio::select! {
        () = signals.received() => {}
        // None of these ends by itself: without it rights would not be checked, or moves not told.
        _ = &mut server => return Err(ServeError::Broken),
        _ = beside.join_next() => return Err(ServeError::Broken),
    }
    tracing::info!("stopping: sockets are closed over the drain window; signal again to stop now");
    begin_drain.send_replace(true);
    let window = Duration::from_secs(app.config.server.drain_s);
    let drained = async { tokio::join!(server, app.runner.drain(window)) };
    tokio::select! {
        _ = drained => tracing::info!("stopped"),
        () = signals.received() => tracing::info!("stopped at once"),
    }
    beside.shutdown().await;
    // What still runs is cut off, and says so; else the next start would.
    if let Ok(Err(error)) = timeout(PATIENCE, app.runner.recover()).await {
        tracing::warn!(%error, "commands that were cut off could not be ended");
    }
    // A connection that hangs must not keep the process: what was acknowledged is committed.
    timeout(PATIENCE, app.store.close()).await.ok();
    Ok(())
}

async fn listen(address: &str) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| ServeError::Listen {
            address: address.to_owned(),
            source,
        })
}

async fn serve_metrics(app: &App, address: String) -> Result<(), ServeError> {
    let listener = listen(&address).await?;
    let router = telemetry::metrics_router(Arc::clone(&app.metrics));
    tracing::info!(%address, "metrics on http://{address}/metrics");
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(())
}

/// Serves `listener` until `draining` becomes true, then drains: no new sockets, the open ones
/// closed with 1001 spread over the drain window, requests under way finished.
pub async fn run(app: Arc<App>, listener: TcpListener, mut draining: watch::Receiver<bool>) {
    let router = router(&app, draining.clone());
    let header_timeout = Duration::from_secs(app.config.server.header_timeout_s);
    // Nothing is sent on it: it ends when the last connection has dropped its sender.
    let (connected, mut all_gone) = mpsc::channel::<()>(1);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let served = serve_http(stream, peer, router.clone(), header_timeout, draining.clone());
                    let connected = connected.clone();
                    tokio::spawn(async move {
                        served.await;
                        drop(connected);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection; are there too many open files?");
                    sleep(ACCEPT_AGAIN).await;
                }
            },
            () = drain_begins(&mut draining) => break,
        }
    }
    drop((listener, connected));
    let window = Duration::from_secs(app.config.server.drain_s);
    app.sockets.refuse_new();
    app.leases.end_all(window, |holder| holder.drain()).await;
    let last_words = timeout(LAST_WORDS, async {
        app.leases.all_ended().await;
        all_gone.recv().await;
    });
    if last_words.await.is_err() {
        tracing::warn!("some connections did not end in time and are cut off");
    }
}

async fn drain_begins(draining: &mut watch::Receiver<bool>) {
    // An error means that nobody can ask for the drain any more: a reason to stop as well.
    draining.wait_for(|draining| *draining).await.ok();
}

/// Serves one TCP connection: its requests, until one of them becomes a socket.
async fn serve_http(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    header_timeout: Duration,
    mut draining: watch::Receiver<bool>,
) {
    if let Err(error) = tune(&stream) {
        tracing::debug!(%error, "a connection ended before it began");
        return;
    }
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_buf_size(HEAD_BYTES)
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
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Small messages leave at once, and the kernel holds little of what is not sent yet, so that a
/// slow reader's newer snapshots can still replace older ones in the outbox.
fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    SockRef::from(stream).set_tcp_notsent_lowat(UNSENT_BYTES)
}

/// All routes of the site.
fn router(app: &Arc<App>, draining: watch::Receiver<bool>) -> Router {
    let operation = Router::new()
        .route("/", get(console::get_front_page))
        .route("/healthz", get(get_health))
        .route("/readyz", get(get_readiness))
        .with_state((Arc::clone(app), draining));
    Router::new()
        .merge(operation)
        .merge(api::routes().with_state(Arc::clone(app)))
        .merge(socket::routes(Arc::clone(&app.sockets)))
        .fallback(not_found)
}

async fn not_found() -> Response {
    (
        StatusCode::NOT_FOUND,
        Json(json!({ "detail": "Not found." })),
    )
        .into_response()
}

/// The process answers.
async fn get_health() -> &'static str {
    "ok\n"
}

/// The server can do its work: the database answers and it is not about to stop.
async fn get_readiness(
    State((app, draining)): State<(Arc<App>, watch::Receiver<bool>)>,
) -> Response {
    let draining = *draining.borrow();
    let database = match timeout(PATIENCE, app.store.ping()).await {
        Ok(Ok(())) => "ok".to_owned(),
        Ok(Err(error)) => {
            tracing::warn!(%error, "not ready");
            "failed".to_owned()
        }
        Err(_) => "no answer".to_owned(),
    };
    let ready = database == "ok" && !draining;
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        Json(json!({ "ready": ready, "database": database, "draining": draining })),
    )
        .into_response()
}

/// Sockets are files: allow as many as the system lets this process have.
pub fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit of open files stays at {:?}", limit.current);
    }
}
