use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::*;
use crate::event::{BatchId, CommandId, CommandStatus, ConnectionId, DeviceId, NodeId, Timestamp};
use crate::store::{
    Actor, AuditFilter, Batch, BatchDevice, BatchFilter, BatchStatus, DeviceChange, Ending, Keep,
    NewBatch, OrganizationChange, Page, Piece, Progress, QueueLimits, ResultStatus, Scope,
    SecretInput, Selection, StoreError,
};

const PAGE: Page = Page {
    number: 1,
    size: 100,
};
const DONE: Ending = Ending {
    status: CommandStatus::Success,
    exit_code: Some(0),
};

/// An organization with devices that take commands, called `bus 0` and so on.
pub struct Fleet {
    pub organization: Organization,
    pub devices: Vec<Device>,
}

impl Fleet {
    fn scope(&self) -> Scope {
        Scope::Organizations([self.organization.id].into())
    }
}

impl House {
    pub async fn fleet(&self, size: usize) -> Fleet {
        self.use_a_key();
        let organization = self.organization().await;
        let credential = self.credential(&organization).await;
        let mut devices = Vec::new();
        for number in 0..size {
            let new = NewDevice {
                name: format!("bus {number}"),
                organization: Some(organization.id),
                ..NewDevice::default()
            };
            let device = self.store.add_device(&new).await.unwrap();
            self.connect(&device, credential).await;
            devices.push(device);
        }
        Fleet {
            organization,
            devices,
        }
    }

    /// What custom command a batch runs on these devices.
    /// Devices with a login, made in a moment.
    pub async fn trams(&self, fleet: &Fleet, count: usize) {
        let mut write = self.store.write().await.unwrap();
        let organization = fleet.organization.id;
        on_write!(write, connection => {
            for number in 0..count {
                sqlx::query(
                    "INSERT INTO device (id, organization_id, name, key, notes, addresses, created, modified)
                     VALUES ($1, $2, $3, $3, '', '[]', 1, 1)",
                )
                .bind(DeviceId::random())
                .bind(organization)
                .bind(format!("tram {number:04}"))
                .execute(&mut *connection)
                .await
                .unwrap();
            }
            sqlx::query(
                "INSERT INTO connection (id, device_id, credential_id, is_enabled, failure_reason, created, modified)
                 SELECT device.id, device.id, credential.id, TRUE, '', 1, 1 FROM device, credential
                 WHERE device.name LIKE 'tram%'",
            )
            .execute(connection)
            .await
            .map(|_| ())
            .unwrap();
        });
        write.commit().await.unwrap();
    }

    pub async fn batch_of(&self, devices: &[Device]) -> Batch {
        let named = devices.iter().map(|device| device.id).collect();
        self.batch_by(Selection {
            devices: Some(named),
            ..Selection::default()
        })
        .await
        .unwrap()
    }

    async fn batch_by(&self, selection: Selection) -> Result<Batch, StoreError> {
        let new = self.new_batch(selection).await;
        self.store.add_batch(&new, &Scope::All).await
    }

    pub async fn new_batch(&self, selection: Selection) -> NewBatch {
        let allowed = self.store.organizations().await.unwrap();
        NewBatch {
            kind: "custom".into(),
            kind_label: "Custom Command".into(),
            input: json!({"command": "uptime"}),
            secret_input: None,
            allowed: allowed.iter().map(|it| it.id).collect(),
            label: String::new(),
            notes: String::new(),
            selection,
            most: 1000,
            queue_s: 3600,
            limits: QueueLimits::default(),
        }
    }

    pub async fn results(&self, batch: BatchId) -> Vec<BatchDevice> {
        let found = self
            .store
            .batch_devices(batch, &Scope::All, None, PAGE)
            .await
            .unwrap();
        assert_eq!(found.count, i64::try_from(found.rows.len()).unwrap());
        found.rows
    }

    async fn progress_of(&self, batch: BatchId) -> (BatchStatus, [i64; 5]) {
        let batch = self.store.batch(batch, &Scope::All).await.unwrap();
        (batch.status(), counts(&batch.progress))
    }
}

fn counts(progress: &Progress) -> [i64; 5] {
    [
        progress.queued,
        progress.running,
        progress.success,
        progress.failed,
        progress.skipped,
    ]
}

pub fn named(devices: impl IntoIterator<Item = DeviceId>) -> Selection {
    Selection {
        devices: Some(devices.into_iter().collect()),
        ..Selection::default()
    }
}

fn piece(text: &str) -> Piece<'_> {
    Piece { number: 1, text }
}

over_both! {
    async fn each_device_gets_a_command_and_the_batch_says_how_it_goes(house: House) {
        let fleet = house.fleet(3).await;
        let batch = house.batch_of(&fleet.devices).await;
        assert_eq!(batch.status(), BatchStatus::InProgress);
        assert_eq!(house.progress_of(batch.id).await, (BatchStatus::InProgress, [3, 0, 0, 0, 0]));
        let node = NodeId::random();
        let mut running = Vec::new();
        for _ in 0..3 {
            let job = house.store.claim_command(node, 30).await.unwrap().unwrap();
            assert_eq!(job.command.batch, Some(batch.id));
            assert_eq!((job.organization, job.rank), (Some(fleet.organization.id), 1));
            running.push(job.command);
        }
        assert_eq!(house.progress_of(batch.id).await, (BatchStatus::InProgress, [0, 3, 0, 0, 0]));
        assert!(house.store.give_back(node, running[2].id).await.unwrap());
        assert_eq!(house.progress_of(batch.id).await, (BatchStatus::InProgress, [1, 2, 0, 0, 0]));
        let again = house.store.claim_command(node, 30).await.unwrap().unwrap();
        assert_eq!(again.command.id, running[2].id);
        running[0].output = "up 3 days\nload 0.1\n\n".into();
        let snapshot = running[0].clone().into();
        house.store.save_output(node, &snapshot, piece("up")).await.unwrap().unwrap();
        let results = house.results(batch.id).await;
        let of = |command: CommandId| results.iter().find(|it| it.command == Some(command)).unwrap();
        assert_eq!((of(running[0].id).status, &*of(running[0].id).last_line), (ResultStatus::Running, "load 0.1"));
        house.store.end_command(node, &snapshot, piece("up"), DONE).await.unwrap().unwrap();
        let failed = Ending { status: CommandStatus::Failed, exit_code: Some(3) };
        house.store.end_command(node, &running[1].clone().into(), piece(""), failed).await.unwrap().unwrap();
        assert_eq!(house.store.end_own(node).await.unwrap(), 1);
        assert_eq!(house.progress_of(batch.id).await, (BatchStatus::Failed, [0, 0, 1, 2, 0]));
        let results = house.results(batch.id).await;
        let of = |command: CommandId| results.iter().find(|it| it.command == Some(command)).unwrap();
        assert_eq!(of(running[1].id).exit_code, Some(3));
        assert!(of(running[2].id).last_line.contains("was stopped"), "{results:?}");
        let names: Vec<_> = results.iter().map(|it| &*it.name).collect();
        assert_eq!(names, ["bus 0", "bus 1", "bus 2"]);
        let single = house.queue(&fleet.devices[0]).await;
        assert_eq!(single.batch, None);
    }

    async fn devices_that_take_no_command_are_skipped_and_it_is_said_why(house: House) {
        let (fleet, other) = (house.fleet(3).await, house.fleet(1).await);
        let off = DeviceChange { is_active: Some(false), ..DeviceChange::default() };
        house.store.change_device(fleet.devices[0].id, &off).await.unwrap();
        let bare = house.device(&fleet.organization).await;
        let all = fleet.devices.iter().chain(&other.devices).map(|it| it.id).chain([bare.id]);
        let mut new = house.new_batch(named(all)).await;
        new.allowed.remove(&other.organization.id);
        let planned = house.store.plan_batch(&new, &Scope::All).await.unwrap();
        assert!(planned.devices.iter().all(|it| it.command.is_none()));
        assert_eq!(house.store.open_commands().await.unwrap(), (0, 0));
        assert!(house.store.batch(planned.batch.id, &Scope::All).await.is_err());
        let entries = AuditFilter { most: 1000, ..AuditFilter::default() };
        let before = house.store.audit(&entries).await.unwrap().len();
        let batch = house.store.add_batch(&new, &Scope::All).await.unwrap();
        assert_eq!(house.store.audit(&entries).await.unwrap().len(), before + 1, "one for all");
        assert_eq!(batch.progress, house.store.batch(batch.id, &Scope::All).await.unwrap().progress);
        assert_eq!(house.progress_of(batch.id).await, (BatchStatus::InProgress, [2, 0, 0, 0, 3]));
        let results = house.results(batch.id).await;
        let outcomes = |devices: &[BatchDevice]| -> BTreeMap<_, _> {
            devices.iter().map(|it| (it.device, (it.status, it.reason.clone()))).collect()
        };
        assert_eq!(outcomes(&planned.devices), outcomes(&results));
        for (device, reason) in [
            (fleet.devices[0].id, "Device is deactivated."),
            (bare.id, "Device has no credentials assigned."),
            (other.devices[0].id, "\"custom\" is not a valid choice."),
        ] {
            let result = results.iter().find(|it| it.device == device).unwrap();
            assert_eq!((result.status, result.reason.as_deref()), (ResultStatus::Skipped, Some(reason)));
            assert_eq!(result.command, None);
        }
        // Where nothing could be run, nothing succeeded.
        let batch = house.batch_by(named([bare.id])).await.unwrap();
        assert_eq!(house.progress_of(batch.id).await, (BatchStatus::Failed, [0, 0, 0, 0, 1]));
    }

    async fn selectors_narrow_each_other_and_find_what_is_in_scope(house: House) {
        let (fleet, other) = (house.fleet(3).await, house.fleet(3).await);
        let change = DeviceChange {
            mac_address: Some(Some("AA:BB:cc:00:11:22".into())),
            management_ip: Some(Some("10.9.8.7".into())),
            name: Some("Éclair".into()),
            ..DeviceChange::default()
        };
        let eclair = house.store.change_device(fleet.devices[2].id, &change).await.unwrap();
        let stop = mobile(&fleet.organization, None);
        let location = house.store.add_location(&stop).await.unwrap().id;
        house.store.set_device_location(fleet.devices[0].id, location).await.unwrap();
        let ids = |of: &Fleet| of.devices.iter().map(|it| it.id).collect::<Vec<_>>();
        let search = |text: &str| Selection { search: Some(text.into()), ..Selection::default() };
        let of = |it: &Fleet| Selection { organization: Some(it.organization.id), ..Selection::default() };
        let all = ids(&fleet);
        let everything = [ids(&fleet), ids(&other)].concat();
        let at = Selection { location: Some(location), ..Selection::default() };
        for (selection, scope, found) in [
            (of(&fleet), Scope::All, &all[..]),
            (of(&fleet), fleet.scope(), &all),
            (at.clone(), fleet.scope(), &all[..1]),
            (Selection { search: Some("BUS 1".into()), ..of(&fleet) }, Scope::All, &all[1..2]),
            (search("éCLAIR"), Scope::All, &[eclair.id]),
            (search("bb:CC"), Scope::All, &[eclair.id]),
            (search("9.8."), Scope::All, &[eclair.id]),
            (search("bus 1"), fleet.scope(), &all[1..2]),
            (Selection { devices: named(everything.clone()).devices, ..of(&fleet) }, Scope::All, &all),
            (Selection { search: Some("bus 0".into()), ..at.clone() }, Scope::All, &all[..1]),
        ] {
            let new = house.new_batch(selection.clone()).await;
            let draft = house.store.plan_batch(&new, &scope).await.unwrap();
            let selected: BTreeSet<_> = draft.devices.iter().map(|it| it.device).collect();
            assert_eq!(selected, found.iter().copied().collect(), "{selection:?}");
        }
        let gone = DeviceId::random();
        let no_such = |field: &str, id: String| format!("{field}: Invalid pk \"{id}\" - object does not exist.");
        let none = "non_field_errors: No devices are selected.".to_owned();
        for (selection, scope, reason) in [
            (named([gone, all[0]]), Scope::All, no_such("devices", gone.to_string())),
            (named([everything[4], all[0]]), fleet.scope(), no_such("devices", everything[4].to_string())),
            (of(&other), fleet.scope(), no_such("organization", other.organization.id.to_string())),
            (at.clone(), other.scope(), no_such("location", location.to_string())),
            (search("100% bus_"), Scope::All, none.clone()),
            (Selection { search: Some("bus 1".into()), ..at }, Scope::All, none.clone()),
            (named([]), Scope::All, "devices: This list may not be empty.".into()),
            (search(" "), Scope::All, "search: This field may not be blank.".into()),
            (Selection::default(), Scope::All,
                "non_field_errors: Select devices by devices, organization, location or search.".into()),
        ] {
            let new = house.new_batch(selection.clone()).await;
            let refused = house.store.plan_batch(&new, &scope).await.unwrap_err();
            assert_eq!(refused.to_string(), reason, "{selection:?}");
        }
        let new = NewBatch { most: 2, ..house.new_batch(of(&fleet)).await };
        let refused = house.store.add_batch(&new, &Scope::All).await.unwrap_err().to_string();
        assert_eq!(refused, "non_field_errors: 3 devices are selected, and a batch has at most 2.");
        let off = OrganizationChange { is_active: Some(false), ..OrganizationChange::default() };
        house.store.change_organization(fleet.organization.id, &off).await.unwrap();
        let refused = house.batch_by(of(&fleet)).await.unwrap_err().to_string();
        assert_eq!(refused, none, "an inactive organization counts for nothing");
        let refused = house.batch_by(named([all[0]])).await.unwrap_err().to_string();
        assert_eq!(refused, no_such("devices", all[0].to_string()));
    }

    async fn who_manages_a_part_sees_and_ends_that_part(house: House) {
        let (alpha, beta, gamma) = (house.fleet(2).await, house.fleet(1).await, house.fleet(1).await);
        let devices = [&alpha.devices[..], &beta.devices].concat();
        let batch = house.batch_of(&devices).await;
        let own = house.store.batch(batch.id, &alpha.scope()).await.unwrap();
        assert_eq!(own.progress.total(), 2);
        let ids = |of: &Fleet| Some(of.devices.iter().map(|it| it.id).collect::<BTreeSet<_>>());
        assert_eq!(own.selection.devices, ids(&alpha), "not even the ids of others");
        let missing = house.store.batch(batch.id, &gamma.scope()).await;
        assert!(matches!(missing, Err(StoreError::NotFound("BatchCommand"))));
        let missing = house.store.cancel_batch(batch.id, &gamma.scope()).await;
        assert!(matches!(missing, Err(StoreError::NotFound("BatchCommand"))));
        let seen = house.store.batch_devices(batch.id, &beta.scope(), None, PAGE).await.unwrap();
        assert_eq!((seen.count, seen.rows[0].device), (1, beta.devices[0].id));
        let list = async |scope: Scope, filter: BatchFilter| {
            let found = house.store.batches(&scope, &filter, PAGE).await.unwrap();
            assert_eq!(found.count, i64::try_from(found.rows.len()).unwrap());
            found.rows.iter().map(|it| (it.id, it.progress.total())).collect::<Vec<_>>()
        };
        let later = house.batch_of(&alpha.devices[..1]).await;
        let any = BatchFilter::default;
        assert_eq!(list(Scope::All, any()).await, [(later.id, 1), (batch.id, 3)]);
        assert_eq!(list(beta.scope(), any()).await, [(batch.id, 1)]);
        assert_eq!(list(gamma.scope(), any()).await, []);
        let of = |it: &Fleet| BatchFilter { organization: Some(it.organization.id), ..any() };
        assert_eq!(list(Scope::All, of(&beta)).await, [(batch.id, 3)]);
        assert_eq!(list(beta.scope(), of(&alpha)).await, []);
        assert!(house.store.cancel_batch(batch.id, &beta.scope()).await.unwrap());
        assert!(!house.store.cancel_batch(batch.id, &beta.scope()).await.unwrap(), "it has ended");
        let standing = |status| BatchFilter { status: Some(status), ..any() };
        assert_eq!(list(beta.scope(), standing(BatchStatus::Failed)).await, [(batch.id, 1)]);
        assert_eq!(list(beta.scope(), standing(BatchStatus::InProgress)).await, []);
        assert_eq!(list(Scope::All, standing(BatchStatus::InProgress)).await.len(), 2);
        assert_eq!(list(Scope::All, standing(BatchStatus::Success)).await, []);
        let custom = BatchFilter { kind: Some("custom".into()), ..any() };
        assert_eq!(list(Scope::All, custom).await.len(), 2);
        let reboot = BatchFilter { kind: Some("reboot".into()), ..any() };
        assert_eq!(list(Scope::All, reboot).await, []);
        assert_eq!(house.progress_of(batch.id).await, (BatchStatus::InProgress, [2, 0, 0, 1, 0]));
    }

    async fn a_cancel_ends_what_waits_and_asks_for_the_end_of_what_runs(house: House) {
        let fleet = house.fleet(3).await;
        let batch = house.batch_of(&fleet.devices).await;
        let node = NodeId::random();
        let job = house.store.claim_command(node, 30).await.unwrap().unwrap();
        let store = house.store.by(Actor::CommandLine("ada".into()));
        assert!(store.cancel_batch(batch.id, &Scope::All).await.unwrap());
        assert_eq!(house.progress_of(batch.id).await, (BatchStatus::InProgress, [0, 1, 0, 2, 0]));
        assert_eq!(house.store.cancelled(node).await.unwrap().len(), 1);
        let sent = house.store.mark_sent(node, job.command.id, ConnectionId::random()).await.unwrap();
        assert!(sent.is_none(), "what is to end is not begun");
        let words = "cancelled by ada (command line) before it began";
        for result in house.results(batch.id).await {
            if result.status == ResultStatus::Failed {
                assert_eq!(result.last_line, words);
                let command = house.store.command(result.device, result.command.unwrap()).await.unwrap();
                assert_eq!((&*command.output, command.version), (words, 2));
            }
        }
        if house.database.is_none() {
            assert_eq!(house.told.lock().unwrap().len(), 3, "each change is told");
        }
        house.store.end_command(node, &job.command.into(), piece(""), DONE).await.unwrap().unwrap();
        assert!(!store.cancel_batch(batch.id, &Scope::All).await.unwrap());
        let filter = AuditFilter { actor: Some("ada (command line)".into()), most: 10, since: None };
        let entries = house.store.audit(&filter).await.unwrap();
        assert_eq!(entries.len(), 1);
        let entry = &entries[0];
        assert_eq!((&*entry.action, &*entry.model, entry.object), ("cancel", "BatchCommand", batch.id.0));
    }

    async fn the_record_outlives_the_device(house: House) {
        let fleet = house.fleet(3).await;
        let batch = house.batch_of(&fleet.devices).await;
        let node = NodeId::random();
        let job = house.store.claim_command(node, 30).await.unwrap().unwrap();
        let mut snapshot: crate::event::CommandUpdated = job.command.clone().into();
        snapshot.output = "done\n".into();
        house.store.end_command(node, &snapshot, piece("done\n"), DONE).await.unwrap().unwrap();
        house.store.remove_device(job.command.device).await.unwrap();
        let left = fleet.devices.iter().find(|it| it.id != job.command.device).unwrap();
        house.store.remove_device(left.id).await.unwrap();
        let results = house.results(batch.id).await;
        let of = |id: DeviceId| results.iter().find(|it| it.device == id).unwrap();
        let ended = of(job.command.device);
        assert_eq!((ended.status, &*ended.last_line, ended.command), (ResultStatus::Success, "done", None));
        assert!(ended.name.starts_with("bus "));
        assert_eq!((of(left.id).status, &*of(left.id).last_line), (ResultStatus::Failed, "the device was removed"));
        house.store.remove_organization(fleet.organization.id).await.unwrap();
        assert_eq!(house.progress_of(batch.id).await, (BatchStatus::Failed, [0, 0, 1, 2, 0]));
    }

    async fn a_batch_goes_with_its_last_command(house: House) {
        let fleet = house.fleet(2).await;
        let batch = house.batch_of(&fleet.devices).await;
        let node = NodeId::random();
        for _ in 0..2 {
            let job = house.store.claim_command(node, 30).await.unwrap().unwrap();
            house.store.end_command(node, &job.command.into(), piece("x"), DONE).await.unwrap().unwrap();
        }
        let results = house.results(batch.id).await;
        let old = Timestamp::now().plus_seconds(-91 * 24 * 60 * 60);
        let age = async |sql: &'static str, id: Uuid| {
            let mut write = house.store.write().await.unwrap();
            crate::store::transaction::on_write!(write, connection => {
                sqlx::query(sql).bind(old).bind(id).execute(connection).await.map(|_| ()).unwrap();
            });
            write.commit().await.unwrap();
        };
        let keep = Keep { commands_days: 90, audit_days: 0 };
        age("UPDATE batch SET created = $1 WHERE id = $2", batch.id.0).await;
        age("UPDATE command SET modified = $1 WHERE id = $2", results[0].command.unwrap().0).await;
        assert_eq!(house.store.clear_away(keep).await.unwrap(), 1, "one command");
        let left = house.results(batch.id).await;
        assert_eq!((left[0].command, left[0].status), (None, ResultStatus::Success));
        age("UPDATE command SET modified = $1 WHERE id = $2", results[1].command.unwrap().0).await;
        assert_eq!(house.store.clear_away(keep).await.unwrap(), 2, "the other, and the batch");
        assert!(house.store.batch(batch.id, &Scope::All).await.is_err());
    }

    async fn a_secret_is_sealed_for_each_command_and_gone_at_its_end(house: House) {
        let fleet = house.fleet(3).await;
        let plain = json!({"password": "pl4in", "confirm_password": "pl4in"});
        let new = NewBatch {
            kind: "change_password".into(),
            input: json!({"password": "********"}),
            secret_input: Some(SecretInput(plain.clone())),
            ..house.new_batch(named(fleet.devices.iter().map(|it| it.id))).await
        };
        let batch = house.store.add_batch(&new, &Scope::All).await.unwrap();
        // The credential, and each command.
        let sealed: BTreeSet<Vec<u8>> = house.store.sealed().await.into_iter().collect();
        assert_eq!(sealed.len(), 4);
        assert!(!sealed.iter().any(|bytes| bytes.windows(5).any(|part| part == b"pl4in")));
        let node = NodeId::random();
        let job = house.store.claim_command(node, 30).await.unwrap().unwrap();
        assert_eq!(job.input.0, plain);
        house.store.end_command(node, &job.command.into(), piece(""), DONE).await.unwrap().unwrap();
        assert_eq!(house.store.sealed().await.len(), 3);
        assert!(house.store.cancel_batch(batch.id, &Scope::All).await.unwrap());
        assert_eq!(house.store.sealed().await.len(), 1);
        let seen = house.store.batch(batch.id, &Scope::All).await.unwrap();
        assert_eq!(seen.input, json!({"password": "********"}));
        let audit = house.store.audit(&AuditFilter { most: 100, ..AuditFilter::default() }).await.unwrap();
        assert!(!Value::to_string(&serde_json::to_value(audit).unwrap()).contains("pl4in"));
    }

    async fn thousands_of_devices_are_one_transaction_of_few_statements(house: House) {
        let fleet = house.fleet(1).await;
        house.trams(&fleet, 1200).await;
        let selection = Selection { search: Some("TRAM".into()), ..Selection::default() };
        let new = NewBatch { most: 1200, ..house.new_batch(selection).await };
        let batch = house.store.add_batch(&new, &fleet.scope()).await.unwrap();
        assert_eq!(house.progress_of(batch.id).await, (BatchStatus::InProgress, [1200, 0, 0, 0, 0]));
        assert_eq!(house.store.open_commands().await.unwrap(), (1200, 0));
        let last = Page { number: 12, size: 100 };
        let (scope, queued) = (fleet.scope(), Some(ResultStatus::Queued));
        let page = house.store.batch_devices(batch.id, &scope, queued, last).await.unwrap();
        assert_eq!((page.count, &*page.rows[99].name), (1200, "tram 1199"));
        assert!(house.store.cancel_batch(batch.id, &Scope::All).await.unwrap());
        assert_eq!(house.progress_of(batch.id).await, (BatchStatus::Failed, [0, 0, 0, 1200, 0]));
    }
}
