//! The runner: takes commands from the queue, keeps its claims alive, and ends what others left.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use super::answer::{ANSWERED, Unanswered, in_time};
use super::node::Node;
use super::presence::{Look, Presence};
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

/// How long others believe that a claimed command is being run where nodes share the queue, and where none
/// do; how often that is renewed, and how long a renewal may take: who gives up sooner loses its place among
/// those who wait to write. What a node has left is ended no later than a lease and a sweep after its death,
/// which is well below 15 s.
const LEASE_S: i64 = 10;
const LEASE_ALONE_S: i64 = 30;
const RENEW: Duration = Duration::from_secs(2);
const RENEWED: Duration = Duration::from_secs(5);

/// How often it is looked for what other nodes have left.
const SWEEP: Duration = Duration::from_secs(2);

/// Commands that are on their way to their devices, for each one that may run: a device that does
/// not answer takes its time, and others must not wait for it.
const REACHING: usize = 16;

/// A claimed command is likely to want a turn soon, if its device is reached at all. Where nodes share the
/// queue, one that has no turn to give within that time leaves the command to the others.
const YOUNG: Duration = Duration::from_millis(300);

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
    running: Mutex<HashMap<CommandId, Claim>>,
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
        self.tell_all(&Why::Drain);
        let ended = timeout(window, async {
            // Behind a look that is under way: what it claims is in the list then, and told as well.
            drop(self.looking.lock().await);
            self.tell_all(&Why::Drain);
            self.all_ended().await;
        });
        if ended.await.is_err() {
            self.tell_all(&Why::Cut);
            timeout(LAST_WORDS, self.all_ended()).await.ok();
        }
    }

    fn tell_all(&self, why: &Why) {
        for claim in self.running().values() {
            claim.switch.throw(why.clone());
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
            tracing::warn!(
                code = "commands_cut_off",
                ended,
                "commands were under way when this node was stopped"
            );
        }
        Ok(())
    }

    /// Runs commands for as long as the program does. What runs when this is dropped is cut off;
    /// [`Runner::recover`] then ends it.
    pub async fn run(self: Arc<Self>) {
        // Side by side: if one had to rest while the other waits for its turn to write, it would
        // rest with that turn in its hand.
        tokio::join!(
            self.keep_claims(),
            self.keep_sweeping(),
            self.keep_ending_late(),
            self.keep_looking()
        );
    }

    /// Begins commands as they come, for ever.
    async fn keep_looking(self: &Arc<Self>) {
        let mut under_way = JoinSet::new();
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_full = false;
        loop {
            let was_told = tokio::select! {
                () = self.store.work() => true,
                _ = looks.tick() => false,
                Some(_) = under_way.join_next() => {
                    if !is_full {
                        continue;
                    }
                    true
                }
            };
            match self.look(&mut under_way, was_told).await {
                Ok(full) => {
                    self.queue.is_well();
                    is_full = full;
                }
                Err(error) => {
                    self.queue.is_ill("the queue cannot be read");
                    tracing::warn!(code = "queue_unread", %error, "the queue of commands cannot be read; trying again");
                    sleep(PAUSE).await;
                }
            }
        }
    }

    /// Takes what can be begun, and tells those that are to end. Answers whether there were no turns left to
    /// give. Who was told of work was told as early as all other nodes.
    async fn look(
        self: &Arc<Self>,
        under_way: &mut JoinSet<()>,
        was_told: bool,
    ) -> Result<bool, Unanswered> {
        let _looking = self.looking.lock().await;
        if !under_way.is_empty() {
            for (id, by) in in_time(self.store.cancelled(self.node.id)).await? {
                if let Some(claim) = self.running().get(&id) {
                    claim.switch.throw(Why::Cancelled(by));
                }
            }
        }
        let room = self.config.parallel * REACHING;
        while !*self.is_draining.borrow() {
            let since = Instant::now();
            let is_full = !self.has_capacity();
            if is_full && was_told {
                // Another node may have a turn for it.
                return Ok(true);
            }
            // What is claimed in an answer that is lost ends with its lease: nobody has begun it.
            let (node, lease_s) = (self.node.id, self.lease_s());
            let claimed = if !is_full && under_way.len() < room {
                in_time(self.store.claim_command(node, lease_s)).await?
            } else if under_way.len() < 2 * room {
                // What fills the room is no reason for others to wait in front of it.
                in_time(self.store.claim_first_command(node, lease_s)).await?
            } else {
                None
            };
            let Some(job) = claimed else {
                return Ok(is_full);
            };
            self.begin(job, since, under_way);
        }
        Ok(false)
    }

    /// Whether one more command would have a turn here soon. Where nobody shares the queue, it may as well wait
    /// with its device reached.
    fn has_capacity(&self) -> bool {
        if !self.store.is_shared() {
            return true;
        }
        let is_likely = |claim: &&Claim| !claim.is_reached && claim.since.elapsed() < YOUNG;
        let likely = self.running().values().filter(is_likely).count();
        // A few more, so that a device is reached when a turn becomes free.
        let turns = self.config.parallel + self.config.parallel / 4;
        self.turns.asked_for() + likely < turns
    }

    /// Takes over a command that was claimed after `since`.
    fn begin(self: &Arc<Self>, job: Job, since: Instant, under_way: &mut JoinSet<()>) {
        let id = job.command.id;
        let (switch, stop) = StopSwitch::new();
        let claim = Claim {
            switch,
            since,
            held_until: since + self.lease(),
            is_reached: false,
        };
        self.running().insert(id, claim);
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

    /// Notes that a command's device was reached: from now on it waits for its turn, or has it.
    pub(super) fn is_reached(&self, id: CommandId) {
        if let Some(claim) = self.running().get_mut(&id) {
            claim.is_reached = true;
        }
    }

    /// Whether the lease on a command holds still, by this node's own clock, which starts each lease before the
    /// database's does; if it may be over, the database is asked to renew it. If not, nothing must be handed
    /// over: another node may have ended the command.
    pub(super) async fn holds(&self, id: CommandId) -> bool {
        self.is_held(id) || self.renews(id).await
    }

    /// Whether the lease on a command, asked to be renewed, holds.
    pub(super) async fn renews(&self, id: CommandId) -> bool {
        if let Err(error) = in_time(self.renew_claims(&[id])).await {
            tracing::warn!(code = "claims_not_renewed", %error, command = %id, "a claim could not be renewed");
        }
        self.is_held(id)
    }

    fn is_held(&self, id: CommandId) -> bool {
        let running = self.running();
        let claim = running.get(&id);
        claim.is_some_and(|claim| Instant::now() < claim.held_until)
    }

    /// Keeps the claims of this node alive, for ever.
    async fn keep_claims(&self) {
        let mut renewals = interval(RENEW);
        renewals.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            renewals.tick().await;
            match timeout(RENEWED, self.renew()).await {
                Ok(Ok(())) => self.claims.is_well(),
                Ok(Err(error)) => {
                    self.claims.is_ill("claims cannot be renewed");
                    tracing::warn!(code = "claims_not_renewed", %error, "claims could not be renewed");
                }
                Err(_) => {
                    self.claims.is_ill("claims cannot be renewed in time");
                    tracing::warn!(
                        code = "claims_not_renewed",
                        "claims could not be renewed in time"
                    );
                }
            }
        }
    }

    async fn renew(&self) -> Result<(), StoreError> {
        let claimed: Vec<CommandId> = self.running().keys().copied().collect();
        self.renew_claims(&claimed).await
    }

    /// Renews the claims on these commands, and tells those that are this node's no more.
    async fn renew_claims(&self, claimed: &[CommandId]) -> Result<(), StoreError> {
        let (since, lease_s) = (Instant::now(), self.lease_s());
        let renewing = self.store.renew_claims(self.node.id, claimed, lease_s);
        let kept = renewing.await?;
        let mut running = self.running();
        for id in claimed {
            // What has ended meanwhile is not there any more, or nobody listens.
            let Some(claim) = running.get_mut(id) else {
                continue;
            };
            if kept.contains(id) {
                claim.held_until = since + self.lease();
            } else {
                claim.switch.throw(Why::Lost);
            }
        }
        Ok(())
    }

    fn lease_s(&self) -> i64 {
        if self.store.is_shared() {
            LEASE_S
        } else {
            LEASE_ALONE_S
        }
    }

    fn lease(&self) -> Duration {
        Duration::from_secs(self.lease_s().unsigned_abs())
    }

    /// Ends what has waited too long, for ever. Where that is much, what other nodes have left is not ended later.
    async fn keep_ending_late(&self) {
        let mut sweeps = interval(SWEEP);
        sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            sweeps.tick().await;
            match timeout(ANSWERED, self.store.end_late()).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => {
                    tracing::warn!(code = "expired_not_ended", %error, "what has waited too long could not be ended");
                }
                Err(_) => tracing::debug!("what has waited too long is much: going on"),
            }
        }
    }

    /// Ends what other nodes have left, for ever.
    async fn keep_sweeping(&self) {
        let mut sweeps = interval(SWEEP);
        sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut presence = Presence::default();
        loop {
            sweeps.tick().await;
            let swept = timeout(ANSWERED, async {
                let asked = Instant::now();
                let clock = self.store.clock().await?;
                let answered = Instant::now();
                let look = Look {
                    asked,
                    answered,
                    clock,
                };
                if presence.has_lasted(look) {
                    // By what the clock showed then: it may be set in this moment.
                    self.store.end_left_behind(clock).await?;
                }
                Ok::<_, StoreError>(())
            });
            match swept.await {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => {
                    tracing::warn!(code = "others_not_ended", %error, "what other nodes have left could not be ended");
                }
                Err(_) => tracing::warn!(
                    code = "others_not_ended",
                    "what other nodes have left could not be ended in time"
                ),
            }
            presence = Presence::default();
        }
    }

    /// What keeps commands from being run, if anything does.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.queue.trouble().or_else(|| self.claims.trouble())
    }

    fn running(&self) -> MutexGuard<'_, HashMap<CommandId, Claim>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A command that this node has claimed and not ended.
struct Claim {
    switch: StopSwitch,
    /// Since when.
    since: Instant,
    /// Until when at least nobody else ends it.
    held_until: Instant,
    /// Whether its device was reached.
    is_reached: bool,
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

#[cfg(test)]
mod tests {
    use super::super::presence::AWAY;
    use super::*;
    use crate::hub::Hub;
    use crate::store::Engine;

    #[test]
    fn a_dead_nodes_commands_are_ended_within_fifteen_seconds_and_a_lease_outlives_some_failures() {
        let lease = Duration::from_secs(LEASE_S.unsigned_abs());
        assert!(lease + SWEEP + SWEEP / 2 < Duration::from_secs(15));
        // Two that hang, or four that fail.
        assert!(RENEWED * 2 <= lease && RENEW * 4 < lease);
        // A sweep that takes longer than its interval is no absence.
        assert!(SWEEP < AWAY);
    }

    #[tokio::test]
    async fn a_look_that_hangs_holds_no_drain_up() {
        let directory = tempfile::tempdir().unwrap();
        let engine = Engine::Sqlite {
            directory: directory.path().to_owned(),
        };
        let config = CommandsConfig::default();
        let runner = Runner::new(
            Store::open(&engine).await.unwrap(),
            Arc::new(Ingest::new(Arc::new(Hub::new(1)), Arc::default())),
            Arc::new(CommandTypes::new(&config)),
            Arc::default(),
            config,
            Node::of(directory.path()),
        );
        let _looking = runner.looking.lock().await;
        // From here on nobody asks the database: time goes as fast as all wait.
        tokio::time::pause();
        let drained = timeout(
            Duration::from_hours(1),
            runner.drain(Duration::from_secs(10)),
        );
        drained.await.expect("the drain ends");
    }
}
