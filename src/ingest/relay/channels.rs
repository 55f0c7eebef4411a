//! Which channels are listened to: those of the organizations that somebody here watches something of, or
//! all of them while somebody watches all fleets.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};
use tokio::time::{Duration, Instant};

use crate::event::{OrganizationId, Topic};

/// A topic that a handshake asked for is kept for so long without a socket: longer than one takes.
const ATTENDED: Duration = Duration::from_secs(12);

/// The names of channels.
#[derive(Debug)]
pub(super) struct Names {
    /// Everything before the organization.
    before: String,
}

impl Names {
    pub fn new(prefix: &str) -> Self {
        Self {
            before: format!("{prefix}:"),
        }
    }

    /// The channel of an organization.
    pub fn channel(&self, organization: OrganizationId) -> String {
        format!("{}{organization}", self.before)
    }

    /// The pattern of all of them. (What a prefix may consist of is no pattern.)
    pub fn all(&self) -> String {
        format!("{}*", self.before)
    }

    /// Whose channel it is, if it is one of ours.
    pub fn organization(&self, channel: &str) -> Option<OrganizationId> {
        channel.strip_prefix(&self.before)?.parse().ok()
    }
}

/// What is listened to, and what should be.
#[derive(Default)]
pub(super) struct Channels {
    state: Mutex<State>,
    /// Asks for a look at what should be.
    pub work: Notify,
    /// Counts the looks that are done, and the connections that are lost.
    pub looked: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    is_up: bool,
    /// Topics that a socket is about to join, and when that was said.
    attended: HashMap<Topic, Instant>,
    /// Whose it is what single topics are about; none of what is gone.
    owners: HashMap<Topic, Option<OrganizationId>>,
    subscribed: Subscribed,
}

/// Channels.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Subscribed {
    /// All there are, by a pattern.
    pub all: bool,
    /// Or these.
    pub organizations: HashSet<OrganizationId>,
}

/// What is to be done.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Changes {
    pub join: Subscribed,
    pub leave: Subscribed,
}

impl Channels {
    /// Notes that a socket is about to join `topics`. True when nothing is to be waited for: they are listened
    /// to, or nothing can be at present.
    pub fn attend(&self, topics: &[Topic]) -> bool {
        let mut state = self.state();
        let now = Instant::now();
        state
            .attended
            .extend(topics.iter().map(|topic| (*topic, now)));
        !state.is_up || topics.iter().all(|topic| state.covers(topic))
    }

    /// What should be listened to: `topics`, which are, and those that were asked for of late.
    pub fn wanted(&self, topics: Vec<Topic>) -> HashSet<Topic> {
        let mut state = self.state();
        state.attended.retain(|_, at| at.elapsed() < ATTENDED);
        let attended = state.attended.keys().copied();
        topics.into_iter().chain(attended).collect()
    }

    /// Those of `wanted` of which it is not known whose they are.
    pub fn unknown(&self, wanted: &HashSet<Topic>) -> Vec<Topic> {
        let state = self.state();
        let is_unknown = |topic: &&Topic| is_single(topic) && !state.owners.contains_key(topic);
        wanted.iter().filter(is_unknown).copied().collect()
    }

    /// Notes whose `asked` are.
    pub fn learn(&self, asked: &[Topic], owners: &HashMap<Topic, OrganizationId>) {
        let found = asked
            .iter()
            .map(|topic| (*topic, owners.get(topic).copied()));
        self.state().owners.extend(found);
    }

    /// The owners are asked for anew: something may belong to another organization by now.
    pub fn forget_owners(&self) {
        self.state().owners.clear();
    }

    /// The owner of one is asked for anew.
    pub fn forget_owner(&self, topic: Topic) {
        self.state().owners.remove(&topic);
    }

    /// What is to be joined and left so that `wanted` is listened to.
    pub fn changes(&self, wanted: &HashSet<Topic>) -> Changes {
        let mut state = self.state();
        state.owners.retain(|topic, _| wanted.contains(topic));
        let should = state.should(wanted);
        let (is, mut changes) = (&state.subscribed, Changes::default());
        changes.join.all = should.all && !is.all;
        changes.leave.all = is.all && !should.all;
        let missing = should.organizations.difference(&is.organizations);
        changes.join.organizations = missing.copied().collect();
        let spare = is.organizations.difference(&should.organizations);
        changes.leave.organizations = spare.copied().collect();
        changes
    }

    /// The changes are made: a look is done. Answers how many channels are listened to.
    pub fn made(&self, changes: &Changes) -> usize {
        let mut state = self.state();
        let is = &mut state.subscribed;
        is.all = (is.all || changes.join.all) && !changes.leave.all;
        is.organizations.extend(&changes.join.organizations);
        for left in &changes.leave.organizations {
            is.organizations.remove(left);
        }
        let count = is.organizations.len() + usize::from(is.all);
        drop(state);
        self.looked.send_modify(|looks| *looks += 1);
        count
    }

    /// What is subscribed is heard from now on.
    pub fn set_listening(&self) {
        self.state().is_up = true;
        self.looked.send_modify(|looks| *looks += 1);
    }

    /// Nothing is heard any more, and nothing subscribed.
    pub fn set_away(&self) {
        let mut state = self.state();
        state.is_up = false;
        state.subscribed = Subscribed::default();
        drop(state);
        self.looked.send_modify(|looks| *looks += 1);
    }

    /// Whether anything can be heard.
    pub fn is_up(&self) -> bool {
        self.state().is_up
    }

    /// Whether what `topic` is about is known to belong to another organization than this one.
    pub fn is_elsewhere(&self, topic: Topic, organization: OrganizationId) -> bool {
        let state = self.state();
        let owner = state.owners.get(&topic).copied().flatten();
        owner.is_some_and(|owner| owner != organization)
    }

    // Held for a few operations in memory, never across an await.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn owner(&self, topic: &Topic) -> Option<OrganizationId> {
        match topic {
            Topic::OrgLocations(id) => Some(*id),
            Topic::AllLocations => None,
            single => self.owners.get(single).copied().flatten(),
        }
    }

    fn covers(&self, topic: &Topic) -> bool {
        let is = &self.subscribed;
        if is.all {
            return true;
        }
        match self.owner(topic) {
            Some(owner) => is.organizations.contains(&owner),
            // Of what is gone nothing will be told.
            None => is_single(topic) && self.owners.contains_key(topic),
        }
    }

    fn should(&self, wanted: &HashSet<Topic>) -> Subscribed {
        if wanted.contains(&Topic::AllLocations) {
            return Subscribed {
                all: true,
                organizations: HashSet::new(),
            };
        }
        Subscribed {
            all: false,
            organizations: wanted.iter().filter_map(|it| self.owner(it)).collect(),
        }
    }
}

/// Whether a topic is about one thing, which belongs to an organization.
fn is_single(topic: &Topic) -> bool {
    matches!(topic, Topic::DeviceCommands(_) | Topic::Location(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{DeviceId, LocationId};

    fn organizations<const N: usize>() -> [OrganizationId; N] {
        [(); N].map(|()| OrganizationId::random())
    }

    fn only(ids: &[OrganizationId]) -> Subscribed {
        Subscribed {
            all: false,
            organizations: ids.iter().copied().collect(),
        }
    }

    /// Looks at what is wanted as the relay does.
    fn look(channels: &Channels, topics: &[Topic], owners: &[(Topic, OrganizationId)]) -> Changes {
        let wanted = channels.wanted(topics.to_vec());
        let unknown = channels.unknown(&wanted);
        channels.learn(&unknown, &owners.iter().copied().collect());
        let changes = channels.changes(&wanted);
        channels.made(&changes);
        changes
    }

    #[test]
    fn the_channels_of_what_is_watched_are_joined_and_then_left() {
        let channels = Channels::default();
        channels.set_listening();
        let [a, b, c] = organizations();
        let bus = Topic::Location(LocationId::random());
        let router = Topic::DeviceCommands(DeviceId::random());
        let topics = [Topic::OrgLocations(a), bus, router];
        let changes = look(&channels, &topics, &[(bus, b), (router, c)]);
        assert_eq!((changes.join, changes.leave), (only(&[a, b, c]), only(&[])));
        let changes = look(&channels, &topics[..2], &[]);
        assert_eq!((changes.join, changes.leave), (only(&[]), only(&[c])));
    }

    #[test]
    fn whoever_watches_all_fleets_needs_no_channel_besides() {
        let channels = Channels::default();
        channels.set_listening();
        let [a, b] = organizations();
        let own = Topic::OrgLocations(a);
        look(&channels, &[own], &[]);
        let changes = look(&channels, &[own, Topic::AllLocations], &[]);
        assert!(changes.join.all && changes.leave == only(&[a]));
        assert!(channels.attend(&[Topic::OrgLocations(b)]));
        // The handshake that asked for it is remembered for a while.
        let changes = look(&channels, &[own], &[]);
        assert!(changes.leave.all && changes.join == only(&[a, b]));
    }

    #[test]
    fn a_handshake_waits_for_what_is_not_listened_to_while_it_can_be() {
        let channels = Channels::default();
        let [a, b] = organizations();
        let bus = Topic::Location(LocationId::random());
        let gone = Topic::Location(LocationId::random());
        assert!(channels.attend(&[bus]), "nothing to be waited for");
        channels.set_listening();
        for topic in [bus, gone, Topic::OrgLocations(a), Topic::AllLocations] {
            assert!(!channels.attend(&[topic]), "{topic:?}");
        }
        look(&channels, &[], &[(bus, b)]);
        for topic in [bus, gone, Topic::OrgLocations(a), Topic::AllLocations] {
            assert!(channels.attend(&[topic]), "{topic:?}");
        }
        channels.set_away();
        channels.set_listening();
        assert!(!channels.attend(&[bus]));
    }

    #[test]
    fn what_belongs_to_another_organization_is_known_as_such() {
        let channels = Channels::default();
        let [a, b] = organizations();
        let bus = Topic::Location(LocationId::random());
        assert!(!channels.is_elsewhere(bus, b));
        look(&channels, &[bus], &[(bus, a)]);
        assert!(channels.is_elsewhere(bus, b) && !channels.is_elsewhere(bus, a));
        channels.forget_owners();
        look(&channels, &[bus], &[(bus, b)]);
        assert!(channels.is_elsewhere(bus, a));
    }

    #[test]
    fn a_channel_names_its_organization() {
        let names = Names::new("fleet:7");
        let [a] = organizations();
        assert_eq!(names.organization(&names.channel(a)), Some(a));
        for other in [
            "fleet:7",
            "fleet:7:",
            "fleet:7:x",
            "other:7:",
            "fleet:7:a:b",
        ] {
            assert_eq!(names.organization(other), None, "{other}");
        }
    }
}
