//! Who has a socket open, and closing some.

use super::*;
use crate::access::{Crowded, Endpoint, OpenSocket, SocketFilter};
use crate::event::DeviceId;

/// What opens a socket.
fn grounds(user: UserId, feed: Feed, topics: Vec<Topic>) -> Grounds {
    Grounds {
        proof: Proof::Session(SessionId::random()),
        user,
        until: None,
        feed,
        password_version: 1,
        topics: topics.into(),
    }
}

struct Yard {
    leases: Arc<Leases>,
    hub: Hub,
    granted: Vec<Granted>,
}

impl Yard {
    fn new(limits: &LimitsConfig) -> Self {
        let house = house();
        Self {
            leases: Arc::new(Leases::new(house.directory, Duration::ZERO, limits)),
            hub: Hub::new(1),
            granted: Vec::new(),
        }
    }

    fn open(&mut self, grounds: Grounds, address: &str) -> Result<(), Crowded> {
        let holder = self.hub.join(grounds.topics.to_vec());
        let asked = self.leases.moment();
        let granted = self
            .leases
            .grant(grounds, asked, holder, address.parse().unwrap());
        granted.map(|granted| self.granted.push(granted))
    }

    async fn list(&self, filter: SocketFilter) -> Vec<OpenSocket> {
        let (count, sockets) = self.leases.list(&filter, 100).await.unwrap();
        assert_eq!(count, sockets.len());
        sockets
    }
}

/// Two users' sockets of all kinds: the first two are of the first one.
fn yard_of(ada: UserId, bob: UserId, device: DeviceId, organization: OrganizationId) -> Yard {
    let mut yard = Yard::new(&LimitsConfig::default());
    let location = LocationId::random();
    let commands = Feed::Of(Resource::Device(device));
    let moves = Feed::Of(Resource::Location(location));
    for (user, feed, topic, address) in [
        (ada, commands, Topic::DeviceCommands(device), "10.0.0.1"),
        (ada, moves, Topic::Location(location), "10.0.1.1"),
        (
            bob,
            Feed::Fleet,
            Topic::OrgLocations(organization),
            "2001:db8::1",
        ),
        (bob, Feed::Fleet, Topic::AllLocations, "10.0.0.1"),
    ] {
        yard.open(grounds(user, feed, vec![topic]), address)
            .unwrap();
    }
    yard
}

#[tokio::test(start_paused = true)]
async fn a_filter_means_those_of_which_all_of_it_is_true() {
    let (ada, bob) = (UserId::random(), UserId::random());
    let organization = OrganizationId::random();
    let yard = yard_of(ada, bob, DeviceId::random(), organization);
    let address = |text: &str| Some(text.parse().unwrap());
    let none = SocketFilter::default;
    for (filter, meant) in [
        (none(), 4),
        (
            SocketFilter {
                user: Some(ada),
                ..none()
            },
            2,
        ),
        (
            SocketFilter {
                user: Some(UserId::random()),
                ..none()
            },
            0,
        ),
        (
            SocketFilter {
                endpoint: Some(Endpoint::Locations),
                ..none()
            },
            2,
        ),
        (
            SocketFilter {
                address: address("10.0.0.0/24"),
                ..none()
            },
            2,
        ),
        (
            SocketFilter {
                address: address("2001:db8::/32"),
                ..none()
            },
            1,
        ),
        (
            SocketFilter {
                user: Some(bob),
                address: address("10.0.0.1/32"),
                ..none()
            },
            1,
        ),
        // The directory of these tests knows no owners of things.
        (
            SocketFilter {
                organization: Some(organization),
                ..none()
            },
            1,
        ),
    ] {
        assert_eq!(yard.list(filter.clone()).await.len(), meant, "{filter}");
        let (count, one) = yard.leases.list(&filter, 1).await.unwrap();
        assert_eq!(
            (count, one.len()),
            (meant, meant.min(1)),
            "no more than wanted"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_socket_is_shown_with_whose_it_is_and_found_again_by_its_id() {
    let (ada, device) = (UserId::random(), DeviceId::random());
    let yard = yard_of(ada, UserId::random(), device, OrganizationId::random());
    let all = yard.list(SocketFilter::default()).await;
    let ids: HashSet<_> = all.iter().map(|it| it.id).collect();
    assert_eq!(ids.len(), 4, "each has an identifier of its own");
    for socket in &all {
        assert_eq!(socket.id.0.get_version_num(), 8);
        let filter = SocketFilter {
            id: Some(socket.id),
            ..SocketFilter::default()
        };
        assert_eq!(&yard.list(filter).await[0], socket);
    }
    let mut commands = all
        .iter()
        .filter(|it| it.endpoint == Endpoint::DeviceCommands);
    let first = commands.next().unwrap();
    assert_eq!((first.user, first.resource), (ada, Some(device.0)));
    assert_eq!(first.address.to_string(), "10.0.0.1");
}

#[tokio::test(start_paused = true)]
async fn those_that_are_meant_are_closed_and_no_others() {
    let mut yard = Yard::new(&LimitsConfig::default());
    let (ada, bob) = (UserId::random(), UserId::random());
    for user in [ada, bob, ada] {
        let grounds = grounds(user, Feed::Fleet, vec![Topic::AllLocations]);
        yard.open(grounds, "10.0.0.1").unwrap();
    }
    let filter = SocketFilter {
        user: Some(ada),
        ..SocketFilter::default()
    };
    assert_eq!(yard.leases.close(&filter).await.unwrap(), 2);
    // They are closed a few milliseconds apart.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let mut orders = Vec::new();
    yard.hub.inboxes()[0].take(&mut orders);
    let reasons = orders.iter().filter_map(|order| match order {
        Order::Close(_, reason) => Some(*reason),
        _ => None,
    });
    assert_eq!(reasons.collect::<Vec<_>>(), [CloseReason::Administrator; 2]);
}

#[tokio::test]
async fn a_lease_that_ends_makes_room_for_another() {
    let mut yard = Yard::new(&LimitsConfig {
        sockets: 3,
        sockets_per_user: 2,
        ..LimitsConfig::default()
    });
    let (ada, bob) = (UserId::random(), UserId::random());
    let of = |user| grounds(user, Feed::Fleet, Vec::new());
    yard.open(of(ada), "10.0.0.1").unwrap();
    yard.open(of(ada), "10.0.0.1").unwrap();
    assert_eq!(yard.open(of(ada), "10.0.0.2"), Err(Crowded::User));
    yard.open(of(bob), "10.0.0.1").unwrap();
    assert_eq!(yard.open(of(bob), "10.0.0.1"), Err(Crowded::Node));
    assert_eq!(yard.leases.admits([10, 0, 0, 9].into()), Err(Crowded::Node));
    yard.granted.remove(0);
    yard.open(of(ada), "10.0.0.1").unwrap();
    assert_eq!(yard.leases.count(), 3);
}
