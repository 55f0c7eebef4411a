//! A node goes on while a later version brings its tables to the database, and starts again after that.

use serde_json::{Value, json};

use crate::conformance::on_both_engines;
use crate::support::{
    Client, Credential, Database, Device, Engine, FLEET, Seed, Server, Socket, command_path,
    coordinates, feature,
};

on_both_engines! {
    a_node_goes_on_while_a_later_version_adds_to_its_tables_and_starts_again_after_that,
}

/// Everything that rows are read whole of, and more.
const TABLES: [&str; 18] = [
    "organization",
    "users",
    "user_permission",
    "groups",
    "group_permission",
    "group_user",
    "organization_user",
    "session",
    "token",
    "device",
    "location",
    "device_location",
    "credential",
    "connection",
    "command",
    "audit",
    "batch",
    "batch_device",
];

/// One node, and what it is asked for again and again.
struct Node {
    root: Client,
    device: Device,
    paths: Vec<String>,
    round: u32,
}

impl Node {
    async fn set_up(server: &Server, token: &Credential) -> Self {
        let seed = Seed(server);
        let device = seed.device("bus", "Alpha");
        seed.credential("routers", "Alpha", "s3cret");
        server.cli(&["connection", "add", "bus", "routers"]);
        let root = server.client(token);
        let of = async |path: &str| {
            let list = root.get(path).await.expect(200);
            let first = &list["results"][0]["id"];
            format!(
                "{path}{}/",
                first.as_str().unwrap_or_else(|| panic!("{path}: {list}"))
            )
        };
        let own = format!("/api/v1/controller/device/{}/", device.id);
        let custom = json!({"type": "custom", "input": {"command": "true"}});
        root.post(&format!("{own}command/"), &custom)
            .await
            .expect(201);
        let batch = json!({"type": "custom", "input": {"command": "true"}, "devices": [device.id]});
        let batches = "/api/v1/controller/batch-command/";
        root.post(batches, &batch).await.expect(201);
        let mut paths = vec!["/api/v1/users/me/".to_owned()];
        for list in [
            "/api/v1/users/user/",
            "/api/v1/users/group/",
            "/api/v1/users/organization/",
            "/api/v1/controller/device/",
            "/api/v1/controller/credential/",
            batches,
            &format!("{own}connection/"),
            &format!("{own}command/"),
        ] {
            paths.extend([list.to_owned(), of(list).await]);
        }
        paths.push(format!(
            "{}device/",
            paths
                .iter()
                .find(|it| it.len() > batches.len() && it.starts_with(batches))
                .unwrap()
        ));
        paths.push(format!("{own}command-type/"));
        Self {
            root,
            device,
            paths,
            round: 0,
        }
    }

    /// Reads of everything and writes to most; all must succeed.
    async fn work(&mut self, server: &Server, token: &Credential) {
        self.round += 1;
        let mut fleet = Socket::open(server, FLEET, token).await;
        let at = f64::from(self.round);
        let nobody = server.client(&Credential::Nobody);
        let report = feature(at, 1.0);
        nobody
            .put(&self.device.coordinates_path(), &report)
            .await
            .expect(200);
        let heard = fleet
            .next_where(|it| coordinates(it).0.total_cmp(&at).is_eq())
            .await;
        assert!(heard["id"].is_string());
        Socket::open(server, &command_path(&self.device.id), token)
            .await
            .close()
            .await;
        for path in &self.paths {
            self.root.get(path).await.expect(200);
        }
        self.root
            .get("/api/v1/controller/location/")
            .await
            .expect(200);
        self.root
            .get("/api/v1/controller/location/geojson/")
            .await
            .expect(200);
        // The one of a list that is among the paths.
        let first = |list: &str| {
            let is_of_it = |it: &&String| it.starts_with(list) && it.len() == list.len() + 37;
            let found = self.paths.iter().find(is_of_it);
            found.unwrap_or_else(|| panic!("none of {list}")).clone()
        };
        let named: Value = json!({"name": format!("name {}", self.round)});
        for list in [
            "/api/v1/users/organization/",
            "/api/v1/controller/device/",
            "/api/v1/controller/credential/",
        ] {
            self.root.patch(&first(list), &named).await.expect(200);
        }
        let made = json!({"name": format!("new {}", self.round)});
        self.root
            .post("/api/v1/users/organization/", &made)
            .await
            .expect(201);
        self.root
            .post("/api/v1/users/group/", &made)
            .await
            .expect(201);
    }
}

async fn a_node_goes_on_while_a_later_version_adds_to_its_tables_and_starts_again_after_that(
    engine: Engine,
) {
    let mut server = Server::prepare(engine, &[]).await;
    let seed = Seed(&server);
    seed.organization("Alpha");
    let token = seed.root();
    server.run().await;
    let mut node = Node::set_up(&server, &token).await;
    // What is prepared once is used again; more than once, since there are several connections.
    for _ in 0..3 {
        node.work(&server, &token).await;
    }
    let mut database = Database::of(&server).await;
    for table in TABLES {
        let column = format!("ALTER TABLE {table} ADD COLUMN later TEXT NOT NULL DEFAULT 'x'");
        database.execute(&column).await;
    }
    let applied = "INSERT INTO _sqlx_migrations
         (version, description, success, checksum, execution_time) VALUES (9999, 'later', TRUE, ";
    let sum = match engine {
        Engine::Sqlite => "x'00', 1)",
        Engine::Postgres => "'\\x00', 1)",
    };
    database.execute(&format!("{applied}{sum}")).await;
    for _ in 0..3 {
        node.work(&server, &token).await;
    }
    server.terminate().await;
    server.run().await;
    node.work(&server, &token).await;
    if engine == Engine::Postgres {
        let mut beside = server.beside();
        beside.run().await;
        let client = beside.client(&token);
        client.get("/api/v1/users/me/").await.expect(200);
    }
    // The command line is such a program as well.
    server.cli(&["audit", "list"]);
    server.cli(&["migrate"]);
    // Until a later version says that this one can do no more.
    database
        .execute("UPDATE schema_floor SET migration = 9999")
        .await;
    server.terminate().await;
    let (code, _, said) = server.try_cli(&["serve"], "");
    assert_eq!(code, 1);
    assert!(
        said.contains("later version") && said.contains("9999"),
        "{said}"
    );
}
