use serde_json::{Value, json};

use super::*;
use crate::event::{
    CommandId, CommandStatus, ConnectionId, CredentialId, Cursor, NodeId, Timestamp,
};
use crate::store::{
    Actor, Cancelled, Command, ConnectionChange, Ending, LoginSecret, NewCommand, NewConnection,
    NewCredential, Page, Piece, QueueLimits, SecretInput, StoreError,
};

pub const LEASE_S: i64 = 30;

impl House {
    pub async fn end_left_behind(&self) -> usize {
        let now = self.store.clock().await.unwrap();
        self.store.end_left_behind(now).await.unwrap()
    }

    pub async fn login(&self, organization: &Organization, device: &Device) -> ConnectionId {
        let credential = self.credential(organization).await;
        self.connect(device, credential).await
    }

    pub async fn credential(&self, organization: &Organization) -> CredentialId {
        let new = NewCredential {
            name: format!("login {}", Uuid::new_v4().simple()),
            organization: Some(organization.id),
            username: "root".into(),
            port: Some(2222),
            secret: Some(LoginSecret::Password("t0psecret".into())),
            old_algorithms: false,
        };
        self.store.add_credential(&new).await.unwrap().id
    }

    pub async fn connect(&self, device: &Device, credential: CredentialId) -> ConnectionId {
        let new = NewConnection {
            device: device.id,
            credential,
            is_enabled: true,
        };
        self.store.add_connection(new).await.unwrap().id
    }

    /// A device that commands can be run on.
    pub async fn router(&self) -> Device {
        self.use_a_key();
        let organization = self.organization().await;
        let device = self.device(&organization).await;
        self.login(&organization, &device).await;
        device
    }

    pub fn use_a_key(&self) {
        if self.database.is_some() {
            self.store.use_key("5e".repeat(32).parse().unwrap());
        }
    }

    pub async fn queue(&self, device: &Device) -> Command {
        self.store.add_command(&custom(device)).await.unwrap()
    }

    pub async fn claim(&self, node: NodeId) -> Option<Command> {
        let job = self.store.claim_command(node, LEASE_S).await.unwrap();
        job.map(|job| job.command)
    }

    pub async fn now(&self, command: &Command) -> Command {
        let now = self.store.command(command.device, command.id).await;
        now.unwrap()
    }
}

pub fn custom(device: &Device) -> NewCommand {
    NewCommand {
        device: device.id,
        connection: None,
        kind: "custom".into(),
        label: "Custom Command".into(),
        input: json!({"command": "uptime"}),
        secret_input: None,
        queue_s: 600,
        limits: QueueLimits::default(),
    }
}

pub fn piece(number: i64, text: &str) -> Piece<'_> {
    Piece { number, text }
}

fn ids(commands: &[Command]) -> Vec<CommandId> {
    commands.iter().map(|command| command.id).collect()
}

over_both! {
    async fn a_device_runs_one_command_at_a_time_in_the_order_of_asking(house: House) {
        let (first, second) = (house.router().await, house.router().await);
        let node = NodeId::random();
        let queued = [house.queue(&first).await, house.queue(&first).await, house.queue(&second).await];
        assert_eq!(house.store.open_commands().await.unwrap(), (3, 0));
        let a = house.claim(node).await.unwrap();
        let b = house.claim(NodeId::random()).await.unwrap();
        assert_eq!([a.id, b.id], [queued[0].id, queued[2].id]);
        assert_eq!((a.status, a.version), (CommandStatus::Running, 2));
        assert!(house.claim(node).await.is_none(), "its device is busy");
        let ending = Ending { status: CommandStatus::Success, exit_code: Some(0) };
        house.store.end_command(node, &a.into(), piece(1, "done\n"), ending).await.unwrap().unwrap();
        assert_eq!(house.claim(node).await.unwrap().id, queued[1].id);
        let listed = house.store.commands(first.id, Page { number: 1, size: 10 }).await.unwrap();
        assert_eq!(listed.count, 2);
        assert_eq!(ids(&listed.rows), [queued[1].id, queued[0].id]);
        assert_eq!((&*listed.rows[1].output, listed.rows[1].exit_code), ("done\n", Some(0)));
    }

    async fn output_grows_by_pieces_and_each_save_is_told(house: House) {
        let device = house.router().await;
        let node = NodeId::random();
        house.queue(&device).await;
        let mut command = house.claim(node).await.unwrap();
        let marked = house.store.mark_sent(node, command.id, house.store
            .connections(Some(device.id), Page { number: 1, size: 1 }).await.unwrap().rows[0].id)
            .await.unwrap().unwrap();
        assert!(marked.connection.is_some());
        let again = house.store.mark_sent(node, command.id, ConnectionId::random()).await.unwrap();
        assert!(again.is_none(), "nothing is handed over twice");
        for (number, text) in [(1, "one\n"), (2, ""), (2, "two\n")] {
            command.output += text;
            let snapshot = command.clone().into();
            house.store.save_output(node, &snapshot, piece(number, text)).await.unwrap().unwrap();
        }
        let now = house.now(&command).await;
        assert_eq!((&*now.output, now.version), ("one\ntwo\n", 6));
        let stranger = NodeId::random();
        let snapshot = command.clone().into();
        assert!(house.store.save_output(stranger, &snapshot, piece(3, "three")).await.unwrap().is_none());
        if house.database.is_none() {
            let told = house.told.lock().unwrap();
            let versions: Vec<i64> = told.iter().map(|event| match event {
                Event::CommandUpdated(updated) => updated.version,
                Event::LocationMoved(_) => unreachable!("nothing moved"),
            }).collect();
            assert_eq!(versions, [2, 3, 4, 5, 6], "not of the creation");
        }
    }

    async fn what_its_node_left_is_ended_and_says_so(house: House) {
        let device = house.router().await;
        let (node, other) = (NodeId::random(), NodeId::random());
        house.queue(&device).await;
        let command = house.claim(node).await.unwrap();
        assert_eq!(house.end_left_behind().await, 0, "its lease lasts");
        assert_eq!(house.store.end_own(other).await.unwrap(), 0, "it is another's");
        let connection = house.store.connections(Some(device.id), Page { number: 1, size: 1 })
            .await.unwrap().rows[0].id;
        house.store.mark_sent(node, command.id, connection).await.unwrap().unwrap();
        house.store.save_output(node, &command.clone().into(), piece(1, "half a li")).await.unwrap();
        assert_eq!(house.store.end_own(node).await.unwrap(), 1);
        let now = house.now(&command).await;
        assert_eq!(now.status, CommandStatus::Failed);
        assert!(now.output.starts_with("half a li\nthe server that ran"), "{}", now.output);
        assert!(now.output.contains("may have completed"));
        let ending = Ending { status: CommandStatus::Success, exit_code: Some(0) };
        let late = house.store.end_command(node, &command.clone().into(), piece(1, ""), ending).await.unwrap();
        assert!(late.is_none(), "what has ended stays as it is");
    }

    async fn all_that_a_node_left_is_ended_at_once(house: House) {
        let node = NodeId::random();
        let device = house.router().await;
        let organization = house.store.organization(device.organization).await.unwrap();
        for _ in 0..120 {
            let device = house.device(&organization).await;
            house.login(&organization, &device).await;
            house.queue(&device).await;
            house.claim(node).await.unwrap();
        }
        assert_eq!(house.store.end_own(node).await.unwrap(), 120);
        assert_eq!(house.store.open_commands().await.unwrap(), (0, 0));
    }

    async fn a_host_key_holds_for_all_logins_of_the_device_at_that_port(house: House) {
        let device = house.router().await;
        let organization = house.store.organization(device.organization).await.unwrap();
        let spare = house.login(&organization, &device).await;
        house.queue(&device).await;
        let keys = async || {
            let node = NodeId::random();
            let job = house.store.claim_command(node, LEASE_S).await.unwrap().unwrap();
            house.store.give_back(node, job.command.id).await.unwrap();
            let keys = job.logins.into_iter().map(|login| (login.host_key, login.is_own_key));
            keys.collect::<Vec<_>>()
        };
        assert_eq!(keys().await, [(None, false), (None, false)]);
        house.store.note_attempt(spare, Some("ssh-ed25519 AAAA"), None).await.unwrap();
        let known = Some("ssh-ed25519 AAAA".to_owned());
        assert_eq!(keys().await, [(known.clone(), false), (known, true)]);
        let page = Page { number: 1, size: 1 };
        let first = house.store.connections(Some(device.id), page).await.unwrap().rows[0].id;
        let forget = ConnectionChange { forget_host_key: true, ..ConnectionChange::default() };
        house.store.change_connection(first, forget).await.unwrap();
        assert_eq!(keys().await, [(None, false), (None, false)], "forgotten by either");
    }

    async fn what_was_not_begun_is_given_back(house: House) {
        let device = house.router().await;
        let node = NodeId::random();
        house.queue(&device).await;
        let job = house.store.claim_command(node, LEASE_S).await.unwrap().unwrap();
        let (id, connection) = (job.command.id, job.logins[0].connection);
        assert!(!house.store.give_back(NodeId::random(), id).await.unwrap());
        assert!(house.store.give_back(node, id).await.unwrap());
        let again = house.claim(NodeId::random()).await.unwrap();
        assert_eq!(again.id, id);
        let job = house.store.mark_sent(node, id, connection).await.unwrap();
        assert!(job.is_none(), "it is another's now");
    }

    async fn cancelling_ends_what_waits_and_asks_for_the_end_of_what_runs(house: House) {
        let device = house.router().await;
        let node = NodeId::random();
        let (running, waiting) = (house.queue(&device).await, house.queue(&device).await);
        house.claim(node).await.unwrap();
        let store = house.store.by(Actor::CommandLine("ada".into()));
        let cancelled = store.cancel_command(device.id, waiting.id).await.unwrap();
        let Cancelled::Asked(ended) = cancelled else { panic!("{cancelled:?}") };
        assert_eq!(ended.status, CommandStatus::Failed);
        assert_eq!(house.now(&waiting).await.output, "cancelled by ada (command line) before it began");
        store.cancel_command(device.id, running.id).await.unwrap();
        assert_eq!(house.now(&running).await.status, CommandStatus::Running);
        let asked = house.store.cancelled(node).await.unwrap();
        assert_eq!(asked, [(running.id, "ada (command line)".to_owned())]);
        let sent = house.store.mark_sent(node, running.id, ConnectionId::random()).await.unwrap();
        assert!(sent.is_none(), "what is to end is not begun");
        let again = store.cancel_command(device.id, waiting.id).await.unwrap();
        assert!(matches!(again, Cancelled::TooLate(_)));
        let elsewhere = house.router().await;
        let missing = store.cancel_command(elsewhere.id, running.id).await;
        assert!(matches!(missing, Err(StoreError::NotFound("Command"))));
    }

    async fn what_waits_too_long_is_never_begun(house: House) {
        let device = house.router().await;
        let new = NewCommand { queue_s: 0, ..custom(&device) };
        let old = house.store.add_command(&new).await.unwrap();
        assert!(house.claim(NodeId::random()).await.is_none());
        assert_eq!(house.store.end_late().await.unwrap(), 1);
        assert!(house.now(&old).await.output.starts_with("expired"));
    }

    async fn nodes_that_sweep_at_the_same_time_end_a_command_once(house: House) {
        let other = Store::open(&house.engine).await.unwrap();
        let mut late = Vec::new();
        for _ in 0..10 {
            let device = house.router().await;
            let new = NewCommand { queue_s: 0, ..custom(&device) };
            late.push(house.store.add_command(&new).await.unwrap());
        }
        let (here, there) = tokio::join!(house.store.end_late(), other.end_late());
        assert_eq!(here.unwrap() + there.unwrap(), 10);
        for command in &late {
            let ended = house.now(command).await;
            assert_eq!((ended.version, ended.output.matches("expired").count()), (2, 1));
        }
        other.close().await;
    }

    async fn secrets_are_sealed_opened_for_the_runner_and_gone_at_the_end(house: House) {
        let device = house.router().await;
        let plain = json!({"password": "pl4in", "confirm_password": "pl4in"});
        let new = NewCommand {
            kind: "change_password".into(),
            input: json!({"password": "********"}),
            secret_input: Some(SecretInput(plain.clone())),
            ..custom(&device)
        };
        let node = NodeId::random();
        let command = house.store.add_command(&new).await.unwrap();
        let sealed = house.store.sealed().await;
        assert_eq!(sealed.len(), 2);
        for secret in ["pl4in", "t0psecret"] {
            let holds = |bytes: &Vec<u8>| bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
            assert!(!sealed.iter().any(holds));
        }
        let fingerprint = house.store.rotate_key(Some("77".repeat(32).parse().unwrap())).await.unwrap();
        assert_ne!(house.store.sealed().await, sealed, "all is sealed anew");
        assert_eq!(fingerprint.len(), 16);
        if house.database.is_none() {
            // A second process finds the new key in the file.
            let other = Store::open(&house.engine).await.unwrap();
            other.check_key().await.unwrap();
            other.close().await;
        }
        let job = house.store.claim_command(node, LEASE_S).await.unwrap().unwrap();
        assert_eq!(job.input.0, plain);
        assert_eq!(job.command.input, json!({"password": "********"}));
        let login = &job.logins[0];
        assert_eq!(login.secret.as_ref().unwrap(), &LoginSecret::Password("t0psecret".into()));
        assert_eq!((&*login.username, login.port), ("root", 2222));
        let ending = Ending { status: CommandStatus::Failed, exit_code: Some(3) };
        house.store.end_command(node, &command.clone().into(), piece(1, ""), ending).await.unwrap().unwrap();
        assert_eq!(house.store.sealed().await.len(), 1);
    }

    async fn a_wrong_key_is_refused(house: House) {
        house.router().await;
        let other = Store::open(&house.engine).await.unwrap();
        other.use_key("99".repeat(32).parse().unwrap());
        let refused = other.check_key().await.unwrap_err().to_string();
        assert!(refused.contains("is not the one"), "{refused}");
        other.close().await;
    }

    async fn only_active_devices_with_a_login_are_given_commands(house: House) {
        let organization = house.organization().await;
        let bare = house.device(&organization).await;
        let refused = house.store.add_command(&custom(&bare)).await.unwrap_err();
        assert_eq!(refused.to_string(), "device: Device has no credentials assigned.");
        let device = house.router().await;
        let off = crate::store::DeviceChange { is_active: Some(false), ..Default::default() };
        house.store.change_device(device.id, &off).await.unwrap();
        let refused = house.store.add_command(&custom(&device)).await.unwrap_err();
        assert_eq!(refused.to_string(), "device: Device is deactivated.");
    }

    async fn what_waits_on_a_deactivated_device_is_not_run(house: House) {
        let device = house.router().await;
        let node = NodeId::random();
        let (claimed, waiting) = (house.queue(&device).await, house.queue(&device).await);
        house.claim(node).await.unwrap();
        let off = crate::store::DeviceChange { is_active: Some(false), ..Default::default() };
        house.store.change_device(device.id, &off).await.unwrap();
        let connection = house.store.connections(Some(device.id), Page { number: 1, size: 1 })
            .await.unwrap().rows[0].id;
        let sent = house.store.mark_sent(node, claimed.id, connection).await.unwrap();
        assert!(sent.is_none(), "it is not handed over any more");
        assert_eq!(house.store.end_late().await.unwrap(), 1);
        assert_eq!(house.now(&waiting).await.status, CommandStatus::Failed);
    }

    async fn a_command_that_named_its_login_runs_with_no_other(house: House) {
        house.use_a_key();
        let organization = house.organization().await;
        let device = house.device(&organization).await;
        let (asked, _other) = (
            house.login(&organization, &device).await,
            house.login(&organization, &device).await,
        );
        let new = NewCommand { connection: Some(asked), ..custom(&device) };
        house.store.add_command(&new).await.unwrap();
        house.store.add_command(&new).await.unwrap();
        let node = NodeId::random();
        let job = house.store.claim_command(node, LEASE_S).await.unwrap().unwrap();
        let logins: Vec<_> = job.logins.iter().map(|login| login.connection).collect();
        assert_eq!(logins, [asked]);
        let ending = Ending { status: CommandStatus::Success, exit_code: Some(0) };
        let snapshot = job.command.into();
        house.store.end_command(node, &snapshot, piece(1, ""), ending).await.unwrap().unwrap();
        house.store.remove_connection(asked).await.unwrap();
        let job = house.store.claim_command(node, LEASE_S).await.unwrap().unwrap();
        assert!(job.logins.is_empty(), "the one that was asked for is gone");
    }

    async fn since_brings_the_newest_commands_that_were_updated(house: House) {
        let device = house.router().await;
        let node = NodeId::random();
        let mut begun = Vec::new();
        for _ in 0..5 {
            begun.push(house.queue(&device).await.id);
        }
        let mut cursor = Some(Cursor::begin(Timestamp(0)));
        let all = Cursor::begin(Timestamp(0));
        let (untold, _) = house.store.updates_since(device.id, all, 10).await.unwrap();
        assert!(untold.is_empty(), "nothing is told of a creation");
        for _ in 0..4 {
            let command = house.claim(node).await.unwrap();
            let ending = Ending { status: CommandStatus::Success, exit_code: Some(0) };
            let snapshot = command.into();
            house.store.end_command(node, &snapshot, piece(1, "up\n"), ending).await.unwrap().unwrap();
        }
        let mut found = Vec::new();
        while let Some(at) = cursor {
            let (page, next) = house.store.updates_since(device.id, at, 3).await.unwrap();
            found.extend(page);
            cursor = next;
        }
        let ids: Vec<_> = found.iter().map(|update| update.id).collect();
        assert_eq!(ids, begun[..4]);
        assert!(found.iter().all(|update| update.output == "up\n"));
        let changes = house.store.changes_after(&house.store.position().await.unwrap()).await.unwrap().0;
        assert!(changes.commands.iter().all(|change| change.device == device.id || house.database.is_some()));
    }

    async fn a_glance_tells_what_changed_and_whether_the_device_is_free(house: House) {
        let device = house.router().await;
        let command = house.queue(&device).await;
        let glance = async || {
            let found = house.store.command_version(command.id).await.unwrap();
            (found, house.store.is_busy(device.id).await.unwrap())
        };
        assert_eq!(glance().await, (Some((1, CommandStatus::Queued)), false));
        house.claim(NodeId::random()).await.unwrap();
        let now = house.now(&command).await.version;
        assert_eq!(glance().await, (Some((now, CommandStatus::Running)), true));
        assert!(now > 1);
        assert!(house.store.command_version(CommandId::random()).await.unwrap().is_none());
    }

    async fn a_host_key_is_remembered_until_it_is_forgotten(house: House) {
        house.use_a_key();
        let organization = house.organization().await;
        let device = house.device(&organization).await;
        let id = house.login(&organization, &device).await;
        house.store.note_attempt(id, Some("ssh-ed25519 AAAA"), None).await.unwrap();
        house.store.note_attempt(id, Some("ssh-ed25519 BBBB"), Some("no route")).await.unwrap();
        let now = house.store.connection(device.id, id).await.unwrap();
        assert_eq!(now.host_key.as_deref(), Some("ssh-ed25519 AAAA"));
        assert_eq!((now.is_working, &*now.failure_reason), (Some(false), "no route"));
        let forget = ConnectionChange { forget_host_key: true, ..ConnectionChange::default() };
        assert!(house.store.change_connection(id, forget).await.unwrap().host_key.is_none());
        let twice = NewConnection { device: device.id, credential: now.credential, is_enabled: true };
        let refused = house.store.add_connection(twice).await.unwrap_err();
        assert_eq!(refused.to_string(), "credentials: The device uses these credentials already.");
        let stranger = house.device(&house.organization().await).await;
        let foreign = NewConnection { device: stranger.id, ..twice };
        let refused = house.store.add_connection(foreign).await.unwrap_err();
        assert!(refused.to_string().contains("does not exist"), "{refused}");
    }

    async fn the_audit_log_names_who_did_what_and_holds_no_secret(house: House) {
        let device = house.router().await;
        let store = house.store.by(Actor::CommandLine("ada".into()));
        let command = store.add_command(&custom(&device)).await.unwrap();
        let filter = crate::store::AuditFilter { actor: Some("ada (command line)".into()), since: None, most: 10 };
        let entries = house.store.audit(&filter).await.unwrap();
        assert_eq!(entries.len(), 1);
        assert_eq!((&*entries[0].action, &*entries[0].model), ("run", "Command"));
        assert_eq!(entries[0].object, command.id.0);
        store.remove_device(device.id).await.unwrap();
        let entries = house.store.audit(&filter).await.unwrap();
        assert_eq!((&*entries[0].action, &*entries[0].name), ("delete", &*device.name));
        let all = crate::store::AuditFilter { most: 100, ..Default::default() };
        let all = serde_json::to_value(house.store.audit(&all).await.unwrap()).unwrap();
        assert!(all.as_array().is_some_and(|all| all.len() >= 5));
        assert!(!Value::to_string(&all).contains("t0psecret"));
    }

    async fn what_was_kept_long_enough_goes(house: House) {
        let device = house.router().await;
        let node = NodeId::random();
        let (ended, waiting) = (house.queue(&device).await, house.queue(&device).await);
        house.claim(node).await.unwrap();
        let ending = Ending { status: CommandStatus::Success, exit_code: Some(0) };
        house.store.end_command(node, &ended.clone().into(), piece(1, "x"), ending).await.unwrap().unwrap();
        let keep = crate::store::Keep { commands_days: 90, audit_days: 0 };
        assert_eq!(house.store.clear_away(keep).await.unwrap(), 0);
        let old = Timestamp::now().plus_seconds(-91 * 24 * 60 * 60);
        let mut write = house.store.write().await.unwrap();
        crate::store::transaction::on_write!(write, connection => {
            sqlx::query("UPDATE command SET modified = $1").bind(old).execute(connection).await
                .map(|_| ()).unwrap();
        });
        write.commit().await.unwrap();
        assert_eq!(house.store.clear_away(keep).await.unwrap(), 1, "not what still waits");
        assert!(house.store.command(device.id, ended.id).await.is_err());
        assert!(house.store.command(device.id, waiting.id).await.is_ok());
    }
}
