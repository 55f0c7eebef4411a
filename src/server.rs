//! A stand-in, so that the command line compiles alone: replaced by the server.

use tokio::net::TcpListener;

use crate::config::Config;
use crate::store::Engine;

/// Why the server ended.
#[derive(Debug, thiserror::Error)]
#[error("there is no server yet")]
pub struct ServeError;

/// Listens where the configuration says and serves until SIGINT or SIGTERM.
///
/// # Errors
/// When it cannot listen or open the database.
pub async fn run_until_signalled(config: Config, engine: Engine) -> Result<(), ServeError> {
    let listener = TcpListener::bind(config.server.listen)
        .await
        .map_err(|_| ServeError)?;
    run_on_until_signalled(listener, config, engine).await
}

/// The same on a listener that is bound already (`config.server.listen` is not looked at).
///
/// # Errors
/// When it cannot open the database.
pub async fn run_on_until_signalled(
    listener: TcpListener,
    config: Config,
    engine: Engine,
) -> Result<(), ServeError> {
    let _ = (listener, config, engine);
    Err(ServeError)
}
