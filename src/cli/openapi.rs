//! `fleetwire openapi`: what the server says of its REST API, without a server.

use super::output;
use crate::api;

/// JSON in either case.
pub(crate) fn run() -> anyhow::Result<()> {
    output::print(&api::openapi())
}
