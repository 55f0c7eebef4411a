//! `fleetwire gateway`: the sockets of an existing OpenWISP, in the place of its Daphne.
//!
//! The composition root beside [`app`](crate::app): OpenWISP's tables and sessions are the
//! [`Directory`](crate::access::Directory), its channel layer is the [`Source`](crate::hub::Source);
//! everything between a socket and those two is the same code.

mod proxy;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use tokio::sync::watch;
use tokio::time::timeout;

use self::proxy::{Proxy, Tunnels};
use crate::access::{Directory, Leases};
use crate::config::Config;
use crate::hub::{Hub, Source};
use crate::openwisp::directory::OpenWispDirectory;
use crate::openwisp::feed::Feed;
use crate::openwisp::layer::ChannelLayer;
use crate::openwisp::settings::{Address, Settings};
use crate::openwisp::tables::Tables;
use crate::server::{
    Door, EndSignals, Ending, Listener, Readiness, ServeError, Site, raise_open_files,
    serve_metrics, serve_until_signalled,
};
use crate::socket::{self, Origins, Sockets};
use crate::telemetry::Metrics;

/// Something that needs longer to answer is not ready.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long taking leave of the channel layer may last.
const LEAVING: Duration = Duration::from_secs(5);

/// The running gateway's parts.
pub struct Gateway {
    config: Config,
    settings: Settings,
    tables: Tables,
    layer: Arc<ChannelLayer>,
    feed: Arc<Feed>,
    leases: Arc<Leases>,
    sockets: Arc<Sockets>,
    tunnels: Arc<Tunnels>,
    metrics: Arc<Metrics>,
}

impl Gateway {
    /// Puts the parts together. Nothing runs yet, and nobody is asked.
    #[must_use]
    pub fn new(mut config: Config, settings: Settings) -> Arc<Self> {
        config.limits.fit_into(raise_open_files());
        config
            .login
            .cookie_name
            .clone_from(&config.gateway.session_cookie_name);
        let metrics = Arc::new(Metrics::default());
        let tables = Tables::open(&settings.database);
        let layer = Arc::new(ChannelLayer::new(
            settings.layer.clone(),
            Arc::clone(&metrics),
        ));
        let hub = Arc::new(Hub::new(config.socket.shards()));
        let feed = Feed::new(
            Arc::clone(&hub),
            Arc::clone(&layer),
            tables.clone(),
            Arc::clone(&metrics),
        );
        let directory: Arc<dyn Directory> = Arc::new(OpenWispDirectory::new(
            tables.clone(),
            settings.sessions.clone(),
            Arc::clone(&metrics),
        ));
        let grace = config.lease.grace();
        let leases = Arc::new(Leases::new(Arc::clone(&directory), grace, &config.limits));
        let hosts = settings.allowed_hosts.clone();
        let sockets = Arc::new(Sockets::new(
            &config,
            Origins::Judged(Box::new(move |origin| hosts.accept(origin))),
            directory,
            Arc::clone(&feed) as Arc<dyn Source>,
            hub,
            Arc::clone(&leases),
            Arc::clone(&metrics),
        ));
        let drain_window = Duration::from_secs(config.server.drain_s);
        let tunnels = Arc::new(Tunnels::new(Arc::clone(&metrics), drain_window));
        Arc::new(Self {
            config,
            settings,
            tables,
            layer,
            feed,
            leases,
            sockets,
            tunnels,
            metrics,
        })
    }

    /// Listens and serves until SIGTERM or SIGINT, also while the database or Redis are away: then
    /// handshakes are refused with 503. A second signal ends the drain at once.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn run_until_signalled(self: Arc<Self>) -> Result<(), ServeError> {
        let mut signals = EndSignals::listen()?;
        let metrics_address = self.config.metrics.listen.clone();
        if !metrics_address.is_empty() {
            serve_metrics(Arc::clone(&self.metrics), metrics_address).await?;
        }
        let listener = match &self.settings.listen {
            Address::Tcp(address) => Listener::tcp(address).await?,
            Address::Unix(path) => Listener::unix(path).await?,
        };
        let mut beside = self.feed.start();
        let sockets = Arc::clone(&self.sockets);
        beside.spawn(async move { sockets.run().await });
        let (leases, metrics) = (Arc::clone(&self.leases), Arc::clone(&self.metrics));
        let every = Duration::from_millis(self.config.lease.check_ms);
        beside.spawn(async move {
            leases
                .run(every, |outcome| metrics.leases_checked(outcome))
                .await;
        });
        listener.announce();
        let site = |ending| self.site(ending);
        let also = self.tunnels.all_ended();
        serve_until_signalled(site, listener, &mut signals, &mut beside, also).await?;
        // What hangs must not keep the process: our memberships end by themselves.
        timeout(LEAVING, self.layer.leave_all()).await.ok();
        beside.shutdown().await;
        timeout(PATIENCE, self.tables.close()).await.ok();
        Ok(())
    }

    fn site(self: &Arc<Self>, ending: Ending) -> Site {
        let shutdown_delay = Duration::from_secs(self.config.server.shutdown_delay_s);
        let drain_window = Duration::from_secs(self.config.server.drain_s);
        let operation = Router::new()
            .route("/healthz", get(get_health))
            .route("/readyz", get(get_readiness))
            .with_state((Arc::clone(self), ending.announced));
        let proxy = Proxy::new(
            self.settings.fallback.clone(),
            Arc::clone(&self.tunnels),
            ending.draining,
        );
        Site {
            router: Router::new()
                .fallback(proxy::hand_through)
                .with_state(Arc::new(proxy))
                .merge(operation)
                .merge(socket::routes(Arc::clone(&self.sockets))),
            sockets: Arc::clone(&self.sockets),
            leases: Arc::clone(&self.leases),
            door: Arc::new(Door::new(
                &self.config.server,
                &self.config.limits,
                Arc::clone(&self.metrics),
            )),
            shutdown_delay,
            drain_window,
        }
    }
}

/// The process answers.
async fn get_health() -> &'static str {
    "ok\n"
}

/// The gateway can do its work: OpenWISP's database and channel layer answer, and it is not about to stop.
async fn get_readiness(
    State((gateway, ending)): State<(Arc<Gateway>, watch::Receiver<bool>)>,
) -> Readiness {
    let is_ending = *ending.borrow();
    let mut readiness = Readiness::new(is_ending);
    readiness.ask("database", gateway.tables.probe()).await;
    let is_heard = gateway.metrics.layer_up.get() == 1;
    let trouble = (!is_heard).then(|| "no answer".to_owned());
    readiness.need("channel_layer", trouble);
    readiness
}
