//! What the program says of itself: the OpenAPI document, the page made of it, and the AsyncAPI
//! document of the sockets.

use crate::support::{Client, Credential, Server};

const OPENAPI: &str = "/api/v1/openapi.json";

fn in_docs(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs")
        .join(name);
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
