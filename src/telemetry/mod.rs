//! What operators see from outside: structured logs and Prometheus metrics.

mod health;
mod limit;
mod log;
mod metrics;
mod throttled;

pub use health::Health;
pub use limit::Limit;
pub use log::{LogError, init as init_log};
pub use metrics::{Metrics, router as metrics_router};
pub use throttled::Throttled;
