//! `fleetwire watch`: a client of the WebSocket API that prints what it is told.

mod backoff;
mod clock;
pub(crate) mod feed;
pub(crate) mod follow;

use anyhow::bail;
use clap::{Args, Subcommand};

use super::context::Context;
use super::{output, parse};
use crate::config::Hidden;
use crate::event::{DeviceId, LocationId, Timestamp};
use crate::server::EndSignals;
use feed::Feed;
use follow::{News, Server};

#[derive(Args, Debug)]
#[command(subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  fleetwire watch locations --token TOKEN
  fleetwire watch location 93b9b41c-26b1-4807-91f7-699786c9a2d9 --token TOKEN
  fleetwire watch commands 5fdbde33-1887-405b-8e3b-730dd242c9aa --token TOKEN
  fleetwire watch locations --url https://fleet.example.org --token TOKEN --since 2026-11-24

Each line is one message of the WebSocket API. A lost connection is made anew, and what changed
meanwhile is printed; a state may then come twice. Ctrl-C ends it.
Make a token with `fleetwire token add USER`; `fleetwire location list` and `fleetwire device list` show
the ids.")]
pub(crate) struct Watch {
    #[command(subcommand)]
    what: What,
    /// Where the server is
    #[arg(
        long,
        global = true,
        value_name = "URL",
        default_value = "http://127.0.0.1:8000"
    )]
    url: String,
    /// The token of a user who may see it; in the environment no list of processes shows it
    #[arg(long, global = true, value_name = "T")]
    #[arg(env = "FLEETWIRE_TOKEN", hide_env_values = true)]
    token: Option<Hidden>,
    /// Print first what changed after this instant: ISO 8601 or a date, at most 24 hours back
    #[arg(long, global = true, value_name = "T", value_parser = parse::instant)]
    since: Option<Timestamp>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The moves of one location
    Location {
        /// The id (UUID) of the location; `fleetwire location list` shows it
        #[arg(value_name = "ID", value_parser = location_id)]
        id: LocationId,
    },
    /// The moves of all mobile locations of the organizations that the token's user manages
    Locations,
    /// The commands of one device: how they stand, and their output as it grows
    Commands {
        /// The id (UUID) of the device; `fleetwire device list` shows it
        #[arg(value_name = "ID", value_parser = device_id)]
        device: DeviceId,
    },
}

fn location_id(text: &str) -> Result<LocationId, String> {
    text.parse().map_err(|_| no_id("location"))
}

fn device_id(text: &str) -> Result<DeviceId, String> {
    text.parse().map_err(|_| no_id("device"))
}

fn no_id(noun: &str) -> String {
    format!(
        "watch takes the {noun}'s id, a UUID, and no name: it may run far from the server's data. \
         `fleetwire {noun} list` shows ids"
    )
}

pub(crate) async fn run(watch: &Watch, context: &Context) -> anyhow::Result<()> {
    let mut signals = EndSignals::listen()?;
    let Some(Hidden(token)) = watch.token.as_ref().filter(|token| !token.0.is_empty()) else {
        bail!("{}", missing_token(context));
    };
    let path = match &watch.what {
        What::Location { id } => format!("/ws/loci/location/{id}/"),
        What::Locations => "/ws/loci/location/".to_owned(),
        What::Commands { device } => format!("/ws/controller/device/{device}/command"),
    };
    let feed = Feed::new(&watch.url, &path, token)?;
    let mut stdout = tokio::io::stdout();
    let tell = |news: News<'_>| output::note(&news.to_string());
    tokio::select! {
        ended = follow::follow(&feed, Server::Unknown, watch.since, &mut stdout, tell) => match ended {
            Err(follow::FollowError::Output(error))
                if error.kind() == std::io::ErrorKind::BrokenPipe => Err(output::Closed.into()),
            Err(error) => Err(error.into()),
            Ok(never) => match never {},
        },
        () = output::closed() => Err(output::Closed.into()),
        () = signals.received() => Ok(()),
    }
}

/// Says how to come by a token, with the data directory where that is needed to make it work.
fn missing_token(context: &Context) -> String {
    let directory = context.data_dir();
    let mut command = "fleetwire token add USER".to_owned();
    if directory != std::path::Path::new("fleetwire-data") {
        command = format!(
            "{command} --data-dir {}",
            parse::quoted(&directory.to_string_lossy())
        );
    }
    if directory.join("fleetwire.db").exists() {
        format!("watching takes a token: make one with `{command}` and pass it with --token")
    } else {
        format!(
            "watching takes a token: pass it with --token; whoever runs the server makes one with \
             `{command}`"
        )
    }
}
