//! The composition root: what one process has one of, built once and handed to every handler.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::access::{Directory, Logins};
use crate::config::Config;
use crate::store::Store;

/// Everything that a request may need.
pub struct App {
    /// As the operator set it.
    pub config: Config,
    /// The database.
    pub store: Store,
    /// Users and tenancy.
    pub directory: Arc<dyn Directory>,
    /// Where passwords are checked.
    pub logins: Logins,
    /// Told when this process has taken rights away, so that open sockets are re-checked at once.
    pub rights_changed: Arc<Notify>,
}
