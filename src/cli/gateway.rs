//! `fleetwire gateway`: the sockets of an existing OpenWISP.

use clap::Args;
use serde_json::json;

use super::context::Context;
use super::output;
use crate::gateway::Gateway;
use crate::openwisp::check::{self, Grade};
use crate::openwisp::settings::Settings;
use crate::telemetry;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  fleetwire gateway --check
  fleetwire gateway --listen unix:/run/fleetwire/gateway.sock

The environment of docker-openwisp is understood as it is: DB_HOST, REDIS_HOST, DJANGO_SECRET_KEY and
so on. Everything else is set in [gateway] of the configuration. OpenWISP is only read, never written;
docs/openwisp.md has the switch from Daphne, and the way back.")]
pub(crate) struct Serve {
    /// Where to listen: an address with a port, or `unix:/PATH` [default: `gateway.listen` of the
    /// configuration, else every address at `WEBSOCKET_APP_PORT`]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Connect to everything, say what is found and what is wrong, and end
    #[arg(long)]
    check: bool,
}

pub(crate) async fn run(serve: &Serve, context: &Context) -> anyhow::Result<()> {
    let mut config = context.load_config_beside_openwisp()?;
    if let Some(listen) = &serve.listen {
        config.gateway.listen.clone_from(listen);
    }
    telemetry::init_log(&config.log)?;
    let settings = Settings::new(&config.gateway)?;
    if serve.check {
        return check(&settings, context).await;
    }
    Ok(Gateway::new(config, settings).run_until_signalled().await?)
}

/// Prints what was found; what is wrong makes the command fail.
async fn check(settings: &Settings, context: &Context) -> anyhow::Result<()> {
    let report = check::check(settings).await;
    if context.output.is_json() {
        let findings: Vec<_> = report
            .findings
            .iter()
            .map(|it| json!({"grade": word(it.grade), "text": it.text}))
            .collect();
        output::print_json(&json!({"ok": report.is_good(), "findings": findings}))?;
    } else {
        for finding in &report.findings {
            context
                .output
                .done(&format!("{:9} {}", word(finding.grade), finding.text))?;
        }
    }
    anyhow::ensure!(
        report.is_good(),
        "the gateway would not work so: mend what is wrong above"
    );
    Ok(())
}

const fn word(grade: Grade) -> &'static str {
    match grade {
        Grade::Good => "ok",
        Grade::Doubtful => "doubtful",
        Grade::Wrong => "wrong",
    }
}
