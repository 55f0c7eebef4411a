//! `channels_redis.core`: groups are sorted sets of channel names, and what is sent to those of one
//! process waits in one sorted set, from which it is taken here.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::future::{MaybeDone, maybe_done};
use redis::aio::MultiplexedConnection;
use redis::{Pipeline, RedisError, cmd, pipe};
use tokio::task::coop::{Unconstrained, unconstrained};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::connection::{PATIENCE, Trouble};
use super::handover::Raw;
use super::link::{BEAT, Link};
use super::marks::Sending;
use super::membership::Seat;
use super::placement::Process;
use crate::event::Timestamp;

/// Messages that are taken at once, at least as many as senders let wait.
const BATCH: usize = 1000;
const LARGEST_BATCH: usize = 10_000;
/// Takings that are asked for ahead. Redis does them one after another, each as a message comes, whether we
/// are awake or not: so many messages may wait beyond the senders' capacity while the system lets others run.
/// Each brings one message and what came with it, rarely more than that.
const AHEAD: usize = 512;
/// Groups that are joined or left with one question.
const GROUPS_AT_ONCE: usize = 500;
/// How long Redis holds back the answer when there is no message, in whole seconds.
const WAIT_S: u64 = 1;
/// Redis throws out what waits for 60 s (`expiry`); from here on that may have happened.
const STALLED: Duration = Duration::from_secs(30);
/// How long our sentinel outlives us, and how long a mark or queue of ours may.
const SENTINEL_S: u64 = 300;
const QUEUE_S: u64 = 60;
/// `group_expiry` of a Django whose settings say nothing: a group's key lives at least so long, since
/// others may be in it.
const GROUP_S: u64 = 86_400;
const RENEW_S: u64 = 300;

/// One connection's life.
pub(super) async fn serve(link: &Link<'_>) -> Result<Infallible, Trouble> {
    let (names, membership) = (&link.shared.names, &link.shared.membership);
    let mut commands = link.host.commands().await?;
    let receives = link.number == names.queue_host();
    let mut queue = None;
    if receives {
        queue = Some(link.host.waiting(AHEAD).await?);
        if link.has_lost() {
            // A connection that Redis does not know to be lost goes on taking messages, but from a queue that
            // nobody sends to any more.
            let earlier = membership.rename();
            let mut delete = cmd("DEL");
            delete.arg(names.queue(&earlier));
            delete.exec_async(&mut commands).await?;
        }
    }
    let (asked, process) = (Timestamp::now(), names.process());
    set_sentinel(link, &mut commands).await?;
    link.connected();
    membership.begin(link.number);
    join_and_leave(link, &mut commands).await?;
    link.joined(asked);
    let tend = tend(link, commands, receives, process.clone());
    match queue {
        None => tend.await,
        Some(queue) => tokio::select! {
            end = tend => end,
            end = drain(link, queue, names.queue(&process)) => end,
        },
    }
}

/// Keeps the memberships: joins, leaves, renews, looks whether they are still there.
async fn tend(
    link: &Link<'_>,
    mut commands: MultiplexedConnection,
    receives: bool,
    mut process: Process,
) -> Result<Infallible, Trouble> {
    let membership = &link.shared.membership;
    let mut work = membership.work();
    let mut marks = Sending::new(&link.shared.marks, link.number);
    let mut beat = interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let renewal = Duration::from_secs(RENEW_S.min(link.shared.settings.group_expiry_s / 4));
    let mut renewed = (Instant::now(), Timestamp::now());
    // Something may have been wanted before we listened.
    work.mark_changed();
    loop {
        tokio::select! {
            _ = work.changed() => {
                let (asked, now) = (Timestamp::now(), link.shared.names.process());
                join_and_leave(link, &mut commands).await?;
                if now != process {
                    // Another host's connection was lost, and with it our queue.
                    link.lose(now.named.min(link.heard()), "connection");
                    link.joined(asked);
                    process = now;
                }
            }
            () = marks.changed(), if receives => {}
            _ = beat.tick() => {
                let slept = passed(link.answered.get()) > STALLED;
                look(link, &mut commands).await?;
                if receives {
                    send_mark(link, &mut commands, marks.last_asked()).await?;
                }
                if slept || renewed.0.elapsed() >= renewal {
                    let now = (Instant::now(), Timestamp::now());
                    renew(link, &mut commands, renewed.1).await?;
                    renewed = now;
                }
            }
        }
        if receives && let Some(number) = marks.due() {
            send_mark(link, &mut commands, number).await?;
        }
    }
}

fn passed(since: Timestamp) -> Duration {
    let microseconds = Timestamp::now().0.saturating_sub(since.0);
    Duration::from_micros(u64::try_from(microseconds).unwrap_or(0))
}

async fn set_sentinel(
    link: &Link<'_>,
    commands: &mut MultiplexedConnection,
) -> Result<(), Trouble> {
    let mut set = cmd("SET");
    set.arg(link.shared.names.sentinel())
        .arg(1)
        .arg("EX")
        .arg(SENTINEL_S);
    Ok(set.query_async(commands).await?)
}

/// Asks whether all we have written is still there, by our sentinel; else joins all again.
async fn look(link: &Link<'_>, commands: &mut MultiplexedConnection) -> Result<(), Trouble> {
    let asked = Timestamp::now();
    let mut expire = cmd("EXPIRE");
    expire.arg(link.shared.names.sentinel()).arg(SENTINEL_S);
    if expire.query_async::<u64>(commands).await? == 1 {
        link.answered.set(asked);
        return Ok(());
    }
    tracing::warn!(
        code = "layer_keys_gone",
        redis = %link.host.place(),
        "the keys of OpenWISP's channel layer were deleted: joining all groups again"
    );
    link.lose(link.heard(), "flushed");
    set_sentinel(link, commands).await?;
    link.shared.membership.begin(link.number);
    join_and_leave(link, commands).await?;
    link.joined(asked);
    Ok(())
}

/// Does what is wanted.
async fn join_and_leave(
    link: &Link<'_>,
    commands: &mut MultiplexedConnection,
) -> Result<(), Trouble> {
    let membership = &link.shared.membership;
    let work = membership.take(link.number);
    for seats in work.leave.chunks(GROUPS_AT_ONCE) {
        leave(link, seats).exec_async(commands).await?;
        membership.left(link.number, seats.len());
    }
    for seats in work.join.chunks(GROUPS_AT_ONCE) {
        take_seats(link, commands, seats).await?;
        membership.joined(seats);
    }
    Ok(())
}

/// Leaves groups, which must be on one host.
fn leave(link: &Link<'_>, seats: &[Seat]) -> Pipeline {
    let names = &link.shared.names;
    let mut leave = pipe();
    for seat in seats {
        leave
            .cmd("ZREM")
            .arg(names.group(&seat.group))
            .arg(seat.process.channel(seat.number));
    }
    leave
}

/// Joins groups, or stays in them. Returns how many we were not in.
async fn take_seats(
    link: &Link<'_>,
    commands: &mut MultiplexedConnection,
    seats: &[Seat],
) -> Result<u64, Trouble> {
    let names = &link.shared.names;
    // A score is the time of the last renewal, in seconds; senders throw out what is older than theirs
    // less `group_expiry`.
    let Timestamp(now) = Timestamp::now();
    let score = format!("{}.{:06}", now / 1_000_000, now % 1_000_000);
    let expiry_s = link.shared.settings.group_expiry_s.max(GROUP_S);
    let mut join = pipe();
    for seat in seats {
        let group = names.group(&seat.group);
        join.cmd("ZADD")
            .arg(&group)
            .arg(&score)
            .arg(seat.process.channel(seat.number));
        join.cmd("EXPIRE").arg(&group).arg(expiry_s).ignore();
    }
    link.shared.membership.trying(seats);
    let added: Vec<u64> = join.query_async(commands).await?;
    Ok(added.iter().sum())
}

/// Renews all memberships. One that was gone means that messages may have been lost since `renewed`.
async fn renew(
    link: &Link<'_>,
    commands: &mut MultiplexedConnection,
    renewed: Timestamp,
) -> Result<(), Trouble> {
    let asked = Timestamp::now();
    let mut gone = 0;
    for seats in link
        .shared
        .membership
        .seats(link.number)
        .chunks(GROUPS_AT_ONCE)
    {
        gone += take_seats(link, commands, seats).await?;
    }
    if gone > 0 {
        tracing::warn!(
            code = "layer_keys_gone",
            redis = %link.host.place(),
            groups = gone,
            "was no longer a member of groups of OpenWISP's channel layer: joined again (were keys deleted, do clocks differ, or does gateway.channel_group_expiry_s not say what Django's settings do?)"
        );
        link.lose(renewed.min(link.heard()), "flushed");
        link.joined(asked);
    }
    Ok(())
}

/// Puts a mark behind all that waits in our queue. It also tells, when it comes, since when all that was
/// sent has been received.
async fn send_mark(
    link: &Link<'_>,
    commands: &mut MultiplexedConnection,
    number: u64,
) -> Result<(), Trouble> {
    let names = &link.shared.names;
    let mark = format!("{}{number}.{}", names.mark(), Timestamp::now().0);
    let queue = names.queue(&names.process());
    let mut add = pipe();
    add.cmd("ZADD").arg(&queue).arg("+inf").arg(mark);
    add.cmd("EXPIRE").arg(&queue).arg(QUEUE_S);
    Ok(add.exec_async(commands).await?)
}

fn batch(link: &Link<'_>) -> usize {
    link.shared.settings.capacity.clamp(BATCH, LARGEST_BATCH)
}

/// Takes what comes into our queue, for as long as the connection lives.
async fn drain(
    link: &Link<'_>,
    connection: MultiplexedConnection,
    queue: String,
) -> Result<Infallible, Trouble> {
    const BOUND: Duration = Duration::from_secs(PATIENCE.as_secs() + WAIT_S);
    let batch = batch(link);
    let limit = link.shared.settings.capacity.min(batch);
    let mut overfull = Overfull::default();
    let mut last = (Instant::now(), Timestamp::now());
    let mut takings = VecDeque::new();
    loop {
        // What is asked for without room would be kept here, beyond what may wait.
        while takings.is_empty() || (takings.len() < AHEAD && link.handover().has_room()) {
            takings.push_back(asked(take(connection.clone(), &queue, batch)).await);
        }
        let Some(mut next) = takings.pop_front() else {
            return Err(Trouble::Closed);
        };
        // Redis begins each taking when the one before it is done.
        let done = timeout(BOUND, next.as_mut()).await;
        done.map_err(|_| Trouble::Silent)?;
        let taken = next.as_mut().take_output().ok_or(Trouble::Closed)??;
        let stalled = last.0.elapsed().max(passed(last.1)) > STALLED;
        last = (Instant::now(), Timestamp::now());
        let (count, full) = (taken.len(), taken.len() >= limit);
        if stalled || full {
            overfull.began(link.heard(), if full { "capacity" } else { "stalled" });
        }
        hand_over(link, taken).await;
        if count < batch
            && let Some((since, cause)) = overfull.told_now()
        {
            link.handover().gap(since, cause);
        }
    }
}

/// Sends a question, so that questions are sent in the order of these calls; the answer is awaited later.
async fn asked<F: Future>(question: F) -> Pin<Box<MaybeDone<Unconstrained<F>>>> {
    // Unconstrained: tokio's budget for a task would send it only when it is looked at again.
    let mut question = Box::pin(maybe_done(unconstrained(question)));
    poll_fn(|context| {
        // What is ready is kept, and what is not will be polled again.
        let _ = question.as_mut().poll(context);
        Poll::Ready(())
    })
    .await;
    question
}

/// Waits a second for a message, and takes it and those that have come with it.
fn take(
    mut connection: MultiplexedConnection,
    queue: &str,
    batch: usize,
) -> impl Future<Output = Result<Vec<Vec<u8>>, RedisError>> + use<> {
    type Waited = Option<(Vec<u8>, Vec<u8>, f64)>;
    let mut take = pipe();
    take.cmd("BZPOPMIN").arg(queue).arg(WAIT_S);
    take.cmd("ZPOPMIN").arg(queue).arg(batch);
    async move {
        let (first, rest): (Waited, Vec<(Vec<u8>, f64)>) =
            take.query_async(&mut connection).await?;
        let first = first.map(|(_, member, _)| member);
        let rest = rest.into_iter().map(|(member, _)| member);
        Ok(first.into_iter().chain(rest).collect())
    }
}

/// Hands over messages, and tells of marks among them.
async fn hand_over(link: &Link<'_>, taken: impl IntoIterator<Item = Vec<u8>>) {
    let mark = link.shared.names.mark();
    let mut messages = Vec::new();
    let mut marks = Vec::new();
    for bytes in taken {
        match bytes.strip_prefix(mark.as_bytes()) {
            None => messages.push(Raw { group: None, bytes }),
            Some(mark) => marks.extend(read_mark(mark)),
        }
    }
    if !messages.is_empty() {
        link.handover().hand(messages).await;
    }
    // A mark is the last of what it was taken with.
    for (number, sent) in marks {
        let emptied = link.emptied.get().map_or(sent, |it| it.max(sent));
        link.emptied.set(Some(emptied));
        link.handover().mark(link.number, number);
    }
}

/// The number of a mark, and when it was sent.
fn read_mark(mark: &[u8]) -> Option<(u64, Timestamp)> {
    let (number, sent) = std::str::from_utf8(mark).ok()?.split_once('.')?;
    Some((number.parse().ok()?, Timestamp(sent.parse().ok()?)))
}

/// Our queue was full, or not looked at for long: messages were perhaps thrown away. It is told of when
/// all that was sent before has been handed over, and at most once a second.
#[derive(Default)]
struct Overfull {
    began: Option<(Timestamp, &'static str)>,
    told: Option<Instant>,
}

impl Overfull {
    fn began(&mut self, since: Timestamp, cause: &'static str) {
        self.began.get_or_insert((since, cause));
    }

    fn told_now(&mut self) -> Option<(Timestamp, &'static str)> {
        if self.told.is_some_and(|at| at.elapsed() < BEAT) {
            return None;
        }
        let told = self.began.take();
        if told.is_some() {
            self.told = Some(Instant::now());
        }
        told
    }
}

/// Leaves all `seats`, which must be on the host of `link`, and removes what we have there.
pub(super) async fn leave_all(link: &Link<'_>, seats: &[Seat]) -> Result<(), Trouble> {
    let names = &link.shared.names;
    let mut commands = link.host.commands().await?;
    for seats in seats.chunks(GROUPS_AT_ONCE) {
        leave(link, seats).exec_async(&mut commands).await?;
    }
    let mut delete = cmd("DEL");
    delete
        .arg(names.sentinel())
        .arg(names.queue(&names.process()));
    Ok(delete.exec_async(&mut commands).await?)
}
