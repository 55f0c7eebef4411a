//! `fleetwire session`: logins of browsers.

use clap::Subcommand;
use serde_json::Value;

use super::context::Context;
use super::{find, parse};
use crate::event::Timestamp;
use crate::store::Session;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Log a user in and print the value of the session cookie: the only time that it is shown
    #[command(after_help = "\
Example:
  fleetwire session add anna --expires 2027-01-01
  curl --cookie sessionid=SESSION http://127.0.0.1:8000/api/v1/controller/location/")]
    Add {
        /// Id or name of the user
        user: String,
        /// When it ends [default: `login.session_hours` of the configuration]
        #[arg(long, value_name = "DATE", value_parser = parse::instant)]
        expires: Option<Timestamp>,
    },
    /// List all sessions
    List,
    /// Show one session
    Show {
        /// Its id
        session: String,
    },
    /// Change when a session ends
    Set {
        /// Its id
        session: String,
        /// When it ends: a date (its first moment, UTC) or an ISO 8601 date and time
        #[arg(long, value_name = "DATE", value_parser = parse::instant, required = true)]
        expires: Timestamp,
    },
    /// Log a browser out; its sockets close
    Remove {
        /// Its id
        session: String,
    },
}

pub(crate) async fn run(command: &Command, context: &Context) -> anyhow::Result<()> {
    let store = context.open_store().await?;
    let output = context.output;
    match command {
        Command::Add { user, expires } => {
            let user = find::user(&store, user).await?.id;
            let hours = context.load_config()?.login.session_hours;
            let usual = store.instant().plus_seconds(i64::from(hours) * 3600);
            let (session, cookie) = store.add_session(user, expires.unwrap_or(usual)).await?;
            let mut shown = serde_json::to_value(session)?;
            shown["session"] = Value::String(cookie);
            output.object(&shown)
        }
        Command::List => {
            let all = store.sessions().await?;
            let rows = all
                .iter()
                .map(serde_json::to_value)
                .collect::<Result<_, _>>()?;
            output.list(rows, &["id", "username", "created", "expires"])
        }
        Command::Show { session } => output.object(&serde_json::to_value(
            find::session(&store, session).await?,
        )?),
        Command::Set { session, expires } => {
            let Session { id, .. } = find::session(&store, session).await?;
            let changed = store.set_session_expiry(id, *expires).await?;
            output.object(&serde_json::to_value(changed)?)
        }
        Command::Remove { session } => {
            let Session { id, username, .. } = find::session(&store, session).await?;
            store.remove_session(id).await?;
            output.done(&format!("ended the session {id} of {username}"))
        }
    }
}
