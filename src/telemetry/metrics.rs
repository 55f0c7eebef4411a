//! Prometheus metrics, on a listener of their own so that they are never served to the public.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::Limit;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Endpoint {
    endpoint: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Origin {
    origin: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Met {
    limit: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Cause {
    cause: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

/// Every number that fleetwire counts, made once and shared.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    sockets_open: Family<Endpoint, Gauge>,
    sockets_closed: Family<Reason, Counter>,
    handshakes_refused: Family<Reason, Counter>,
    limits_hit: Family<Met, Counter>,
    events_published: Family<Origin, Counter>,
    snapshots: Family<Outcome, Counter>,
    lease_checks: Family<Outcome, Counter>,
    commands_ended: Family<Outcome, Counter>,
    sessions_refused: Family<Reason, Counter>,
    layer_messages: Family<Outcome, Counter>,
    layer_gaps: Family<Cause, Counter>,
    hints_sent: Family<Outcome, Counter>,
    hints_received: Family<Outcome, Counter>,
    /// Channels of Redis that are listened to for them.
    pub hints_channels: Gauge,
    /// Groups of OpenWISP's channel layer that the gateway is a member of.
    pub layer_groups: Gauge,
    /// 1 while committed updates are told to this node at once (through Redis, where
    /// that carries them), 0 while they are found by its tail alone.
    pub hints_up: Gauge,
    /// By how many seconds this node's own clock is ahead of the database's.
    pub clock_ahead: Gauge,
    /// 1 while the database takes what this node writes, 0 while not.
    pub database_writable: Gauge,
    /// 1 while the queue of commands can be read and claims be kept, 0 while not.
    pub runner_up: Gauge,
    /// 1 while the gateway hears OpenWISP's channel layer, 0 while it does not.
    pub layer_up: Gauge,
    /// Open connections that are no sockets.
    pub connections_open: Gauge,
    /// Connections to the fallback that are open.
    pub proxied_open: Gauge,
    /// Commands that this node has claimed and not ended.
    pub commands_running: Gauge,
    /// Bytes that devices printed, also those that were not kept.
    pub command_output_bytes: Counter,
    /// Frames of events handed to the kernel.
    pub frames_written: Counter,
    /// Bytes handed to the kernel on sockets, control frames included.
    pub socket_bytes_written: Counter,
    /// Bytes that clients sent on sockets, thrown away.
    pub socket_bytes_ignored: Counter,
    /// Completed readings of the tail.
    pub tail_passes: Counter,
    /// Readings of the tail that failed; each is tried again from the same position.
    pub tail_failures: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("fleetwire"),
            sockets_open: Family::default(),
            sockets_closed: Family::default(),
            handshakes_refused: Family::default(),
            limits_hit: Family::default(),
            events_published: Family::default(),
            snapshots: Family::default(),
            lease_checks: Family::default(),
            commands_ended: Family::default(),
            sessions_refused: Family::default(),
            layer_messages: Family::default(),
            layer_gaps: Family::default(),
            hints_sent: Family::default(),
            hints_received: Family::default(),
            hints_channels: Gauge::default(),
            layer_groups: Gauge::default(),
            hints_up: Gauge::default(),
            clock_ahead: Gauge::default(),
            database_writable: Gauge::default(),
            runner_up: Gauge::default(),
            layer_up: Gauge::default(),
            connections_open: Gauge::default(),
            proxied_open: Gauge::default(),
            commands_running: Gauge::default(),
            command_output_bytes: Counter::default(),
            frames_written: Counter::default(),
            socket_bytes_written: Counter::default(),
            socket_bytes_ignored: Counter::default(),
            tail_passes: Counter::default(),
            tail_failures: Counter::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let r = &mut self.registry;
        r.register("sockets_open", "Open sockets", self.sockets_open.clone());
        r.register(
            "connections_open",
            "Open connections that are no sockets",
            self.connections_open.clone(),
        );
        r.register(
            "sockets_closed",
            "Sockets that ended, by why",
            self.sockets_closed.clone(),
        );
        r.register(
            "handshakes_refused",
            "Handshakes refused, by why",
            self.handshakes_refused.clone(),
        );
        r.register(
            "limits_hit",
            "Times in which a limit of the configuration was met, by which",
            self.limits_hit.clone(),
        );
        r.register(
            "events_published",
            "Events handed to the hub, by what brought them (hint, tail or growth)",
            self.events_published.clone(),
        );
        r.register(
            "snapshots",
            "Snapshots pushed to outboxes, by what became of them",
            self.snapshots.clone(),
        );
        r.register(
            "lease_checks",
            "Checks whether the rights behind open sockets have changed, by outcome",
            self.lease_checks.clone(),
        );
        r.register(
            "commands_ended",
            "Commands that this node ended, by how",
            self.commands_ended.clone(),
        );
        r.register(
            "commands_running",
            "Commands that this node has claimed and not ended",
            self.commands_running.clone(),
        );
        r.register(
            "command_output_bytes",
            "Bytes that devices printed, also those that were not kept",
            self.command_output_bytes.clone(),
        );
        r.register(
            "frames_written",
            "Event frames written",
            self.frames_written.clone(),
        );
        r.register(
            "socket_written_bytes",
            "Bytes written to sockets",
            self.socket_bytes_written.clone(),
        );
        r.register(
            "socket_ignored_bytes",
            "Bytes that clients sent and that were thrown away",
            self.socket_bytes_ignored.clone(),
        );
        self.register_parts();
        self.register_gateway();
        self.register_hints();
        let r = &mut self.registry;
        r.register(
            "tail_passes",
            "Completed readings of the tail",
            self.tail_passes.clone(),
        );
        r.register(
            "tail_failures",
            "Readings of the tail that failed and are tried again",
            self.tail_failures.clone(),
        );
    }

    /// How the parts beside the sockets are.
    fn register_parts(&mut self) {
        let r = &mut self.registry;
        r.register(
            "database_writable",
            "Whether the database takes what this node writes",
            self.database_writable.clone(),
        );
        r.register(
            "hints_up",
            "Whether committed updates are told to this node at once",
            self.hints_up.clone(),
        );
        r.register(
            "clock_ahead_seconds",
            "By how much this node's own clock is ahead of the database's",
            self.clock_ahead.clone(),
        );
        r.register(
            "runner_up",
            "Whether the queue of commands can be read and claims be kept",
            self.runner_up.clone(),
        );
    }

    /// What is counted where Redis carries the hints.
    fn register_hints(&mut self) {
        let r = &mut self.registry;
        r.register(
            "hints_sent",
            "Events for other nodes, by whether Redis took them",
            self.hints_sent.clone(),
        );
        r.register(
            "hints_received",
            "Events of other nodes that came through Redis, by what became of them",
            self.hints_received.clone(),
        );
        r.register(
            "hints_channels",
            "Channels of Redis that are listened to for hints",
            self.hints_channels.clone(),
        );
    }

    /// What only `fleetwire gateway` counts.
    fn register_gateway(&mut self) {
        let r = &mut self.registry;
        r.register(
            "sessions_refused",
            "Sessions of OpenWISP that prove nobody, by why",
            self.sessions_refused.clone(),
        );
        r.register(
            "layer_messages",
            "Messages of OpenWISP's channel layer, by what became of them",
            self.layer_messages.clone(),
        );
        r.register(
            "layer_gaps",
            "Times in which messages of OpenWISP may have been lost and the tables were read instead, by cause",
            self.layer_gaps.clone(),
        );
        r.register(
            "layer_groups",
            "Groups of OpenWISP's channel layer that the gateway is a member of",
            self.layer_groups.clone(),
        );
        r.register(
            "layer_up",
            "Whether the gateway hears OpenWISP's channel layer",
            self.layer_up.clone(),
        );
        r.register(
            "proxied_open",
            "Open connections that are handed through to the fallback",
            self.proxied_open.clone(),
        );
    }

    /// `count` events for other nodes were `published` or `dropped`.
    pub fn hints_sent(&self, outcome: &'static str, count: u64) {
        if count > 0 {
            self.hints_sent
                .get_or_create(&Outcome { outcome })
                .inc_by(count);
        }
    }

    /// `count` events of other nodes ended up as `outcome`.
    pub fn hints_received(&self, outcome: &'static str, count: u64) {
        if count > 0 {
            self.hints_received
                .get_or_create(&Outcome { outcome })
                .inc_by(count);
        }
    }

    /// A session of OpenWISP proved nobody because of `reason`.
    pub fn session_refused(&self, reason: &'static str) {
        self.sessions_refused
            .get_or_create(&Reason { reason })
            .inc();
    }

    /// A message of OpenWISP's channel layer ended up as `outcome`.
    pub fn layer_message(&self, outcome: &'static str) {
        self.layer_messages
            .get_or_create(&Outcome { outcome })
            .inc();
    }

    /// Messages of OpenWISP may have been lost because of `cause`.
    pub fn layer_gap(&self, cause: &'static str) {
        self.layer_gaps.get_or_create(&Cause { cause }).inc();
    }

    /// A socket of `endpoint` opened.
    pub fn socket_opened(&self, endpoint: &'static str) {
        self.sockets_open
            .get_or_create(&Endpoint { endpoint })
            .inc();
    }

    /// A socket of `endpoint` ended because of `reason`.
    pub fn socket_closed(&self, endpoint: &'static str, reason: &'static str) {
        self.sockets_open
            .get_or_create(&Endpoint { endpoint })
            .dec();
        self.sockets_closed.get_or_create(&Reason { reason }).inc();
    }

    /// A handshake was refused because of `reason`.
    pub fn handshake_refused(&self, reason: &'static str) {
        self.handshakes_refused
            .get_or_create(&Reason { reason })
            .inc();
    }

    /// A limit of the configuration was met.
    pub fn limit_hit(&self, limit: Limit) {
        self.limits_hit(limit, 1);
    }

    /// The same `count` times.
    pub fn limits_hit(&self, limit: Limit, count: u64) {
        let limit = limit.label();
        self.limits_hit.get_or_create(&Met { limit }).inc_by(count);
    }

    /// An event was handed to the hub; `origin` is `hint` or `tail`.
    pub fn event_published(&self, origin: &'static str) {
        self.events_published
            .get_or_create(&Origin { origin })
            .inc();
    }

    /// `count` snapshots ended up as `outcome` in their outboxes.
    pub fn snapshots(&self, outcome: &'static str, count: u64) {
        if count > 0 {
            self.snapshots
                .get_or_create(&Outcome { outcome })
                .inc_by(count);
        }
    }

    /// The leases were checked with `outcome`: `renewed` or `unreachable`.
    pub fn leases_checked(&self, outcome: &'static str) {
        self.lease_checks.get_or_create(&Outcome { outcome }).inc();
    }

    /// A command has ended here.
    pub fn command_ended(&self, outcome: &'static str) {
        self.commands_ended
            .get_or_create(&Outcome { outcome })
            .inc();
    }

    pub(crate) fn render(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// `GET /metrics` in the `OpenMetrics` text format.
pub fn router(metrics: Arc<Metrics>) -> Router {
    Router::new()
        .route("/metrics", get(get_metrics))
        .with_state(metrics)
}

async fn get_metrics(State(metrics): State<Arc<Metrics>>) -> impl IntoResponse {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match metrics.render() {
        Ok(text) => ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_rendered_under_our_prefix() {
        let metrics = Metrics::default();
        metrics.socket_opened("locations");
        metrics.snapshots("queued", 3);
        let text = metrics.render().unwrap();
        assert!(
            text.contains("fleetwire_sockets_open{endpoint=\"locations\"} 1"),
            "{text}"
        );
        assert!(
            text.contains("fleetwire_snapshots_total{outcome=\"queued\"} 3"),
            "{text}"
        );
    }
}
