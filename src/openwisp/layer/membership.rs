//! Of which groups we are to be a member, and of which we are.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::placement::{Names, Process};
use crate::telemetry::Metrics;

/// A membership of one group, from when it was wanted until it was not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seat {
    pub(super) group: Arc<str>,
    /// Of no other seat, so that what was sent to one that was left is told from what is for a new one.
    pub(super) number: u64,
    /// Who sits there.
    pub(super) process: Process,
}

/// What a host's connection has to do. Leave first, then join.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) leave: Vec<Seat>,
    pub(super) join: Vec<Seat>,
}

/// All memberships. The consumer says which are wanted, each host's connection says which are there.
pub(super) struct Membership {
    names: Arc<Names>,
    metrics: Arc<Metrics>,
    // A std lock around maps, never held across an await.
    state: Mutex<State>,
    /// Changes when a connection has something to do.
    work: watch::Sender<()>,
    /// Changes when groups were joined.
    joined: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    members: HashMap<Arc<str>, Member>,
    groups: HashMap<u64, Arc<str>>,
    last_number: u64,
    hosts: Vec<Host>,
}

struct Member {
    seat: Seat,
    host: usize,
    /// Whether the seat is perhaps taken.
    tried: bool,
    joined: bool,
}

#[derive(Default)]
struct Host {
    work: Work,
    up: bool,
}

impl Membership {
    pub(super) fn new(names: Arc<Names>, metrics: Arc<Metrics>) -> Self {
        let hosts = (0..names.hosts()).map(|_| Host::default()).collect();
        Self {
            names,
            metrics,
            state: Mutex::new(State {
                hosts,
                ..State::default()
            }),
            work: watch::Sender::new(()),
            joined: watch::Sender::new(()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has `groups` joined and all others left.
    pub(super) fn want(&self, groups: &HashSet<String>) {
        let mut state = self.state();
        let kept = groups.iter().filter(|group| state.has(group)).count();
        let is_left = kept < state.members.len();
        if is_left {
            state.forget_all_but(groups);
        }
        let is_new = self.add(&mut state, groups);
        drop(state);
        if is_left {
            self.count();
        }
        if is_left || is_new {
            self.work.send_replace(());
        }
    }

    /// Has `groups` joined as well.
    pub(super) fn want_too(&self, groups: &[String]) {
        let is_new = self.add(&mut self.state(), groups);
        if is_new {
            self.work.send_replace(());
        }
    }

    /// Adds a seat for each of `groups` that has none; whether there was one.
    fn add<'a>(&self, state: &mut State, groups: impl IntoIterator<Item = &'a String>) -> bool {
        let mut is_new = false;
        for group in groups {
            if !state.has(group) {
                let host = self.names.group_host(group);
                state.add(Arc::from(group.as_str()), host, self.names.process());
                is_new = true;
            }
        }
        is_new
    }

    /// Whether all of `groups` are joined.
    pub(super) fn are_joined<'a>(&self, groups: impl IntoIterator<Item = &'a String>) -> bool {
        let state = self.state();
        let joined = |group: &String| {
            state
                .members
                .get(group.as_str())
                .is_some_and(|it| it.joined)
        };
        groups.into_iter().all(joined)
    }

    /// The group of a seat that was not left.
    pub(super) fn group(&self, number: u64) -> Option<Arc<str>> {
        self.state().groups.get(&number).cloned()
    }

    /// `group`, if it was not left.
    pub(super) fn member(&self, group: &str) -> Option<Arc<str>> {
        let state = self.state();
        state
            .members
            .get_key_value(group)
            .map(|(group, _)| Arc::clone(group))
    }

    /// A connection to `host` begins, or has found that all is gone: nothing is joined there.
    pub(super) fn begin(&self, host: usize) {
        let mut state = self.state();
        let mut join = Vec::new();
        for member in state.members.values_mut() {
            if member.host == host {
                member.joined = false;
                join.push(member.seat.clone());
            }
        }
        state.hosts[host].work.join = join;
        drop(state);
        self.count();
    }

    /// Makes another process of us: all seats of the one we were are left, on every host, and as many taken by the
    /// new one. Returns the one we were.
    pub(super) fn rename(&self) -> Process {
        let mut state = self.state();
        let earlier = self.names.rename();
        let process = self.names.process();
        let State { members, hosts, .. } = &mut *state;
        for host in &mut *hosts {
            host.work.join.clear();
        }
        for member in members.values_mut() {
            let work = &mut hosts[member.host].work;
            if std::mem::take(&mut member.tried) {
                work.leave.push(member.seat.clone());
            }
            member.joined = false;
            member.seat.process = process.clone();
            work.join.push(member.seat.clone());
        }
        drop(state);
        self.count();
        self.work.send_replace(());
        earlier
    }

    /// `seats` are being taken: from now on they are to be left, even if no answer comes.
    pub(super) fn trying(&self, seats: &[Seat]) {
        let mut state = self.state();
        for seat in seats {
            if let Some(member) = state.member(seat) {
                member.tried = true;
            }
        }
    }

    /// What is to be done on `host`. Seats to be left are named until [they are](Self::left), over
    /// connections that break.
    pub(super) fn take(&self, host: usize) -> Work {
        let mut state = self.state();
        let work = &mut state.hosts[host].work;
        let leave = work.leave.clone();
        let mut join = std::mem::take(&mut work.join);
        // Some were wanted only for a moment.
        join.retain(|seat| state.groups.contains_key(&seat.number));
        Work { leave, join }
    }

    /// The first `count` seats that were named to be left on `host` are left.
    pub(super) fn left(&self, host: usize, count: usize) {
        self.state().hosts[host].work.leave.drain(..count);
    }

    /// `seats` have been taken.
    pub(super) fn joined(&self, seats: &[Seat]) {
        let mut state = self.state();
        for seat in seats {
            if let Some(member) = state.member(seat) {
                member.joined = true;
            }
        }
        drop(state);
        self.count();
        self.joined.send_replace(());
    }

    /// The seats that are taken on `host`.
    pub(super) fn seats(&self, host: usize) -> Vec<Seat> {
        let state = self.state();
        let here = |it: &&Member| it.joined && it.host == host;
        state
            .members
            .values()
            .filter(here)
            .map(|member| member.seat.clone())
            .collect()
    }

    /// Every seat on `host` that is or may be taken; none is wanted any more.
    pub(super) fn take_all(&self, host: usize) -> Vec<Seat> {
        self.want(&HashSet::new());
        self.take(host).leave
    }

    /// Whether `host` serves us.
    pub(super) fn set_up(&self, host: usize, up: bool) {
        self.state().hosts[host].up = up;
        self.count();
    }

    fn count(&self) {
        let state = self.state();
        let joined = state
            .members
            .values()
            .filter(|member| member.joined)
            .count();
        let up = state.hosts.iter().all(|host| host.up);
        self.metrics
            .layer_groups
            .set(i64::try_from(joined).unwrap_or(i64::MAX));
        self.metrics.layer_up.set(i64::from(up));
    }

    /// Tells of work to do.
    pub(super) fn work(&self) -> watch::Receiver<()> {
        self.work.subscribe()
    }

    /// Tells of groups that were joined.
    pub(super) fn joins(&self) -> watch::Receiver<()> {
        self.joined.subscribe()
    }
}

impl State {
    fn has(&self, group: &str) -> bool {
        self.members.contains_key(group)
    }

    /// Who has this very seat.
    fn member(&mut self, seat: &Seat) -> Option<&mut Member> {
        let member = self.members.get_mut(&seat.group)?;
        (member.seat == *seat).then_some(member)
    }

    fn add(&mut self, group: Arc<str>, host: usize, process: Process) {
        self.last_number += 1;
        let seat = Seat {
            group: Arc::clone(&group),
            number: self.last_number,
            process,
        };
        self.groups.insert(self.last_number, Arc::clone(&group));
        self.hosts[host].work.join.push(seat.clone());
        let member = Member {
            seat,
            host,
            tried: false,
            joined: false,
        };
        self.members.insert(group, member);
    }

    fn forget_all_but(&mut self, groups: &HashSet<String>) {
        let Self {
            members,
            groups: numbers,
            hosts,
            ..
        } = self;
        members.retain(|group, member| {
            let stays = groups.contains(&**group);
            if !stays {
                numbers.remove(&member.seat.number);
                if member.tried {
                    hosts[member.host].work.leave.push(member.seat.clone());
                }
            }
            stays
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openwisp::settings::LayerKind;

    fn membership() -> Membership {
        let names = Names::new(LayerKind::Core, "asgi", 1);
        Membership::new(Arc::new(names), Arc::default())
    }

    fn want(membership: &Membership, groups: &[&str]) {
        membership.want(&groups.iter().map(|&group| group.to_owned()).collect());
    }

    fn are_joined(membership: &Membership, groups: &[&str]) -> bool {
        let groups: Vec<_> = groups.iter().map(|&group| group.to_owned()).collect();
        membership.are_joined(&groups)
    }

    /// Does what is to be done.
    fn work(membership: &Membership) -> Work {
        let work = membership.take(0);
        membership.left(0, work.leave.len());
        membership.trying(&work.join);
        membership.joined(&work.join);
        work
    }

    #[test]
    fn what_is_wanted_again_has_a_seat_of_its_own() {
        let membership = membership();
        want(&membership, &["a", "b"]);
        assert!(!are_joined(&membership, &["a"]));
        let work = work(&membership);
        assert_eq!(work.join.len(), 2);
        assert!(are_joined(&membership, &["a", "b"]));
        want(&membership, &["b"]);
        assert!(!are_joined(&membership, &["a"]));
        want(&membership, &["a", "b"]);
        assert!(!are_joined(&membership, &["a"]));
        let again = membership.take(0);
        membership.left(0, again.leave.len());
        assert!(membership.take(0).leave.is_empty());
        let old = work.join.iter().find(|seat| &*seat.group == "a").unwrap();
        assert_eq!(again.leave, std::slice::from_ref(old));
        assert_eq!(membership.group(old.number), None);
        assert_eq!(again.join.len(), 1);
        assert_ne!(again.join[0].number, old.number);
        // An answer that comes late is about the seat that was left.
        membership.joined(std::slice::from_ref(old));
        assert!(!are_joined(&membership, &["a"]));
    }

    #[test]
    fn a_new_connection_joins_all_and_still_leaves_what_was_to_be_left() {
        let membership = membership();
        want(&membership, &["a", "b"]);
        work(&membership);
        want(&membership, &["b"]);
        // The connection breaks on it.
        assert_eq!(membership.take(0).leave.len(), 1);
        membership.begin(0);
        assert!(!are_joined(&membership, &["b"]));
        let work = membership.take(0);
        assert_eq!(work.leave.len(), 1);
        assert_eq!(&*work.join[0].group, "b");
    }

    #[test]
    fn another_process_takes_the_seats_that_the_one_before_leaves() {
        let membership = membership();
        want(&membership, &["a"]);
        let first = work(&membership);
        want(&membership, &["a", "b"]);
        let earlier = membership.rename();
        assert!(!are_joined(&membership, &["a"]));
        let second = work(&membership);
        // "b" was never joined by the first.
        assert_eq!(second.leave, first.join);
        assert_eq!(second.join.len(), 2);
        assert!(second.join.iter().all(|seat| seat.process != earlier));
        assert!(are_joined(&membership, &["a", "b"]));
        // An answer that comes late is about the one before.
        membership.begin(0);
        membership.joined(&first.join);
        assert!(!are_joined(&membership, &["a"]));
    }

    #[test]
    fn what_is_wanted_too_leaves_the_others_where_they_are() {
        let membership = membership();
        want(&membership, &["a"]);
        work(&membership);
        membership.want_too(&["a".to_owned(), "b".to_owned()]);
        let work = work(&membership);
        assert!(work.leave.is_empty());
        assert_eq!(work.join.len(), 1);
        assert!(are_joined(&membership, &["a", "b"]));
    }

    #[test]
    fn the_same_wish_again_is_no_work() {
        let membership = membership();
        want(&membership, &["a"]);
        let mut work = membership.work();
        want(&membership, &["a"]);
        assert!(!work.has_changed().unwrap());
        want(&membership, &[]);
        assert!(work.has_changed().unwrap());
        work.mark_unchanged();
        assert!(membership.take(0).join.is_empty());
    }
}
