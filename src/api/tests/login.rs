//! Sessions and tokens: how they begin and end.

use serde_json::json;

use super::stage::{Client, DEVICES, LOGIN, LOGOUT, OWN_ORIGIN, PASSWORD, Stage, TOKEN};
use crate::config::Config;
use crate::store::NewAccount;

const FORM: Option<&str> = Some("application/x-www-form-urlencoded");

fn right() -> serde_json::Value {
    json!({"username": "operator", "password": PASSWORD})
}

fn form(more: &str) -> String {
    format!(
        "username=operator&password={}{more}",
        PASSWORD.replace(' ', "+")
    )
}

#[tokio::test]
async fn a_log_in_answers_with_the_name_and_a_cookie_for_this_server_alone() {
    let stage = Stage::set_up().await;
    let answer = stage.nobody.post(LOGIN, right()).await;
    assert_eq!(
        (answer.status, &answer.json),
        (200, &json!({"username": "operator"}))
    );
    assert_eq!(answer.header("cache-control"), "no-store");
    let (pair, attributes) = answer.header("set-cookie").split_once("; ").unwrap();
    assert!(
        pair.strip_prefix("sessionid=")
            .is_some_and(|value| value.len() >= 32),
        "{pair}"
    );
    assert_eq!(
        attributes,
        "HttpOnly; Max-Age=1209600; Path=/; SameSite=Lax"
    );
    stage
        .nobody
        .with("cookie", pair)
        .get(DEVICES)
        .await
        .expect(200);
}

#[tokio::test]
async fn the_cookie_is_as_configured_and_secure_behind_a_proxy_that_ends_tls() {
    let mut config = Config::default();
    config.server.trusted_proxies = vec!["192.0.2.7".parse::<std::net::IpAddr>().unwrap().into()];
    config.login.cookie_name = "fleet".into();
    config.login.session_hours = 1;
    let stage = Stage::set_up_with(config).await;
    let browser = stage
        .nobody
        .with("x-forwarded-proto", "https")
        .with("origin", "https://ow.test");
    let answer = browser.post(LOGIN, right()).await;
    let (pair, attributes) = answer.header("set-cookie").split_once("; ").unwrap();
    assert!(pair.starts_with("fleet="), "{pair}");
    assert_eq!(
        attributes,
        "HttpOnly; Max-Age=3600; Path=/; SameSite=Lax; Secure"
    );
    let browser = browser.with("cookie", pair);
    browser
        .post(DEVICES, json!({"name": "a", "organization": stage.own}))
        .await
        .expect(201);
}

#[tokio::test]
async fn a_form_is_sent_on_to_a_page_of_this_server_only() {
    let stage = Stage::set_up().await;
    for (path, next, expected) in [
        (LOGIN, "", "/"),
        (LOGIN, "&next=%2Fmap%3Fx%3D1", "/map?x=1"),
        ("/accounts/login/?next=/map", "", "/map"),
        ("/accounts/login/?next=/map", "&next=/other", "/other"),
        (LOGIN, "&next=//evil.test", "/"),
        (LOGIN, "&next=%2F%5Cevil.test", "/"),
        (LOGIN, "&next=https://evil.test/", "/"),
        ("/accounts/login/?next=//evil.test", "", "/"),
    ] {
        let answer = stage
            .nobody
            .send_text("POST", path, FORM, &form(next))
            .await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (303, expected),
            "{path} {next}"
        );
        let cookie = answer.cookie();
        stage
            .nobody
            .with("cookie", &cookie)
            .get(DEVICES)
            .await
            .expect(200);
    }
}

#[tokio::test]
async fn whoever_is_not_let_in_gets_no_cookie() {
    let stage = Stage::set_up().await;
    let wrong = json!({"non_field_errors": ["Unable to log in with provided credentials."]});
    let required =
        json!({"password": ["This field is required."], "username": ["This field is required."]});
    for (body, expected) in [
        (
            json!({"username": "operator", "password": "x"}),
            wrong.clone(),
        ),
        (
            json!({"username": "nobody", "password": PASSWORD}),
            wrong.clone(),
        ),
        (json!({"username": "Operator", "password": PASSWORD}), wrong),
        (json!({}), required),
        (
            json!({"username": " ", "password": ""}),
            json!({"password": ["This field may not be blank."], "username": ["This field may not be blank."]}),
        ),
        (
            json!({"username": null, "password": []}),
            json!({"password": ["Not a valid string."], "username": ["This field may not be null."]}),
        ),
    ] {
        for path in [LOGIN, TOKEN] {
            let answer = stage.nobody.post(path, body.clone()).await;
            assert_eq!(answer.header("set-cookie"), "");
            assert_eq!(answer.expect(400), expected);
        }
    }
    let foreign = stage
        .nobody
        .with("origin", "http://evil.test")
        .post(LOGIN, right())
        .await;
    assert_eq!((foreign.status, foreign.header("set-cookie")), (403, ""));
    stage
        .nobody
        .with("origin", OWN_ORIGIN)
        .post(LOGIN, right())
        .await
        .expect(200);
}

#[tokio::test]
async fn a_token_is_had_with_json_or_a_form_and_is_another_each_time() {
    let stage = Stage::set_up().await;
    let first = stage.nobody.post(TOKEN, right()).await.expect(200);
    let second = stage
        .nobody
        .send_text("POST", TOKEN, FORM, &form(""))
        .await
        .expect(200);
    assert_ne!(first, second);
    for answer in [first, second] {
        let token = answer["token"].as_str().unwrap();
        for keyword in ["Bearer", "Token", "bearer"] {
            let client = stage
                .nobody
                .with("authorization", &format!("{keyword} {token}"));
            client.get(DEVICES).await.expect(200);
        }
    }
}

#[tokio::test]
async fn a_session_shown_at_log_in_ends() {
    let stage = Stage::set_up().await;
    let old = stage.browser("operator").await;
    let failed = old
        .post(LOGIN, json!({"username": "operator", "password": "x"}))
        .await;
    assert_eq!(failed.status, 400);
    old.get(DEVICES).await.expect(200);
    let new = old
        .post(LOGIN, json!({"username": "root", "password": PASSWORD}))
        .await;
    old.get(DEVICES).await.expect(401);
    old.with("cookie", &new.cookie())
        .get(DEVICES)
        .await
        .expect(200);
}

#[tokio::test]
async fn a_log_out_ends_the_session_and_the_cookie_and_nothing_else() {
    let stage = Stage::set_up().await;
    let (one, other) = (
        stage.browser("operator").await,
        stage.browser("operator").await,
    );
    for page in [
        one.without("origin"),
        one.with("origin", "http://evil.test"),
    ] {
        let refused = page.post(LOGOUT, json!({})).await;
        assert_eq!((refused.status, refused.header("set-cookie")), (403, ""));
    }
    one.get(DEVICES).await.expect(200);
    let answer = one.post(LOGOUT, json!({})).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("set-cookie"),
        "sessionid=; HttpOnly; Max-Age=0; Path=/; SameSite=Lax"
    );
    one.get(DEVICES).await.expect(401);
    other.get(DEVICES).await.expect(200);
    stage.operator.get(DEVICES).await.expect(200);
    // Again, or without a session: there is nothing to end.
    assert_eq!(one.post(LOGOUT, json!({})).await.status, 200);
    assert_eq!(stage.nobody.send("POST", LOGOUT, None).await.status, 200);
    let form = other.send_text("POST", LOGOUT, FORM, "next=/bye").await;
    assert_eq!((form.status, form.header("location")), (303, "/bye"));
    other.get(DEVICES).await.expect(401);
}

async fn guess(client: &Client, username: &str) -> u16 {
    client
        .post(TOKEN, json!({"username": username, "password": "x"}))
        .await
        .status
}

#[tokio::test]
async fn failures_are_counted_over_both_doors_and_answered_with_the_time_to_wait() {
    let mut config = Config::default();
    config.login.attempts_per_user = 2;
    let stage = Stage::set_up_with(config).await;
    assert_eq!(guess(&stage.nobody, "operator").await, 400);
    stage.nobody.post(LOGIN, right()).await.expect(200);
    assert_eq!(
        guess(&stage.nobody, "operator").await,
        400,
        "success cleared the first"
    );
    let failed = stage
        .nobody
        .post(LOGIN, json!({"username": "operator", "password": "x"}))
        .await;
    assert_eq!(failed.status, 400);
    for path in [LOGIN, TOKEN] {
        let refused = stage.nobody.post(path, right()).await;
        let wait: u64 = refused.header("retry-after").parse().unwrap();
        assert!((1..=301).contains(&wait), "{wait}");
        let detail = format!("Request was throttled. Expected available in {wait} seconds.");
        assert_eq!(refused.expect(429), json!({"detail": detail}));
    }
    stage
        .nobody
        .post(TOKEN, json!({"username": "root", "password": PASSWORD}))
        .await
        .expect(200);
}

#[tokio::test]
async fn an_address_is_what_a_trusted_proxy_says_and_nobody_else() {
    for (is_trusted, admitted) in [(true, 5), (false, 3)] {
        let mut config = Config::default();
        config.login.attempts_per_address = 3;
        if is_trusted {
            config.server.trusted_proxies = vec!["192.0.2.0/24".parse().unwrap()];
        }
        let stage = Stage::set_up_with(config).await;
        let mut count = 0;
        for number in 0..5 {
            let client = stage
                .nobody
                .with("x-forwarded-for", &format!("198.51.100.{number}"));
            count += u32::from(guess(&client, &format!("guess {number}")).await == 400);
        }
        assert_eq!(count, admitted);
    }
}

#[tokio::test]
async fn many_at_once_with_the_right_password_are_all_let_in() {
    let mut config = Config::default();
    config.login.attempts_per_user = 2;
    let stage = Stage::set_up_with(config).await;
    let all =
        futures_util::future::join_all((0..8).map(|_| stage.nobody.post(TOKEN, right()))).await;
    assert!(all.iter().all(|answer| answer.status == 200));
}

#[tokio::test]
async fn a_password_that_came_as_pbkdf2_keeps_working_and_its_hash_becomes_ours() {
    let stage = Stage::set_up().await;
    let store = &stage.app.store;
    // Python: `hashlib.pbkdf2_hmac("sha256", b"correct horse", b"saltsaltsalt", 2000)`.
    let foreign =
        "$pbkdf2-sha256$i=2000,l=32$c2FsdHNhbHRzYWx0$6NjFgJ/1q4gZMhWQ+24NPTh6CMFFzAZazVn5goAdPBw";
    let arrived = NewAccount {
        username: "arrived".into(),
        password_hash: Some(foreign.into()),
        is_staff: true,
        ..NewAccount::default()
    };
    store.add_user(&arrived).await.unwrap();
    let log_in = async |password: &str| {
        let fields = json!({"username": "arrived", "password": password});
        stage.nobody.post(LOGIN, fields).await
    };
    let hash = async || {
        let record = store.password_of("arrived").await.unwrap();
        record.unwrap().password_hash
    };
    log_in("incorrect horse").await.expect(400);
    assert_eq!(hash().await, foreign);
    let first = log_in("correct horse").await;
    let ours = hash().await;
    assert!(ours.starts_with("$argon2id$"), "{ours}");
    log_in("incorrect horse").await.expect(400);
    log_in("correct horse").await.expect(200);
    assert_eq!(hash().await, ours, "replaced once");
    // It is the same password: what it opened stays open.
    let me = stage.nobody.with("cookie", &first.cookie());
    assert_eq!(
        me.get(DEVICES).await.status,
        403,
        "known, and without rights"
    );
}
