//! Room in the queue: decided where the command is written, whoever else writes at the same time.

use futures_util::future::join_all;

use super::commands::custom;
use super::*;
use crate::event::NodeId;
use crate::store::{
    BatchFilter, NewCommand, Page, QueueFull, QueueLimits, ResultStatus, Scope, Selection,
    StoreError,
};

const NONE: QueueLimits = QueueLimits {
    device: 0,
    organization: 0,
};

fn limited(device: &Device, limits: QueueLimits) -> NewCommand {
    NewCommand {
        limits,
        ..custom(device)
    }
}

impl House {
    async fn waiting(&self) -> i64 {
        self.store.open_commands().await.unwrap().0
    }

    /// A batch on these devices, with limits.
    async fn batch_within(
        &self,
        devices: &[Device],
        limits: QueueLimits,
    ) -> Result<crate::store::Batch, StoreError> {
        let named = devices.iter().map(|device| device.id).collect();
        let selection = Selection {
            devices: Some(named),
            ..Selection::default()
        };
        let mut new = self.new_batch(selection).await;
        new.limits = limits;
        self.store.add_batch(&new, &Scope::All).await
    }
}

fn full(error: &StoreError) -> QueueFull {
    match error {
        StoreError::QueueFull(full) => *full,
        other => panic!("{other}"),
    }
}

over_both! {
    async fn of_many_that_ask_for_a_device_at_once_as_many_wait_as_may(house: House) {
        let device = house.router().await;
        let limits = QueueLimits { device: 3, ..NONE };
        let new = limited(&device, limits);
        let asked = join_all((0..12).map(|_| house.store.add_command(&new))).await;
        let refused: Vec<_> = asked.iter().filter_map(|it| it.as_ref().err()).map(full).collect();
        assert_eq!(refused, [QueueFull::Device(3); 9]);
        assert_eq!(house.waiting().await, 3);
        // What runs does not wait.
        house.claim(NodeId::random()).await.unwrap();
        house.store.add_command(&new).await.unwrap();
        assert!(house.store.add_command(&new).await.is_err());
        // Nobody else is refused for it.
        let other = house.router().await;
        house.store.add_command(&limited(&other, limits)).await.unwrap();
    }

    async fn of_many_that_ask_for_an_organization_at_once_as_many_wait_as_may(house: House) {
        let fleet = house.fleet(4).await;
        let limits = QueueLimits { organization: 6, ..NONE };
        let single = fleet.devices.iter().cycle().take(12).map(|device| limited(device, limits));
        let single: Vec<_> = single.collect();
        let (asked, batches) = tokio::join!(
            join_all(single.iter().map(|new| house.store.add_command(new))),
            join_all((0..3).map(|_| house.batch_within(&fleet.devices, limits))),
        );
        for error in asked.iter().filter_map(|it| it.as_ref().err()) {
            assert_eq!(full(error), QueueFull::Organization { waiting: 6, more: 1, most: 6 });
        }
        for error in batches.iter().filter_map(|it| it.as_ref().err()) {
            assert!(matches!(full(error), QueueFull::Organization { more: 4, most: 6, .. }));
        }
        let added = asked.iter().filter(|it| it.is_ok()).count();
        let by_batch = batches.iter().filter(|it| it.is_ok()).count() * 4;
        assert_eq!(house.waiting().await, i64::try_from(added + by_batch).unwrap());
        // A batch may have found no room where single commands do.
        assert_eq!(added + by_batch, 6);
        let other = house.router().await;
        house.store.add_command(&limited(&other, limits)).await.unwrap();
    }

    async fn a_batch_leaves_out_the_devices_that_are_full_and_says_why(house: House) {
        let fleet = house.fleet(2).await;
        let limits = QueueLimits { device: 2, ..NONE };
        for _ in 0..2 {
            house.store.add_command(&limited(&fleet.devices[0], limits)).await.unwrap();
        }
        let batch = house.batch_within(&fleet.devices, limits).await.unwrap();
        let results = house.results(batch.id).await;
        assert_eq!(results[0].status, ResultStatus::Skipped);
        assert_eq!(results[0].reason.as_deref(), Some(&*QueueFull::Device(2).to_string()));
        assert_eq!(results[1].status, ResultStatus::Queued);
        assert_eq!(house.waiting().await, 3);
    }

    async fn batches_at_once_do_not_fill_a_device_beyond_its_limit(house: House) {
        let fleet = house.fleet(3).await;
        let limits = QueueLimits { device: 2, ..NONE };
        let batches = join_all((0..6).map(|_| house.batch_within(&fleet.devices, limits))).await;
        assert!(batches.iter().all(Result::is_ok), "those without room skip");
        assert_eq!(house.waiting().await, 6);
    }

    async fn a_batch_without_room_writes_nothing_at_all(house: House) {
        let fleet = house.fleet(3).await;
        let limits = QueueLimits { organization: 2, ..NONE };
        let error = house.batch_within(&fleet.devices, limits).await.unwrap_err();
        assert_eq!(full(&error), QueueFull::Organization { waiting: 0, more: 3, most: 2 });
        assert_eq!(house.waiting().await, 0);
        let batches = house.store.batches(&Scope::All, &BatchFilter::default(), Page { number: 1, size: 1 }).await;
        assert_eq!(batches.unwrap().count, 0);
        house.batch_within(&fleet.devices[..2], limits).await.unwrap();
    }

    async fn zero_is_no_limit(house: House) {
        let device = house.router().await;
        for _ in 0..5 {
            house.store.add_command(&limited(&device, NONE)).await.unwrap();
        }
        assert_eq!(house.waiting().await, 5);
    }
}
