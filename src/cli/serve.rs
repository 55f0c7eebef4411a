//! `fleetwire serve`: the server.

use std::net::SocketAddr;

use clap::Args;

use super::context::Context;
use crate::server::ServeError;
use crate::store::StoreError;
use crate::{server, telemetry};

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  fleetwire serve
  fleetwire serve --listen 0.0.0.0:8000 --data-dir /var/lib/fleetwire
  FLEETWIRE_DATABASE__URL=postgres://fleetwire:SECRET@db/fleetwire fleetwire serve

When the port accepts, the server is ready. SIGTERM or Ctrl-C drains it: sockets are closed over
server.drain_s seconds; a second one ends the drain at once.")]
pub(crate) struct Serve {
    /// Address and port to listen on [default: `server.listen` of the configuration]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
}

pub(crate) async fn run(serve: &Serve, context: &Context) -> anyhow::Result<()> {
    let mut config = context.load_config()?;
    if let Some(listen) = serve.listen {
        config.server.listen = listen;
    }
    telemetry::init_log(&config.log)?;
    let (engine, name) = (context.engine(&config), context.database_name(&config));
    let served = server::standalone::run_until_signalled(config, engine, context.data_dir()).await;
    served.map_err(|error| match error {
        ServeError::Store(StoreError::Database(_) | StoreError::Migrate(_)) => {
            anyhow::Error::new(error).context(format!("cannot open {name}"))
        }
        other => other.into(),
    })
}
