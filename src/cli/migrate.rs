//! `fleetwire migrate`: the database brought to this version's tables.

use serde_json::json;

use super::context::Context;
use super::output;

pub(crate) async fn run(context: &Context) -> anyhow::Result<()> {
    let name = context.database_name(&context.load_config()?);
    context.make_store().await?;
    let version = env!("CARGO_PKG_VERSION");
    if context.output.is_json() {
        return output::print_json(&json!({"database": name, "version": version}));
    }
    context
        .output
        .done(&format!("{name} is ready for fleetwire {version}"))
}
