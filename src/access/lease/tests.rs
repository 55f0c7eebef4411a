//! Leases over a directory of one user: who is asked about when, and what follows from the answers.

mod roster;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use async_trait::async_trait;

use super::*;
use crate::access::policy::Feed;
use crate::access::{
    Credential, Identity, Mark, PermissionSet, Proof, Resource, RightsChanged, User,
};
use crate::event::{LocationId, OrganizationId, SessionId, Timestamp, Topic, UserId};
use crate::hub::{Hub, Order};

/// Where all clients are.
const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// One user who can be altered, and a switch that makes the directory unreachable.
struct OneUser {
    user: Mutex<Option<User>>,
    until: Mutex<Option<Timestamp>>,
    /// What it says has changed; `None` if it cannot tell.
    changed: Mutex<Option<RightsChanged>>,
    /// The marks that it was asked with.
    marks: Mutex<Vec<Option<Mark>>>,
    /// The mark that it gives where it cannot tell.
    marked: Mutex<Option<Mark>>,
    /// How many proofs it was asked about, and which, question by question.
    asked: Mutex<usize>,
    proofs: Mutex<Vec<Vec<Proof>>>,
    away: AtomicBool,
    /// Does not say what has changed.
    silent: AtomicBool,
    /// How far its clock is ahead of this machine's.
    ahead_s: AtomicI64,
}

#[async_trait]
impl Directory for OneUser {
    async fn identify(&self, _: &Credential) -> Result<Option<Identity>, DirectoryError> {
        Ok(None)
    }

    async fn renew(&self, proofs: &[Proof]) -> Result<HashMap<Proof, Identity>, DirectoryError> {
        if self.away.load(Ordering::Relaxed) {
            return Err(DirectoryError("away".into()));
        }
        *self.asked.lock().unwrap() += proofs.len();
        self.proofs.lock().unwrap().push(proofs.to_vec());
        let user = self.user.lock().unwrap().clone();
        let until = *self.until.lock().unwrap();
        let identity = |proof: &Proof| {
            let (user, proof) = (user.clone()?, *proof);
            Some((proof, Identity { user, proof, until }))
        };
        Ok(proofs.iter().filter_map(identity).collect())
    }

    async fn rights_changed(&self, mark: Option<Mark>) -> Result<RightsChanged, DirectoryError> {
        if self.silent.load(Ordering::Relaxed) {
            return Err(DirectoryError("silent".into()));
        }
        self.marks.lock().unwrap().push(mark.clone());
        let changed = self.changed.lock().unwrap().take();
        let marked = self.marked.lock().unwrap().clone();
        Ok(changed.unwrap_or_else(|| RightsChanged::unknown(marked.or(mark))))
    }

    fn now(&self) -> Timestamp {
        Timestamp::now().plus_seconds(self.ahead_s.load(Ordering::Relaxed))
    }

    async fn organizations_of(
        &self,
        _: &[Resource],
    ) -> Result<HashMap<Resource, OrganizationId>, DirectoryError> {
        Ok(HashMap::new())
    }
}

struct House {
    directory: Arc<OneUser>,
    user: UserId,
    leases: Arc<Leases>,
    hub: Hub,
    granted: Vec<Granted>,
    proofs: Vec<Proof>,
}

/// A superuser's open fleet feed.
fn house() -> House {
    let id = UserId::random();
    let user = User {
        id,
        username: "ada".into(),
        is_superuser: true,
        is_staff: true,
        permissions: PermissionSet::default(),
        manages: BTreeSet::new(),
        member_of: BTreeSet::new(),
        password_version: 1,
    };
    let directory = Arc::new(OneUser {
        user: Mutex::new(Some(user)),
        until: Mutex::default(),
        changed: Mutex::default(),
        marks: Mutex::default(),
        marked: Mutex::default(),
        asked: Mutex::default(),
        proofs: Mutex::default(),
        away: AtomicBool::new(false),
        silent: AtomicBool::new(false),
        ahead_s: AtomicI64::new(0),
    });
    let leases = Arc::new(Leases::new(
        Arc::clone(&directory) as Arc<dyn Directory>,
        Duration::from_mins(1),
        &LimitsConfig::default(),
    ));
    let mut house = House {
        directory,
        user: id,
        leases,
        hub: Hub::new(1),
        granted: Vec::new(),
        proofs: Vec::new(),
    };
    house.open(None, house.leases.moment());
    house
}

impl House {
    /// Opens a fleet feed that ends `until`, on what was asked after `asked`.
    fn open(&mut self, until: Option<Timestamp>, asked: Moment) {
        let topics = vec![Topic::AllLocations];
        let proof = Proof::Session(SessionId::random());
        self.proofs.push(proof);
        let grounds = Grounds {
            proof,
            user: self.user,
            until,
            feed: Feed::Fleet,
            password_version: 1,
            topics: topics.clone().into(),
        };
        let holder = self.hub.join(topics);
        let granted = self.leases.grant(grounds, asked, holder, HERE);
        self.granted.push(granted.unwrap());
    }

    /// Checks the leases with a directory that says that this, and nothing else, has changed. Returns
    /// about how many it was asked.
    async fn check(&self, users: &[UserId]) -> usize {
        let changed = RightsChanged {
            mark: Some(Mark("1".into())),
            users: users.iter().copied().collect(),
            ..RightsChanged::default()
        };
        *self.directory.changed.lock().unwrap() = Some(changed);
        *self.directory.asked.lock().unwrap() = 0;
        self.leases.check(&mut Instant::now()).await.unwrap();
        *self.directory.asked.lock().unwrap()
    }
}

/// What the hub was told about the socket since the last call.
fn ordered(house: &House) -> Vec<String> {
    let mut orders = Vec::new();
    house.hub.inboxes()[0].take(&mut orders);
    let told = orders.iter().filter_map(|order| match order {
        Order::Follow(_, topics) => Some(format!("follow {}", topics.len())),
        Order::Close(_, reason) => Some(format!("close {}", reason.label())),
        _ => None,
    });
    told.collect()
}

fn alter(house: &House, alter: impl FnOnce(&mut User)) {
    alter(house.directory.user.lock().unwrap().as_mut().unwrap());
}

#[tokio::test]
async fn an_unaltered_user_keeps_the_socket_as_it_is() {
    let house = house();
    house.leases.check(&mut Instant::now()).await.unwrap();
    assert!(ordered(&house).is_empty());
}

#[tokio::test]
async fn a_vanished_user_or_session_revokes_the_socket() {
    let house = house();
    *house.directory.user.lock().unwrap() = None;
    house.leases.check(&mut Instant::now()).await.unwrap();
    assert_eq!(ordered(&house), ["close access_lost"]);
}

#[tokio::test]
async fn a_new_password_revokes_the_socket() {
    let house = house();
    alter(&house, |user| user.password_version = 2);
    house.leases.check(&mut Instant::now()).await.unwrap();
    assert_eq!(ordered(&house), ["close access_lost"]);
}

#[tokio::test]
async fn a_superuser_who_becomes_an_ordinary_manager_follows_the_own_organizations() {
    let house = house();
    alter(&house, |user| {
        user.is_superuser = false;
        user.permissions = ["geo.view_location".parse().unwrap()].into_iter().collect();
        user.manages = [OrganizationId::random(), OrganizationId::random()].into();
    });
    house.leases.check(&mut Instant::now()).await.unwrap();
    house.leases.check(&mut Instant::now()).await.unwrap();
    assert_eq!(ordered(&house), ["follow 2"]);
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_directory_refuses_nobody_until_the_grace_is_over() {
    let house = house();
    house.directory.away.store(true, Ordering::Relaxed);
    let leases = Arc::clone(&house.leases);
    let run = tokio::spawn(async move { leases.run(Duration::from_secs(2), |_| {}).await });
    tokio::time::sleep(Duration::from_secs(58)).await;
    assert!(ordered(&house).is_empty());
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(
        ordered(&house).first().map(String::as_str),
        Some("close unavailable")
    );
    run.abort();
}

#[tokio::test]
async fn ending_all_reaches_every_holder() {
    let house = house();
    house
        .leases
        .end_all(Duration::from_secs(10), CloseReason::Draining)
        .await;
    assert_eq!(ordered(&house), ["close draining"]);
}

#[tokio::test]
async fn only_those_are_asked_about_whose_rights_have_changed() {
    let house = house();
    assert_eq!(house.check(&[]).await, 0);
    assert_eq!(house.check(&[UserId::random()]).await, 0);
    *house.directory.user.lock().unwrap() = None;
    assert_eq!(house.check(&[house.user]).await, 1);
    assert_eq!(ordered(&house), ["close access_lost"]);
}

#[tokio::test]
async fn a_thing_that_has_gone_to_others_is_asked_about() {
    let mut house = house();
    let (mine, other) = (LocationId::random(), LocationId::random());
    let topic = Topic::Location(mine);
    let grounds = Grounds {
        proof: Proof::Session(SessionId::random()),
        user: UserId::random(),
        until: None,
        feed: Feed::Of(Resource::Location(mine)),
        password_version: 1,
        topics: [topic].into(),
    };
    let holder = house.hub.join(vec![topic]);
    let asked = house.leases.moment();
    let granted = house.leases.grant(grounds, asked, holder, HERE);
    house.granted.push(granted.unwrap());
    for (gone, asked) in [(other, 0), (mine, 1)] {
        *house.directory.asked.lock().unwrap() = 0;
        *house.directory.changed.lock().unwrap() = Some(RightsChanged {
            resources: HashSet::from([Resource::Location(gone)]),
            ..RightsChanged::default()
        });
        house.leases.check(&mut Instant::now()).await.unwrap();
        assert_eq!(*house.directory.asked.lock().unwrap(), asked);
    }
    assert_eq!(ordered(&house), ["close access_lost"], "nobody owns it");
}

#[tokio::test]
async fn what_ends_by_its_time_is_asked_about_then() {
    let mut house = house();
    let (past, later) = (
        Timestamp::now().plus_seconds(-1),
        Timestamp::now().plus_seconds(60),
    );
    house.open(Some(later), house.leases.moment());
    assert_eq!(house.check(&[]).await, 0);
    house.open(Some(past), house.leases.moment());
    *house.directory.until.lock().unwrap() = Some(later);
    assert_eq!(house.check(&[]).await, 1, "it was prolonged meanwhile");
    assert_eq!(house.check(&[]).await, 0);
    assert!(ordered(&house).is_empty());
}

#[tokio::test]
async fn what_ends_by_its_time_ends_by_the_directorys_clock() {
    for (ahead_s, ends_s) in [(3600, 1800), (-3600, -5400)] {
        let mut house = house();
        house.directory.ahead_s.store(ahead_s, Ordering::Relaxed);
        let ends = Timestamp::now().plus_seconds(ends_s);
        house.open(Some(ends), house.leases.moment());
        assert_eq!(house.check(&[]).await, 1, "it is over there");
    }
    let mut house = house();
    house.directory.ahead_s.store(-3600, Ordering::Relaxed);
    let ends = Timestamp::now().plus_seconds(-1800);
    house.open(Some(ends), house.leases.moment());
    assert_eq!(house.check(&[]).await, 0, "it lasts there");
}

#[tokio::test]
async fn a_change_between_the_asking_and_the_granting_is_not_missed() {
    let mut house = house();
    let asked = house.leases.moment();
    assert_eq!(house.check(&[house.user]).await, 1);
    house.open(None, asked);
    assert_eq!(house.check(&[]).await, 1);
    assert_eq!(house.check(&[]).await, 0);
}

#[tokio::test]
async fn a_question_that_failed_is_asked_again() {
    let house = house();
    house.directory.away.store(true, Ordering::Relaxed);
    *house.directory.changed.lock().unwrap() = Some(RightsChanged {
        mark: Some(Mark("7".into())),
        users: HashSet::from([house.user]),
        ..RightsChanged::default()
    });
    assert!(house.leases.check(&mut Instant::now()).await.is_err());
    house.directory.away.store(false, Ordering::Relaxed);
    assert_eq!(house.check(&[]).await, 1);
    let seven = Some(Mark("7".into()));
    assert_eq!(*house.directory.marks.lock().unwrap(), [None, seven]);
}

#[tokio::test]
async fn after_not_hearing_of_changes_everybody_is_asked_about() {
    let house = house();
    house.check(&[]).await;
    house.directory.silent.store(true, Ordering::Relaxed);
    assert!(house.leases.check(&mut Instant::now()).await.is_err());
    house.directory.silent.store(false, Ordering::Relaxed);
    house.check(&[]).await;
    assert_eq!(*house.directory.marks.lock().unwrap(), [None, None]);
}

#[tokio::test(start_paused = true)]
async fn now_and_then_everybody_is_asked_about() {
    let house = house();
    *house.directory.marked.lock().unwrap() = Some(Mark("7".into()));
    let leases = Arc::clone(&house.leases);
    let run = tokio::spawn(async move { leases.run(Duration::from_secs(2), |_| {}).await });
    tokio::time::sleep(Duration::from_secs(620)).await;
    run.abort();
    let marks = house.directory.marks.lock().unwrap();
    assert_eq!(
        marks.iter().filter(|mark| mark.is_none()).count(),
        3,
        "at first, after 5 and 10 minutes"
    );
    assert!(marks.len() > 300);
}

#[tokio::test]
async fn who_is_named_is_asked_about_before_all_others() {
    let mut house = house();
    let first = house.user;
    for _ in 0..1500 {
        house.user = UserId::random();
        house.open(None, house.leases.moment());
    }
    let last = house.user;
    *house.directory.changed.lock().unwrap() = Some(RightsChanged {
        all: true,
        users: HashSet::from([first, last]),
        ..RightsChanged::default()
    });
    house.leases.check(&mut Instant::now()).await.unwrap();
    let proofs = house.directory.proofs.lock().unwrap();
    assert_eq!(proofs.iter().map(Vec::len).collect::<Vec<_>>(), [1000, 501]);
    for proof in [house.proofs[0], house.proofs[1500]] {
        assert!(proofs[0].contains(&proof));
    }
}

#[tokio::test]
async fn many_leases_are_asked_about_in_several_questions() {
    let mut house = house();
    for _ in 0..2500 {
        house.open(None, house.leases.moment());
    }
    *house.directory.user.lock().unwrap() = None;
    house.leases.check(&mut Instant::now()).await.unwrap();
    assert_eq!(*house.directory.asked.lock().unwrap(), 2501);
    assert_eq!(ordered(&house).len(), 2501);
}
