//! What a browser and a program get.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::BodyExt as _;

use super::*;

const INDEX: &str = "<!doctype html><head><title>fleetwire</title></head>";
const SCRIPT: &[u8] = b"console.log(1)";

fn built(path: &str) -> Option<File> {
    let content = match path {
        "index.html" => INDEX.as_bytes().to_vec(),
        "assets/icon-1.svg" => b"<svg/>".to_vec(),
        "assets/app-1.js.br" => b"as brotli".to_vec(),
        "assets/app-1.js.gz" => {
            let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
            packer.write_all(SCRIPT).unwrap();
            packer.finish().unwrap()
        }
        _ => return None,
    };
    Some(content.into())
}

fn console() -> Console {
    Console::of(built, &ConsoleConfig::default())
}

fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
    let pairs = pairs.iter().cloned();
    pairs
        .map(|(name, value)| (name, HeaderValue::from_static(value)))
        .collect()
}

fn browser() -> HeaderMap {
    headers(&[(ACCEPT, "text/html,application/xhtml+xml,*/*;q=0.8")])
}

fn header(response: &Response, name: impl AsRef<str>) -> &str {
    let value = response.headers().get(name.as_ref());
    value.map_or("", |it| it.to_str().unwrap())
}

async fn body(response: Response) -> Vec<u8> {
    let collected = response.into_body().collect().await.unwrap();
    collected.to_bytes().to_vec()
}

#[tokio::test]
async fn a_browser_that_follows_a_deep_link_gets_the_page() {
    for path in [
        "/devices",
        "/devices/0b7a",
        "/devices/0b7a/",
        "/apiary",
        "/nope",
    ] {
        let page = console().page_at(&Method::GET, path, &browser()).unwrap();
        assert_eq!(page.status(), 200, "{path}");
        assert_eq!(body(page).await, INDEX.as_bytes(), "{path}");
    }
}

#[test]
fn what_belongs_to_programs_is_never_a_page() {
    let console = console();
    for path in [
        "/api/v1/nope/",
        "/api",
        "/ws/nope",
        "/accounts/nope/",
        "/assets/nope.js",
        "/healthz",
        "/healthz/x",
        "/readyz/x",
        "/metrics",
    ] {
        let page = console.page_at(&Method::GET, path, &browser());
        assert!(page.is_none(), "{path}");
    }
    let program = headers(&[(ACCEPT, "*/*")]);
    assert!(console.page_at(&Method::GET, "/nope", &program).is_none());
    assert!(
        console
            .page_at(&Method::GET, "/nope", &HeaderMap::new())
            .is_none()
    );
    assert!(
        console
            .page_at(&Method::POST, "/nope", &browser())
            .is_none()
    );
}

#[test]
fn files_are_kept_for_ever_and_the_page_is_asked_for() {
    let console = console();
    let page = console.page(&HeaderMap::new());
    assert_eq!(header(&page, CACHE_CONTROL), "no-cache");
    let asset = console.asset("app-1.js", &HeaderMap::new()).unwrap();
    assert_eq!(
        header(&asset, CACHE_CONTROL),
        "public, max-age=31536000, immutable"
    );
    assert_eq!(
        header(&asset, CONTENT_TYPE),
        "text/javascript; charset=utf-8"
    );
    for answer in [&page, &asset] {
        assert_eq!(header(answer, X_CONTENT_TYPE_OPTIONS), "nosniff");
        assert_eq!(header(answer, REFERRER_POLICY), "no-referrer");
        assert!(header(answer, CONTENT_SECURITY_POLICY).contains("frame-ancestors 'none'"));
    }
}

#[tokio::test]
async fn a_client_gets_the_smallest_form_that_it_takes() {
    let console = console();
    for (accepted, coding, content) in [
        ("gzip, deflate, br", "br", Some(&b"as brotli"[..])),
        ("gzip", "gzip", None),
        ("identity", "", Some(SCRIPT)),
    ] {
        let accepted = headers(&[(ACCEPT_ENCODING, accepted)]);
        let answer = console.asset("app-1.js", &accepted).unwrap();
        assert_eq!(header(&answer, CONTENT_ENCODING), coding);
        assert_eq!(header(&answer, VARY), "accept-encoding");
        if let Some(content) = content {
            assert_eq!(body(answer).await, content, "{coding}");
        }
    }
    let small = console.asset("icon-1.svg", &HeaderMap::new()).unwrap();
    assert_eq!(header(&small, CONTENT_TYPE), "image/svg+xml");
    assert_eq!(body(small).await, b"<svg/>");
    for nothing in ["nope.js", "../index.html", "", "app-1.js.map"] {
        assert!(
            console.asset(nothing, &HeaderMap::new()).is_none(),
            "{nothing}"
        );
    }
}

#[test]
fn a_page_that_is_known_is_not_sent_again() {
    let console = console();
    let tag = console.page(&HeaderMap::new()).headers()[ETAG].clone();
    let again = HeaderMap::from_iter([(IF_NONE_MATCH, tag)]);
    assert_eq!(console.page(&again).status(), StatusCode::NOT_MODIFIED);
    let other = headers(&[(IF_NONE_MATCH, "\"0\"")]);
    assert_eq!(console.page(&other).status(), StatusCode::OK);
}

#[tokio::test]
async fn a_tile_server_is_told_to_the_page_and_let_in() {
    let config = ConsoleConfig {
        tiles: "https://tiles.example.org/{z}/{x}/{y}.png?a=1&b=2".to_owned(),
        tiles_attribution: "\"<Tiles>\"".to_owned(),
    };
    let page = Console::of(built, &config).page(&HeaderMap::new());
    let policy = header(&page, CONTENT_SECURITY_POLICY).to_owned();
    assert!(
        policy.contains("connect-src 'self' https://tiles.example.org;"),
        "{policy}"
    );
    let page = String::from_utf8(body(page).await).unwrap();
    assert!(page.contains("content=\"https://tiles.example.org/{z}/{x}/{y}.png?a=1&amp;b=2\""));
    assert!(
        page.contains("content=\"&quot;&lt;Tiles&gt;&quot;\""),
        "{page}"
    );
}

#[tokio::test]
async fn a_server_without_a_console_says_how_one_is_made() {
    let console = Console::of(|_| None, &ConsoleConfig::default());
    let page = console.page(&HeaderMap::new());
    assert_eq!(page.status(), StatusCode::OK);
    let page = String::from_utf8(body(page).await).unwrap();
    assert!(page.contains("make build"), "{page}");
}
