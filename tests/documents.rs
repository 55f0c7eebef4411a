//! What the program says of itself: the OpenAPI document, the page made of it, and the AsyncAPI
//! document of the sockets.

mod asyncapi;
mod schemathesis;

use std::path::{Path, PathBuf};

use crate::support::{Client, Credential, Server};

const OPENAPI: &str = "/api/v1/openapi.json";
const PAGE: &str = "/api/v1/docs/";

/// A file of the repository, or one that `make test` has installed in it.
fn in_repository(path: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    assert!(
        path.exists(),
        "{} is not there: run `make test`",
        path.display()
    );
    path
}

fn in_docs(name: &str) -> String {
    let path = in_repository("docs").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A change of the interface is seen in review: as a change of this file.
#[tokio::test]
async fn the_openapi_document_is_the_one_in_docs() {
    let server = Server::start().await;
    let answer = Client::new(&server, Credential::Nobody).get(OPENAPI).await;
    let (_, printed, _) = server.try_plain_cli(&["openapi"]);
    assert_eq!(answer.text, printed);
    let line = |text: &str, at: usize| text.lines().nth(at).unwrap_or_default().to_owned();
    let written = in_docs("openapi.json");
    let differs = (0..written.lines().count().max(printed.lines().count()))
        .find(|at| line(&written, *at) != line(&printed, *at));
    if let Some(at) = differs {
        panic!(
            "docs/openapi.json is not what the handlers say; if that is meant, run `make openapi`. \
             Line {} there: {}; now: {}",
            at + 1,
            line(&written, at),
            line(&printed, at)
        );
    }
}

/// What stands behind each `name="` of a page.
fn attributes<'a>(page: &'a str, name: &str) -> Vec<&'a str> {
    page.split(&format!(" {name}=\""))
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect()
}

#[tokio::test]
async fn the_page_shows_every_operation_and_loads_nothing() {
    let server = Server::start().await;
    let client = Client::new(&server, Credential::Nobody);
    let page = client.get(PAGE).await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let policy = page.header("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'; style-src 'sha256-"),
        "{policy}"
    );
    let page = page.text;
    for loading in [
        "<script", "<link", "<img", "<iframe", " src=", "@import", "url(", " style=", " on",
    ] {
        let in_tag = page
            .split('<')
            .any(|tag| format!("<{}", tag.split('>').next().unwrap()).contains(loading));
        let in_style = loading.contains(['@', '(']) && page.contains(loading);
        assert!(!in_tag && !in_style, "the page has {loading}");
    }
    let ids = attributes(&page, "id");
    let unique: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!(unique.len(), ids.len(), "an id is there twice");
    for target in attributes(&page, "href") {
        let leads = target
            .strip_prefix('#')
            .map_or(target.starts_with('/'), |id| ids.contains(&id));
        assert!(leads, "{target} leads nowhere");
    }
    for labelled in attributes(&page, "aria-labelledby") {
        assert!(ids.contains(&labelled), "{labelled} labels nothing");
    }
    let document = client.get(OPENAPI).await.json;
    for (path, item) in document["paths"].as_object().unwrap() {
        for operation in item.as_object().unwrap().values() {
            let name = operation["operationId"].as_str().unwrap();
            assert!(ids.contains(&name), "{path}: {name} is not on the page");
        }
    }
    for landmark in [
        "<header>",
        "<nav aria-label=",
        "<main ",
        "<h1>",
        "lang=\"en\"",
    ] {
        assert_eq!(page.matches(landmark).count(), 1, "{landmark}");
    }
}
