//! `fleetwire token`: API tokens, for programs.

use clap::Subcommand;
use serde_json::Value;

use super::context::Context;
use super::find;
use crate::store::Token;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a token for a user and print it: the only time that it is shown
    #[command(after_help = "\
Example:
  fleetwire token add anna --description \"map on the wall\"
  curl -H \"Authorization: Bearer TOKEN\" http://127.0.0.1:8000/api/v1/controller/location/")]
    Add {
        /// Id or name of the user
        user: String,
        /// What it is for
        #[arg(
            long,
            value_name = "TEXT",
            default_value = "",
            hide_default_value = true
        )]
        description: String,
    },
    /// List all tokens (not what they are)
    List,
    /// Show one token (not what it is)
    Show {
        /// Its id
        token: String,
    },
    /// Change what a token is said to be for
    Set {
        /// Its id
        token: String,
        /// What it is for
        #[arg(long, value_name = "TEXT", required = true)]
        description: String,
    },
    /// Revoke a token: what uses it is shut out, its sockets close
    Remove {
        /// Its id
        token: String,
    },
}

pub(crate) async fn run(command: &Command, context: &Context) -> anyhow::Result<()> {
    let store = context.open_store().await?;
    let output = context.output;
    match command {
        Command::Add { user, description } => {
            let user = find::user(&store, user).await?.id;
            let (token, secret) = store.add_token(user, description).await?;
            let mut shown = serde_json::to_value(token)?;
            shown["token"] = Value::String(secret);
            output.object(&shown)
        }
        Command::List => {
            let all = store.tokens().await?;
            let rows = all
                .iter()
                .map(serde_json::to_value)
                .collect::<Result<_, _>>()?;
            output.list(rows, &["id", "username", "description", "created"])
        }
        Command::Show { token } => {
            output.object(&serde_json::to_value(find::token(&store, token).await?)?)
        }
        Command::Set { token, description } => {
            let Token { id, .. } = find::token(&store, token).await?;
            let changed = store.set_token_description(id, description).await?;
            output.object(&serde_json::to_value(changed)?)
        }
        Command::Remove { token } => {
            let Token { id, username, .. } = find::token(&store, token).await?;
            store.remove_token(id).await?;
            output.done(&format!("revoked the token {id} of {username}"))
        }
    }
}
