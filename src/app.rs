//! The composition root: every part built once and handed to those who need it.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::access::login::Logins;
use crate::access::{Directory, Leases};
use crate::config::Config;
use crate::hub::{Hub, Source};
use crate::ingest::{Ingest, Origin, Tail, follow_hints};
use crate::socket::Sockets;
use crate::store::{Engine, Store, StoreError};
use crate::telemetry::Metrics;

/// The running server's parts.
pub struct App {
    /// What the operator set.
    pub config: Config,
    /// What is true.
    pub store: Store,
    /// Who is who.
    pub directory: Arc<dyn Directory>,
    /// The passwords' keeper.
    pub logins: Logins,
    /// What keeps sockets open.
    pub leases: Arc<Leases>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The three endpoints.
    pub sockets: Arc<Sockets>,
    tail: Arc<Tail>,
    ingest: Arc<Ingest>,
}

impl App {
    /// Opens the database and puts the parts together. Nothing runs yet.
    ///
    /// # Errors
    /// When the database cannot be opened or brought to this version's tables.
    pub async fn open(config: Config, engine: &Engine) -> Result<Self, StoreError> {
        let metrics = Arc::new(Metrics::default());
        let store = Store::open(engine).await?;
        if !config.secrets.key.is_empty() {
            store.use_key(config.secrets.key.parse().map_err(StoreError::Key)?);
        }
        let directory: Arc<dyn Directory> = Arc::new(store.clone());
        let hub = Arc::new(Hub::new(config.socket.outbox_bytes));
        let ingest = Arc::new(Ingest::new(Arc::clone(&hub), Arc::clone(&metrics)));
        let hinted = Arc::clone(&ingest);
        store.on_commit(move |event| hinted.publish(&event, Origin::Hint));
        let tail = Arc::new(Tail::new(
            store.clone(),
            Arc::clone(&ingest),
            Arc::clone(&metrics),
        ));
        let grace = Duration::from_secs(config.lease.grace_s);
        let leases = Arc::new(Leases::new(Arc::clone(&directory), grace));
        let sockets = Arc::new(Sockets::new(
            &config,
            Arc::clone(&directory),
            Arc::clone(&tail) as Arc<dyn Source>,
            hub,
            Arc::clone(&leases),
            Arc::clone(&metrics),
        ));
        Ok(Self {
            logins: Logins::new(store.clone(), &config.login),
            config,
            store,
            directory,
            leases,
            metrics,
            sockets,
            tail,
            ingest,
        })
    }

    /// Starts what runs beside the requests: the tail, the hints and the leases. They end when what
    /// is returned is dropped.
    ///
    /// # Errors
    /// When the database cannot say where its log stands.
    pub async fn start(&self) -> Result<JoinSet<()>, StoreError> {
        let mut running = JoinSet::new();
        let position = self.tail.begin().await?;
        let every = Duration::from_millis(self.config.ingest.tail_ms);
        let tail = Arc::clone(&self.tail);
        running.spawn(async move { tail.run(position, every).await });
        let (store, ingest) = (self.store.clone(), Arc::clone(&self.ingest));
        running.spawn(follow_hints(store, ingest, Arc::clone(&self.tail)));
        let (leases, metrics) = (Arc::clone(&self.leases), Arc::clone(&self.metrics));
        let every = Duration::from_millis(self.config.lease.check_ms);
        running.spawn(async move {
            leases
                .run(every, |outcome| metrics.leases_checked(outcome))
                .await;
        });
        Ok(running)
    }
}
