//! The way out: the three push-only WebSocket endpoints.
//!
//! The handshake is HTTP's ([`handshake`]); after the 101 a connection belongs to one of a few
//! [`shard`]s, which reads its frames by [`reader`] and writes them by [`writer`].

pub mod handshake;
pub mod reader;
mod refusal;
mod replay;
mod shard;
mod stream;
mod writer;

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::any;
use http::request::Parts;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use ipnet::IpNet;
use tokio::sync::mpsc;

pub use self::stream::Stream;

use self::handshake::Admitted;
use self::refusal::Refusal;
use self::replay::Replay;
use self::shard::Shards;
use self::shard::post::{Attachment, Delivery};
use crate::access::policy::Feed;
use crate::access::{Directory, Endpoint, Leases, Rate, RateOfEach, Resource};
use crate::config::Config;
use crate::hub::{Hub, Source};
use crate::telemetry::{Metrics, Throttled};

/// Refusals logged each second; the rest is counted.
const REFUSALS_LOGGED: u32 = 20;

/// What one address may ask at once after a silence, in the time in which that would be its rate.
const ASKED_AT_ONCE: Duration = Duration::from_secs(1);

/// Whose pages may open sockets. A client that is no browser sends no `Origin`, and is not asked.
pub enum Origins {
    /// Those of the very site that is asked, and of these.
    SameSite(Vec<String>),
    /// Those that this says.
    Judged(Box<dyn Fn(&str) -> bool + Send + Sync>),
}

/// What the endpoints need.
pub struct Sockets {
    directory: Arc<dyn Directory>,
    source: Arc<dyn Source>,
    hub: Arc<Hub>,
    leases: Arc<Leases>,
    metrics: Arc<Metrics>,
    shards: Shards,
    cookie_name: String,
    origins: Origins,
    trusted_proxies: Vec<IpNet>,
    /// Handshakes of which somebody is asked who it is.
    asked: Rate,
    /// Those of each address.
    asked_by: RateOfEach,
    refusals: Throttled,
    /// Set once, when the server begins to stop.
    draining: AtomicBool,
}

impl Sockets {
    /// The endpoints over these parts.
    #[must_use]
    pub fn new(
        config: &Config,
        origins: Origins,
        directory: Arc<dyn Directory>,
        source: Arc<dyn Source>,
        hub: Arc<Hub>,
        leases: Arc<Leases>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let shards = Shards::new(&hub, &config.socket, Arc::clone(&metrics));
        Self {
            directory,
            source,
            hub,
            leases,
            metrics,
            shards,
            cookie_name: config.login.cookie_name.clone(),
            origins,
            trusted_proxies: config.server.trusted_proxies.clone(),
            asked: Rate::new(config.limits.handshakes_per_second),
            asked_by: RateOfEach::new(
                config.limits.handshakes_per_second_per_address,
                ASKED_AT_ONCE,
            ),
            refusals: Throttled::new(REFUSALS_LOGGED),
            draining: AtomicBool::new(false),
        }
    }

    /// Serves the open sockets, for as long as the program runs. It ends before only when something is broken,
    /// which is said in the log.
    pub async fn run(&self) {
        self.shards.run().await;
    }

    /// Returns when each thread that serves sockets has come round since the call: none of them hangs.
    pub async fn have_come_round(&self) {
        let asked = self.hub.inboxes().iter();
        // Nobody is weighed: only whether an answer comes counts.
        let asked: Vec<_> = asked.map(|inbox| inbox.weigh(Vec::new())).collect();
        for answer in asked {
            answer.await.ok();
        }
    }

    /// From now on every handshake is refused with 503.
    pub fn refuse_new(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

/// The routes of the contract, each with and without its trailing slash.
pub fn routes(sockets: Arc<Sockets>) -> Router {
    Router::new()
        .route(
            "/ws/controller/device/{id}/command",
            any(open_device_commands),
        )
        .route(
            "/ws/controller/device/{id}/command/",
            any(open_device_commands),
        )
        .route("/ws/loci/location/{id}", any(open_location))
        .route("/ws/loci/location/{id}/", any(open_location))
        .route("/ws/loci/location", any(open_locations))
        .route("/ws/loci/location/", any(open_locations))
        .with_state(sockets)
}

async fn open_device_commands(
    State(sockets): State<Arc<Sockets>>,
    Path(id): Path<String>,
    parts: Parts,
) -> Response {
    let feed = parse(&id).map(|id| Feed::Of(Resource::Device(id)));
    open(sockets, feed, parts).await
}

async fn open_location(
    State(sockets): State<Arc<Sockets>>,
    Path(id): Path<String>,
    parts: Parts,
) -> Response {
    let feed = parse(&id).map(|id| Feed::Of(Resource::Location(id)));
    open(sockets, feed, parts).await
}

async fn open_locations(State(sockets): State<Arc<Sockets>>, parts: Parts) -> Response {
    open(sockets, Ok(Feed::Fleet), parts).await
}

/// A UUID in its canonical form, as in OpenWISP's URLs (but in either case).
fn parse<T: FromStr>(id: &str) -> Result<T, Refusal> {
    const HYPHENATED: usize = 36;
    id.parse()
        .ok()
        .filter(|_| id.len() == HYPHENATED)
        .ok_or(Refusal::UnknownPath)
}

/// Answers a handshake; an admitted client's connection goes on in a shard.
async fn open(sockets: Arc<Sockets>, feed: Result<Feed, Refusal>, mut parts: Parts) -> Response {
    let admitted = match feed {
        Ok(feed) => {
            let admitted = handshake::admit(&sockets, feed, &parts).await;
            admitted.map(|admitted| (feed.endpoint(), admitted))
        }
        Err(refusal) => Err(refusal),
    };
    match admitted {
        Err(refusal) => refusal.answer(&sockets, &parts),
        Ok((endpoint, admitted)) => {
            let Some(upgrade) = parts.extensions.remove::<OnUpgrade>() else {
                return Refusal::NoUpgrade.answer(&sockets, &parts);
            };
            let response = handshake::switching_protocols(&admitted);
            tokio::spawn(hand_over(sockets, endpoint, admitted, upgrade));
            response
        }
    }
}

/// Takes the stream over from the HTTP server and hands it to the shard in which the client has joined.
async fn hand_over(
    sockets: Arc<Sockets>,
    endpoint: Endpoint,
    admitted: Admitted,
    upgrade: OnUpgrade,
) {
    let Ok(upgraded) = upgrade.await else {
        tracing::debug!("a client left between its handshake and our answer");
        return;
    };
    let Ok(parts) = upgraded.downcast::<TokioIo<Stream>>() else {
        tracing::error!(
            code = "socket_not_served",
            "a socket came over something that we did not accept and cannot be served"
        );
        return;
    };
    let stream = match parts.io.into_inner().into_fd() {
        Ok(stream) => stream,
        Err(error) => {
            tracing::warn!(code = "socket_not_taken_over", %error, "a socket could not be taken over from the HTTP server");
            return;
        }
    };
    let Some(subscriber) = admitted.joined.has_socket() else {
        return;
    };
    let post = sockets.shards.post_of(&subscriber);
    let pages = admitted.since.map(|since| {
        let (pages, asked) = mpsc::channel(1);
        let source = Arc::clone(&sockets.source);
        let replay = Replay::new(source, since, subscriber.clone(), Arc::clone(post));
        tokio::spawn(replay.run(asked));
        pages
    });
    let attachment = Attachment {
        endpoint,
        stream,
        early: parts.read_buf,
        lease: admitted.lease,
        pages,
    };
    let delivery = Delivery::Attachment(subscriber.id(), Box::new(attachment));
    post.send_with_others(delivery).await;
}
