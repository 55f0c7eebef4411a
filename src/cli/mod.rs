//! The command line: `fleetwire NOUN VERB`, one file a noun.
//!
//! Arguments are read into plain structs here, turned into what the layers below want, and what
//! these answer is written by [`output`]. Exit codes: 0 done, 1 failed (one line on standard error
//! says why), 2 not understood; `run` ends with the code of its command.

mod audit;
mod backup;
mod config;
mod connection;
mod context;
mod credential;
mod demo;
mod device;
mod find;
mod gateway;
mod group;
mod import;
mod key;
mod location;
mod migrate;
mod nodes;
mod openapi;
mod organization;
mod output;
mod pages;
mod parse;
mod run;
mod serve;
mod server_url;
mod session;
mod sockets;
mod stdin;
mod token;
mod user;
mod watch;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};

use context::Context;

const EXAMPLES: &str = "\
First steps:
  fleetwire demo                                 see it work, with a fleet that is made up
  fleetwire serve                                start an empty server on 127.0.0.1:8000
  fleetwire org add \"Metro Transit\"
  fleetwire device add \"Bus 1\" --org \"Metro Transit\"
  fleetwire user add anna --password-stdin --staff --group Operator --manages \"Metro Transit\"
  fleetwire token add anna
  fleetwire watch locations --token TOKEN        see vehicles move

Commands on a device:
  fleetwire device set \"Bus 1\" --address 10.0.0.17
  fleetwire credential add routers --org \"Metro Transit\" --username root --password-stdin
  fleetwire connection add \"Bus 1\" routers
  fleetwire run \"Bus 1\" -- uptime                see what it prints, as it prints it

ORG, USER, GROUP, DEVICE, CREDENTIAL and LOCATION are an id or a name that only one has.
Every command has its own --help.";

/// The live channel of a network: device commands and moving vehicles, pushed to whoever may
/// see them.
#[derive(Debug, Parser)]
#[command(name = "fleetwire", bin_name = "fleetwire", version)]
#[command(after_help = EXAMPLES, max_term_width = 100)]
#[command(arg_required_else_help = true, subcommand_required = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes, anywhere on the line.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Configuration file [default: fleetwire.toml in the data directory, if it is there]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Directory of what the server keeps; made when it is not there
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        default_value = "fleetwire-data"
    )]
    data_dir: PathBuf,
    /// Print one JSON value (or nothing) to standard output, everything else to standard error
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the server
    Serve(serve::Serve),
    /// Serve the sockets of an existing OpenWISP, in the place of its Daphne
    Gateway(gateway::Serve),
    /// Start a server with made-up organizations and a fleet that drives, in a throwaway directory
    Demo(demo::Demo),
    /// Run a command on a device: prints what it prints, ends as it ends
    Run(run::Run),
    /// Print what moves, or what commands do, as it happens: one JSON object a line
    Watch(watch::Watch),
    /// Organizations: the tenants
    #[command(subcommand)]
    Org(organization::Command),
    /// Users: who may log in, and what they may
    #[command(subcommand)]
    User(user::Command),
    /// Groups: permissions that users share
    #[command(subcommand)]
    Group(group::Command),
    /// API tokens, for programs
    #[command(subcommand)]
    Token(token::Command),
    /// Sessions: logins of browsers
    #[command(subcommand)]
    Session(session::Command),
    /// Devices: what reports coordinates and what commands run on
    #[command(subcommand)]
    Device(device::Command),
    /// Credentials: SSH login data
    #[command(subcommand)]
    Credential(credential::Command),
    /// Connections: which credentials a device is reached with
    #[command(subcommand)]
    Connection(connection::Command),
    /// Locations: places, and where vehicles are now
    #[command(subcommand)]
    Location(location::Command),
    /// Bring over what another system has
    #[command(subcommand)]
    Import(import::Command),
    /// The key that secrets are encrypted with
    #[command(subcommand)]
    Key(key::Command),
    /// Nodes: the processes that serve the database
    #[command(subcommand, alias = "node")]
    Nodes(nodes::Command),
    /// Open sockets, on all nodes: see them, close them
    #[command(subcommand, alias = "socket")]
    Sockets(sockets::Command),
    /// The log of who did what
    #[command(subcommand)]
    Audit(audit::Command),
    /// The configuration: check it, print the default file, list the environment variables
    #[command(subcommand)]
    Config(config::Command),
    /// Copy the SQLite database to a file, while the server runs
    Backup(backup::Backup),
    /// Bring the database to this version's tables
    ///
    /// Every command that opens the database does so; this one does nothing else, so that an
    /// upgrade can be done, and fail, on its own.
    Migrate,
    /// Print the OpenAPI document of the REST API
    Openapi,
}

/// Reads the command line, does what it says, and tells how it went.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and the version are no failures; where they cannot be written, nobody reads.
            let _ = error.print();
            return u8::try_from(error.exit_code()).map_or(ExitCode::from(2), ExitCode::from);
        }
    };
    match obey(cli) {
        Ok(()) => ExitCode::SUCCESS,
        // Who reads our output has had enough of it (`| head`): not our failure.
        Err(error) if error.is::<output::Closed>() => ExitCode::SUCCESS,
        Err(error) => {
            if let Some(run::ExitWith(code)) = error.downcast_ref() {
                return ExitCode::from(*code);
            }
            output::complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn obey(cli: Cli) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the threads that everything runs on")?;
    let done = runtime.block_on(async {
        let context = Context::new(cli.global);
        let done = dispatch(cli.command, &context).await;
        context.close().await;
        done
    });
    // A write to a full pipe may still block a thread: nothing that is worth waiting for.
    runtime.shutdown_background();
    done
}

async fn dispatch(command: Command, context: &Context) -> anyhow::Result<()> {
    match command {
        Command::Serve(command) => serve::run(&command, context).await,
        Command::Gateway(command) => gateway::run(&command, context).await,
        Command::Demo(command) => demo::run(&command, context).await,
        Command::Run(command) => run::run(&command, context).await,
        Command::Watch(command) => watch::run(&command, context).await,
        Command::Org(command) => organization::run(&command, context).await,
        Command::User(command) => user::run(&command, context).await,
        Command::Group(command) => group::run(&command, context).await,
        Command::Token(command) => token::run(&command, context).await,
        Command::Session(command) => session::run(&command, context).await,
        Command::Device(command) => device::run(&command, context).await,
        Command::Credential(command) => credential::run(&command, context).await,
        Command::Connection(command) => connection::run(&command, context).await,
        Command::Location(command) => location::run(&command, context).await,
        Command::Import(command) => import::run(&command, context).await,
        Command::Key(command) => key::run(&command, context).await,
        Command::Nodes(command) => nodes::run(&command, context).await,
        Command::Sockets(command) => sockets::run(&command, context).await,
        Command::Audit(command) => audit::run(&command, context).await,
        Command::Config(command) => config::run(&command, context),
        Command::Backup(command) => backup::run(&command, context).await,
        Command::Migrate => migrate::run(context).await,
        Command::Openapi => openapi::run(),
    }
}

#[cfg(test)]
mod tests;
