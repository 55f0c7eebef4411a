//! `X-Forwarded-*`: believed of trusted proxies only.

use serde_json::{Value, json};

use super::{LOCATIONS, Stage, TOKEN};
use crate::support::{FLEET, PASSWORD, Socket};

const TRUSTED: (&str, &str) = ("SERVER__TRUSTED_PROXIES", "127.0.0.0/8");
const FORWARDED: [(&str, &str); 2] = [
    ("x-forwarded-host", "fleet.example.org"),
    ("x-forwarded-proto", "https"),
];

#[tokio::test]
async fn a_trusted_proxy_says_which_host_and_scheme_the_client_used() {
    for (settings, secure, base, own_origin) in [
        (&[TRUSTED][..], true, Some("https://fleet.example.org"), 101),
        (&[][..], false, None, 403),
    ] {
        let stage = Stage::set_up_with(settings).await;
        let plain = stage.server.base();
        let base = base.unwrap_or(&plain);
        let mut client = stage.root.clone();
        let mut browser = stage.nobody.clone();
        for (name, value) in FORWARDED {
            client = client.with_header(name, value);
            browser = browser.with_header(name, value);
        }
        for name in ["bus 1", "bus 2"] {
            stage
                .seed()
                .location(name, &stage.own, &["--mobile", "--point", "1,2"]);
        }
        let list = client
            .get(&format!("{LOCATIONS}?page_size=1"))
            .await
            .expect(200);
        let next = list["next"].as_str().unwrap();
        assert!(next.starts_with(&format!("{base}/")), "{next}");
        let login = browser
            .with_header("origin", base)
            .log_in("root", PASSWORD)
            .await;
        let cookie = login.session_cookie().to_ascii_lowercase();
        assert_eq!(cookie.contains("secure"), secure, "{cookie}");
        let mut headers = FORWARDED.to_vec();
        headers.push(("origin", "https://fleet.example.org"));
        let token = stage.seed().token("root");
        let opened = Socket::try_open_with(&stage.server, FLEET, &token, &headers).await;
        assert_eq!(opened.err().unwrap_or(101), own_origin);
    }
}

/// How many different addresses a client can claim to have before its attempts are refused.
async fn attempts_from_claimed_addresses(stage: &Stage) -> usize {
    for number in 0..8 {
        let client = stage
            .nobody
            .clone()
            .with_header("x-forwarded-for", &format!("192.0.2.{number}"));
        let body: Value = json!({"username": format!("guess-{number}"), "password": "x"});
        if client.post(TOKEN, &body).await.status == 429 {
            return number;
        }
    }
    8
}

#[tokio::test]
async fn attempts_are_counted_by_the_address_that_a_trusted_proxy_names() {
    let limit = ("LOGIN__ATTEMPTS_PER_ADDRESS", "3");
    let stage = Stage::set_up_with(&[limit]).await;
    assert_eq!(
        attempts_from_claimed_addresses(&stage).await,
        3,
        "a client chose its own address"
    );
    let stage = Stage::set_up_with(&[limit, TRUSTED]).await;
    assert_eq!(
        attempts_from_claimed_addresses(&stage).await,
        8,
        "a proxy's clients are one"
    );
}
