//! A data directory that was copied, as with the image of a machine.

use std::collections::BTreeSet;

use crate::support::{Engine, Server};

fn identity(server: &Server) -> String {
    let text = std::fs::read_to_string(server.directory().join("node")).unwrap();
    text.lines().next().unwrap().to_owned()
}

#[tokio::test]
async fn a_node_whose_identity_was_copied_becomes_another_one_and_stays_it() {
    let mut first = Server::prepare(Engine::Postgres, &[]).await;
    first.run().await;
    let mut second = first.beside();
    let [from, to] = [&first, &second].map(|it| it.directory().join("node"));
    std::fs::copy(from, to).unwrap();
    assert_eq!(identity(&first), identity(&second));
    second.run().await;
    let listed = || -> BTreeSet<String> {
        let nodes = first.cli(&["nodes", "list"]);
        let nodes = nodes.as_array().unwrap().iter();
        nodes
            .map(|node| node["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let both = BTreeSet::from([identity(&first), identity(&second)]);
    assert_eq!(listed(), both);
    assert_eq!(both.len(), 2);
    assert!(second.log().contains("node_copied"), "{}", second.log());
    // Killed and started again at once it is who it was, though it was heard of a moment ago.
    second.kill().await;
    second.run().await;
    assert_eq!(listed(), both);
}
