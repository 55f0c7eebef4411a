//! Which groups we are a member of: those of what somebody here listens to.

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
#[derive(Default)]
pub(super) struct Membership {
    /// Topics that a socket is about to join, and when that was said.
    attended: HashMap<Topic, Instant>,
    /// The organization of each location that is listened to: its group tells of it.
    owners: HashMap<LocationId, OrganizationId>,
    /// Before 1.3: the locations of the fleets that are listened to, each of which has a group.
    fleet: HashSet<LocationId>,
}

impl Feed {
    /// Returns once we are a member of all groups that tell about `topics`. While the channel layer is
    /// away that is later: what is told until then is read from the tables.
    pub(super) async fn join_groups_of(&self, topics: &[Topic]) {
        if let Err(error) = self.learn(topics).await {
            tracing::warn!(%error, "what groups tell about these topics is not known now");
        }
        let now = Instant::now();
        let groups: Vec<String> = {
            let mut membership = lock(&self.membership);
            let attended = topics.iter().map(|topic| (*topic, now));
            membership.attended.extend(attended);
            let groups = self.groups(topics, &membership);
            let groups: Vec<_> = groups.iter().map(ToString::to_string).collect();
            // Only these, whatever others are wanted already: a handshake is no time to go through all.
            self.layer.want_too(&groups);
            groups
        };
        if let Err(error) = self.layer.joined(&groups).await {
            tracing::debug!(%error, "a socket opens while the channel layer is away");
        }
    }

    /// Follows what is listened to, and what the tables say of it, for as long as the program runs.
    pub(super) async fn follow_topics(&self) {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The last instant from which on nothing that moved elsewhere was missed.
        let mut known = Timestamp::now();
        let mut is_away = false;
        let mut moved: Option<(Timestamp, Instant)> = None;
        loop {
            tokio::select! {
                () = self.hub.topics_changed() => {
                    sleep(TOGETHER).await;
                    self.want();
                    continue;
                }
                _ = looks.tick() => {}
            }
            let began = Timestamp::now();
            match self.look().await {
                Ok(has_moved) => {
                    if is_away {
                        self.note_gap(known, "database");
                    }
                    if has_moved {
                        moved.get_or_insert((known, Instant::now()));
                    }
                    (known, is_away) = (began, false);
                }
                Err(error) => {
                    tracing::warn!(%error, "OpenWISP's database cannot be read and is tried again");
                    is_away = true;
                }
            }
            self.want();
            if let Some((since, _)) = moved.take_if(|(_, at)| at.elapsed() >= SETTLED) {
                self.note_gap(since, "organization");
            }
            self.looks.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Asks the tables again; whether a location is in another organization than it was.
    async fn look(&self) -> Result<bool, TablesError> {
        lock(&self.membership)
            .attended
            .retain(|_, since| since.elapsed() < ATTENDED);
        let before = lock(&self.membership).owners.clone();
        let topics = self.topics(&lock(&self.membership));
        self.learn(&topics).await?;
        let mut membership = lock(&self.membership);
        let watched: HashSet<_> = topics.iter().filter_map(location_of).collect();
        membership.owners.retain(|id, _| watched.contains(id));
        let is_other = |(id, owner): (&LocationId, &OrganizationId)| {
            before.get(id).is_some_and(|before| before != owner)
        };
        Ok(membership.owners.iter().any(is_other))
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
            let owners = owners
                .into_iter()
                .filter_map(|(resource, owner)| match resource {
                    Resource::Location(id) => Some((id, owner)),
                    Resource::Device(_) => None,
                });
            lock(&self.membership).owners.extend(owners);
            return Ok(());
        }
        let has_all = topics.contains(&Topic::AllLocations);
        let organizations: BTreeSet<_> = topics.iter().filter_map(organization_of).collect();
        if !has_all && organizations.is_empty() {
            return Ok(());
        }
        let of = (!has_all).then_some(&organizations);
        let fleet = self.tables.locations_of(of).await?;
        lock(&self.membership).fleet.extend(fleet);
        Ok(())
    }

    /// Becomes a member of the groups of what is listened to, and of no others.
    fn want(&self) {
        // Held to the end, so that no group is left that a handshake asks for meanwhile.
        let membership = lock(&self.membership);
        let topics = self.topics(&membership);
        let groups = self.groups(&topics, &membership);
        self.layer
            .want(&groups.iter().map(ToString::to_string).collect());
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
                    groups.extend(membership.fleet.iter().copied().map(Group::Location));
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
