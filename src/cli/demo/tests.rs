//! A demo, run inside the test: its fleet is heard, and its logins see it.

use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::access::{Credential, policy};
use crate::event::Topic;
use crate::store::Scope;

async fn open() -> (TempDir, Arc<App>) {
    let directory = tempfile::tempdir().unwrap();
    let engine = Engine::Sqlite {
        directory: directory.path().to_owned(),
    };
    let app = App::open(Config::default(), &engine, directory.path())
        .await
        .unwrap();
    (directory, Arc::new(app))
}

#[tokio::test]
async fn every_vehicle_is_heard_through_the_public_api() {
    let (_directory, app) = open().await;
    let seeded = seed::seed(&app.store, 3).await.unwrap();
    let mut quiet: Vec<_> = Vec::new();
    for member in &seeded.fleet {
        let location = app
            .store
            .location(member.location, &Scope::All)
            .await
            .unwrap();
        assert!(
            location.is_mobile && location.device_count == 1,
            "{location:?}"
        );
        quiet.push(location);
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = url(listener.local_addr().unwrap());
    let (_keep, draining) = watch::channel(false);
    let _server = tokio::spawn(server::run(
        standalone::site(&app, draining.clone()),
        Listener::Tcp(listener),
        draining,
    ));
    let _fleet = fleet::depart(seeded.fleet, &Arc::new(Radio::new(base)));
    let all_heard = async {
        while let Some(waiting) = quiet.last() {
            let now = app.store.location(waiting.id, &Scope::All).await.unwrap();
            if now.geometry == waiting.geometry {
                tokio::time::sleep(Duration::from_millis(20)).await;
            } else {
                quiet.pop();
            }
        }
    };
    let heard = tokio::time::timeout(Duration::from_secs(30), all_heard).await;
    assert!(heard.is_ok(), "some vehicle was never heard");
}

#[tokio::test]
async fn each_operator_sees_the_own_fleet_and_the_superuser_all() {
    let (_directory, app) = open().await;
    let seeded = seed::seed(&app.store, 5).await.unwrap();
    let mut feeds = Vec::new();
    for login in &seeded.logins {
        let token = Credential::Token(login.token.clone());
        let identity = app.directory.identify(&token).await.unwrap().unwrap();
        assert_eq!(identity.user.username, login.username);
        let feed = policy::topics(&identity.user, policy::Feed::Fleet, None).unwrap();
        assert_eq!(feed.len(), 1);
        feeds.extend(feed);
    }
    let of = |member: &seed::Member| {
        let store = app.store.clone();
        let id = member.location;
        async move { store.location(id, &Scope::All).await.unwrap().organization }
    };
    assert_eq!(seeded.fleet.len(), 5);
    let first = of(&seeded.fleet[0]).await;
    let last = of(&seeded.fleet[4]).await;
    assert_eq!(
        feeds,
        [
            Topic::AllLocations,
            Topic::OrgLocations(first),
            Topic::OrgLocations(last)
        ]
    );
    assert_eq!(seeded.spare.organization, first);
}

#[tokio::test]
async fn what_is_told_to_try_is_complete() {
    let (_directory, app) = open().await;
    let seeded = seed::seed(&app.store, 1).await.unwrap();
    let base = "http://127.0.0.1:81";
    let [fleet, one, run, watch, report] =
        trials(base, &seeded).unwrap().map(|(_, command)| command);
    let program = std::env::current_exe().unwrap();
    let access = format!("--url {base} --token {}", seeded.logins[1].token);
    let device = seeded.fleet[0].device.to_string();
    assert!(
        run.ends_with(&format!("{access} {device} -- logread -f")),
        "{run}"
    );
    assert!(
        watch.contains(&format!("watch commands {device}")),
        "{watch}"
    );
    for command in [&fleet, &one, &watch] {
        assert!(command.starts_with(program.to_str().unwrap()), "{command}");
        assert!(command.ends_with(&access), "{command}");
    }
    assert!(one.contains(&seeded.fleet[0].location.to_string()), "{one}");
    assert!(report.starts_with("curl -X PUT "), "{report}");
    assert!(report.contains(&seeded.spare.key), "{report}");
}

#[test]
fn a_log_can_be_watched_for_minutes() {
    let global = crate::cli::Global {
        config: None,
        data_dir: "nowhere".into(),
        json: false,
    };
    let config = configured(&Context::new(global)).unwrap();
    assert_eq!(config.commands.timeout_s, 600);
}

#[test]
fn the_address_that_is_told_can_be_connected_to() {
    for (listening, told) in [
        ("127.0.0.1:81", "http://127.0.0.1:81"),
        ("0.0.0.0:81", "http://127.0.0.1:81"),
        ("[::]:81", "http://[::1]:81"),
        ("192.0.2.1:81", "http://192.0.2.1:81"),
    ] {
        assert_eq!(url(listening.parse().unwrap()), told);
    }
}
