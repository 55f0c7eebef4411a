//! The composition root: every part built once and handed to those who need it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::access::login::Logins;
use crate::access::{Directory, Leases, RateOfEach, Strangers};
use crate::command::types::CommandTypes;
use crate::command::{Node, Runner};
use crate::config::Config;
use crate::event::NodeId;
use crate::hub::{Hub, Source};
use crate::ingest::{Ingest, Origin, Relay, RelaySettings, Tail, follow_hints};
use crate::nodes::{self, Attendance, BEAT_PATIENCE};
use crate::socket::{Origins, Sockets};
use crate::store::{Engine, Keep, KeyError, Store, StoreError};
use crate::telemetry::{Health, Metrics};

/// Between two looks for what has been kept long enough.
const CLEAR_AWAY: Duration = Duration::from_hours(1);

/// What a device may report at once after a silence, in the time in which that would be its rate.
const REPORTS_AT_ONCE: Duration = Duration::from_secs(10);

/// Before anything is known of hints.
const UNHEARD: &str = "the database's hints are not heard yet";

/// Before anything was written.
const UNWRITTEN: &str = "it was not written yet";

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
    /// What may be run on devices.
    pub types: Arc<CommandTypes>,
    /// How often devices may report.
    pub reports: RateOfEach,
    /// Who shows which keys of devices.
    pub strangers: Strangers,
    /// Whether the database's hints are heard.
    hints: Arc<Health>,
    /// Whether the database takes what is written.
    writes: Arc<Health>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What their messages go through.
    pub hub: Arc<Hub>,
    /// The three endpoints.
    pub sockets: Arc<Sockets>,
    /// What runs them.
    pub runner: Arc<Runner>,
    /// Who this node is.
    pub node: NodeId,
    tail: Arc<Tail>,
    ingest: Arc<Ingest>,
    relay: Option<Arc<Relay>>,
}

impl App {
    /// Opens the database and puts the parts together. Nothing runs yet. `data_dir` is where this
    /// node keeps who it is.
    ///
    /// # Errors
    /// When the database cannot be opened or brought to this version's tables.
    pub async fn open(
        config: Config,
        engine: &Engine,
        data_dir: &Path,
    ) -> Result<Self, StoreError> {
        let metrics = Arc::new(Metrics::default());
        let store = Store::open(engine).await?;
        if !config.secrets.key.is_empty() {
            store.use_key(config.secrets.key.parse().map_err(StoreError::Key)?);
        }
        let directory: Arc<dyn Directory> = Arc::new(store.clone());
        let hub = Arc::new(Hub::new(config.socket.shards()));
        let ingest = Arc::new(Ingest::new(Arc::clone(&hub), Arc::clone(&metrics)));
        let hinted = Arc::clone(&ingest);
        store.on_commit(move |event| hinted.publish(&event, Origin::Hint));
        let relay = relay(&config, &store, &ingest, &metrics).await?;
        let tail = Tail::new(store.clone(), Arc::clone(&ingest), Arc::clone(&metrics));
        let tail = Arc::new(tail.beside(relay.clone()));
        let grace = config.lease.grace();
        let asked = Arc::new(store.for_node());
        let leases = Arc::new(Leases::new(asked, grace, &config.limits));
        let sockets = Arc::new(Sockets::new(
            &config,
            Origins::SameSite(config.server.allowed_origins.clone()),
            Arc::clone(&directory),
            Arc::clone(&tail) as Arc<dyn Source>,
            Arc::clone(&hub),
            Arc::clone(&leases),
            Arc::clone(&metrics),
        ));
        let types = Arc::new(CommandTypes::new(&config.commands));
        let identity = identity(&store, data_dir, config.server.listen.port()).await?;
        let node = identity.id;
        let runner = Arc::new(Runner::new(
            store.for_node(),
            Arc::clone(&ingest),
            Arc::clone(&types),
            Arc::clone(&metrics),
            config.commands.clone(),
            identity,
        ));
        Ok(Self {
            reports: RateOfEach::new(config.limits.reports_per_second, REPORTS_AT_ONCE),
            strangers: Strangers::default(),
            hints: Arc::new(match &relay {
                // Whose own gauge it is then.
                Some(_) => Health::uncounted(UNHEARD, None),
                None => Health::new(metrics.hints_up.clone(), UNHEARD, None),
            }),
            writes: Arc::new(Health::new(
                metrics.database_writable.clone(),
                UNWRITTEN,
                Some(BEAT_PATIENCE),
            )),
            logins: Logins::new(store.clone(), &config.login),
            config,
            store,
            directory,
            leases,
            metrics,
            hub,
            sockets,
            types,
            runner,
            node,
            tail,
            ingest,
            relay,
        })
    }

    /// Starts what runs beside the requests: the tail, the hints, the leases, the runner, what this node
    /// says to others, and the clearing away. They end when what is returned is dropped. Commands that
    /// this node left running have ended when this returns.
    ///
    /// # Errors
    /// When the database cannot say where its log stands.
    pub async fn start(&self) -> Result<JoinSet<()>, StoreError> {
        self.warn_of_unknown_organizations().await?;
        let mut running = JoinSet::new();
        let position = self.tail.begin().await?;
        let every = Duration::from_millis(self.config.ingest.tail_ms);
        let tail = Arc::clone(&self.tail);
        running.spawn(async move { tail.run(position, every).await });
        let (store, ingest) = (self.store.clone(), Arc::clone(&self.ingest));
        let (tail, hints) = (Arc::clone(&self.tail), Arc::clone(&self.hints));
        running.spawn(follow_hints(store, ingest, tail, hints));
        if let Some(relay) = self.relay.clone() {
            running.spawn(async move { match relay.run().await {} });
        }
        let sockets = Arc::clone(&self.sockets);
        running.spawn(async move { sockets.run().await });
        let (leases, metrics) = (Arc::clone(&self.leases), Arc::clone(&self.metrics));
        let every = Duration::from_millis(self.config.lease.check_ms);
        running.spawn(async move {
            leases
                .run(every, |outcome| metrics.leases_checked(outcome))
                .await;
        });
        self.runner.recover().await?;
        running.spawn(Arc::clone(&self.runner).run());
        let attendance = self.attendance();
        attendance.begin().await;
        running.spawn(attendance.run());
        let keep = Keep {
            commands_days: self.config.commands.keep_days.into(),
            audit_days: self.config.audit.keep_days,
        };
        let (own, store) = (self.store.for_node(), self.store.clone());
        // One task: a part of the server that ends by itself ends the server.
        running.spawn(async move {
            renumber_restored(own).await;
            clear_away(store, keep).await;
        });
        Ok(running)
    }

    /// Why committed updates are not told to this node at once, if they are not.
    #[must_use]
    pub fn hints_trouble(&self) -> Option<String> {
        let is_deaf = self.relay.is_some() && self.metrics.hints_up.get() == 0;
        let of_relay = || is_deaf.then(|| "hints through Redis are not heard".to_owned());
        self.hints.trouble().or_else(of_relay)
    }

    /// Why this node does not read what others have changed, if it does not.
    #[must_use]
    pub fn tail_trouble(&self) -> Option<String> {
        self.tail.trouble()
    }

    /// Why the database does not take what is written, if it does not: a disk that is full, a server that may
    /// only be read. It may answer all the same.
    #[must_use]
    pub fn writes_trouble(&self) -> Option<String> {
        self.writes.trouble()
    }

    fn attendance(&self) -> Attendance {
        Attendance::new(
            self.store.for_node(),
            Arc::clone(&self.leases),
            Arc::clone(&self.metrics),
            Arc::clone(&self.writes),
            self.node,
            nodes::name(self.config.server.listen.port()),
        )
    }

    /// A mistyped organization in `commands.allowed` leaves the one that was meant with what the others
    /// may use.
    async fn warn_of_unknown_organizations(&self) -> Result<(), StoreError> {
        if self.config.commands.allowed.is_empty() {
            return Ok(());
        }
        let organizations = self.store.organizations().await?;
        let known: Vec<_> = organizations
            .iter()
            .map(|it| (it.id.0, it.slug.as_str()))
            .collect();
        for name in self.config.commands.unknown_organizations(&known) {
            tracing::warn!(
                code = "organization_unknown",
                "commands.allowed names \"{name}\", which is no organization's slug or id: what is \
                 listed there holds for nobody"
            );
        }
        Ok(())
    }
}

/// Who this node is. A directory that was copied with a machine's image has the identity of the node that it was
/// copied from, which must not be taken for one and the same.
async fn identity(store: &Store, data_dir: &Path, port: u16) -> Result<Node, StoreError> {
    let mut node = Node::of(data_dir);
    let name = nodes::name(port);
    if nodes::is_elsewhere(store, node.id, &name, node.is_at_home()).await? {
        let others = node.id;
        let kept = node.renew();
        tracing::warn!(
            code = "node_copied",
            error = ?kept.err(),
            "the data directory was copied from the node {others}, which runs: this one is the node {} from now on",
            node.id
        );
    }
    Ok(node)
}

/// What carries hints in place of the database, where the operator names it and the database is one that
/// nodes share.
async fn relay(
    config: &Config,
    store: &Store,
    ingest: &Arc<Ingest>,
    metrics: &Arc<Metrics>,
) -> Result<Option<Arc<Relay>>, StoreError> {
    let hints = &config.hints;
    if hints.url.0.is_empty() {
        return Ok(None);
    }
    let Some(fingerprint) = store.fingerprint().await? else {
        return Ok(None);
    };
    if config.secrets.key.is_empty() {
        return Err(StoreError::Key(KeyError::NotSet));
    }
    let settings = RelaySettings {
        url: hints.url.0.clone(),
        prefix: if hints.prefix.is_empty() {
            format!("fleetwire:{fingerprint}")
        } else {
            hints.prefix.clone()
        },
        key: config.secrets.key.parse().map_err(StoreError::Key)?,
    };
    let relay = Relay::new(&settings, ingest, store.for_node(), Arc::clone(metrics));
    let told = Arc::clone(&relay);
    store.tell_through(move |events, change| told.tell(events, change));
    Ok(Some(relay))
}

/// Looks once whether a dump has brought rows from elsewhere.
async fn renumber_restored(store: Store) {
    match store.renumber_restored().await {
        Ok(0) => {}
        Ok(rows) => tracing::info!(rows, "renumbered the changes that a dump has brought"),
        Err(error) => {
            tracing::warn!(code = "dump_not_renumbered", %error, "the changes that a dump has brought could not be renumbered");
        }
    }
}

/// Removes what has been kept long enough, for as long as the program runs.
async fn clear_away(store: Store, keep: Keep) {
    let mut looks = interval(CLEAR_AWAY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        match store.clear_away(keep).await {
            Ok(0) => {}
            Ok(rows) => tracing::info!(rows, "removed what was kept long enough"),
            Err(error) => {
                tracing::warn!(code = "not_cleared_away", %error, "what was kept long enough could not be removed");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{sleep, timeout};

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_the_node_itself_does_waits_for_no_request() {
        let directory = tempfile::tempdir().unwrap();
        let engine = Engine::Sqlite {
            directory: directory.path().to_owned(),
        };
        let app = App::open(Config::default(), &engine, directory.path());
        let app = app.await.unwrap();
        let _requests = app.store.use_up().await;
        let mut running = app.start().await.unwrap();
        let works = async {
            app.tail.attend(&[]).await;
            while app.runner.trouble().is_some() {
                sleep(Duration::from_millis(20)).await;
            }
            while app.store.for_node().nodes().await.unwrap().is_empty() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(Duration::from_mins(1), works).await.unwrap();
        assert!(running.try_join_next().is_none(), "no part ends by itself");
    }
}
