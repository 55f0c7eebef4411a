//! In which order a request is asked what, and what is the same on every path.

use serde_json::json;

use super::stage::{
    CREDENTIALS, DEVICES, GROUPS, LOCATIONS, LOGIN, LOGOUT, ME, ORGANIZATIONS, Stage, TOKEN, USERS,
};
use crate::config::Config;

const NOBODYS: &str = "00000000-0000-4000-8000-000000000009";

#[tokio::test]
async fn who_comes_before_may_comes_before_where_comes_before_what() {
    let stage = Stage::set_up().await;
    let viewer = stage.add_manager("viewer", &["config.view_device"]).await;
    let foreign = json!({"name": "router", "organization": stage.other});
    let foreign = format!("{DEVICES}{}/", stage.root.make(DEVICES, foreign).await);
    // Each request is wrong in every way; the client decides how far it gets.
    for (client, status) in [
        (&stage.nobody, 401),
        (&viewer, 403),
        (&stage.operator, 404),
        (&stage.root, 400),
    ] {
        let answer = client.send_text("PATCH", &foreign, None, "{").await;
        assert_eq!(answer.status, status, "{}", answer.text);
        // A path that is none, or a method that is none, is told to everybody.
        client
            .send("PATCH", &format!("{DEVICES}xyz/"), Some(json!({})))
            .await
            .expect(404);
        client
            .send("POST", &foreign, Some(json!({})))
            .await
            .expect(405);
    }
}

#[tokio::test]
async fn reading_needs_view_or_change_and_writing_its_own_permission() {
    let stage = Stage::set_up().await;
    let location =
        json!({"name": "bus", "type": "outdoor", "is_mobile": true, "organization": stage.own});
    let location = stage.root.make(LOCATIONS, location).await;
    let device = stage
        .root
        .make(DEVICES, json!({"name": "a", "organization": stage.own}))
        .await;
    let at = format!("{DEVICES}{device}/location/");
    for (name, permission, [locations, map, devices_there, device_location]) in [
        ("a", "geo.view_location", [200, 200, 403, 403]),
        ("b", "geo.change_location", [200, 200, 403, 403]),
        ("c", "geo.add_location", [403, 403, 403, 403]),
        ("d", "config.view_device", [403, 403, 200, 403]),
        ("e", "geo.view_devicelocation", [403, 403, 403, 404]),
        ("f", "geo.delete_location", [403, 403, 403, 403]),
    ] {
        let client = stage.add_manager(name, &[permission]).await;
        for (path, status) in [
            (LOCATIONS, locations),
            (&format!("{LOCATIONS}{location}/"), locations),
            (&format!("{LOCATIONS}geojson/"), map),
            (&format!("{LOCATIONS}{location}/device/"), devices_there),
            (&at, device_location),
        ] {
            assert_eq!(client.get(path).await.status, status, "{permission} {path}");
        }
    }
    let denied = stage
        .add_manager("g", &[])
        .await
        .get(LOCATIONS)
        .await
        .expect(403);
    assert_eq!(
        denied,
        json!({"detail": "You do not have permission to perform this action."})
    );
}

#[tokio::test]
async fn who_manages_nothing_sees_empty_lists() {
    let stage = Stage::set_up().await;
    stage
        .root
        .make(DEVICES, json!({"name": "a", "organization": stage.own}))
        .await;
    let member = crate::store::NewAccount {
        permissions: vec!["config.view_device".parse().unwrap()],
        member_of: vec![stage.own],
        ..Default::default()
    };
    let member = stage.add_user("member", member).await;
    assert_eq!(member.get(DEVICES).await.expect(200)["count"], json!(0));
}

#[tokio::test]
async fn with_and_without_the_slash_at_the_end_the_answer_is_the_same() {
    let stage = Stage::set_up().await;
    let device = stage
        .root
        .make(DEVICES, json!({"name": "a", "organization": stage.own}))
        .await;
    for path in [
        DEVICES,
        LOCATIONS,
        USERS,
        GROUPS,
        ORGANIZATIONS,
        ME,
        &format!("{DEVICES}{device}/"),
        &format!("{DEVICES}{device}/location/"),
        &format!("{LOCATIONS}geojson/"),
        &format!("{LOCATIONS}{NOBODYS}/"),
        &format!("{LOCATIONS}{NOBODYS}/device/"),
    ] {
        let with = stage.root.get(path).await;
        let without = stage.root.get(path.trim_end_matches('/')).await;
        assert_eq!(
            (with.status, with.text),
            (without.status, without.text),
            "{path}"
        );
    }
    assert_eq!(
        stage
            .nobody
            .post("/api/v1/users/token", json!({}))
            .await
            .status,
        400
    );
    assert_eq!(
        stage
            .nobody
            .post("/accounts/logout", json!({}))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn every_path_names_its_methods() {
    let stage = Stage::set_up().await;
    for (path, allow) in [
        (TOKEN, "POST, OPTIONS"),
        (LOGIN, "POST, OPTIONS"),
        (LOGOUT, "POST, OPTIONS"),
        (DEVICES, "GET, POST, HEAD, OPTIONS"),
        (LOCATIONS, "GET, POST, HEAD, OPTIONS"),
        (&format!("{LOCATIONS}geojson/"), "GET, HEAD, OPTIONS"),
        (
            &format!("{LOCATIONS}{NOBODYS}/device/"),
            "GET, HEAD, OPTIONS",
        ),
        (
            &format!("{LOCATIONS}{NOBODYS}/"),
            "GET, PUT, PATCH, DELETE, HEAD, OPTIONS",
        ),
        (
            &format!("{DEVICES}{NOBODYS}/"),
            "GET, PUT, PATCH, DELETE, HEAD, OPTIONS",
        ),
        (
            &format!("{DEVICES}{NOBODYS}/location/"),
            "GET, PUT, PATCH, DELETE, HEAD, OPTIONS",
        ),
        (
            &format!("{DEVICES}{NOBODYS}/coordinates/"),
            "GET, PUT, PATCH, HEAD, OPTIONS",
        ),
        (
            &format!("{DEVICES}{NOBODYS}/regenerate-key/"),
            "POST, OPTIONS",
        ),
        (&format!("{DEVICES}{NOBODYS}/activate/"), "POST, OPTIONS"),
        (&format!("{DEVICES}{NOBODYS}/deactivate/"), "POST, OPTIONS"),
        (CREDENTIALS, "GET, POST, HEAD, OPTIONS"),
        (USERS, "GET, POST, HEAD, OPTIONS"),
        (GROUPS, "GET, POST, HEAD, OPTIONS"),
        (ORGANIZATIONS, "GET, POST, HEAD, OPTIONS"),
        (
            &format!("{USERS}{NOBODYS}/"),
            "GET, PUT, PATCH, DELETE, HEAD, OPTIONS",
        ),
        (
            &format!("{USERS}{NOBODYS}/password/"),
            "PUT, PATCH, OPTIONS",
        ),
        (
            &format!("{GROUPS}{NOBODYS}/"),
            "GET, PUT, PATCH, DELETE, HEAD, OPTIONS",
        ),
        (
            &format!("{ORGANIZATIONS}{NOBODYS}/"),
            "GET, PUT, PATCH, DELETE, HEAD, OPTIONS",
        ),
        (ME, "GET, PATCH, HEAD, OPTIONS"),
        (
            &format!("{CREDENTIALS}{NOBODYS}/"),
            "GET, PUT, PATCH, DELETE, HEAD, OPTIONS",
        ),
        (
            &format!("{DEVICES}{NOBODYS}/connection/"),
            "GET, POST, HEAD, OPTIONS",
        ),
        (
            &format!("{DEVICES}{NOBODYS}/connection/{NOBODYS}/"),
            "GET, PUT, PATCH, DELETE, HEAD, OPTIONS",
        ),
        (
            &format!("{DEVICES}{NOBODYS}/command/"),
            "GET, POST, HEAD, OPTIONS",
        ),
        (
            &format!("{DEVICES}{NOBODYS}/command/{NOBODYS}/"),
            "GET, HEAD, OPTIONS",
        ),
        (
            &format!("{DEVICES}{NOBODYS}/command/{NOBODYS}/cancel/"),
            "POST, OPTIONS",
        ),
    ] {
        let options = stage.nobody.send("OPTIONS", path, None).await;
        assert_eq!(
            (options.status, options.header("allow"), &*options.text),
            (204, allow, ""),
            "{path}"
        );
        for method in [
            "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PURGE",
        ] {
            let answer = stage.root.send(method, path, None).await;
            assert_eq!(answer.header("allow"), allow, "{method} {path}");
            let is_allowed = allow.split(", ").any(|allowed| allowed == method);
            assert_eq!(answer.status != 405, is_allowed, "{method} {path}");
            if !is_allowed && method != "HEAD" {
                let detail = format!("Method \"{method}\" not allowed.");
                assert_eq!(answer.json, json!({"detail": detail}), "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn head_answers_like_get_without_the_body() {
    let stage = Stage::set_up().await;
    let get = stage.root.get(DEVICES).await;
    let head = stage.root.send("HEAD", DEVICES, None).await;
    assert_eq!((head.status, &*head.text), (200, ""));
    assert_eq!(head.header("content-length"), get.text.len().to_string());
    assert_eq!(stage.nobody.send("HEAD", DEVICES, None).await.status, 401);
}

#[tokio::test]
async fn what_is_no_path_is_not_found_in_json() {
    let stage = Stage::set_up().await;
    for path in [
        "/api",
        "/api/",
        "/api/v1/",
        "/api/v1/controller/nope/",
        "/api/v1/controller/device//",
        "/api/v1/controller/device/xyz/",
        "/api/v1/controller/device/%ff/",
        "/api/v1/controller/device/0000000000004000800000000000000a/",
        "/api/v1/controller/device/%7B00000000-0000-4000-8000-000000000009%7D/",
        "/api/v1/controller/device/urn:uuid:00000000-0000-4000-8000-000000000009/",
        "/api/v1/controller/device/00000000-0000-4000-8000-000000000009/nope/",
        "/api/v1/controller/location/geojson/x/",
    ] {
        let answer = stage.root.get(path).await.expect(404);
        assert_eq!(answer, json!({"detail": "Not found."}), "{path}");
    }
}

#[tokio::test]
async fn links_are_of_the_scheme_and_host_that_the_client_used() {
    let mut config = Config::default();
    config.server.trusted_proxies = vec!["192.0.2.0/24".parse().unwrap()];
    for (config, base) in [
        (config, "https://fleet.example.org:8443"),
        (Config::default(), "http://ow.test"),
    ] {
        let stage = Stage::set_up_with(config).await;
        for name in ["a", "b"] {
            stage
                .root
                .make(DEVICES, json!({"name": name, "organization": stage.own}))
                .await;
        }
        let forwarded = stage
            .root
            .with("x-forwarded-proto", "https")
            .with("x-forwarded-host", "fleet.example.org:8443");
        let list = forwarded
            .get(&format!("{DEVICES}?page_size=1&page=2"))
            .await
            .expect(200);
        assert_eq!(
            list["previous"],
            json!(format!("{base}{DEVICES}?page_size=1"))
        );
    }
}

#[tokio::test]
async fn a_cookie_writes_only_from_a_page_of_this_server() {
    let mut config = Config::default();
    config.server.allowed_origins = vec!["https://console.example.org".into()];
    let stage = Stage::set_up_with(config).await;
    let browser = stage.browser("operator").await;
    let body = |name: &str| json!({"name": name, "organization": stage.own});
    browser.post(DEVICES, body("a")).await.expect(201);
    browser
        .with("origin", "https://console.example.org")
        .post(DEVICES, body("b"))
        .await
        .expect(201);
    for origin in [
        None,
        Some("https://ow.test"),
        Some("http://evil.test"),
        Some("null"),
        Some(""),
    ] {
        let page = match origin {
            Some(origin) => browser.with("origin", origin),
            None => browser.without("origin"),
        };
        let refused = page.post(DEVICES, body("c")).await.expect(403);
        assert!(
            refused["detail"]
                .as_str()
                .unwrap()
                .starts_with("CSRF Failed: "),
            "{refused}"
        );
        page.get(DEVICES).await.expect(200);
        // A token is nothing that a browser sends on its own.
        let script = stage
            .operator
            .with("origin", origin.unwrap_or("http://evil.test"));
        assert_eq!(
            script
                .patch(&format!("{DEVICES}{NOBODYS}/"), json!({}))
                .await
                .status,
            404
        );
    }
    // An unknown session is nobody, whatever its page.
    let unknown = browser
        .with("cookie", "sessionid=stale")
        .with("origin", "http://evil.test");
    unknown.post(DEVICES, body("d")).await.expect(401);
}

#[tokio::test]
async fn a_body_over_the_limit_is_told_to_whom_it_may_concern() {
    let mut config = Config::default();
    config.server.body_limit_bytes = 100;
    let stage = Stage::set_up_with(config).await;
    let body = json!({"name": "x".repeat(100), "organization": stage.own});
    stage.nobody.post(DEVICES, body.clone()).await.expect(401);
    let refused = stage.root.post(DEVICES, body).await.expect(413);
    assert_eq!(
        refused,
        json!({"detail": "The body of the request is larger than 100 bytes."})
    );
    assert_eq!(stage.root.get(DEVICES).await.expect(200)["count"], json!(0));
}

#[tokio::test]
async fn other_media_than_json_is_refused_by_name() {
    let stage = Stage::set_up().await;
    let text = json!({"name": "a", "organization": stage.own}).to_string();
    let form = Some("application/x-www-form-urlencoded");
    let refused = stage
        .root
        .send_text("POST", DEVICES, form, &text)
        .await
        .expect(415);
    let detail = "Unsupported media type \"application/x-www-form-urlencoded\" in request.";
    assert_eq!(refused, json!({"detail": detail}));
    stage
        .root
        .send_text("POST", DEVICES, None, &text)
        .await
        .expect(201);
}
