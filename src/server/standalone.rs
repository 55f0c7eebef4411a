//! `fleetwire serve`: its routes, and its life from start to end.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::header::DATE;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use jiff::fmt::rfc2822::DateTimePrinter;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::timeout;

use super::{
    Door, EndSignals, Listener, Readiness, ServeError, Site, Supervisor, raise_open_files,
    serve_metrics, serve_until_signalled,
};
use crate::app::App;
use crate::config::{Config, environment};
use crate::console::Console;
use crate::event::Timestamp;
use crate::store::{Engine, Store};
use crate::{api, console, socket};

/// A database that needs longer to answer is not ready.
const PATIENCE: Duration = Duration::from_secs(2);

/// Opens everything, then listens, until SIGTERM or SIGINT: when the port accepts, the server is
/// ready. A second signal ends the drain at once.
///
/// # Errors
/// When the server cannot start.
pub async fn run_until_signalled(
    mut config: Config,
    engine: Engine,
    data_dir: &Path,
) -> Result<(), ServeError> {
    let mut signals = EndSignals::listen()?;
    config.limits.fit_into(raise_open_files());
    let address = config.server.listen;
    let metrics_address = config.metrics.listen.clone();
    Supervisor::of(environment()).tell_starting();
    let app = tokio::select! {
        opened = App::open(config, &engine, data_dir) => Arc::new(opened?),
        () = signals.received() => return Ok(()),
    };
    // Found out now, and not by the first who wants a command to be run.
    app.store.check_key().await?;
    if !metrics_address.is_empty() {
        serve_metrics(Arc::clone(&app.metrics), metrics_address).await?;
    }
    let mut beside = app.start().await?;
    let setup_token = app.store.open_setup(app.node).await?;
    let listener = Listener::tcp(&address.to_string()).await?;
    listener.announce();
    if let Some(token) = setup_token {
        tell_setup_token(&token);
    }
    let window = Duration::from_secs(app.config.server.drain_s);
    serve_until_signalled(
        |ending| site(&app, ending.announced),
        listener,
        &mut signals,
        &mut beside,
        app.runner.drain(window),
    )
    .await?;
    beside.shutdown().await;
    // What still runs is cut off, and says so; else the next start would.
    if let Ok(Err(error)) = timeout(PATIENCE, app.runner.recover()).await {
        tracing::warn!(code = "commands_not_ended", %error, "commands that were cut off could not be ended");
    }
    if let Ok(Err(error)) = timeout(PATIENCE, app.store.remove_node(app.node)).await {
        tracing::warn!(code = "node_not_removed", %error, "this node could not take leave of the others");
    }
    // A connection that hangs must not keep the process: what was acknowledged is committed.
    timeout(PATIENCE, app.store.close()).await.ok();
    Ok(())
}

/// Whoever reads the log of a new server is who may make its first user.
fn tell_setup_token(token: &str) {
    tracing::warn!(
        code = "no_user_yet",
        "there is no user yet: open this server in a browser and make the first superuser with the \
         token {token} (or run `fleetwire user add NAME --superuser --password-stdin`)"
    );
}

/// What `app` serves; `ending` becomes true when its end is near.
#[must_use]
pub fn site(app: &Arc<App>, ending: watch::Receiver<bool>) -> Site {
    Site {
        router: router(app, ending),
        sockets: Arc::clone(&app.sockets),
        leases: Arc::clone(&app.leases),
        door: Arc::new(Door::new(
            &app.config.server,
            &app.config.limits,
            Arc::clone(&app.metrics),
        )),
        shutdown_delay: Duration::from_secs(app.config.server.shutdown_delay_s),
        drain_window: Duration::from_secs(app.config.server.drain_s),
    }
}

/// All routes of the site.
fn router(app: &Arc<App>, ending: watch::Receiver<bool>) -> Router {
    let operation = Router::new()
        .route("/healthz", get(get_health))
        .route("/readyz", get(get_readiness))
        .with_state((Arc::clone(app), ending));
    let metrics = Arc::clone(&app.metrics);
    let console = Arc::new(Console::new(&app.config.console));
    Router::new()
        .merge(operation)
        .merge(console::routes(Arc::clone(&console)))
        .merge(
            api::routes()
                .with_state(Arc::clone(app))
                .layer(from_fn_with_state(metrics, api::count_limits))
                .layer(from_fn_with_state(app.store.clone(), date)),
        )
        .merge(socket::routes(Arc::clone(&app.sockets)))
        // Pages of the console for a browser; for programs there is nothing.
        .fallback(move |method: Method, uri: Uri, headers: HeaderMap| {
            let page = console.page_at(&method, uri.path(), &headers);
            std::future::ready(page.unwrap_or_else(not_found))
        })
}

/// Says in each answer what time it was, by the clock that `?since=` is compared with, when the request came: what changes
/// while it is answered may not be in it. hyper says what this machine's clock shows, which may be another, and goes
/// on with the old time where it is set back.
async fn date(State(store): State<Store>, request: Request, next: Next) -> Response {
    let date = http_date(store.instant());
    let mut response = next.run(request).await;
    if let Some(date) = date {
        response.headers_mut().insert(DATE, date);
    }
    response
}

/// As of RFC 9110, section 5.6.7.
fn http_date(instant: Timestamp) -> Option<HeaderValue> {
    let instant = jiff::Timestamp::from_microsecond(instant.0).ok()?;
    let text = DateTimePrinter::new().timestamp_to_rfc9110_string(&instant);
    text.ok()?.try_into().ok()
}

fn not_found() -> Response {
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

/// The server can do its work: the database answers and takes what is written, commands are run, and it is not about to stop. Without
/// hints it does all of it, only a moment later.
async fn get_readiness(
    State((app, ending)): State<(Arc<App>, watch::Receiver<bool>)>,
) -> Readiness {
    let is_ending = *ending.borrow();
    let mut readiness = Readiness::new(is_ending);
    readiness.ask("database", app.store.ping()).await;
    readiness.need("database", app.writes_trouble());
    readiness.need("tail", app.tail_trouble());
    readiness.want("hints", app.hints_trouble());
    readiness.need("runner", app.runner.trouble());
    readiness
}
