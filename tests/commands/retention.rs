//! What is kept for how long, each by its own setting.

use serde_json::Value;

use super::stage::Stage;
use crate::conformance::on_both_engines;
use crate::support::ssh::{OpenSsh, Options};
use crate::support::{Database, Engine, eventually};

on_both_engines! {
    commands_and_the_audit_log_are_kept_for_as_long_as_each_is_set_to,
}

const DAY: i64 = 24 * 60 * 60 * 1_000_000;

async fn commands_and_the_audit_log_are_kept_for_as_long_as_each_is_set_to(engine: Engine) {
    let device = OpenSsh::start(&Options::default());
    let settings = [("COMMANDS__KEEP_DAYS", "2"), ("AUDIT__KEEP_DAYS", "5")];
    let mut stage = Stage::set_up_on(engine, &settings).await;
    let router = stage.router("router", &device).await;
    let run = async |stage: &Stage| {
        let ended = stage.run(&router, "true").await;
        ended["id"].as_str().unwrap().to_owned()
    };
    let is_there = async |stage: &Stage, id: &str| {
        let status = stage.root.get(&router.command(id)).await.status;
        assert!([200, 404].contains(&status), "{status}");
        status == 200
    };
    let old = run(&stage).await;
    three_days_pass(&mut stage, &["command.modified", "audit.moment"]).await;
    eventually("the old command goes", async || {
        (!is_there(&stage, &old).await).then_some(())
    })
    .await;
    assert!(is_noted(&stage, &old));

    let young = run(&stage).await;
    three_days_pass(&mut stage, &["audit.moment"]).await;
    eventually("what was noted of the old command goes", async || {
        (!is_noted(&stage, &old)).then_some(())
    })
    .await;
    assert!(is_noted(&stage, &young));
    assert!(is_there(&stage, &young).await);
}

/// Makes all in these columns three days older while the server is away: it looks at its start.
async fn three_days_pass(stage: &mut Stage, columns: &[&str]) {
    stage.server.kill().await;
    let mut database = Database::of(&stage.server).await;
    for column in columns {
        let (table, column) = column.split_once('.').unwrap();
        let sql = format!("UPDATE {table} SET {column} = {column} - {}", 3 * DAY);
        database.execute(&sql).await;
    }
    stage.server.run().await;
}

/// Whether the audit log tells that this command was run.
fn is_noted(stage: &Stage, command: &str) -> bool {
    let entries = stage.server.cli(&["audit", "list", "--limit", "1000"]);
    let is_about = |entry: &Value| entry["action"] == "run" && entry["object"] == command;
    entries.as_array().unwrap().iter().any(is_about)
}
