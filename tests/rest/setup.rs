//! The first start: who reads the log makes the first superuser, once.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{ME, text};
use crate::support::{Client, Credential, Engine, PASSWORD, Seed, Server, eventually};

const SETUP: &str = "/api/v1/setup/";
const TOLD: &str = "with the token ";

fn body(token: &str, username: &str) -> Value {
    let email = format!("{username}@example.org");
    json!({"token": token, "username": username, "email": email, "password": PASSWORD})
}

/// The token that the server printed when it started last.
async fn token_of(server: &Server) -> String {
    eventually("a token in the log", async || {
        let log = server.log();
        let (_, rest) = log.rsplit_once(TOLD)?;
        Some(rest.split_whitespace().next()?.to_owned())
    })
    .await
}

async fn is_open(client: &Client) -> bool {
    let answer = client.get(SETUP).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    answer.expect(200)["is_open"].as_bool().unwrap()
}

#[tokio::test]
async fn who_reads_the_log_makes_the_first_superuser_once() {
    let server = Server::start_with(&[("LOG__LEVEL", "debug")]).await;
    let client = server.client(&Credential::Nobody);
    assert!(is_open(&client).await);
    let token = token_of(&server).await;
    assert!(token.len() >= 32, "at least 128 bits: {token}");

    let wrong = client.post(SETUP, &body(&"0".repeat(40), "ada")).await;
    assert!(text(&wrong.expect(400)["token"][0]).contains("log"));
    for (field, value, reason) in [
        ("password", "12345678", "entirely numeric"),
        ("password", "short", "too short"),
        ("username", "", "blank"),
        ("email", "nowhere", "valid email"),
    ] {
        let mut body = body(&token, "ada");
        body[field] = value.into();
        let answer = client.post(SETUP, &body).await.expect(400);
        assert!(text(&answer[field][0]).contains(reason), "{answer}");
    }
    assert!(is_open(&client).await);

    let made = client.post(SETUP, &body(&token, "ada")).await;
    assert_eq!(made.expect(201), json!({"username": "ada"}));
    assert!(!is_open(&client).await);
    let session = client.log_in("ada", PASSWORD).await.session();
    let me = server.client(&session).get(ME).await.expect(200);
    assert_eq!(
        (&me["is_superuser"], &me["is_staff"]),
        (&json!(true), &json!(true))
    );

    let again = client.post(SETUP, &body(&token, "eve")).await.expect(409);
    assert!(
        text(&again["detail"]).contains("has been set up"),
        "{again}"
    );
    let log = server.log();
    assert_eq!(log.matches(&token).count(), 1, "told once, and never again");
    assert!(!log.contains(PASSWORD));
}

#[tokio::test]
async fn of_many_who_have_the_token_one_is_the_first() {
    let server = Server::start().await;
    let client = server.client(&Credential::Nobody);
    let token = token_of(&server).await;
    let bodies: Vec<_> = (0..6)
        .map(|it| body(&token, &format!("root{it}")))
        .collect();
    let answers = join_all(bodies.iter().map(|body| client.post(SETUP, body))).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409, 409, 409]);
    assert_eq!(server.cli(&["user", "list"]).as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn guesses_are_counted_by_address() {
    let server = Server::start_with(&[("LOGIN__ATTEMPTS_PER_ADDRESS", "3")]).await;
    let client = server.client(&Credential::Nobody);
    for _ in 0..3 {
        client.post(SETUP, &body("guess", "ada")).await.expect(400);
    }
    let token = token_of(&server).await;
    let answer = client.post(SETUP, &body(&token, "ada")).await;
    assert!(!answer.header("retry-after").is_empty());
    answer.expect(429);
}

#[tokio::test]
async fn the_token_of_any_node_counts_at_every_node() {
    let mut one = Server::prepare(Engine::Postgres, &[]).await;
    one.run().await;
    let mut other = one.beside();
    other.run().await;
    let token = token_of(&other).await;
    assert_ne!(token, token_of(&one).await);
    let client = one.client(&Credential::Nobody);
    client.post(SETUP, &body(&token, "ada")).await.expect(201);
    assert!(!is_open(&other.client(&Credential::Nobody)).await);
}

#[tokio::test]
async fn a_restart_prints_another_token_and_a_user_none() {
    let mut server = Server::start().await;
    let old = token_of(&server).await;
    server.terminate().await;
    server.run().await;
    let client = server.client(&Credential::Nobody);
    let new = eventually("another token", async || {
        let token = token_of(&server).await;
        (token != old).then_some(token)
    })
    .await;
    client.post(SETUP, &body(&old, "ada")).await.expect(400);
    Seed(&server).user("clerk", &[]);
    client.post(SETUP, &body(&new, "ada")).await.expect(409);
    server.terminate().await;
    server.run().await;
    assert!(!is_open(&client).await);
    let log = server.log();
    let (_, last) = log.rsplit_once("listening on").unwrap();
    assert!(!last.contains(TOLD), "{last}");
}

#[tokio::test]
async fn a_page_of_elsewhere_is_refused() {
    let server = Server::start().await;
    let client = server.client(&Credential::Nobody);
    let client = client.with_header("origin", "https://evil.test");
    let token = token_of(&server).await;
    client.post(SETUP, &body(&token, "ada")).await.expect(403);
    assert!(is_open(&client).await);
}
