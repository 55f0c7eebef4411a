//! The runner over a real database and a real OpenSSH server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use tokio::task::JoinSet;

use self::servers::{Account, OpenSsh, Options, Server};
use super::types::CommandTypes;
use super::{Node, Runner};
use crate::config::CommandsConfig;
use crate::event::{CommandStatus, OrganizationId, Topic};
use crate::hub::Hub;
use crate::hub::testing::{Listener, Listeners};
use crate::ingest::{Ingest, Origin};
use crate::store::{
    Command, Engine, LoginSecret, NewCommand, NewConnection, NewCredential, NewDevice, Store,
};
use crate::store::{Device, QueueLimits, SecretInput};

#[path = "../../tests/support/ssh.rs"]
pub mod servers;

/// A runner at work, and a device that it can reach.
struct House {
    store: Store,
    device: Device,
    listener: Listener,
    runner: Arc<Runner>,
    running: JoinSet<()>,
    _server: Server,
    _directory: TempDir,
}

impl House {
    async fn set_up(config: CommandsConfig) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let engine = Engine::Sqlite {
            directory: directory.path().to_owned(),
        };
        let store = Store::open(&engine).await.unwrap();
        let hub = Arc::new(Hub::new(1));
        let ingest = Arc::new(Ingest::new(Arc::clone(&hub), Arc::default()));
        let hinted = Arc::clone(&ingest);
        store.on_commit(move |event| hinted.publish(&event, Origin::Hint));
        let server = OpenSsh::start(&Options::default());
        let organization = store.add_organization("Alpha").await.unwrap().id;
        let device = device(&store, organization, "router", server.address()).await;
        let runner = Arc::new(Runner::new(
            store.clone(),
            ingest,
            Arc::new(CommandTypes::new(&config)),
            Arc::default(),
            config,
            Node::of(directory.path()),
        ));
        let mut running = JoinSet::new();
        running.spawn(Arc::clone(&runner).run());
        Self {
            listener: Listeners::of(&hub).join(vec![Topic::DeviceCommands(device.id)]),
            store,
            device,
            runner,
            running,
            _server: server,
            _directory: directory,
        }
    }

    async fn ask(&self, line: &str) -> Command {
        self.ask_of(&self.device, line).await
    }

    async fn ask_of(&self, device: &Device, line: &str) -> Command {
        let new = NewCommand {
            device: device.id,
            connection: None,
            kind: "custom".into(),
            label: "Custom Command".into(),
            input: json!({ "command": line }),
            secret_input: None::<SecretInput>,
            queue_s: 600,
            limits: QueueLimits::default(),
        };
        self.store.add_command(&new).await.unwrap()
    }

    async fn ended(&self, command: &Command) -> Command {
        loop {
            let now = self
                .store
                .command(self.device.id, command.id)
                .await
                .unwrap();
            if now.status.is_final() {
                return now;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The outputs that were pushed, in order.
    fn pushed(&self) -> Vec<String> {
        let frames = self.listener.heard();
        frames
            .iter()
            .map(|frame| {
                let text = String::from_utf8_lossy(frame.bytes()).into_owned();
                let json = &text[text.find('{').unwrap()..];
                let message: serde_json::Value = serde_json::from_str(json).unwrap();
                message["data"]["output"].as_str().unwrap().to_owned()
            })
            .collect()
    }
}

async fn device(
    store: &Store,
    organization: OrganizationId,
    name: &str,
    address: SocketAddr,
) -> Device {
    let account = Account::of_the_tests();
    let organization = Some(organization);
    let device = NewDevice {
        name: name.into(),
        organization,
        addresses: vec![address.ip().to_string()],
        ..NewDevice::default()
    };
    let device = store.add_device(&device).await.unwrap();
    let credential = NewCredential {
        name: name.into(),
        organization,
        username: account.user,
        port: Some(address.port().into()),
        secret: Some(LoginSecret::Password(account.password)),
        old_algorithms: false,
    };
    let credential = store.add_credential(&credential).await.unwrap().id;
    let connection = NewConnection {
        device: device.id,
        credential,
        is_enabled: true,
    };
    store.add_connection(connection).await.unwrap();
    device
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn output_is_pushed_as_it_grows_each_snapshot_a_prefix_of_the_next() {
    let house = House::set_up(CommandsConfig::default()).await;
    let command = house
        .ask("for i in 1 2 3 4; do echo line $i; sleep 0.6; done; exit 3")
        .await;
    let ended = house.ended(&command).await;
    assert_eq!(
        (ended.status, ended.exit_code, &*ended.output),
        (
            CommandStatus::Failed,
            Some(3),
            "line 1\nline 2\nline 3\nline 4\nexit code: 3"
        )
    );
    // The database has the end a moment before the sockets do.
    let mut pushed = Vec::new();
    let end_is_pushed = async {
        while pushed.last() != Some(&ended.output) {
            tokio::time::sleep(Duration::from_millis(20)).await;
            pushed.append(&mut house.pushed());
        }
    };
    let told = tokio::time::timeout(Duration::from_secs(30), end_is_pushed);
    told.await.expect("the end is pushed");
    assert!(pushed.is_sorted_by(|a, b| b.starts_with(a)), "{pushed:?}");
    let distinct: std::collections::BTreeSet<_> = pushed.iter().collect();
    // How many lines come together is the machine's to say.
    assert!(distinct.len() >= 3, "{pushed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_takes_too_long_keeps_what_it_printed() {
    let house = House::set_up(CommandsConfig {
        timeout_s: 1,
        ..CommandsConfig::default()
    })
    .await;
    let command = house.ask("echo begun; sleep 60").await;
    let ended = house.ended(&command).await;
    assert_eq!(ended.status, CommandStatus::Failed);
    assert_eq!(
        ended.output,
        "begun\ntimed out after 1 s: the device may still be running it"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_runner_that_drains_lets_end_what_runs_and_begins_no_more() {
    let mut house = House::set_up(CommandsConfig::default()).await;
    let first = house.ask("echo begun; sleep 1; echo done").await;
    let second = house.ask("echo never").await;
    while house.pushed().iter().all(String::is_empty) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    house.runner.drain(Duration::from_secs(30)).await;
    house.running.shutdown().await;
    let now = |command: Command| {
        let store = house.store.clone();
        async move { store.command(command.device, command.id).await.unwrap() }
    };
    assert_eq!(now(first).await.output, "begun\ndone\n");
    assert_eq!(now(second).await.status, CommandStatus::Queued);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_whose_lease_a_clock_set_ahead_has_ended_is_run_all_the_same() {
    let house = House::set_up(CommandsConfig::default()).await;
    let ahead = "CREATE TRIGGER ahead AFTER UPDATE OF status ON command
        WHEN new.status = 'running' AND old.status = 'queued'
        BEGIN UPDATE command SET claimed_until = 0 WHERE id = new.id; END";
    house.store.run_sql(ahead).await;
    let command = house.ask("echo here").await;
    let ended = house.ended(&command).await;
    assert_eq!(
        (ended.status, &*ended.output),
        (CommandStatus::Success, "here\n")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_not_begun_is_given_back_also_when_the_database_was_away() {
    let mut house = House::set_up(CommandsConfig::default()).await;
    // Takes connections and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (organization, address) = (house.device.organization, silent.local_addr().unwrap());
    let device = device(&house.store, organization, "silent", address).await;
    let command = house.ask_of(&device, "echo never").await;
    let now = async || house.store.command(device.id, command.id).await.unwrap();
    while now().await.status == CommandStatus::Queued {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let away = "CREATE TRIGGER away BEFORE UPDATE OF status ON command
        WHEN new.status <> 'running' BEGIN SELECT RAISE(ABORT, 'away'); END";
    house.store.run_sql(away).await;
    let returns = async {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        house.store.run_sql("DROP TRIGGER away").await;
    };
    tokio::join!(house.runner.drain(Duration::from_mins(1)), returns);
    assert_eq!(now().await.status, CommandStatus::Queued);
    house.running.shutdown().await;
}
