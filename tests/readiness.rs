//! `GET /readyz`: each part, and why it is not ready.

use serde_json::json;

use crate::support::{Client, Credential, Engine, OwnPostgres, Server, eventually};

async fn readiness(server: &Server) -> (u16, serde_json::Value) {
    let answer = server.client(&Credential::Nobody).get("/readyz").await;
    (answer.status, answer.json)
}

/// Waits until every part is.
async fn is_ready(server: &Server) {
    let all_well = json!({
        "ready": true, "degraded": false, "draining": false,
        "database": "ok", "hints": "ok", "runner": "ok",
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
        let all = is_away && told("hints") && told("runner");
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
