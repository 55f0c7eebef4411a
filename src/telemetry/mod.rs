//! What operators see from outside: structured logs and Prometheus metrics.

mod log;
mod metrics;
mod throttled;

pub use log::{LogError, init as init_log};
pub use metrics::{Metrics, router as metrics_router};
pub use throttled::Throttled;
