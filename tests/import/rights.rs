//! Who may listen to what, asked of OpenWISP and of fleetwire after the import.

use reqwest::header::{COOKIE, REFERER, SET_COOKIE};
use reqwest::redirect::Policy;

use super::device;
use crate::support::openwisp::{self, id};
use crate::support::{Credential, Engine, FLEET, Server, Socket, command_path, location_path};

const USERS: [&str; 8] = [
    "root",
    "operator",
    "dispatcher",
    "member",
    "visitor",
    "without-rights",
    "closed-manager",
    "owner-of-harbor",
];

/// A session of OpenWISP, by its own log-in page.
async fn session_there(username: &str) -> Credential {
    let http = reqwest::Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .build()
        .unwrap();
    let page = format!("{}/accounts/login/", openwisp::base());
    let cookie = |answer: &reqwest::Response, name: &str| {
        let lines = answer.headers().get_all(SET_COOKIE);
        let values = lines
            .iter()
            .filter_map(|line| line.to_str().ok()?.strip_prefix(name));
        let mut values = values.filter_map(|rest| rest.strip_prefix('=')?.split(';').next());
        values.next().map(str::to_owned)
    };
    let form = http.get(&page).send().await.unwrap();
    let token = cookie(&form, "csrftoken").expect("the form has a token");
    let body = format!("login={username}&password=tester-{username}&csrfmiddlewaretoken={token}");
    let answer = http
        .post(&page)
        .header(COOKIE, format!("csrftoken={token}"))
        .header(REFERER, &page)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body)
        .send()
        .await
        .unwrap();
    let session = cookie(&answer, "sessionid");
    Credential::Cookie(session.unwrap_or_else(|| panic!("{username} did not log in: {answer:?}")))
}

fn manages(server: &Server, username: &str, organization: &str) -> bool {
    let user = server.cli(&["user", "show", username]);
    let organization = server.cli(&["org", "show", organization]);
    let managed = user["manages"].as_array().unwrap();
    let counts = organization["is_active"] == true && managed.contains(&organization["id"]);
    counts || user["is_superuser"] == true
}

#[tokio::test]
async fn every_socket_is_open_to_those_to_whom_it_was() {
    let mut server = Server::prepare(Engine::Sqlite, &[]).await;
    let live = openwisp::live();
    server.cli(&[
        "import",
        "openwisp",
        "--database",
        live.to_str().unwrap(),
        "--apply",
    ]);
    server.run().await;
    let there = openwisp::address();
    let nobody = server.client(&Credential::Nobody);
    let mut paths = vec![(FLEET.to_owned(), None)];
    for (owner, name) in [
        ("metro-transit", "bus-1"),
        ("harbor", "crane-1"),
        ("closed-lines", "tram-1"),
    ] {
        paths.push((
            location_path(&id(&format!("location mobile-{owner}"))),
            None,
        ));
        paths.push((command_path(&device(name).id), Some(owner)));
    }
    let mut admitted = 0;
    for username in USERS {
        let session = nobody
            .log_in(username, &format!("tester-{username}"))
            .await
            .session();
        let session_there = session_there(username).await;
        for (path, owner) in &paths {
            let here = Socket::try_open(&server, path, &session).await.map(|_| ());
            let there = Socket::try_open_at(there, path, &session_there)
                .await
                .map(|_| ());
            // OpenWISP opens the commands of every organization's devices to whoever manages one.
            let expected = match owner {
                Some(owner) if !manages(&server, username, owner) => Err(403),
                _ => there,
            };
            assert_eq!(here, expected, "{username} {path}");
            admitted += u32::from(here.is_ok());
        }
    }
    assert!(
        (10..40).contains(&admitted),
        "{admitted} sockets were opened: too alike to tell"
    );
}
