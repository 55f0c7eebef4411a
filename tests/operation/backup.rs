//! `fleetwire backup`: a copy of the database while reports pour in.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use reqwest::Method;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use crate::support::{
    Client, Credential, Device, Engine, Seed, Server, coordinates, eventually, feature,
};

const DEVICES: usize = 4;
const COPIES: usize = 3;

/// How far a device has come, in reports that were sent, and acknowledged.
#[derive(Default)]
struct Progress {
    sent: AtomicU32,
    acknowledged: AtomicU32,
}

fn longitude(step: u32) -> f64 {
    f64::from(step) / 10_000.0
}

async fn report(client: Client, device: Device, progress: Arc<Progress>, over: Arc<AtomicBool>) {
    let mut step = 0;
    while !over.load(Ordering::Relaxed) {
        step += 1;
        progress.sent.store(step, Ordering::Relaxed);
        let body = feature(longitude(step), 1.0).to_string();
        let answer = client
            .send(Method::PUT, &device.coordinates_path(), Some(body))
            .await;
        answer.expect(200);
        progress.acknowledged.store(step, Ordering::Relaxed);
    }
}

async fn is_sound(copy: &Path) -> bool {
    let file = SqliteConnectOptions::new().filename(copy).read_only(true);
    let mut connection = file.connect().await.unwrap();
    let said: String = sqlx::query_scalar("PRAGMA integrity_check")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    said == "ok"
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_made_under_load_serves_with_all_that_was_acknowledged_before() {
    let mut server = Server::prepare(Engine::Sqlite, &[]).await;
    let seed = Seed(&server);
    seed.organization("Alpha");
    let devices: Vec<_> = (0..DEVICES)
        .map(|number| seed.device(&format!("bus {number}"), "Alpha"))
        .collect();
    let token = seed.root();
    seed.credential("routers", "Alpha", "s3cret");
    server.run().await;
    let (over, client) = (
        Arc::new(AtomicBool::new(false)),
        server.client(&Credential::Nobody),
    );
    let progress: Vec<Arc<Progress>> = devices.iter().map(|_| Arc::default()).collect();
    let reporting: Vec<_> = devices
        .iter()
        .zip(&progress)
        .map(|(device, progress)| {
            let (progress, over) = (Arc::clone(progress), Arc::clone(&over));
            tokio::spawn(report(client.clone(), device.clone(), progress, over))
        })
        .collect();
    let acknowledged = || -> Vec<u32> {
        let all = progress.iter();
        all.map(|it| it.acknowledged.load(Ordering::Relaxed))
            .collect()
    };
    let copies: Vec<_> = (0..COPIES)
        .map(|it| server.file(&format!("copy-{it}.db"), ""))
        .collect();
    let mut before = Vec::new();
    for copy in &copies {
        std::fs::remove_file(copy).unwrap();
        let enough = acknowledged().iter().map(|it| it + 20).collect::<Vec<_>>();
        eventually("reports pour in", async || {
            let now = acknowledged();
            now.iter()
                .zip(&enough)
                .all(|(now, enough)| now >= enough)
                .then_some(())
        })
        .await;
        before = acknowledged();
        let made = server.cli(&["backup", copy]);
        assert_eq!(made["file"], **copy);
        assert!(
            made["key_file"].as_str().unwrap().ends_with("secret.key"),
            "{made}"
        );
        assert!(is_sound(Path::new(copy)).await, "{copy}");
    }
    let sent: Vec<u32> = progress
        .iter()
        .map(|it| it.sent.load(Ordering::Relaxed))
        .collect();
    over.store(true, Ordering::Relaxed);
    for task in reporting {
        task.await.unwrap();
    }

    let mut restored = Server::prepare(Engine::Sqlite, &[]).await;
    std::fs::copy(copies.last().unwrap(), restored.database_file()).unwrap();
    // Without the key there is no access to the secrets, and no new key in its place either.
    let (code, _, refusal) = restored.try_cli(&["serve"], "");
    assert_eq!(code, 1);
    assert!(refusal.contains("secret.key"), "{refusal}");
    let key = server.database_file().with_file_name("secret.key");
    std::fs::copy(key, restored.database_file().with_file_name("secret.key")).unwrap();
    restored.run().await;
    let client = restored.client(&Credential::Nobody);
    for ((device, before), sent) in devices.iter().zip(before).zip(sent) {
        let state = client.get(&device.coordinates_path()).await.expect(200);
        let possible = longitude(before)..=longitude(sent);
        let at = coordinates(&state).0;
        assert!(possible.contains(&at), "{at} is not in {possible:?}");
        // It goes on from there.
        let body = feature(longitude(sent + 1), 1.0);
        client
            .put(&device.coordinates_path(), &body)
            .await
            .expect(200);
    }
    restored
        .client(&token)
        .get("/api/v1/users/me/")
        .await
        .expect(200);
    assert_eq!(restored.cli(&["key", "show"]), server.cli(&["key", "show"]));
}

#[tokio::test]
async fn what_it_says_leads_on() {
    let server = Server::prepare(Engine::Sqlite, &[]).await;
    let copy = server.file("copy.db", "");
    std::fs::remove_file(&copy).unwrap();
    let failed = |arguments: &[&str], clue: &str| {
        let (code, _, said) = server.try_plain_cli(arguments);
        assert_eq!((code, said.trim().lines().count()), (1, 1), "{said}");
        assert!(said.contains(clue), "{said}");
    };
    failed(&["backup", &copy], "--data-dir");
    assert!(
        !server.database_file().exists(),
        "a backup makes no database"
    );
    server.cli(&["org", "add", "Alpha"]);
    let (code, said, _) = server.try_plain_cli(&["backup", &copy]);
    assert_eq!(code, 0);
    assert!(said.contains("no secrets in it yet"), "{said}");
    failed(&["backup", &copy], "is there already");
    server.cli(&["key", "show"]);
    let second = format!("{copy}.2");
    let (_, said, _) = server.try_plain_cli(&["backup", &second]);
    assert!(
        said.contains("secret.key") && said.contains("another place"),
        "{said}"
    );
    let third = format!("{copy}.3");
    let mut command = server.command(&["backup", &third]);
    let output = command
        .env("FLEETWIRE_SECRETS__KEY", "5ec2e7aa".repeat(8))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.contains("secrets.key") && !said.contains("5ec2e7"),
        "{said}"
    );
}

#[tokio::test]
async fn a_postgresql_is_left_to_its_own_tools() {
    let url = (
        "DATABASE__URL",
        "postgres://fleet:s3cret@db.invalid/fleetwire",
    );
    let server = Server::prepare(Engine::Sqlite, &[url]).await;
    let (code, _, said) = server.try_plain_cli(&["backup", "copy.db"]);
    assert_eq!(code, 1);
    assert!(
        said.contains("pg_dump") && said.contains("db.invalid"),
        "{said}"
    );
    assert!(!said.contains("s3cret"), "{said}");
}
