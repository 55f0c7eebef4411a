//! The fleet on the road: each vehicle drives and reports through the public REST API, as a real
//! one would.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use rand::RngExt;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::seed::Member;
use crate::cli::output::note;
use crate::event::Timestamp;

/// The longest that is made up for after a stall, in seconds: a vehicle does not leap.
const LONGEST_STRETCH_S: f64 = 5.0;

/// Connections kept open between reports, for the whole fleet.
const IDLE_CONNECTIONS: usize = 32;

/// What all vehicles share: the server, and whether it hears them.
pub(super) struct Radio {
    client: Client<HttpConnector, Full<Bytes>>,
    base: String,
    is_failing: AtomicBool,
}

impl Radio {
    /// For the server at `base`, such as `http://127.0.0.1:8000`.
    pub(super) fn new(base: String) -> Self {
        Self {
            client: Client::builder(TokioExecutor::new())
                .pool_max_idle_per_host(IDLE_CONNECTIONS)
                .build_http(),
            base,
            is_failing: AtomicBool::new(false),
        }
    }

    /// Tells where a vehicle is, and since when.
    async fn report(&self, member: &Member) -> anyhow::Result<()> {
        let body = json!({
            "type": "Feature",
            "geometry": member.vehicle.point()?,
            "properties": {"time": Timestamp::now()},
        });
        let request = Request::builder()
            .method(Method::PUT)
            .uri(coordinates_url(&self.base, member.device, &member.key))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::from(body.to_string()))?;
        let answer = self.client.request(request).await.context("no answer")?;
        let status = answer.status();
        // Read to its end, so that the connection serves the next report.
        let body = answer.into_body().collect().await?.to_bytes();
        let detail = String::from_utf8_lossy(&body);
        ensure!(status == StatusCode::OK, "{status} {detail}");
        Ok(())
    }

    /// Says when reports begin to fail and when they are heard again, not each time.
    fn tell(&self, reported: Result<(), anyhow::Error>) {
        let is_failing = reported.is_err();
        if self.is_failing.swap(is_failing, Ordering::Relaxed) == is_failing {
            return;
        }
        match reported {
            Ok(()) => note("the vehicles are heard again"),
            Err(error) => note(&format!("a vehicle is not heard: {error:#}")),
        }
    }
}

/// Where a device reports its coordinates.
pub(super) fn coordinates_url(base: &str, device: crate::event::DeviceId, key: &str) -> String {
    format!("{base}/api/v1/controller/device/{device}/coordinates/?key={key}")
}

/// Sends all of them off; they drive until the set is dropped.
pub(super) fn depart(fleet: Vec<Member>, radio: &Arc<Radio>) -> JoinSet<()> {
    let mut driving = JoinSet::new();
    for member in fleet {
        driving.spawn(drive(member, Arc::clone(radio)));
    }
    driving
}

async fn drive(mut member: Member, radio: Arc<Radio>) {
    let mut reported = Instant::now();
    loop {
        // Each on its own beat, so that they do not all report in the same instant.
        let pause = Duration::from_millis(rand::rng().random_range(1000..2000));
        tokio::time::sleep_until(reported + pause).await;
        let elapsed = reported.elapsed().as_secs_f64();
        reported = Instant::now();
        member.vehicle.drive(elapsed.min(LONGEST_STRETCH_S));
        radio.tell(radio.report(&member).await);
    }
}
