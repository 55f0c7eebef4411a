//! `fleetwire demo`: a server with something to see and to run, in a directory that is thrown away.

mod fleet;
mod router;
mod seed;
mod streets;
mod vehicle;

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::context::Context;
use super::output::{self, Output};
use super::parse::quoted;
use crate::app::App;
use crate::config::Config;
use crate::server::{EndSignals, Listener, standalone};
use crate::store::Engine;
use crate::{server, telemetry};
use fleet::Radio;
use seed::Seeded;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  fleetwire demo
  fleetwire demo --listen 127.0.0.1:8000 --vehicles 200

The first line of output is the server's address; logins and some commands to try follow. The
vehicles report through the public REST API, as real ones would, and each has a simulated router, an
SSH server on this machine that makes up its answers and runs nothing. The data directory and a
configured database are left alone; Ctrl-C ends it, and nothing is kept.")]
pub(crate) struct Demo {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// How many vehicles drive
    #[arg(long, value_name = "N", default_value_t = 25)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=2000))]
    vehicles: u16,
}

pub(crate) async fn run(demo: &Demo, context: &Context) -> anyhow::Result<()> {
    let mut signals = EndSignals::listen()?;
    let mut config = configured(context)?;
    telemetry::init_log(&config.log)?;
    // Each router listens.
    config.limits.fit_into(server::raise_open_files());
    let directory = tempfile::Builder::new()
        .prefix("fleetwire-demo-")
        .tempdir()
        .context("cannot make a temporary directory")?;
    let engine = Engine::Sqlite {
        directory: directory.path().to_owned(),
    };
    let app = Arc::new(App::open(config, &engine, directory.path()).await?);
    let seeded = tokio::select! {
        seeded = seed::seed(&app.store, demo.vehicles) => Some(seeded?),
        () = signals.received() => None,
    };
    if let Some(seeded) = seeded {
        serve(demo.listen, &app, seeded, &mut signals, context.output).await?;
    }
    // Here the directory goes, and the database with it: nothing to close in good order.
    Ok(())
}

/// The configuration of the environment and of `--config`, with what makes a demo pleasant.
fn configured(context: &Context) -> anyhow::Result<Config> {
    let mut config = context.load_named_config()?;
    let usual = Config::default();
    if config.log == usual.log {
        "warn".clone_into(&mut config.log.level);
    }
    if config.server.drain_s == usual.server.drain_s {
        config.server.drain_s = 1;
    }
    if config.commands.timeout_s == usual.commands.timeout_s {
        // Who watches a log wants to see more of it.
        config.commands.timeout_s = 600;
    }
    Ok(config)
}

/// Serves until told to end, with the fleet on the road.
async fn serve(
    listen: SocketAddr,
    app: &Arc<App>,
    seeded: Seeded,
    signals: &mut EndSignals,
    output: Output,
) -> anyhow::Result<()> {
    let _beside = app.start().await?;
    let listener = TcpListener::bind(listen).await.with_context(|| {
        format!("cannot listen on {listen} (choose another address with --listen)")
    })?;
    let base = url(listener.local_addr()?);
    let (begin_drain, draining) = watch::channel(false);
    let site = standalone::site(app, draining.clone());
    let server = tokio::spawn(server::run(site, Listener::Tcp(listener), draining));
    // Who reads only the first line (`| head -1`) ends the reading and not the demo.
    let _ = announce(&base, &seeded, output);
    let fleet = fleet::depart(seeded.fleet, &Arc::new(Radio::new(base)));
    signals.received().await;
    // The vehicles stop first: nobody hears them any more.
    drop(fleet);
    begin_drain.send_replace(true);
    tokio::select! {
        _ = server => {}
        () = signals.received() => {}
    }
    Ok(())
}

/// The address as a client on this machine writes it.
fn url(address: SocketAddr) -> String {
    let reachable = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(reachable, address.port()))
}

/// Something to try: what it shows, and the line for a shell.
type Trial = (&'static str, String);

fn trials(base: &str, seeded: &Seeded) -> anyhow::Result<[Trial; 5]> {
    let program = std::env::current_exe().context("cannot tell where this program is")?;
    let program = quoted(&program.to_string_lossy());
    let operator = seeded.logins.get(1).context("there is an operator")?;
    let vehicle = seeded.fleet.first().context("there is a vehicle")?;
    let access = format!("--url {base} --token {}", operator.token);
    let report = json!({"type": "Feature", "geometry": seeded.middle}).to_string();
    let url = fleet::coordinates_url(base, seeded.spare.id, &seeded.spare.key);
    Ok([
        (
            "Watch every vehicle of Metro Transit",
            format!("{program} watch locations {access}"),
        ),
        (
            "Watch one vehicle",
            format!("{program} watch location {} {access}", vehicle.location),
        ),
        (
            "Follow the log of a vehicle's router, as it is written (Ctrl-C ends the command)",
            format!("{program} run {access} {} -- logread -f", vehicle.device),
        ),
        (
            "Watch what is run on that router, by whomever",
            format!("{program} watch commands {} {access}", vehicle.device),
        ),
        (
            "Be a vehicle: report where \"Your vehicle\" is (the first command shows it)",
            format!(
                "curl -X PUT -H 'Content-Type: application/json' -d {} {}",
                quoted(&report),
                quoted(&url)
            ),
        ),
    ])
}

/// Tells all there is to know; the address alone on the first line.
fn announce(base: &str, seeded: &Seeded, output: Output) -> anyhow::Result<()> {
    let trials = trials(base, seeded)?;
    if output.is_json() {
        return output::print_json(&as_json(base, seeded, &trials));
    }
    let mut text = format!("{base}\n\n");
    let count = seeded.fleet.len();
    let _ = writeln!(
        text,
        "{count} vehicles report every second or two; each has a router that runs commands. Ctrl-C \
         ends it all.\n"
    );
    let _ = writeln!(text, "Logins:");
    for login in &seeded.logins {
        let (name, password) = (&login.username, &login.password);
        let _ = writeln!(text, "  {name:<16} {password}   {}", login.role);
    }
    let _ = writeln!(text, "\nTry in another shell:");
    for (number, (purpose, command)) in (1..).zip(&trials) {
        let _ = writeln!(text, "\n{number}. {purpose}:\n{command}");
    }
    output::print(&text)
}

fn as_json(base: &str, seeded: &Seeded, trials: &[Trial]) -> Value {
    let logins = seeded.logins.iter().map(|login| {
        json!({
            "username": login.username,
            "password": login.password,
            "token": login.token,
            "role": login.role,
        })
    });
    json!({
        "url": base,
        "logins": logins.collect::<Vec<_>>(),
        "commands": trials.iter().map(|(_, command)| command).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests;
