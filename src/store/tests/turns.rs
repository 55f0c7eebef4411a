use super::batches::named;
use super::*;
use crate::event::{CommandId, CommandStatus, NodeId, OrganizationId};
use crate::store::{DeviceChange, NewBatch, Page, ResultStatus, Scope};

impl House {
    /// Claims commands until there are none, and says whose they were.
    async fn claim_all(&self, most: usize) -> Vec<(OrganizationId, CommandId)> {
        let mut claimed = Vec::new();
        while claimed.len() < most
            && let Some(job) = self
                .store
                .claim_command(NodeId::random(), 30)
                .await
                .unwrap()
        {
            claimed.push((job.organization.unwrap(), job.command.id));
        }
        claimed
    }
}

over_both! {
    async fn organizations_take_turns_and_the_one_that_runs_least_comes_first(house: House) {
        let (alpha, beta) = (house.fleet(5).await, house.fleet(2).await);
        house.batch_of(&alpha.devices).await;
        assert_eq!(house.claim_all(2).await.len(), 2);
        house.batch_of(&beta.devices).await;
        let single = house.queue(&alpha.devices[0]).await;
        let claimed = house.claim_all(9).await;
        let (a, b) = (alpha.organization.id, beta.organization.id);
        let whose: Vec<_> = claimed.iter().map(|(organization, _)| *organization).collect();
        // One runs two and the other none; then both run two, and the oldest is alpha's.
        assert_eq!(whose, [b, b, a, a, a]);
        assert!(claimed.iter().all(|(_, id)| *id != single.id), "its device is busy");
        assert!(house.store.claim_first_command(NodeId::random(), 30).await.unwrap().is_none());
        let gamma = house.fleet(1).await;
        let first = house.queue(&gamma.devices[0]).await;
        let job = house.store.claim_first_command(NodeId::random(), 30).await.unwrap().unwrap();
        assert_eq!(job.command.id, first.id);
    }

    async fn what_was_asked_of_a_device_ends_when_it_goes_to_another_organization(house: House) {
        let fleet = house.fleet(1).await;
        let device = &fleet.devices[0];
        let (claimed, waiting) = (house.queue(device).await, house.queue(device).await);
        let node = NodeId::random();
        let job = house.store.claim_command(node, 30).await.unwrap().unwrap();
        assert_eq!(job.command.id, claimed.id);
        let page = Page { number: 1, size: 1 };
        let login = house.store.connections(Some(device.id), page).await.unwrap().rows[0].id;
        house.store.remove_connection(login).await.unwrap();
        let to = house.organization().await;
        let change = DeviceChange { organization: Some(to.id), ..DeviceChange::default() };
        house.store.change_device(device.id, &change).await.unwrap();
        let waiting = house.store.command(device.id, waiting.id).await.unwrap();
        assert_eq!(waiting.status, CommandStatus::Failed);
        assert_eq!(waiting.output, "the device went to another organization: it was not run");
        let asked = house.store.cancelled(node).await.unwrap();
        assert_eq!(asked, [(claimed.id, "the device's going to another organization".to_owned())]);
        assert!(house.store.mark_sent(node, claimed.id, login).await.unwrap().is_none());
        assert!(!house.store.give_back(node, claimed.id).await.unwrap());
    }

    async fn a_single_command_goes_before_those_of_batches(house: House) {
        let fleet = house.fleet(4).await;
        let batch = house.batch_of(&fleet.devices[..3]).await;
        let single = house.queue(&fleet.devices[3]).await;
        let behind = house.queue(&fleet.devices[2]).await;
        let results = house.results(batch.id).await;
        let before = results.iter().find(|it| it.device == fleet.devices[2].id).unwrap();
        let claimed: Vec<_> = house.claim_all(9).await.into_iter().map(|(_, id)| id).collect();
        assert_eq!(claimed.len(), 4);
        // On a device the order is that of asking: what is before it there is pulled forward.
        assert_eq!(claimed[..2], [before.command.unwrap(), single.id]);
        assert!(!claimed.contains(&behind.id));
    }

    async fn what_waits_too_long_ends_and_the_batch_says_so(house: House) {
        let fleet = house.fleet(1).await;
        let new = house.new_batch(named([fleet.devices[0].id])).await;
        let new = NewBatch { queue_s: 0, ..new };
        let batch = house.store.add_batch(&new, &Scope::All).await.unwrap();
        assert!(house.claim_all(1).await.is_empty());
        assert_eq!(house.store.end_late().await.unwrap(), 1);
        let result = house.results(batch.id).await.remove(0);
        assert_eq!(result.status, ResultStatus::Failed);
        assert!(result.last_line.starts_with("expired"), "{}", result.last_line);
    }
}
