//! The runner: takes commands from the queue, keeps its claims alive, and ends what others left.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::node::Node;
use super::run::run;
use super::stop::{StopSwitch, Why};
use super::turns::Turns;
use super::types::CommandTypes;
use crate::config::CommandsConfig;
use crate::event::CommandId;
use crate::ingest::Ingest;
use crate::store::{Job, Store, StoreError};
use crate::telemetry::{Health, Metrics};

/// How often the queue is looked at when nobody tells of it: another process may have written.
const LOOK: Duration = Duration::from_millis(250);

/// How long others believe that a claimed command is being run, and how often that is renewed.
const LEASE_S: i64 = 30;
const RENEW: Duration = Duration::from_secs(5);

/// Commands that are on their way to their devices, for each one that may run: a device that does
/// not answer takes its time, and others must not wait for it.
const REACHING: usize = 16;

/// How often it is looked whether the last command has ended, while draining.
const ENDED: Duration = Duration::from_millis(50);

/// How long what is cut off has to say so.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// A runner that has said nothing for longer hangs.
const SILENCE: Duration = Duration::from_secs(15);

/// How long to leave the database alone after it failed.
const PAUSE: Duration = Duration::from_secs(1);

/// Runs commands on devices.
pub struct Runner {
    pub(super) store: Store,
    pub(super) ingest: Arc<Ingest>,
    pub(super) types: Arc<CommandTypes>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) config: CommandsConfig,
    pub(super) node: Node,
    /// Turns to run on a device that was reached.
    pub(super) turns: Turns,
    running: Mutex<HashMap<CommandId, StopSwitch>>,
    /// Whether the queue can be read, and whether claims can be kept.
    queue: Health,
    claims: Health,
    is_draining: watch::Sender<bool>,
    /// Held while commands are claimed.
    looking: tokio::sync::Mutex<()>,
}

impl Runner {
    /// A runner for the commands of `store`, as `node`.
    #[must_use]
    pub fn new(
        store: Store,
        ingest: Arc<Ingest>,
        types: Arc<CommandTypes>,
        metrics: Arc<Metrics>,
        config: CommandsConfig,
        node: Node,
    ) -> Self {
        let gauge = metrics.runner_up.clone();
        let queue = Health::new(gauge, "the queue was not read yet", Some(SILENCE));
        // Of which the gauge says nothing: whoever cannot keep claims cannot read the queue for long.
        let claims = Health::uncounted("claims were not renewed yet", Some(SILENCE));
        Self {
            turns: Turns::new(config.parallel),
            store,
            ingest,
            types,
            metrics,
            config,
            node,
            running: Mutex::default(),
            queue,
            claims,
            is_draining: watch::Sender::new(false),
            looking: tokio::sync::Mutex::default(),
        }
    }

    /// Begins no more commands, and leaves those that have not begun to other nodes or the next
    /// start; returns when those that run have ended. What still runs after `window` ends with what
    /// it has printed, and a line that says why.
    pub async fn drain(&self, window: Duration) {
        self.is_draining.send_replace(true);
        // Behind a look that is under way: what it claimed is in the list then.
        drop(self.looking.lock().await);
        self.tell_all(&Why::Drain);
        if timeout(window, self.all_ended()).await.is_err() {
            self.tell_all(&Why::Cut);
            timeout(LAST_WORDS, self.all_ended()).await.ok();
        }
    }

    fn tell_all(&self, why: &Why) {
        for switch in self.running().values() {
            switch.throw(why.clone());
        }
    }

    async fn all_ended(&self) {
        while !self.running().is_empty() {
            sleep(ENDED).await;
        }
    }

    /// Ends what this node ran when it was stopped: they are not run again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recover(&self) -> Result<(), StoreError> {
        let ended = self.store.end_own(self.node.id).await?;
        if ended > 0 {
            tracing::warn!(ended, "commands were under way when this node was stopped");
        }
        Ok(())
    }

    /// Runs commands for as long as the program does. What runs when this is dropped is cut off;
    /// [`Runner::recover`] then ends it.
    pub async fn run(self: Arc<Self>) {
        // Side by side: if one had to rest while the other waits for its turn to write, it would
        // rest with that turn in its hand.
        tokio::join!(self.keep_claims(), self.keep_looking());
    }

    /// Begins commands as they come, for ever.
    async fn keep_looking(self: &Arc<Self>) {
        let mut under_way = JoinSet::new();
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.store.work() => {}
                _ = looks.tick() => {}
                Some(_) = under_way.join_next() => continue,
            }
            let looked = self.look(&mut under_way).await;
            if let Err(error) = looked {
                self.queue.is_ill("the queue cannot be read");
                tracing::warn!(%error, "the queue of commands cannot be read; trying again");
                sleep(PAUSE).await;
            } else {
                self.queue.is_well();
            }
        }
    }

    /// Takes what can be begun, and tells those that are to end.
    async fn look(self: &Arc<Self>, under_way: &mut JoinSet<()>) -> Result<(), StoreError> {
        let _looking = self.looking.lock().await;
        if !under_way.is_empty() {
            for (id, by) in self.store.cancelled(self.node.id).await? {
                if let Some(switch) = self.running().get(&id) {
                    switch.throw(Why::Cancelled(by));
                }
            }
        }
        let room = self.config.parallel * REACHING;
        while !*self.is_draining.borrow() {
            let claimed = if under_way.len() < room {
                self.store.claim_command(self.node.id, LEASE_S).await?
            } else if under_way.len() < 2 * room {
                // What fills the room is no reason for others to wait in front of it.
                let store = &self.store;
                store.claim_first_command(self.node.id, LEASE_S).await?
            } else {
                None
            };
            let Some(job) = claimed else { break };
            self.begin(job, under_way);
        }
        Ok(())
    }

    fn begin(self: &Arc<Self>, job: Job, under_way: &mut JoinSet<()>) {
        let id = job.command.id;
        let (switch, stop) = StopSwitch::new();
        self.running().insert(id, switch);
        self.metrics.commands_running.inc();
        let runner = Arc::clone(self);
        under_way.spawn(async move {
            // Leaves the list also when it is cut off.
            let _entry = Entry {
                runner: &runner,
                id,
            };
            run(&runner, job, stop).await;
        });
    }

    /// Keeps the claims of this node alive and ends what other nodes left and what is too old, for
    /// ever.
    async fn keep_claims(&self) {
        let mut renewals = interval(RENEW);
        renewals.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            renewals.tick().await;
            let kept = timeout(RENEW, async {
                let running: Vec<CommandId> = self.running().keys().copied().collect();
                self.store
                    .renew_claims(self.node.id, &running, LEASE_S)
                    .await?;
                self.store.end_left_behind().await
            });
            match kept.await {
                Ok(Ok(_)) => self.claims.is_well(),
                Ok(Err(error)) => {
                    self.claims.is_ill("claims cannot be renewed");
                    tracing::warn!(%error, "claims could not be renewed");
                }
                Err(_) => {
                    self.claims.is_ill("claims cannot be renewed in time");
                    tracing::warn!("claims could not be renewed in time");
                }
            }
        }
    }

    /// What keeps commands from being run, if anything does.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.queue.trouble().or_else(|| self.claims.trouble())
    }

    fn running(&self) -> std::sync::MutexGuard<'_, HashMap<CommandId, StopSwitch>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A command's place in the list of those that run.
struct Entry<'a> {
    runner: &'a Runner,
    id: CommandId,
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.runner.running().remove(&self.id);
        self.runner.metrics.commands_running.dec();
    }
}
