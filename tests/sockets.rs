//! Nodes, and the open sockets of all of them: seen and closed from any node, and from the command line,
//! which is none.

use serde_json::{Value, json};

use crate::conformance::on_both_engines;
use crate::support::{
    Client, Credential, Engine, FLEET, Seed, Server, Socket, command_path, eventually,
    location_path,
};

const SOCKETS: &str = "/api/v1/sockets/";
const CLOSE: &str = "/api/v1/sockets/close/";
const NODES: &str = "/api/v1/nodes/";

on_both_engines! {
    open_sockets_are_listed_by_whose_and_what_they_are,
    those_that_are_closed_are_told_so_and_may_come_back,
    a_node_is_listed_until_it_takes_leave,
}

struct Stage {
    server: Server,
    organization: String,
    bus: String,
    device: String,
    root: Credential,
    ada: Credential,
}

impl Stage {
    async fn set_up(engine: Engine) -> Self {
        let mut server = Server::prepare(engine, &[]).await;
        server.run().await;
        let seed = Seed(&server);
        let organization = seed.organization("Alpha");
        let bus = seed.location("bus", &organization, &["--mobile"]);
        let device = seed.device("router", &organization).id;
        let root = seed.root();
        let flags = ["--staff", "--group", "Administrator", "--manages", "Alpha"];
        let ada = seed.user_with_token("ada", &flags);
        Self {
            server,
            organization,
            bus,
            device,
            root,
            ada,
        }
    }

    fn client(&self) -> Client {
        self.server.client(&self.root)
    }

    async fn list(&self, query: &str) -> Value {
        self.client()
            .get(&format!("{SOCKETS}{query}"))
            .await
            .expect(200)
    }

    async fn count(&self, query: &str) -> u64 {
        let list = self.list(query).await;
        let count = list["count"].as_u64().unwrap();
        assert_eq!(
            list["results"].as_array().unwrap().len() as u64,
            count.min(1000)
        );
        count
    }
}

async fn open_sockets_are_listed_by_whose_and_what_they_are(engine: Engine) {
    let stage = Stage::set_up(engine).await;
    let mut sockets = Vec::new();
    for (path, credential) in [
        (FLEET.to_owned(), &stage.root),
        (FLEET.to_owned(), &stage.ada),
        (location_path(&stage.bus), &stage.ada),
        (command_path(&stage.device), &stage.ada),
    ] {
        sockets.push(Socket::open(&stage.server, &path, credential).await);
    }
    let list = stage.list("").await;
    assert_eq!(
        (&list["count"], list["nodes"].as_array().unwrap().len()),
        (&json!(4), 1)
    );
    assert_eq!(list["nodes"][0]["trouble"], json!(null));
    let results = list["results"].as_array().unwrap();
    let of = |endpoint: &str| {
        let mut found = results.iter().filter(|it| it["endpoint"] == endpoint);
        found.next().unwrap_or_else(|| panic!("{list}"))
    };
    let commands = of("device_commands");
    assert_eq!(commands["resource"], json!(stage.device));
    assert_eq!(commands["username"], json!("ada"));
    assert_eq!(commands["address"], json!("127.0.0.1"));
    assert_eq!(commands["waiting_bytes"], json!(0));
    assert_eq!(commands["node"], list["nodes"][0]["id"]);
    assert_eq!(of("location")["resource"], json!(stage.bus));
    assert_eq!(of("locations")["resource"], json!(null));
    let ada = commands["user"].as_str().unwrap().to_owned();
    for (query, count) in [
        (format!("?user={ada}"), 3),
        (format!("?user={ada}&endpoint=locations"), 1),
        ("?endpoint=locations".into(), 2),
        ("?address=127.0.0.0/8".into(), 4),
        ("?address=10.0.0.1".into(), 0),
        // A superuser's feed is of all organizations.
        (format!("?organization={}", stage.organization), 3),
    ] {
        assert_eq!(stage.count(&query).await, count, "{query}");
    }
    let first = stage.list("?limit=1").await;
    assert_eq!(
        (&first["count"], first["results"].as_array().unwrap().len()),
        (&json!(4), 1)
    );
    for (query, field) in [
        ("?user=ada", "user"),
        ("?endpoint=nope", "endpoint"),
        ("?address=nope", "address"),
    ] {
        let refused = stage
            .client()
            .get(&format!("{SOCKETS}{query}"))
            .await
            .expect(400);
        assert!(refused[field].is_array(), "{query}: {refused}");
    }
    let told = stage
        .server
        .cli(&["sockets", "list", "--user", "ada", "--org", "Alpha"]);
    assert_eq!(told.as_array().unwrap().len(), 3);
    assert_eq!(told[0]["username"], json!("ada"));
    // It is nobody's business who is no superuser.
    for path in [SOCKETS, NODES] {
        assert_eq!(stage.server.client(&stage.ada).get(path).await.status, 403);
        assert_eq!(
            stage
                .server
                .client(&Credential::Nobody)
                .get(path)
                .await
                .status,
            401
        );
    }
    // What has ended is not there any more.
    sockets.pop().unwrap().close().await;
    eventually("it is gone", async || {
        (stage.count("").await == 3).then_some(())
    })
    .await;
}

async fn those_that_are_closed_are_told_so_and_may_come_back(engine: Engine) {
    let stage = Stage::set_up(engine).await;
    let client = stage.client();
    let mut stays = Socket::open(&stage.server, FLEET, &stage.root).await;
    let mut one = Socket::open(&stage.server, &location_path(&stage.bus), &stage.ada).await;
    let mut two = Socket::open(&stage.server, FLEET, &stage.ada).await;
    let list = stage.list("?endpoint=location").await;
    let id = list["results"][0]["id"].as_str().unwrap();
    let closed = client.post(CLOSE, &json!({"id": id})).await.expect(200);
    assert_eq!(closed["count"], json!(1));
    assert_eq!(one.closed().await, Some(1013));
    // An id that no socket has any more closes none.
    eventually("it is gone", async || {
        let closed = client.post(CLOSE, &json!({"id": id})).await.expect(200);
        (closed["count"] == 0).then_some(())
    })
    .await;
    let told = stage.server.cli(&["sockets", "close", "--user", "ada"]);
    assert_eq!(told, json!({"count": 1}));
    assert_eq!(two.closed().await, Some(1013));
    Socket::open(&stage.server, FLEET, &stage.ada)
        .await
        .ping()
        .await;
    stays.ping().await;
    // All of them only by that very word.
    assert_eq!(client.post(CLOSE, &json!({})).await.status, 400);
    assert_eq!(client.post(CLOSE, &json!({"user": null})).await.status, 400);
    // What would have narrowed it is not ignored: it would close all fleet feeds.
    let mistyped = json!({"usr": id, "endpoint": "locations"});
    let refused = client.post(CLOSE, &mistyped).await.expect(400);
    assert_eq!(refused, json!({"usr": ["There is no such field."]}));
    for body in [
        json!({"endpoint": "nope"}),
        json!({"address": "nope"}),
        json!({"id": "nope"}),
    ] {
        assert_eq!(client.post(CLOSE, &body).await.status, 400, "{body}");
    }
    let ada = stage.server.client(&stage.ada);
    assert_eq!(ada.post(CLOSE, &json!({"id": id})).await.status, 403);
    let (code, _, told) = stage.server.try_cli(&["sockets", "close"], "");
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("--all"), "{told}");
    let told = stage.server.cli(&["audit", "list", "--limit", "3"]);
    let entries = told.as_array().unwrap().iter();
    let by: Vec<_> = entries
        .filter(|it| it["action"] == "close" && it["model"] == "Socket")
        .map(|it| it["actor"].as_str().unwrap().contains("command line"))
        .collect();
    assert_eq!(by, [true, false, false], "{told}");
    stage.server.cli(&["sockets", "close", "--all"]);
    assert_eq!(stays.closed().await, Some(1013));
}

async fn a_node_is_listed_until_it_takes_leave(engine: Engine) {
    let mut stage = Stage::set_up(engine).await;
    let socket = Socket::open(&stage.server, FLEET, &stage.root).await;
    let nodes = eventually("it has told of its socket", async || {
        let nodes = stage.client().get(NODES).await.expect(200);
        (nodes["results"][0]["sockets"] == 1).then_some(nodes)
    })
    .await;
    let node = &nodes["results"][0];
    assert_eq!(
        (&nodes["count"], &node["is_alive"]),
        (&json!(1), &json!(true))
    );
    let port = format!(":{}", stage.server.address().port());
    assert!(node["name"].as_str().unwrap().ends_with(&port), "{node}");
    assert_eq!(stage.server.cli(&["nodes", "list"])[0]["id"], node["id"]);
    socket.close().await;
    stage.server.terminate().await;
    assert_eq!(stage.server.cli(&["nodes", "list"]), json!([]));
    let told = stage.server.cli(&["sockets", "list"]);
    assert_eq!(told, json!([]), "and nobody waits for it");
}

#[tokio::test]
async fn sockets_of_every_node_are_seen_and_closed_from_any() {
    let stage = Stage::set_up(Engine::Postgres).await;
    let mut other = stage.server.beside();
    other.run().await;
    let mut here = Socket::open(&stage.server, FLEET, &stage.ada).await;
    let mut there = Socket::open(&other, FLEET, &stage.ada).await;
    for server in [&stage.server, &other] {
        let client = server.client(&stage.root);
        // A node that has just started is asked from its first word on.
        let list = eventually("both nodes are there", async || {
            let list = client.get(SOCKETS).await.expect(200);
            (list["nodes"].as_array().unwrap().len() == 2).then_some(list)
        })
        .await;
        assert_eq!(list["count"], json!(2));
        let nodes = [&list["results"][0]["node"], &list["results"][1]["node"]];
        assert_ne!(nodes[0], nodes[1]);
    }
    let told = stage.server.cli(&["sockets", "close", "--user", "ada"]);
    assert_eq!(told, json!({"count": 2}));
    assert_eq!(here.closed().await, Some(1013));
    assert_eq!(there.closed().await, Some(1013));
    // One that is killed says nothing: what it has is not known, and that is said.
    other.kill().await;
    let list = stage.list("").await;
    let troubles = list["nodes"].as_array().unwrap().iter();
    let troubles: Vec<_> = troubles.filter_map(|it| it["trouble"].as_str()).collect();
    assert_eq!(troubles, ["it did not answer"]);
    let (code, _, told) = stage.server.try_cli(&["sockets", "close", "--all"], "");
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("it did not answer"), "{told}");
}
