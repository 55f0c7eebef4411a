//! What taking a right away does to the sockets that are open by it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Names, on_both_engines, table};
use crate::support::{
    Client, Credential, Engine, FLEET, Seed, Server, Socket, command_path, eventually,
    location_path, point,
};

on_both_engines! {
    a_right_taken_away_ends_the_sockets_that_the_table_says_and_no_other,
    the_fleet_feed_follows_the_users_organizations_without_a_reconnect,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[expect(dead_code, reason = "for readers of the table")]
    about: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    rule: String,
    #[serde(default)]
    by: By,
    /// Permissions of a group of the case's own.
    group: Option<Vec<String>>,
    flags: Vec<String>,
    opens: Vec<Feed>,
    then: Vec<Step>,
    closes: Vec<Feed>,
    /// What becomes of a fleet feed that stays open.
    fleet: Option<Fleet>,
    /// The credential outlives the socket: a handshake may follow.
    #[serde(default)]
    may_return: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum By {
    #[default]
    Token,
    Session,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
enum Feed {
    Device,
    Location,
    Fleet,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Step {
    Command(Vec<String>),
    LogOut(String),
}

#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Fleet {
    Told,
    Silent,
}

/// A case and its open sockets.
struct Opened<'a> {
    case: &'a Case,
    user: String,
    names: Names,
    session: Credential,
    credential: Credential,
    sockets: BTreeMap<Feed, Socket>,
}

const VIEWER: [&str; 3] = ["--staff", "--permission", "geo.view_location"];

async fn a_right_taken_away_ends_the_sockets_that_the_table_says_and_no_other(engine: Engine) {
    let table: Table = table("rights");
    let mut server = Server::prepare(engine, &[]).await;
    let root = Seed(&server).root();
    let elsewhere = Seed(&server).organization("Elsewhere");
    let flags = ["--mobile", "--point", "1,2"];
    let spare = Seed(&server).location("spare bus", &elsewhere, &flags);
    let watchman = Seed(&server).user_with_token("watchman", &VIEWER);
    server.run().await;
    let client = server.client(&root);

    let mut opened = Vec::new();
    for (number, case) in table.cases.iter().enumerate() {
        opened.push(Opened::prepare(&server, case, number, &elsewhere).await);
    }
    // Only when everything is made: a superuser's feed tells of every new vehicle.
    for it in &mut opened {
        it.open(&server).await;
    }
    let mut watch = Socket::open(&server, FLEET, &watchman).await;
    for it in &opened {
        it.take_away(&server).await;
    }
    server.cli(&["user", "set", "watchman", "--inactive"]);
    // Whoever watches this end was looked at after all of the above: what is still open stays so.
    assert_eq!(watch.closed().await, Some(1008));
    for it in &mut opened {
        it.expect_ends(&server).await;
    }
    for it in &mut opened {
        it.expect_rest(&server, &client, &spare, &elsewhere).await;
    }
}

impl<'a> Opened<'a> {
    async fn prepare(server: &Server, case: &'a Case, number: usize, elsewhere: &str) -> Self {
        let seed = Seed(server);
        let mut names = Names::default();
        let organization = seed.organization(&format!("Organization {number}"));
        let bus = seed.location(
            &format!("bus {number}"),
            &organization,
            &["--mobile", "--point", "1,2"],
        );
        let van = seed.location(
            &format!("van {number}"),
            &organization,
            &["--mobile", "--point", "1,2"],
        );
        let device = seed.device(&format!("device-{number}"), &organization).id;
        let (user, group) = (format!("user {number}"), format!("group {number}"));
        for (name, value) in [
            ("organization", &*organization),
            ("bus", &bus),
            ("van", &van),
            ("device", &device),
            ("user", &user),
            ("group", &group),
            ("elsewhere", elsewhere),
        ] {
            names.set(name, value);
        }
        if let Some(permissions) = &case.group {
            let flags = permissions
                .iter()
                .flat_map(|it| ["--permission", it.as_str()]);
            let arguments: Vec<_> = ["group", "add", &group].into_iter().chain(flags).collect();
            server.cli(&arguments);
        }
        let flags = names.fill_all(&case.flags);
        seed.user(&user, &flags.iter().map(String::as_str).collect::<Vec<_>>());
        let token = server.cli(&["token", "add", &user]);
        names.set("token", token["id"].as_str().unwrap());
        let session = server.client(&Credential::Nobody).session(&user).await;
        names.set("session", &session_id(server, &user));
        let credential = match case.by {
            By::Session => session.clone(),
            By::Token => Credential::Token(token["token"].as_str().unwrap().to_owned()),
        };
        Self {
            case,
            user,
            names,
            session,
            credential,
            sockets: BTreeMap::new(),
        }
    }

    async fn open(&mut self, server: &Server) {
        for feed in &self.case.opens {
            let socket = Socket::open(server, &self.path(*feed), &self.credential).await;
            self.sockets.insert(*feed, socket);
        }
    }

    fn path(&self, feed: Feed) -> String {
        match feed {
            Feed::Device => command_path(&self.names.fill("{device}")),
            Feed::Location => location_path(&self.names.fill("{bus}")),
            Feed::Fleet => FLEET.to_owned(),
        }
    }

    async fn take_away(&self, server: &Server) {
        for step in &self.case.then {
            match step {
                Step::Command(command) => {
                    let command = self.names.fill_all(command);
                    let command: Vec<_> = command.iter().map(String::as_str).collect();
                    server.cli_with_input(&command, "a new password\n");
                }
                Step::LogOut(words) => {
                    assert_eq!(words, "log out", "{}", self.case.rule);
                    let client = server.client(&self.session);
                    let answer = client.post("/accounts/logout/", &json!({})).await;
                    assert!(answer.status < 400, "{} {}", answer.status, answer.text);
                }
            }
        }
    }

    async fn expect_ends(&mut self, server: &Server) {
        let rule = &self.case.rule;
        for feed in &self.case.closes {
            let socket = self.sockets.get_mut(feed).unwrap();
            assert_eq!(socket.closed().await, Some(1008), "{rule}: {feed:?}");
            self.sockets.remove(feed);
            if !self.case.may_return {
                let again = Socket::try_open(server, &self.path(*feed), &self.credential).await;
                assert_eq!(again.err(), Some(403), "{rule}: {feed:?} once more");
            }
        }
    }

    /// The sockets that stay open hear what they are still to hear.
    async fn expect_rest(
        &mut self,
        server: &Server,
        client: &Client,
        spare: &str,
        elsewhere: &str,
    ) {
        let rule = &self.case.rule;
        if let Some(socket) = self.sockets.get_mut(&Feed::Device) {
            assert_eq!(socket.ping().await, [""; 0], "{rule}");
        }
        if let Some(socket) = self.sockets.get_mut(&Feed::Location) {
            client
                .move_location(&self.names.fill("{bus}"), 5.0, 6.0)
                .await;
            assert_eq!(socket.next().await["geometry"], point(5.0, 6.0), "{rule}");
        }
        let Some(socket) = self.sockets.get_mut(&Feed::Fleet) else {
            assert!(
                self.case.fleet.is_none(),
                "{rule}: there is no fleet feed left"
            );
            return;
        };
        let van = self.names.fill("{van}");
        let body = json!({"geometry": point(7.0, 8.0)});
        let moved = client
            .patch(&format!("/api/v1/controller/location/{van}/"), &body)
            .await;
        match self.case.fleet.expect("what becomes of the fleet feed") {
            Fleet::Told => {
                assert!(moved.is_success(), "{rule}: {}", moved.text);
                let message = socket
                    .next_where(|it| it["geometry"] == point(7.0, 8.0))
                    .await;
                assert_eq!(message["id"], json!(van), "{rule}");
            }
            Fleet::Silent => {
                server.cli(&["user", "set", &self.user, "--manages", elsewhere]);
                let first = first_heard_while_moving(socket, client, spare).await;
                assert_eq!(first["id"], json!(spare), "{rule}");
            }
        }
    }
}

/// The newest session's id of a user who has one.
fn session_id(server: &Server, user: &str) -> String {
    let sessions = server.cli(&["session", "list"]);
    let of_user = |it: &&Value| it["username"] == user || it["user"] == user;
    let session = sessions.as_array().unwrap().iter().find(of_user);
    session.unwrap_or_else(|| panic!("no session of {user} in {sessions}"))["id"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// The first message of a feed that is to follow something new, which is moved until it does.
async fn first_heard_while_moving(socket: &mut Socket, client: &Client, location: &str) -> Value {
    let mut latitude = 0.0;
    let heard = eventually("the feed follows", async || {
        latitude += 0.001;
        client.move_location(location, 9.0, latitude).await;
        socket.ping().await.into_iter().next()
    })
    .await;
    serde_json::from_str(&heard).unwrap()
}

async fn the_fleet_feed_follows_the_users_organizations_without_a_reconnect(engine: Engine) {
    let mut server = Server::prepare(engine, &[]).await;
    let seed = Seed(&server);
    let organizations = ["Alpha", "Beta"].map(|name| seed.organization(name));
    let buses = [0, 1].map(|at| {
        let name = format!("bus {at}");
        seed.location(&name, &organizations[at], &["--mobile", "--point", "0,0"])
    });
    let viewer = seed.user_with_token("viewer", &VIEWER);
    let root = seed.root();
    server.run().await;
    let client = server.client(&root);
    let mut feed = Socket::open(&server, FLEET, &viewer).await;
    client.move_location(&buses[0], 1.0, 1.0).await;

    // Nothing, one, the other as well, only the other.
    server.cli(&["user", "set", "viewer", "--manages", &organizations[0]]);
    assert_eq!(
        first_heard_while_moving(&mut feed, &client, &buses[0]).await["id"],
        json!(buses[0])
    );
    server.cli(&["user", "set", "viewer", "--manages", &organizations[1]]);
    let heard = eventually("a move of the second organization", async || {
        client.move_location(&buses[1], 2.0, 2.0).await;
        feed.ping()
            .await
            .into_iter()
            .find(|text| text.contains(&buses[1]))
    });
    heard.await;
    server.cli(&["org", "set", &organizations[0], "--inactive"]);
    // Each round at a place of its own: the second bus is told of after the first, if that is.
    let mut longitude = 10.0;
    eventually("the first organization's moves end", async || {
        longitude += 0.125;
        for bus in &buses {
            client.move_location(bus, longitude, 3.0).await;
        }
        let next = feed
            .next_where(|it| it["geometry"] == point(longitude, 3.0))
            .await;
        (next["id"] == json!(buses[1])).then_some(())
    })
    .await;

    // Once gone they stay gone, and come back with the organization.
    client.move_location(&buses[0], 4.0, 4.0).await;
    client.move_location(&buses[1], 4.0, 4.0).await;
    let next = feed
        .next_where(|it| it["geometry"] == point(4.0, 4.0))
        .await;
    assert_eq!(next["id"], json!(buses[1]));
    server.cli(&["org", "set", &organizations[0], "--active"]);
    eventually("the first organization's moves are back", async || {
        client.move_location(&buses[0], 5.0, 5.0).await;
        feed.ping()
            .await
            .into_iter()
            .find(|text| text.contains(&buses[0]))
    })
    .await;
}
