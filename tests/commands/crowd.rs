//! Many commands on many devices: one at a time on each, and no device waits for another.

use std::fmt::Write as _;

use super::stage::{Router, Stage, custom, password};
use super::watcher::{Watcher, text};
use crate::conformance::on_both_engines;
use crate::support::Engine;
use crate::support::ssh::{OpenSsh, Options};

on_both_engines! {
    commands_run_on_many_devices_at_the_same_time,
}

/// Each command waits until the others have begun, too: one after the other they would never end.
async fn commands_run_on_many_devices_at_the_same_time(engine: Engine) {
    const TOGETHER: usize = 8;
    let device = OpenSsh::start(&Options::default());
    let stage = Stage::set_up_on(engine, &[]).await;
    let address = device.address().to_string();
    let credential = stage.credential("all", password()).await;
    let mut asked = Vec::new();
    let mut line = String::new();
    for number in 0..TOGETHER {
        let begun = stage.witness.wait_for(&format!("begun-{number}"));
        write!(line, "; {begun}").unwrap();
    }
    for number in 0..TOGETHER {
        let name = format!("router-{number}");
        let router = stage.router_with(&name, &[&address], &credential).await;
        let begun = stage.witness.path(&format!("begun-{number}"));
        let id = stage.ask(&router, &format!(": >{begun}{line}")).await;
        asked.push((router, id));
    }
    for (router, id) in &asked {
        assert_eq!(stage.ended(router, id).await["status"], "success");
    }
}

/// 200 commands on 50 devices: what each device has written shows that they ran there one after the
/// other, in the order in which they were asked for, each once.
#[tokio::test]
async fn a_device_runs_one_command_at_a_time_in_the_order_of_their_asking() {
    const EACH: usize = 4;
    let device = OpenSsh::start(&Options::default());
    let stage = Stage::set_up().await;
    let routers = fleet(&stage, device.address().port(), 50).await;
    let mut asked = Vec::new();
    for number in 0..EACH {
        for router in &routers {
            let file = stage.witness.path(&router.id);
            let line =
                format!("echo begin {number} >>{file}; sleep 0.02; echo end {number} >>{file}");
            asked.push((router, stage.ask(router, &line).await));
        }
    }
    for (router, id) in asked {
        let ended = stage.ended(router, &id).await;
        assert_eq!(ended["status"], "success", "{ended}");
    }
    let mut expected = String::new();
    for number in 0..EACH {
        writeln!(expected, "begin {number}\nend {number}").unwrap();
    }
    for router in &routers {
        assert_eq!(stage.witness.read(&router.id), expected);
    }
}

/// Routers that are addresses of their own of one SSH server.
async fn fleet(stage: &Stage, port: u16, size: usize) -> Vec<Router> {
    let credential = stage.credential("all", password()).await;
    let mut routers = Vec::new();
    for number in 1..=size {
        let (name, address) = (
            format!("router-{number}"),
            format!("127.0.0.{number}:{port}"),
        );
        routers.push(stage.router_with(&name, &[&address], &credential).await);
    }
    routers
}

/// Two nodes on one PostgreSQL take turns at one queue: no command is run twice, and who watches at
/// either node hears of each, whichever ran it.
#[tokio::test]
async fn two_nodes_share_the_queue() {
    const COMMANDS: usize = 20;
    let device = OpenSsh::start(&Options::default());
    let stage = Stage::set_up_on(Engine::Postgres, &[]).await;
    let mut second = stage.server.beside();
    second.run().await;
    let other = second.client(&stage.token);
    let routers = fleet(&stage, device.address().port(), 4).await;
    let mut watchers = Vec::new();
    for router in &routers {
        for server in [&stage.server, &second] {
            watchers.push(Watcher::open(server, &router.id, &stage.token).await);
        }
    }
    let mut asked = Vec::new();
    for number in 0..COMMANDS {
        let at = number % routers.len();
        let router = &routers[at];
        let file = stage.witness.path(&router.id);
        let body = custom(&format!("echo {number} >>{file}"));
        let client = if number % 2 == 0 { &stage.root } else { &other };
        let command = client.post(&router.commands(), &body).await.expect(201);
        asked.push((at, text(&command, "id")));
    }
    for (at, id) in &asked {
        for watcher in &mut watchers[2 * at..2 * at + 2] {
            // Their ends come in the order of their asking: nothing is read past.
            assert_eq!(watcher.end(id).await["status"], "success");
        }
    }
    for (at, router) in routers.iter().enumerate() {
        let numbers = (at..COMMANDS).step_by(routers.len());
        let expected: Vec<_> = numbers.map(|number| number.to_string()).collect();
        let ran = stage.witness.read(&router.id);
        assert_eq!(ran.lines().collect::<Vec<_>>(), expected);
    }
}
