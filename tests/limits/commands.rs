//! Of commands that wait, on both engines: single ones, batches, and those of the command line.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use tokio::net::TcpListener;

use super::retry_after;
use crate::conformance::on_both_engines;
use crate::support::{Answer, Client, Engine, Seed, Server, eventually};

on_both_engines! {
    a_device_for_which_as_many_commands_wait_as_may_gets_no_more,
    an_organization_for_which_as_many_commands_wait_as_may_gets_no_more,
}

/// Devices that take the connection and then say nothing: the first command of each is on its way for as
/// long as the test runs, the others wait.
struct Stage {
    server: Server,
    root: Client,
    devices: Vec<String>,
    _silence: TcpListener,
}

impl Stage {
    async fn set_up(engine: Engine, settings: &[(&str, &str)]) -> Self {
        let patience = ("COMMANDS__CONNECT_TIMEOUT_S", "300");
        let settings = [settings, &[patience]].concat();
        let mut server = Server::prepare(engine, &settings).await;
        server.run().await;
        let seed = Seed(&server);
        let organization = seed.organization("Alpha");
        let root = server.client(&seed.root());
        let silence = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = silence.local_addr().unwrap().port().to_string();
        let login = [
            "credential",
            "add",
            "login",
            "--org",
            "Alpha",
            "--username",
            "root",
            "--port",
            &port,
            "--password-stdin",
        ];
        server.cli_with_input(&login, "secret\n");
        let mut devices = Vec::new();
        for name in ["bus 1", "bus 2"] {
            let device = seed.device(name, &organization);
            server.cli(&["device", "set", name, "--address", "127.0.0.1"]);
            server.cli(&["connection", "add", name, "login"]);
            devices.push(device.id);
        }
        Self {
            server,
            root,
            devices,
            _silence: silence,
        }
    }

    /// Asks for commands of a device until there is no room for more, and `accepted` of them have been: those that are
    /// on their way wait no more, but it takes a moment until they are. Answers with what is said then.
    async fn fill(&self, device: usize, accepted: usize) -> Answer {
        let so_far = AtomicUsize::new(0);
        eventually("as many wait as may", async || {
            let answer = self.ask(device).await;
            if answer.status == 201 {
                so_far.fetch_add(1, Ordering::Relaxed);
                return None;
            }
            (so_far.load(Ordering::Relaxed) == accepted).then_some(answer)
        })
        .await
    }

    fn path(&self, device: usize) -> String {
        let id = &self.devices[device];
        format!("/api/v1/controller/device/{id}/command/")
    }

    /// Asks for a command and answers with what the server says.
    async fn ask(&self, device: usize) -> Answer {
        let body = json!({"type": "custom", "input": {"command": "uptime"}});
        self.root.post(&self.path(device), &body).await
    }
}

async fn a_device_for_which_as_many_commands_wait_as_may_gets_no_more(engine: Engine) {
    let stage = Stage::set_up(engine, &[("LIMITS__COMMANDS_PER_DEVICE", "2")]).await;
    // One is on its way, two wait.
    let full = stage.fill(0, 3).await;
    assert_eq!(full.status, 429);
    retry_after(&full);
    let detail = full.json["detail"].as_str().unwrap().to_owned();
    assert!(
        detail.starts_with("2 commands wait for this device"),
        "{detail}"
    );
    let (code, _, told) = stage.server.try_cli(&["run", "bus 1", "--", "uptime"], "");
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("2 commands wait for this device"), "{told}");
    // A batch leaves it out, and says why.
    let batch = json!({"type": "custom", "input": {"command": "uptime"}, "devices": stage.devices});
    let path = "/api/v1/controller/batch-command/";
    let planned = stage
        .root
        .post(&format!("{path}?dry_run=true"), &batch)
        .await
        .expect(200);
    assert_eq!(planned["results"][0]["reason"], json!(detail), "{planned}");
    assert_eq!(planned["results"][1]["reason"], json!(null), "{planned}");
    let made = stage.root.post(path, &batch).await.expect(201);
    assert_eq!((&made["total"], &made["skipped"]), (&json!(2), &json!(1)));
    stage.ask(1).await.expect(201);
}

async fn an_organization_for_which_as_many_commands_wait_as_may_gets_no_more(engine: Engine) {
    let stage = Stage::set_up(engine, &[("LIMITS__COMMANDS_PER_ORGANIZATION", "3")]).await;
    stage.ask(1).await.expect(201);
    // One of each device is on its way, three wait.
    let full = stage.fill(0, 4).await;
    assert_eq!(full.status, 429);
    retry_after(&full);
    let batch = json!({"type": "custom", "input": {"command": "uptime"}, "devices": stage.devices});
    let refused = stage
        .root
        .post("/api/v1/controller/batch-command/", &batch)
        .await;
    assert_eq!(refused.status, 429, "{}", refused.text);
    let list = stage
        .root
        .get("/api/v1/controller/batch-command/")
        .await
        .expect(200);
    assert_eq!(list["count"], json!(0), "nothing of it was written");
    // Another tenant's devices are not held up.
    let seed = Seed(&stage.server);
    let other = seed.organization("Beta");
    let device = seed.device("tram", &other);
    seed.credential("other", "Beta", "secret");
    stage.server.cli(&["connection", "add", "tram", "other"]);
    let path = format!("/api/v1/controller/device/{}/command/", device.id);
    let body = json!({"type": "custom", "input": {"command": "uptime"}});
    stage.root.post(&path, &body).await.expect(201);
}
