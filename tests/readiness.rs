//! `GET /readyz`: each part, and why it is not ready.

use serde_json::json;

use crate::support::{
    Client, Credential, Database, Engine, OwnPostgres, Server, eventually, free_address,
};

async fn readiness(server: &Server) -> (u16, serde_json::Value) {
    let answer = server.client(&Credential::Nobody).get("/readyz").await;
    (answer.status, answer.json)
}

/// Waits until every part is.
async fn is_ready(server: &Server) {
    let all_well = json!({
        "ready": true, "degraded": false, "draining": false,
        "database": "ok", "tail": "ok", "hints": "ok", "runner": "ok",
    });
    eventually("the server is ready", async || {
        let (status, body) = readiness(server).await;
        (status == 200 && body == all_well).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_server_on_sqlite_is_ready_in_all_its_parts() {
    is_ready(&Server::start().await).await;
}

#[tokio::test]
async fn without_its_database_a_server_says_which_parts_are_not_ready_and_is_again_when_it_is_back()
{
    let postgres = OwnPostgres::start().await;
    let url = postgres.database("postgres");
    let key = "ab".repeat(32);
    let settings = [("DATABASE__URL", &*url), ("SECRETS__KEY", &*key)];
    let mut server = Server::prepare(Engine::Sqlite, &settings).await;
    server.run().await;
    is_ready(&server).await;
    postgres.stop();
    eventually("every part has noticed", async || {
        let (status, body) = readiness(&server).await;
        let database = body["database"].as_str().unwrap();
        let is_away = ["failed", "no answer"].contains(&database);
        let told = |part: &str| body[part].as_str().unwrap() != "ok";
        let all = is_away && told("tail") && told("hints") && told("runner");
        assert!(!all || (status == 503 && body["ready"] == false), "{body}");
        // Nobody learns from it where the database is, or how it fails.
        assert!(!body.to_string().contains("postgres"), "{body}");
        all.then_some(())
    })
    .await;
    assert_eq!(
        Client::of(server.address()).get("/healthz").await.status,
        200
    );
    postgres.run();
    is_ready(&server).await;
}

/// As after a failover to a standby, or where the disk is full: all that is read is well.
#[tokio::test]
async fn a_database_that_can_only_be_read_makes_a_server_not_ready() {
    let postgres = OwnPostgres::start().await;
    let metrics = free_address();
    let (url, key) = (postgres.database("postgres"), "ab".repeat(32));
    let settings = [
        ("DATABASE__URL", &*url),
        ("SECRETS__KEY", &*key),
        ("METRICS__LISTEN", &*metrics.to_string()),
    ];
    let mut server = Server::prepare(Engine::Sqlite, &settings).await;
    server.run().await;
    is_ready(&server).await;
    let gauge = async |value: u8| {
        let text = Client::of(metrics).get("/metrics").await.text;
        let line = format!("\nfleetwire_database_writable {value}\n");
        text.contains(&line).then_some(())
    };
    assert_eq!(gauge(1).await, Some(()));
    let mut database = Database::of(&server).await;
    database
        .execute("ALTER SYSTEM SET default_transaction_read_only = on")
        .await;
    database.execute("SELECT pg_reload_conf()").await;
    eventually("it is noticed", async || {
        let (status, body) = readiness(&server).await;
        let said = body["database"].as_str().unwrap();
        assert!(
            said == "ok" || (status == 503 && body["ready"] == false),
            "{body}"
        );
        said.starts_with("it cannot be written (").then_some(())
    })
    .await;
    eventually("it is counted", async || gauge(0).await).await;
    database
        .execute("ALTER SYSTEM RESET default_transaction_read_only")
        .await;
    database.execute("SELECT pg_reload_conf()").await;
    is_ready(&server).await;
    assert_eq!(gauge(1).await, Some(()));
}
