//! Which groups we are a member of: those of what somebody here listens to.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::{Feed, Group, lock};
use crate::access::Resource;
use crate::event::{LocationId, OrganizationId, Timestamp, Topic};
use crate::openwisp::tables::TablesError;

/// Between two looks at what the tables say of the locations that are listened to.
const LOOK: Duration = Duration::from_secs(2);

/// A group that a handshake asked for is kept for so long without a socket: longer than a handshake takes.
const ATTENDED: Duration = Duration::from_secs(12);

/// After a location went to another organization, whoever may not see it there is gone by then: what
/// its new organization was told meanwhile is told after that.
const SETTLED: Duration = Duration::from_secs(5);

/// Sockets that come and go together change the memberships once.
const TOGETHER: Duration = Duration::from_millis(10);

/// What is known of what is listened to.
pub(super) struct Membership {
    /// Topics that a socket is about to join, and when that was said.
    attended: HashMap<Topic, Instant>,
    /// The organization of each location that is listened to: its group tells of it.
    owners: HashMap<LocationId, OrganizationId>,
    /// Before 1.3: the locations of the fleets that are listened to, each of which has a group, and since
    /// when at least it is in the tables.
    fleet: HashMap<LocationId, Instant>,
    /// The fleets that were listened to at the last look.
    looked: HashSet<Topic>,
    /// When the last look began: nothing that moved elsewhere before was missed.
    known: Timestamp,
    /// Locations were found in another organization: since when messages may be missing, and when that was.
    moved: Vec<(Timestamp, Instant)>,
    /// A gap that is noted once the groups of all that is listened to are joined: a repair before would
    /// miss what is sent meanwhile.
    owed: Option<(Timestamp, &'static str)>,
}

impl Membership {
    pub(super) fn new() -> Self {
        Self {
            attended: HashMap::new(),
            owners: HashMap::new(),
            fleet: HashMap::new(),
            looked: HashSet::new(),
            known: Timestamp::now(),
            moved: Vec::new(),
            owed: None,
        }
    }

    fn attend(&mut self, topics: &[Topic]) {
        let now = Instant::now();
        self.attended
            .extend(topics.iter().map(|topic| (*topic, now)));
    }

    fn owe(&mut self, since: Timestamp, cause: &'static str) {
        let (earlier, cause) = self.owed.unwrap_or((since, cause));
        self.owed = Some((since.min(earlier), cause));
    }

    /// Whoever reads the owners, a location that is elsewhere than it was may have been told of there since
    /// the last look.
    fn learn_owners(&mut self, found: HashMap<Resource, OrganizationId>) {
        let mut has_moved = false;
        for (resource, owner) in found {
            if let Resource::Location(id) = resource {
                let before = self.owners.insert(id, owner);
                has_moved |= before.is_some_and(|before| before != owner);
            }
        }
        if has_moved {
            self.moved.push((self.known, Instant::now()));
        }
    }

    /// Locations that were in the tables at an instant. One that is new in a fleet that was listened to
    /// before may have been told of since the last look.
    fn learn_fleet(&mut self, found: Vec<(LocationId, Option<OrganizationId>)>, at: Instant) {
        let mut is_new = false;
        for (id, owner) in found {
            match self.fleet.entry(id) {
                Entry::Vacant(vacant) => {
                    let topics = owner.map(Topic::OrgLocations);
                    let mut topics = topics.into_iter().chain([Topic::AllLocations]);
                    is_new |= topics.any(|topic| self.looked.contains(&topic));
                    vacant.insert(at);
                }
                Entry::Occupied(mut there) => *there.get_mut() = at.max(*there.get()),
            }
        }
        if is_new {
            self.owe(self.known, "location");
        }
    }

    /// Forgets what is not there any more, after a look at `topics` that began at these instants.
    fn looked_at(&mut self, topics: &[Topic], wanted: &[Topic], began: (Timestamp, Instant)) {
        let watched: HashSet<_> = wanted.iter().filter_map(location_of).collect();
        self.owners.retain(|id, _| watched.contains(id));
        self.fleet.retain(|_, at| *at >= began.1);
        let is_fleet = |it: &&Topic| matches!(it, Topic::OrgLocations(_) | Topic::AllLocations);
        self.looked = topics.iter().filter(is_fleet).copied().collect();
        self.known = began.0;
    }
}

impl Feed {
    /// Returns once we are a member of all groups that tell about `topics`. While the channel layer or the
    /// database is away that is later: what is told until then is read from the tables.
    pub(super) async fn join_groups_of(&self, topics: &[Topic]) {
        let began = Timestamp::now();
        // First, so that no look forgets what is learned now.
        lock(&self.membership).attend(topics);
        let mut is_late = false;
        if let Err(error) = self.learn(topics).await {
            tracing::warn!(code = "tables_unread", %error, "what groups tell about these topics is not known now");
            is_late = true;
        }
        let groups: Vec<String> = {
            let mut membership = lock(&self.membership);
            membership.attend(topics);
            let groups = self.groups(topics, &membership);
            let groups: Vec<_> = groups.iter().map(ToString::to_string).collect();
            // Only these, whatever others are wanted already: a handshake is no time to go through all.
            self.layer.want_too(&groups);
            groups
        };
        if let Err(error) = self.layer.joined(&groups).await {
            tracing::debug!(%error, "a socket opens while the channel layer is away");
            is_late = true;
        }
        if is_late {
            lock(&self.membership).owe(began, "late");
        }
    }

    /// Follows what is listened to, and what the tables say of it, for as long as the program runs.
    pub(super) async fn follow_topics(&self) {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.hub.topics_changed() => {
                    sleep(TOGETHER).await;
                    self.want();
                }
                _ = looks.tick() => {
                    self.look().await;
                    self.looks.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }

    /// Asks the tables again, joins what they say, and notes the gaps that there were.
    async fn look(&self) {
        let began = (Timestamp::now(), Instant::now());
        let (topics, owed) = {
            let mut membership = lock(&self.membership);
            membership
                .attended
                .retain(|_, since| since.elapsed() < ATTENDED);
            let is_settled = |(_, at): &mut (_, Instant)| at.elapsed() >= SETTLED;
            let settled: Vec<_> = membership.moved.extract_if(.., is_settled).collect();
            for (since, _) in settled {
                membership.owe(since, "organization");
            }
            // What a handshake owes from now on is for the next look: this one does not know its topics.
            (self.topics(&membership), membership.owed.take())
        };
        let learned = self.learn(&topics).await;
        if learned.is_ok() {
            let mut membership = lock(&self.membership);
            let wanted = self.topics(&membership);
            membership.looked_at(&topics, &wanted, began);
        }
        let groups = self.want();
        if let Err(error) = &learned {
            tracing::warn!(code = "tables_unread", %error, "OpenWISP's database cannot be read and is tried again");
            let mut membership = lock(&self.membership);
            let known = membership.known;
            membership.owe(known, "database");
        }
        let Some((since, cause)) = owed else {
            return;
        };
        if learned.is_ok() && self.layer.are_joined(&groups) {
            // What was sent before the groups were joined, perhaps to some of them alone, counts as before
            // the gap.
            self.settled().await;
            self.note_gap(since, cause);
        } else {
            lock(&self.membership).owe(since, cause);
        }
    }

    /// What is listened to, or about to be.
    fn topics(&self, membership: &Membership) -> Vec<Topic> {
        let mut topics: HashSet<Topic> = self.hub.topics().into_iter().collect();
        topics.extend(membership.attended.keys());
        topics.into_iter().collect()
    }

    /// Reads what has to be known to tell the groups of `topics`.
    async fn learn(&self, topics: &[Topic]) -> Result<(), TablesError> {
        if self.release.get().is_none() {
            let release = self.tables.release().await?;
            tracing::info!("found {release}");
            // Who comes second has found the same.
            self.release.set(release).ok();
        }
        if self.tells_organizations() {
            let locations: Vec<_> = topics
                .iter()
                .filter_map(location_of)
                .map(Resource::Location)
                .collect();
            if locations.is_empty() {
                return Ok(());
            }
            let owners = self.tables.owners(&locations).await?;
            lock(&self.membership).learn_owners(owners);
            return Ok(());
        }
        let has_all = topics.contains(&Topic::AllLocations);
        let organizations: BTreeSet<_> = topics.iter().filter_map(organization_of).collect();
        if !has_all && organizations.is_empty() {
            return Ok(());
        }
        let at = Instant::now();
        let of = (!has_all).then_some(&organizations);
        let fleet = self.tables.locations_of(of).await?;
        lock(&self.membership).learn_fleet(fleet, at);
        Ok(())
    }

    /// Becomes a member of the groups of what is listened to, and of no others; which they are.
    fn want(&self) -> HashSet<String> {
        // Held to the end, so that no group is left that a handshake asks for meanwhile.
        let membership = lock(&self.membership);
        let topics = self.topics(&membership);
        let groups = self.groups(&topics, &membership);
        let groups = groups.iter().map(ToString::to_string).collect();
        self.layer.want(&groups);
        groups
    }

    fn groups(&self, topics: &[Topic], membership: &Membership) -> HashSet<Group> {
        let tells_organizations = self.tells_organizations();
        let mut groups = HashSet::new();
        for topic in topics {
            match *topic {
                Topic::DeviceCommands(id) => {
                    groups.insert(Group::Device(id));
                }
                Topic::Location(id) if tells_organizations => {
                    groups.extend(membership.owners.get(&id).copied().map(Group::Organization));
                }
                Topic::Location(id) => {
                    groups.insert(Group::Location(id));
                }
                Topic::OrgLocations(id) if tells_organizations => {
                    groups.insert(Group::Organization(id));
                }
                Topic::AllLocations if tells_organizations => {
                    groups.insert(Group::Common);
                }
                Topic::OrgLocations(_) | Topic::AllLocations => {
                    groups.extend(membership.fleet.keys().copied().map(Group::Location));
                }
            }
        }
        groups
    }
}

fn location_of(topic: &Topic) -> Option<LocationId> {
    match topic {
        Topic::Location(id) => Some(*id),
        _ => None,
    }
}

fn organization_of(topic: &Topic) -> Option<OrganizationId> {
    match topic {
        Topic::OrgLocations(id) => Some(*id),
        _ => None,
    }
}

#[cfg(test)]
#[path = "membership_tests.rs"]
mod tests;
