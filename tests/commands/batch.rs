//! One command on many devices.

use serde_json::{Value, json};

use super::stage::{CREDENTIALS, DEVICES, Router, Stage, closed_address, custom, password};
use super::watcher::{is_final, text};
use crate::conformance::on_both_engines;
use crate::support::ssh::{OpenSsh, Options};
use crate::support::{Client, Credential, Engine, Seed, eventually};

pub const BATCHES: &str = "/api/v1/controller/batch-command/";

on_both_engines! {
    fifty_devices_do_it_and_the_others_say_why_not,
    a_single_command_of_another_organization_does_not_wait_for_a_batch,
    a_cancel_ends_the_rest,
    each_tenant_has_its_own_part,
}

/// `body` with more fields.
pub fn with(body: &Value, more: &Value) -> Value {
    let mut both = body.as_object().unwrap().clone();
    both.extend(more.as_object().unwrap().clone());
    both.into()
}

impl Stage {
    /// Asks for a batch; its id.
    pub async fn batch(&self, body: &Value) -> String {
        text(&self.root.post(BATCHES, body).await.expect(201), "id")
    }

    /// A device of another organization.
    pub async fn foreign_router(&self, organization: &str, address: &str) -> Router {
        let body = json!({"name": "login", "organization": organization, "params": password()});
        let credential = self.root.post(CREDENTIALS, &body).await.expect(201);
        let body = json!({"name": "other", "organization": organization, "addresses": [address]});
        let id = text(&self.root.post(DEVICES, &body).await.expect(201), "id");
        let connection = self.connect(&id, &text(&credential, "id")).await;
        Router { id, connection }
    }
}

/// A batch as this client sees it.
pub async fn batch(client: &Client, id: &str) -> Value {
    client.get(&format!("{BATCHES}{id}/")).await.expect(200)
}

/// The batch after its end.
pub async fn ended(client: &Client, id: &str) -> Value {
    eventually("the batch ends", async || {
        Some(batch(client, id).await).filter(is_final)
    })
    .await
}

/// What came of it on each device.
pub async fn results(client: &Client, id: &str, query: &str) -> Vec<Value> {
    let path = format!("{BATCHES}{id}/device/?page_size=100{query}");
    let page = client.get(&path).await.expect(200);
    let results = page["results"].as_array().unwrap().clone();
    assert_eq!(page["count"], json!(results.len()));
    results
}

/// Total, queued, running, success, failed, skipped.
pub fn counts(batch: &Value) -> [i64; 6] {
    ["total", "queued", "running", "success", "failed", "skipped"]
        .map(|key| batch[key].as_i64().unwrap())
}

/// Devices of which most are good.
struct Fleet {
    good: Vec<Router>,
    dead: Router,
    /// Of an organization that may not use the type.
    other: Router,
    all: Vec<String>,
}

const GOOD: usize = 44;

async fn fleet(stage: &Stage, port: u16) -> Fleet {
    let root = &stage.root;
    let credential = stage.credential("all", password()).await;
    let mut routers = Vec::new();
    for number in 1..=GOOD + 2 {
        let address = format!("127.0.0.{number}:{port}");
        let name = format!("router-{number:02}");
        routers.push(stage.router_with(&name, &[&address], &credential).await);
    }
    for off in routers.drain(GOOD..) {
        let path = format!("{}deactivate/", off.path());
        root.post(&path, &json!({})).await.expect(200);
    }
    let dead = closed_address().to_string();
    let dead = stage.router_with("dead", &[&dead], &credential).await;
    // No credential is assigned to these.
    for name in ["bare-1", "bare-2"] {
        let body = json!({"name": name, "organization": stage.organization});
        root.post(DEVICES, &body).await.expect(201);
    }
    let beta = Seed(&stage.server).organization("Beta");
    let other = stage.foreign_router(&beta, "127.0.0.1:9").await;
    let all = root
        .get(&format!("{DEVICES}?page_size=100"))
        .await
        .expect(200);
    let all = all["results"].as_array().unwrap().iter();
    Fleet {
        good: routers,
        dead,
        other,
        all: all.map(|it| text(it, "id")).collect(),
    }
}

async fn fifty_devices_do_it_and_the_others_say_why_not(engine: Engine) {
    let device = OpenSsh::start(&Options::default());
    let allowed = "[commands.allowed]\nbeta = [\"reboot\"]\n";
    let stage = Stage::set_up_with(engine, &[], allowed).await;
    let (root, fleet) = (&stage.root, fleet(&stage, device.address().port()).await);
    let (first, all) = (&fleet.good[0], &fleet.all);
    let body = with(
        &custom("echo one; echo two"),
        &json!({"devices": all, "label": "Nightly", "notes": "All of them"}),
    );

    let dry = root
        .post(&format!("{BATCHES}?dry_run=true"), &body)
        .await
        .expect(200);
    assert_eq!(
        (&dry["id"], counts(&dry)),
        (&json!(null), [50, 45, 0, 0, 0, 5])
    );
    let planned = dry["results"].as_array().unwrap();
    assert!(planned.iter().all(|it| it["command"].is_null()));
    assert_eq!(root.get(BATCHES).await.expect(200)["count"], json!(0));
    let commands = root.get(&first.commands()).await.expect(200);
    assert_eq!(commands["count"], json!(0), "a dry run writes nothing");

    let mut watcher = stage.watch(first).await;
    let made = root.post(BATCHES, &body).await.expect(201);
    assert_eq!(
        (&made["status"], counts(&made)),
        (&json!("in-progress"), counts(&dry))
    );
    let id = text(&made, "id");
    let done = ended(root, &id).await;
    assert_eq!(
        (&done["status"], counts(&done)),
        (&json!("failed"), [50, 0, 0, 44, 1, 5])
    );
    for key in ["type", "input", "label", "notes", "devices", "created"] {
        assert_eq!(done[key], made[key], "{key}");
    }
    assert_eq!(done["type"], "Custom Command");
    assert_eq!(done["devices"].as_array().unwrap().len(), 50);
    say_why_not(root, &id, &fleet).await;

    // Whoever watches a device sees the command as if it were a single one.
    let found = results(root, &id, "").await;
    let good = found.iter().find(|it| it["device"] == first.id).unwrap();
    let command = text(good, "command");
    let last = watcher.end(&command).await;
    let seen = stage.seen(first, &command).await;
    assert_eq!(seen["batch"], json!(id));
    for key in [
        "status",
        "output",
        "connection",
        "type",
        "input",
        "modified",
    ] {
        assert_eq!(last[key], seen[key], "{key}");
    }
    watcher.hears_nothing_more().await;
    let single = stage.run(first, "echo three").await;
    assert_eq!(single["batch"], json!(null));
}

async fn say_why_not(root: &Client, id: &str, fleet: &Fleet) {
    let found = results(root, id, "").await;
    let of = |device: &str| found.iter().find(|it| it["device"] == device).unwrap();
    let names: Vec<_> = found.iter().map(|it| text(it, "device_name")).collect();
    assert!(names.is_sorted(), "{names:?}");
    let good = of(&fleet.good[0].id);
    assert_eq!(
        (&good["status"], &good["exit_code"]),
        (&json!("success"), &json!(0))
    );
    assert_eq!(
        (&good["last_line"], &good["reason"]),
        (&json!("two"), &json!(null))
    );
    assert_eq!(results(root, id, "&status=success").await.len(), GOOD);
    assert_eq!(
        results(root, id, "&status=failed").await,
        [of(&fleet.dead.id).clone()]
    );
    let skipped = results(root, id, "&status=skipped").await;
    let mut reasons: Vec<_> = skipped.iter().map(|it| text(it, "reason")).collect();
    reasons.sort();
    let bare = "Device has no credentials assigned.";
    let off = "Device is deactivated.";
    assert_eq!(
        reasons,
        ["\"custom\" is not a valid choice.", bare, bare, off, off]
    );
    assert_eq!(of(&fleet.other.id)["reason"], reasons[0]);
}

/// Whoever runs one command at a time must not make others wait for all of a batch.
async fn a_single_command_of_another_organization_does_not_wait_for_a_batch(engine: Engine) {
    const SIZE: usize = 30;
    let device = OpenSsh::start(&Options::default());
    let stage = Stage::set_up_on(engine, &[("COMMANDS__PARALLEL", "1")]).await;
    let port = device.address().port();
    let credential = stage.credential("all", password()).await;
    for number in 1..=SIZE {
        let address = format!("127.0.0.{number}:{port}");
        let name = format!("router-{number}");
        stage.router_with(&name, &[&address], &credential).await;
    }
    let beta = Seed(&stage.server).organization("Beta");
    let other = stage
        .foreign_router(&beta, &device.address().to_string())
        .await;
    // Each waits for a gate of its own: that of its place in the order.
    let (order, gates) = (stage.witness.path("order"), stage.witness.path("gate"));
    let waits = stage.witness.wait_for("gate-$n");
    assert!(waits.contains(&gates));
    let line = format!("echo batch >>{order}; n=$(wc -l <{order}); {waits}");
    let body = with(&custom(&line), &json!({"organization": stage.organization}));
    let id = stage.batch(&body).await;
    stage.witness.written("order").await;
    let single = stage.ask(&other, &format!("echo single >>{order}")).await;
    // It has reached its device, though more of the batch wait for a turn than may be on their way.
    eventually("the device is reached", async || {
        let seen = stage.root.get(&other.connection()).await.expect(200);
        (seen["is_working"] == true).then_some(())
    })
    .await;
    let mut begun = 1;
    while !stage.witness.read("order").contains("single") {
        stage.witness.open(&format!("gate-{begun}"));
        begun += 1;
        eventually("the next one begins", async || {
            (stage.witness.read("order").lines().count() >= begun).then_some(())
        })
        .await;
    }
    // It may have been a moment late for the first turn.
    assert!(begun <= 3, "{}", stage.witness.read("order"));
    let outcome = stage.ended(&other, &single).await;
    assert_eq!(outcome["status"], "success");
    let now = batch(&stage.root, &id).await;
    assert_eq!(now["status"], "in-progress");
    assert!(now["success"].as_i64().unwrap() < 3, "{now}");
    let path = format!("{BATCHES}{id}/cancel/");
    stage.root.post(&path, &json!({})).await.expect(202);
    ended(&stage.root, &id).await;
}

async fn a_cancel_ends_the_rest(engine: Engine) {
    let device = OpenSsh::start(&Options::default());
    let stage = Stage::set_up_on(engine, &[("COMMANDS__PARALLEL", "1")]).await;
    let address = device.address().to_string();
    let credential = stage.credential("all", password()).await;
    for number in 0..20 {
        let name = format!("router-{number}");
        stage.router_with(&name, &[&address], &credential).await;
    }
    let begun = stage.witness.path("begun");
    let line = format!("echo x >>{begun}; {}", stage.witness.wait_for("go"));
    let id = stage
        .batch(&with(&custom(&line), &json!({"search": "ROUTER"})))
        .await;
    stage.witness.written("begun").await;
    let path = format!("{BATCHES}{id}/cancel/");
    let asked = stage.root.post(&path, &json!({})).await.expect(202);
    assert_eq!(asked["id"], json!(id));
    let done = ended(&stage.root, &id).await;
    assert_eq!(
        (&done["status"], counts(&done)),
        (&json!("failed"), [20, 0, 0, 0, 20, 0])
    );
    for result in results(&stage.root, &id, "").await {
        assert!(
            text(&result, "last_line").starts_with("cancelled by root"),
            "{result}"
        );
    }
    assert_eq!(
        stage.witness.read("begun"),
        "x\n",
        "the others were never begun"
    );
    let late = stage.root.post(&path, &json!({})).await.expect(409);
    assert_eq!(late, json!({"detail": "The batch has ended already."}));
}

async fn each_tenant_has_its_own_part(engine: Engine) {
    let device = OpenSsh::start(&Options::default());
    let stage = Stage::set_up_on(engine, &[]).await;
    let seed = Seed(&stage.server);
    let (beta, gamma) = (seed.organization("Beta"), seed.organization("Gamma"));
    let own = stage.router("own", &device).await;
    let other = stage
        .foreign_router(&beta, &device.address().to_string())
        .await;
    let manager = |name: &str, organizations: &[&str], permissions: &[&str]| {
        let mut flags = vec!["--staff"];
        flags.extend(organizations.iter().flat_map(|it| ["--manages", *it]));
        flags.extend(permissions.iter().flat_map(|it| ["--permission", *it]));
        stage.server.client(&seed.user_with_token(name, &flags))
    };
    let both = ["connection.add_command", "connection.view_command"];
    let alpha = stage.organization.as_str();
    let ada = manager("ada", &[alpha], &both);
    let bob = manager("bob", &[&beta], &both);
    let eve = manager("eve", &[&gamma], &both);
    let two = manager("two", &[alpha, &beta], &both);
    let viewer = manager("viewer", &[alpha], &both[1..]);
    let adder = manager("adder", &[alpha], &both[..1]);
    let line = stage.witness.wait_for("go");
    let devices = json!([own.id, other.id]);
    let body = with(&custom(&line), &json!({"devices": devices}));
    let id = text(&two.post(BATCHES, &body).await.expect(201), "id");
    let one = format!("{BATCHES}{id}/");
    for (client, part) in [(&ada, &own), (&bob, &other), (&viewer, &own)] {
        let own_part = batch(client, &id).await;
        assert_eq!(
            (&own_part["total"], &own_part["devices"]),
            (&json!(1), &json!([part.id]))
        );
        let found = results(client, &id, "").await;
        assert_eq!(found[0]["device"], json!(part.id));
        let listed = client.get(BATCHES).await.expect(200);
        assert_eq!(
            (&listed["count"], &listed["results"][0]["total"]),
            (&json!(1), &json!(1))
        );
    }
    assert_eq!(counts(&batch(&two, &id).await)[0], 2);
    let no_match = json!({"detail": "No BatchCommand matches the given query."});
    let cancel = format!("{one}cancel/");
    for path in [&one, &format!("{one}device/")] {
        assert_eq!(eve.get(path).await.expect(404), no_match);
        adder.get(path).await.expect(403);
        stage
            .server
            .client(&Credential::Nobody)
            .get(path)
            .await
            .expect(401);
    }
    assert_eq!(eve.get(BATCHES).await.expect(200)["count"], json!(0));
    assert_eq!(eve.post(&cancel, &json!({})).await.expect(404), no_match);
    viewer.post(&cancel, &json!({})).await.expect(403);
    viewer.post(BATCHES, &body).await.expect(403);
    adder.get(BATCHES).await.expect(403);
    let missing = format!("Invalid pk \"{}\" - object does not exist.", other.id);
    let told = ada.post(BATCHES, &body).await.expect(400);
    assert_eq!(told, json!({"devices": [missing]}));

    ada.post(&cancel, &json!({})).await.expect(202);
    let done = ended(&ada, &id).await;
    assert_eq!(counts(&done), [1, 0, 0, 0, 1, 0]);
    let now = batch(&bob, &id).await;
    assert_eq!(now["status"], "in-progress", "bob's part goes on");
    ada.post(&cancel, &json!({})).await.expect(409);
    stage.witness.open("go");
    assert_eq!(ended(&bob, &id).await["status"], "success");
    assert_eq!(counts(&batch(&two, &id).await), [2, 0, 0, 1, 1, 0]);
}
